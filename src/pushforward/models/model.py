"""A trained model: publish it to a folder, load it, and use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int64
from PIL import Image
from torch import Tensor
from torch.distributions import Distribution

from pushforward.abilities import (
    ABILITIES,
    Decodes,
    Encodes,
    HasBound,
    HasBoundByClass,
    HasGaussianPosterior,
    HasLogProb,
    HasPosterior,
    Reconstructs,
    Samples,
    Tokenizes,
    Translates,
    offers,
)
from pushforward.core import Algorithm, to_float
from pushforward.data.kinds import Kind
from pushforward.errors import UserError
from pushforward.models.marginal import Rung, estimated
from pushforward.models.sampling import (
    class_index,
    fit_codes,
    in_parts,
    picture_of,
    sampler,
    walk,
)
from pushforward.models.translation import translated
from pushforward.objectives.annealing import Annealing
from pushforward.objectives.bounds import LikelihoodEstimate
from pushforward.pictures.tiles import as_png
from pushforward.randomness import aside
from pushforward.streams import Classes, shapes_of

SHOWN = 64  # images of a picture, where no number is asked for
POINTS_AT_ONCE = 10_000
# What speaks of codes as vectors: not offered where they are integers, or have the shape of an image.
OF_VECTORS = (Encodes, Decodes, HasPosterior, HasGaussianPosterior)

T = TypeVar("T")


class Model:
    """A trained model. Images are float32 in [-1, 1], (n, c, h, w); uint8 images are accepted too.

    Of a model of points all that is said of images below holds for points: float32, (n, d), never scaled.

    Every call draws from its own `seed`, works in batches, and leaves the global random state alone. What
    a method cannot do raises UserError.
    """

    def __init__(self, algorithm: Algorithm, about: dict[str, Any], *, batch_size: int | None = None) -> None:
        self.algorithm = algorithm
        self.about = about
        self.batch_size = batch_size or (256 if len(self.shape) == 3 else POINTS_AT_ONCE)

    def __repr__(self) -> str:
        size = "x".join(map(str, self.shape)) + ("" if len(self.shape) > 1 else "-d points")
        return f"Model({self.about['method']}, {size}, step {self.about['step']})"

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, height, width) of images, (d,) of points."""
        return next(iter(self.shapes.values()))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each stream of data that it learned from. `shape` is that of the first."""
        return shapes_of(self.about)

    @property
    def kind(self) -> Kind:
        """Whether it is a model of images or of points, with their units."""
        return Kind.of(self.shape)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.algorithm.parameters()).device

    def can(self, ability: type) -> bool:
        """Whether the model has an ability of `pushforward.abilities`, such as `Samples` or `Encodes`."""
        return offers(self.algorithm, ability) and (ability not in OF_VECTORS or self._codes_are_vectors)

    def ability(self, ability: type[T]) -> T:
        """The algorithm, typed as one that has the ability. Raises UserError where it has not."""
        if not self.can(ability):
            about = ABILITIES[ability]
            raise UserError(
                f"{about.verb}: the method '{self.about['method']}' has {about.lacks}; "
                f"it can {self.abilities}"
            )
        typed: Any = self.algorithm
        return typed

    @property
    def abilities(self) -> str:
        """What a user can ask of it, in words."""
        asked = (Samples, Encodes, Decodes, Tokenizes, Reconstructs, Translates, HasLogProb)
        return ", ".join(ABILITIES[a].verb for a in asked if self.can(a)) or "do nothing that is asked here"

    @cached_property
    def _codes_are_vectors(self) -> bool:
        """Whether a code is a vector of real numbers; true for a method that does not encode."""
        if not offers(self.algorithm, Encodes):
            return True
        with aside(0), torch.no_grad():
            z = self.algorithm.encode(torch.zeros(1, *self.shape, device=self.device))
        return z.ndim == 2 and z.is_floating_point()

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that a conditional model is told, by name; none of another."""
        told = Classes.told(self.about)
        return () if told is None else told.names

    def given(self, label: str) -> Model:
        """The model of the images of one class: all that a VAE can, of a conditional one.

        Raises UserError where it is told no classes or not this one, or has no encoder of images with a
        class.
        """
        index = torch.tensor([class_index(self, label)], device=self.device)
        given: Any = self.ability(HasBoundByClass).given(index)
        about = {name: told for name, told in self.about.items() if name != "classes"}
        return Model(given, about, batch_size=self.batch_size)

    def sample(
        self, n: int, *, seed: int = 0, truncation: float | None = None, label: str | None = None
    ) -> Float[Tensor, "n *x"]:
        """n new images. The same seed gives the same images, and the first of them whatever n is.

        truncation: ψ in (0, 1], by which z ~ N(m, 1) becomes m + ψ(z - m): less variety, more typical images.
        Raises UserError for it where there is no Gaussian prior. label: the only class, of a conditional
        model; by default classes are drawn as often as in the training data.
        """
        return torch.cat(list(self.sample_parts(n, seed=seed, truncation=truncation, label=label)))

    def sample_parts(
        self,
        n: int,
        *,
        seed: int = 0,
        truncation: float | None = None,
        codes: Distribution | None = None,
        label: str | None = None,
    ) -> Iterator[Float[Tensor, "b *x"]]:
        """The same images, at most 64 at a time, so that no number of them needs more memory.

        codes: an `aggregate` to draw from instead of the prior, which then is not truncated.
        """
        if n < 1:
            raise UserError(f"n: {n}; expected at least 1 {self.kind.name}")
        return in_parts(sampler(self, truncation=truncation, codes=codes, label=label), n, seed=seed)

    def interpolate(
        self, seeds: tuple[int, int], n: int = 9, *, truncation: float | None = None
    ) -> Float[Tensor, "n *x"]:
        """n images on the way from the first of one seed to the first of another, both included.

        Their codes lie on an arc around the prior's mean (`sampling.slerp`). Raises UserError for a model
        without a Gaussian prior.
        """
        if n < 2:
            raise UserError(f"n: {n}; expected at least 2, the images of both seeds")
        return self.decode(walk(self, seeds, n, truncation=truncation))

    def show(
        self, n: int = SHOWN, *, seed: int = 0, truncation: float | None = None, columns: int | None = None
    ) -> Image.Image:
        """A picture of n new samples, which a notebook shows. columns: images a row."""
        return picture_of(self.sample(n, seed=seed, truncation=truncation), columns=columns)

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows of the model: its samples; its name where it has none."""
        return as_png(self.show()) if self.can(Samples) else None

    def encode(self, x: Tensor, *, seed: int = 0) -> Float[Tensor, "n d"]:
        """The latent code of each image."""
        return self._map(self.ability(Encodes).encode, self._images(x), seed)

    def tokens(self, x: Tensor, *, seed: int = 0) -> Int64[Tensor, "n *t"]:
        """The codebook's indices of each image."""
        return self._map(self.ability(Tokenizes).tokens, self._images(x), seed)

    def decode_tokens(self, tokens: Int64[Tensor, "n *t"]) -> Float[Tensor, "n *x"]:
        """The image of each array of indices."""
        return self._map(self.ability(Tokenizes).decode_tokens, tokens, 0)

    def aggregate(self, x: Tensor, *, components: int = 10, seed: int = 0) -> Distribution:
        """A distribution over codes for `decode`: a Gaussian mixture fitted to the codes of images.

        The codes are draws of q(z|x) where the method has a posterior, and plain codes where it has none;
        so the mixture approximates what the decoder was trained on, which the prior may not be. Give the
        images of training. Raises UserError for more components than half of the images, and for
        discrete codes.
        """
        draw = self.ability(Encodes).encode
        if self.can(HasPosterior):
            draw = self.ability(HasPosterior).sample_posterior
        return fit_codes(self._map(draw, self._images(x), seed), components=components, seed=seed)

    def sample_aggregate(self, n: int, codes: Distribution, *, seed: int = 0) -> Float[Tensor, "n *x"]:
        """n new images from codes drawn of an `aggregate`. The same seed gives the same images."""
        return torch.cat(list(self.sample_parts(n, seed=seed, codes=codes)))

    def decode(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n *x"]:
        """The image of each latent code."""
        return self._map(self.ability(Decodes).decode, z, 0)

    def reconstruct(self, x: Tensor, *, seed: int = 0) -> Float[Tensor, "n *x"]:
        """Encode and decode."""
        return self._map(self.ability(Reconstructs).reconstruct, self._images(x), seed)

    def translate(self, x: Tensor, *, to: str, tile: int | None = None, seed: int = 0) -> Tensor:
        """Images of another domain as images of the domain `to`, of the size that they have.

        tile: pixels a side of overlapping tiles in which larger images are translated, which bounds the
        memory; tiles are normalised by the whole, reduced, so they come near to it. None for whole images.
        """
        return translated(self, x, to, tile=tile, seed=seed)

    def mean_reconstruction(
        self, x: Tensor, *, samples: int, seed: int = 0
    ) -> tuple[Float[Tensor, "n *x"], Float[Tensor, "n *x"]]:
        """The mean of the decoded images over draws z ~ q(z|x), and its Monte Carlo standard error.

        `reconstruct` decodes the one code that the encoder names; this averages over what it is unsure of.
        samples: draws an image; the error is nan for one. Both in [-1, 1] units. Raises UserError for a
        method without a posterior.
        """
        from pushforward.models.sampling import mean_of_draws

        return mean_of_draws(self, self._images(x), samples=samples, seed=seed)

    def log_prob(
        self,
        x: Tensor,
        *,
        method: Rung = "iwae",
        k: int | None = None,
        annealing: Annealing | None = None,
        seed: int = 0,
    ) -> Float[Tensor, " n"]:
        """ln p(x) in nats an image.

        Of a latent-variable model it is an estimate, too low on average: see `likelihood` for `method`, `k`
        and `annealing`, and for its error. Other models say it themselves, and take none of these.
        """
        if not self.can(HasBound):
            if method != "iwae" or k is not None or annealing is not None:
                raise UserError(
                    f"`method`, `k`, `annealing`: given, but '{self.about['method']}' estimates no bound; "
                    "leave them out"
                )
            return self._map(self.ability(HasLogProb).log_prob, self._images(x), seed)
        return self.likelihood(x, method=method, k=k, annealing=annealing, seed=seed).value

    def likelihood(
        self,
        x: Tensor,
        *,
        method: Rung = "iwae",
        k: int | None = None,
        annealing: Annealing | None = None,
        seed: int = 0,
    ) -> LikelihoodEstimate:
        """ln p(x) in nats an image, with its standard error and effective number of draws.

        method: "iwae" for importance samples from the encoder (Burda et al. 2016), "ais" for annealed
        importance sampling, tighter and far slower, "prior" for plain Monte Carlo, which is far too low
        unless z hardly matters. k: draws of "iwae" (100) and "prior" (10,000). annealing: of "ais".
        """
        return estimated(self, self._images(x), method, k=k, annealing=annealing, seed=seed)

    def _map(self, f: Callable[[Tensor], Tensor], x: Tensor, seed: int) -> Tensor:
        with aside(seed), torch.no_grad():
            return torch.cat([f(chunk.to(self.device)).cpu() for chunk in x.split(self.batch_size)])

    def _images(self, x: Tensor) -> Tensor:
        if x.ndim != 1 + len(self.shape) or tuple(x.shape[1:]) != self.shape:
            raise UserError(f"x: shape {tuple(x.shape)}; expected (n, {', '.join(map(str, self.shape))})")
        if len(x) == 0:
            raise UserError(f"x: no {self.kind.many}; expected at least one")
        return to_float(x) if x.dtype == torch.uint8 else x.float()
