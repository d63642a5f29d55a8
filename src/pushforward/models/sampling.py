"""How a trained model is drawn from: in parts, from a narrowed prior, and along a walk between two codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.distributions import Distribution

from pushforward.abilities import Decodes, HasPrior, HasPriorMoments, Samples, offers
from pushforward.errors import UserError
from pushforward.pictures.points import Scene, scatter
from pushforward.pictures.tiles import enlargement, grid
from pushforward.randomness import OwnStreams, aside

if TYPE_CHECKING:
    from pushforward.models.model import Model

DRAWN_AT_ONCE = 64
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


def sampler(model: Model, *, truncation: float | None = None, codes: Distribution | None = None) -> Draw:
    """What draws from the model: as its method does, from the narrowed prior, or by given codes.

    Raises UserError for what the model cannot.
    """
    check_truncation(truncation)
    if codes is not None:
        if truncation is not None:
            raise UserError("`truncation`: given with `codes`, which are not of the prior; leave one out")
        decode, drawn_from = model.ability(Decodes).decode, codes.sample
        return lambda n: decode(drawn_from(torch.Size((n,))).float().to(model.device))
    if truncation is None:
        return model.ability(Samples).sample
    prior = GaussianPrior.of(model, f"`truncation`: {truncation}")
    return lambda n: prior.decode(prior.codes(n, truncation))


def check_truncation(truncation: float | None) -> None:
    """Raise UserError for a factor that does not narrow the prior."""
    if truncation is not None and not 0 < truncation <= 1:
        raise UserError(f"`truncation`: {truncation}; expected a factor of z above 0, at most 1")


@dataclass(frozen=True)
class GaussianPrior:
    """A Gaussian prior, and the decoder of what it draws. mean: of each dimension."""

    draw: Draw
    decode: Callable[[Tensor], Tensor]
    mean: Float[Tensor, " d"]

    @classmethod
    def of(cls, model: Model, asked: str) -> GaussianPrior:
        """That of the model. asked: what needs it, for the UserError where there is none."""
        draw = model.ability(HasPrior).sample_prior if model.can(HasPrior) and model.can(Decodes) else None
        if draw is not None:
            with aside(0), torch.no_grad():
                z = draw(2)
            if not torch.equal(z, z.round()):  # discrete codes are whole numbers
                mean = prior_moments(model, z.shape[1])[0].to(z)
                return cls(draw, model.ability(Decodes).decode, mean)
        method = model.about["method"]
        raise UserError(
            f"{asked}, but a model of the method '{method}' has no Gaussian prior of codes that it decodes; "
            "leave it out"
        )

    def codes(self, n: int, truncation: float | None = None) -> Float[Tensor, "n d"]:
        """m + ψ(z - m) for n draws z, with ψ the truncation and m the prior's mean; z itself without one.

        This is the formula of Karras et al. 2019 (StyleGAN, appendix B) for z instead of their w. Brock et
        al. 2019 (BigGAN, section 3.1) draw each number of z anew until |z| is below a threshold. Both trade
        variety for typical samples. Scaling leaves a seed its image, which ψ then changes smoothly.
        """
        z = self.draw(n)
        return z if truncation is None else self.mean + truncation * (z - self.mean)


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

    Around the prior's mean. Raises UserError for a model without a Gaussian prior.
    """
    check_truncation(truncation)
    a, b = seeds
    prior = GaussianPrior.of(model, f"`seeds`: {a} {b}")
    ends = []
    for seed in seeds:
        with aside(seed), torch.no_grad():
            ends.append((prior.codes(DRAWN_AT_ONCE, truncation)[0] - prior.mean).cpu())
    arc = slerp(ends[0], ends[1], torch.linspace(0, 1, steps, dtype=torch.float64))
    return prior.mean.cpu() + arc.to(ends[0])


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
