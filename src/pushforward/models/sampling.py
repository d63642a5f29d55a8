"""How a trained model is drawn from: in parts, from a narrowed prior, and along a walk between two codes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.distributions import Distribution

from pushforward.abilities import Decodes, HasPosterior, HasPrior, HasPriorMoments, Samples, offers
from pushforward.distributions.labels import Labels
from pushforward.errors import UserError, did_you_mean
from pushforward.objectives.montecarlo import mean_interval
from pushforward.pictures.points import Scene, scatter
from pushforward.pictures.tiles import enlargement, grid
from pushforward.randomness import OwnStreams, aside

if TYPE_CHECKING:
    from pushforward.models.model import Model

DRAWN_AT_ONCE = 64
# Pixel values decoded at once: 2,000 images of 28 x 28. More is no faster, and memory grows with it.
DECODED_AT_ONCE = 2000 * 784
NO_ANGLE = 1e-6  # sine of the angle between two codes under which they count as parallel

Draw = Callable[[int], Tensor]


def in_parts(draw: Draw, n: int, *, seed: int) -> Iterator[Float[Tensor, "b *x"]]:
    """n rows that `draw` gives, at most 64 at a time, on the CPU, without a graph.

    The same seed gives the same rows, and the first of them whatever n is. They have random streams of their
    own, so what is drawn between two parts changes neither.
    """
    streams = OwnStreams(seed)
    for start in range(0, n, DRAWN_AT_ONCE):
        with streams.entered(), torch.no_grad():
            # Always so many at a time: what torch draws for a row depends on how many there are.
            part = draw(DRAWN_AT_ONCE).cpu()
        yield part[: n - start]


def sampler(
    model: Model,
    *,
    truncation: float | None = None,
    codes: Distribution | None = None,
    label: str | None = None,
) -> Draw:
    """What draws from the model: as its method does, from the narrowed prior, by given codes, or of one
    class.

    Raises UserError for what the model cannot.
    """
    check_truncation(truncation)
    index = None if label is None else class_index(model, label)
    if codes is not None:
        if truncation is not None:
            raise UserError("`truncation`: given with `codes`, which are not of the prior; leave one out")
        decode, drawn_from = model.ability(Decodes).decode, codes.sample
        return lambda n: decode(drawn_from(torch.Size((n,))).float().to(model.device))
    if truncation is None and index is None:
        return model.ability(Samples).sample
    prior = GaussianPrior.of(model, f"`truncation`: {truncation}")
    return lambda n: prior.decode(prior.codes(n, truncation, index))


def class_index(model: Model, label: str) -> int:
    """The place of a class by its name. Raises UserError where the model is told none, or not this one."""
    if not model.classes:
        raise UserError(
            f"`label`: {label}, but this model was not trained with `conditional`; leave it out, or train one"
        )
    if label not in model.classes:
        raise UserError(
            f"`label`: '{label}'{did_you_mean(label, model.classes)}; known are {', '.join(model.classes)}"
        )
    return model.classes.index(label)


def check_truncation(truncation: float | None) -> None:
    """Raise UserError for a factor that does not narrow the prior."""
    if truncation is not None and not 0 < truncation <= 1:
        raise UserError(f"`truncation`: {truncation}; expected a factor of z above 0, at most 1")


@dataclass(frozen=True)
class GaussianPrior:
    """A Gaussian prior, and the decoder of what it draws. mean: of each dimension. labels: of a conditional
    model, whose codes end in a one-hot class."""

    draw: Draw
    decode: Callable[[Tensor], Tensor]
    mean: Float[Tensor, " d"]
    labels: Labels | None = None

    @classmethod
    def of(cls, model: Model, asked: str) -> GaussianPrior:
        """That of the model. asked: what needs it, for the UserError where there is none."""
        draw = model.ability(HasPrior).sample_prior if model.can(HasPrior) and model.can(Decodes) else None
        if draw is not None:
            with aside(0), torch.no_grad():
                z = draw(2)
            if not torch.equal(z, z.round()):  # discrete codes are whole numbers
                mean = prior_moments(model, z.shape[1])[0].to(z)
                labels: Labels | None = getattr(model.algorithm, "labels", None)
                return cls(draw, model.ability(Decodes).decode, mean, labels)
        method = model.about["method"]
        raise UserError(
            f"{asked}, but a model of the method '{method}' has no Gaussian prior of codes that it decodes; "
            "leave it out"
        )

    def codes(
        self, n: int, truncation: float | None = None, index: int | None = None
    ) -> Float[Tensor, "n d"]:
        """m + ψ(z - m) for n draws z, with ψ the truncation and m the prior's mean; z itself without one.

        This is the formula of Karras et al. 2019 (StyleGAN, appendix B) for z instead of their w. Brock et
        al. 2019 (BigGAN, section 3.1) draw each number of z anew until |z| is below a threshold. Both trade
        variety for typical samples. Scaling leaves a seed its image, which ψ then changes smoothly. index: of
        the only class, of a conditional model.
        """
        z = self.draw(n)
        narrow = z if truncation is None else self.mean + truncation * (z - self.mean)
        if self.labels is None:
            return narrow
        noise, y = self.labels.split(narrow)[0], self.labels.split(z)[1].argmax(1)
        return self.labels.beside(noise, y if index is None else torch.full_like(y, index))


def prior_moments(model: Model, d: int) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """Mean and deviation of the prior of each dimension: 0 and 1 unless the model says otherwise."""
    algorithm = model.algorithm
    if not offers(algorithm, HasPriorMoments):
        return torch.zeros(d), torch.ones(d)
    with torch.no_grad():
        mean, deviation = algorithm.prior_moments()
    return mean.cpu(), deviation.cpu()


def walk(
    model: Model, seeds: tuple[int, int], steps: int, *, truncation: float | None = None
) -> Float[Tensor, "s d"]:
    """Codes from that of the first sample of one seed to that of another, both included; see `slerp`.

    Around the prior's mean. The class of a conditional model goes along the line. Raises UserError for a
    model without a Gaussian prior.
    """
    check_truncation(truncation)
    a, b = seeds
    prior = GaussianPrior.of(model, f"`seeds`: {a} {b}")
    ends = []
    for seed in seeds:
        with aside(seed), torch.no_grad():
            ends.append(prior.codes(DRAWN_AT_ONCE, truncation)[0].cpu())
    t = torch.linspace(0, 1, steps, dtype=torch.float64)
    d = len(ends[0]) - (0 if prior.labels is None else len(prior.labels))
    mean = prior.mean[:d].cpu()
    arc = mean + slerp(ends[0][:d] - mean, ends[1][:d] - mean, t)
    classes = torch.lerp(ends[0][d:].double(), ends[1][d:].double(), t[:, None])
    return torch.cat([arc, classes], 1).to(ends[0])


def slerp(a: Float[Tensor, " d"], b: Float[Tensor, " d"], t: Float[Tensor, " s"]) -> Float[Tensor, "s d"]:
    """Spherical interpolation, a at t = 0 and b at t = 1: (sin((1-t)ω) a + sin(tω) b) / sin ω, in double.

    ω is the angle between them (Shoemake 1985). Between vectors of one length it is the arc, at constant
    speed. The straight line would pass through codes that are shorter than draws of a Gaussian in many
    dimensions ever are (White 2016, *Sampling Generative Networks*). It is taken for parallel vectors alone.
    """
    a, b, t = a.double(), b.double(), t.double()[:, None]
    omega = torch.nn.functional.cosine_similarity(a, b, dim=0).clamp(-1, 1).acos()
    if omega.sin() < NO_ANGLE:
        return a + t * (b - a)
    return (((1 - t) * omega).sin() * a + (t * omega).sin() * b) / omega.sin()


def fit_codes(z: Float[Tensor, "n d"], *, components: int, seed: int) -> Distribution:
    """A Gaussian mixture fitted to codes: see `Model.aggregate`. Raises UserError for discrete ones."""
    from pushforward.distributions.mixture import fit_gaussian_mixture

    if torch.equal(z, z.round()):
        raise UserError(
            "x: its codes are discrete, and no Gaussian mixture is; sample from the prior instead"
        )
    return fit_gaussian_mixture(z, components=components, seed=seed)


def picture_of(samples: Float[Tensor, "n *x"], *, columns: int | None = None) -> Image.Image:
    """A grid of images, enlarged where they are small, or points in the plane."""
    if samples.ndim == 2:
        return scatter(Scene.of(samples, behind=False), samples)
    return grid(samples, columns=columns, scale=enlargement(min(samples.shape[2:])))


def mean_of_draws(
    model: Model, x: Float[Tensor, "n *x"], *, samples: int, seed: int
) -> tuple[Float[Tensor, "n *x"], Float[Tensor, "n *x"]]:
    """The mean of images decoded from draws of q(z|x), and its error: see `Model.mean_reconstruction`."""
    if samples < 1:
        raise UserError(f"samples: {samples}; expected at least 1 draw")
    if not model.can(HasPosterior):
        raise UserError(
            f"`samples`: the method '{model.about['method']}' has no posterior to draw from; leave it out"
        )
    draw, decode = model.ability(HasPosterior).sample_posterior, model.ability(Decodes).decode
    means, errors = [], []
    at_once = max(1, DECODED_AT_ONCE // math.prod(model.shape) // samples)
    with aside(seed), torch.no_grad():
        for chunk in x.split(at_once):
            own = chunk.to(model.device)
            drawn = [decode(draw(own)).cpu() for _ in range(samples)]
            means.append(torch.stack(drawn).mean(0))
            unknown = torch.full_like(means[-1], torch.nan)
            errors.append(unknown if samples == 1 else mean_interval(torch.stack(drawn)).standard_error)
    return torch.cat(means), torch.cat(errors)
