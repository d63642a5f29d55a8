"""Rejection sampling implicit maximum likelihood estimation (RS-IMLE): each datum draws its nearest sample.

K. Li and J. Malik, *Implicit Maximum Likelihood Estimation*, 2018, Algorithm 1; C. Vashist, S. Peng and
K. Li, *Rejection Sampling IMLE: Designing Priors for Better Few-Shot Image Synthesis*, ECCV 2024. With ε = 0
it is the first, with ε > 0 the second.

Deviations from the papers:
1. The distance is squared error of pixels, or of a fixed random projection of them for the match; the second
   paper adds LPIPS, a learned distance.
2. A pool serves `batches_per_pool` batches, of which each is seen once; the papers match more data at once,
   and see them several times.
3. Where ε would reject a whole pool, it rejects none of it.
4. Each of several processes matches its share of the data with a pool of its own.
5. Networks are the recipe's: no mapping network and no noise inside the layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.core import Algorithm, Draw, Player, Steps, Update, constant, cosine
from pushforward.distributions.likelihood import at_least_single
from pushforward.distributions.standard import standard_of
from pushforward.errors import UserError
from pushforward.networks.layers import has_batch_norm
from pushforward.objectives.matching import nearest_matches, root_mean_squares


@dataclass(kw_only=True)
class RSIMLEHyperparameters:
    """What the papers leave to choose."""

    latent_dim: int = 32
    """Dimensions of the noise z that the generator maps."""
    lr: float = 1e-3
    """Adam's rate, per step."""
    lr_schedule: Literal["constant", "cosine"] = "constant"
    """How Adam's rate changes over the run: not at all, or down to zero along half a cosine."""
    ema: float | None = 0.999
    """Decay per gradient step of averaged weights that are published instead of the last ones."""
    pool: int = 1024
    """Samples among which each datum finds its nearest (the papers' m)."""
    batches_per_pool: int = 4
    """Batches that are matched with one pool; each makes one gradient step."""
    epsilon: float = 0.05
    """Samples nearer than this to any datum are no match (RS-IMLE); 0 is plain IMLE. In roots of mean squared
    differences of pixels on [-1, 1], or of the numbers of points in their standard deviations."""
    projection: int | None = None
    """Dimensions of a fixed random projection in which images or points are matched; by default there is
    none."""

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        for name in ("latent_dim", "pool", "batches_per_pool"):
            if getattr(self, name) < 1:
                raise UserError(f"`{name}`: {getattr(self, name)}; expected at least 1")
        if self.projection is not None and self.projection < 1:
            raise UserError(f"`projection`: {self.projection}; expected at least 1 dimension")
        if self.epsilon < 0:
            raise UserError(f"`epsilon`: {self.epsilon}; expected a distance of at least 0")


class RSIMLE(Algorithm):
    """A generator (b, latent_dim) -> (b, *shape) of z ~ N(0, 1), and nothing else.

    shape: of x, (channels, height, width) or (d,).
    """

    training_only = ("directions",)
    directions: Tensor

    def __init__(self, *, generator: nn.Module, shape: tuple[int, ...], hyper: RSIMLEHyperparameters) -> None:
        super().__init__()
        hyper.check()
        self.generator = generator
        self.hyper = hyper
        self.latent_dim = hyper.latent_dim
        self.standard = standard_of(shape)
        if hyper.projection is not None:
            numbers = torch.Size(shape).numel()
            directions = torch.randn(numbers, hyper.projection) / numbers**0.5
            self.register_buffer("directions", directions)

    def players(self) -> dict[str, Player]:
        """One: the generator."""
        hyper = self.hyper
        schedule = cosine if hyper.lr_schedule == "cosine" else constant
        return {"generator": Player(module=self.generator, lr=hyper.lr, ema=hyper.ema, schedule=schedule)}

    def check_batch(self, n: int) -> None:
        """Raise UserError where BatchNorm has but one row."""
        if n < 2 and has_batch_norm(self.generator):
            raise UserError(
                f"`batch_size`: {n} for a process, and BatchNorm needs at least 2 to have a variance; take "
                "more, or `generator_norm` none"
            )

    def step(self, draw: Draw) -> Steps:
        """Match some batches with a pool of samples, then descend ‖x - G(z)‖² of each batch's pairs."""
        batches = [self._standardised(draw().x) for _ in range(self.hyper.batches_per_pool)]
        z, info = self.matches(torch.cat(batches))
        for x, code in zip(batches, z.split([len(x) for x in batches]), strict=True):
            error = (at_least_single(self.generator(code)) - x).square().mean()
            yield Update({"generator": error}, info)

    @torch.no_grad()
    def matches(self, x: Float[Tensor, "n *x"]) -> tuple[Float[Tensor, "n d"], dict[str, Tensor]]:
        """Of each standardised x, the z whose sample is nearest in a new pool; and what to log of it."""
        z = self.sample_prior(self.hyper.pool)
        # As large as the batches, so that a pool takes no more memory than they do.
        made = torch.cat([self.generator(part) for part in z.tensor_split(-(-len(z) // len(x)))])
        distances = root_mean_squares(self._compared(x), self._compared(made))
        nearest, far, rejected = nearest_matches(distances, self.hyper.epsilon)
        return z[nearest], {"matched_distance": far.mean(), "rejected": rejected}

    def _compared(self, x: Tensor) -> Float[Tensor, "n d"]:
        """The numbers that a match goes by; projected ones are as far apart on average as the whole."""
        flat = at_least_single(x.flatten(1))
        return flat if self.hyper.projection is None else flat @ self.directions

    def sample_prior(self, n: int) -> Float[Tensor, "n d"]:
        """z ~ N(0, 1)."""
        like = next(self.generator.parameters())
        return torch.randn(n, self.latent_dim, device=like.device, dtype=like.dtype)

    @torch.no_grad()
    def sample(self, n: int) -> Float[Tensor, "n *x"]:
        """n images in [-1, 1], or points. Records no graph."""
        return self.decode(self.sample_prior(n))

    def decode(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n *x"]:
        """G(z), in float32; points in the data's units."""
        made: Tensor = self.generator(z)
        return at_least_single(made if self.standard is None else self.standard.undo(made))

    def _standardised(self, x: Tensor) -> Tensor:
        return x if self.standard is None else self.standard(x)
