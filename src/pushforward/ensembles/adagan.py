"""AdaGAN: a mixture of generative models, each trained on what those before it miss.

I. Tolstikhin, S. Gelly, O. Bousquet, C.-J. Simon-Gabriel and B. Schölkopf, *AdaGAN: Boosting Generative
Models*, NIPS 2017, Algorithm 1 with the weights of its Theorem 1.

Deviations from the paper:
1. The classifier scores rows that it has not learned from (`classifier_folds`); the paper's own scores the
   rows that it learned from, and a large one then calls all of them real.
2. The classifier sees fresh samples of the mixture at each step, not a fixed set of them.
3. Weighted rows are drawn by systematic resampling (`data.Stream`), whose batches are as unbiased as
   independent draws, and epochs less noisy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from pushforward.core import Algorithm
from pushforward.data import Dataset
from pushforward.ensembles.classifier import ClassifierOptions, density_ratio, tell_apart
from pushforward.ensembles.mixture import MixtureModel
from pushforward.ensembles.weighting import Weighting, component_weights
from pushforward.errors import UserError


@dataclass(kw_only=True)
class AdaGANHyperparameters(ClassifierOptions):
    """What the paper leaves to choose, but for the components themselves."""

    components: int = 10
    """Models that are trained, one after another, for --steps each; all weigh the same in the end."""

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        super().check()
        if self.components < 1:
            raise UserError(f"`components`: {self.components}; expected at least 1")


Train = Callable[[int, Weighting], Algorithm]
Remember = Callable[[int, Callable[[], Weighting]], Weighting]


@dataclass(frozen=True)
class Stage:
    """One component that was added. beta: the weight that it was given then."""

    index: int
    beta: float
    weighting: Weighting


def boost(
    mixture: MixtureModel,
    data: Dataset,
    hyper: AdaGANHyperparameters,
    *,
    train: Train,
    batch_size: int,
    seed: int,
    device: torch.device | None = None,
    remember: Remember = lambda index, compute: compute(),
) -> Iterator[Stage]:
    """Algorithm 1: train component after component and put it into the mixture. A stage after each.

    mixture: as many untrained components as `hyper` asks for. train: the next component on weighted data,
    from its index; one that was trained before may simply be returned. remember: gives back the weighting of
    an index that it knows, else the one that it is given the means to compute. seed: of the classifiers.
    """
    device = device or torch.device("cpu")
    mixture.to(device).eval()
    for index in range(hyper.components):
        beta = 1 / (index + 1)

        def weigh(index: int = index, beta: float = beta) -> Weighting:
            if not index:
                return Weighting()
            own = derived_seed(seed, "classifier", index)
            verdict = tell_apart(data, mixture.sample, hyper, batch_size=batch_size, seed=own, device=device)
            weights, lambda_ = component_weights(density_ratio(verdict.logits), beta)
            return Weighting(weights, lambda_, verdict.accuracy)

        weighting = remember(index, weigh)
        mixture.add(index, train(index, weighting).eval(), beta)
        yield Stage(index, beta, weighting)


def component_seed(seed: int, index: int) -> int:
    """The seed that a component is trained with: the run's own for the first, which is a plain run."""
    return seed if index == 0 else derived_seed(seed, "component", index)


def derived_seed(seed: int, purpose: str, index: int) -> int:
    """A seed below 2^62 that follows from these, and is no other's."""
    key = hashlib.blake2b(repr((seed, "adagan", purpose, index)).encode(), digest_size=8).digest()
    return int.from_bytes(key, "big") >> 2
