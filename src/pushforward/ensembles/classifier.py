"""A classifier of real against generated data, for the ratio of their densities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.core import to_float
from pushforward.data import Dataset, Stream
from pushforward.errors import UserError
from pushforward.networks.dcgan import dcgan_critic
from pushforward.networks.gan_mlp import mlp_critic
from pushforward.networks.layers import Shape
from pushforward.objectives.adversarial import minimax_critic
from pushforward.randomness import aside

AT_ONCE = 1000  # rows scored together


@dataclass(kw_only=True)
class ClassifierOptions:
    """The classifier that tells the data from the mixture so far."""

    classifier_steps: int = 2000
    """Steps that the classifier of real against generated data trains for, before each component but the
    first."""
    classifier_hidden: tuple[int, ...] = (64, 64)
    """Widths of its hidden layers, for points and images under 16 pixels."""
    classifier_width: int = 32
    """Channels of its finest scale, for larger images."""
    classifier_lr: float = 1e-3
    """Its rate at the start, per step of Adam; it falls to 0 along half a cosine."""
    classifier_folds: int = 2
    """Parts of the data. Each is scored by a classifier that learned from the others, so that none is
    called real for having been learned by heart. 1 scores the data that were learned from."""

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        for name in ("classifier_steps", "classifier_width", "classifier_folds"):
            if getattr(self, name) < 1:
                raise UserError(f"`{name}`: {getattr(self, name)}; expected at least 1")
        if not self.classifier_lr > 0:
            raise UserError(f"`classifier_lr`: {self.classifier_lr}; expected a positive number")
        if any(h < 1 for h in self.classifier_hidden):
            widths = " ".join(map(str, self.classifier_hidden))
            raise UserError(f"`classifier_hidden`: {widths}; expected widths of at least 1")


@dataclass(frozen=True)
class RealScores:
    """logits: ln C / (1 - C) of every row, float64, where C is the probability that it is real. accuracy:
    of the classifiers on these rows and as many samples."""

    logits: Float[Tensor, " n"]
    accuracy: float


def tell_apart(
    data: Dataset,
    sample: Callable[[int], Tensor],
    options: ClassifierOptions,
    *,
    batch_size: int,
    seed: int,
    device: torch.device,
) -> RealScores:
    """Train classifiers on rows of the data against as many samples, and score every row.

    Everything follows from the seed; the global random streams are left as they were. data: at least as
    many rows as folds.
    """
    n = len(data)
    if options.classifier_folds > n:
        raise UserError(f"`classifier_folds`: {options.classifier_folds}; expected at most the {n} rows")
    logits = torch.empty(n, dtype=torch.float64)
    right = 0.0
    with aside(seed):
        parts = torch.randperm(n).chunk(options.classifier_folds)
        for part in parts:
            learned = torch.ones(n)
            if len(parts) > 1:
                learned[part] = 0
            draw = Stream(
                {"data": data}, batch_size=batch_size, seed=seed, device=device, weights={"data": learned}
            )
            network = _trained(_network(data, options).to(device), draw, sample, options)
            with torch.no_grad():
                own = [_scores(network, data.x[rows].to(device)) for rows in part.split(AT_ONCE)]
                fakes = [_scores(network, sample(len(rows))) for rows in part.split(AT_ONCE)]
            logits[part] = torch.cat(own)
            right += float((torch.cat(own) > 0).sum() + (torch.cat(fakes) < 0).sum())
    return RealScores(logits, right / (2 * n))


def density_ratio(logits: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """P_model / P_data = (1 - C) / C, of the log-odds of C; in double it overflows only past 709."""
    return torch.exp(-logits.double())


def _trained(
    network: nn.Module, draw: Stream, sample: Callable[[int], Tensor], options: ClassifierOptions
) -> nn.Module:
    optimizer = torch.optim.Adam(network.parameters(), lr=options.classifier_lr, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.classifier_steps)
    for _ in range(options.classifier_steps):
        x = draw().x
        loss = minimax_critic(network(x), network(sample(len(x))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def _network(data: Dataset, options: ClassifierOptions) -> nn.Module:
    shape: Shape = data.shape
    if len(shape) == 3 and min(shape[1:]) >= 16:
        c, h, w = shape
        return dcgan_critic((c, h, w), width=options.classifier_width, normalisation="none")
    mlp = mlp_critic(shape, options.classifier_hidden)
    return mlp if len(shape) == 3 else nn.Sequential(_Standardised(data.x), mlp)


class _Standardised(nn.Module):
    """Points less their mean over their standard deviation, coordinate by coordinate: they have any scale."""

    mean: Tensor
    scale: Tensor

    def __init__(self, points: Float[Tensor, "n d"]) -> None:
        super().__init__()
        scale = points.std(0) if len(points) > 1 else torch.ones_like(points[0])
        self.register_buffer("mean", points.mean(0))
        self.register_buffer("scale", torch.where(scale > 0, scale, 1.0))

    def forward(self, x: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        return (x - self.mean) / self.scale


def _scores(network: nn.Module, x: Tensor) -> Float[Tensor, " b"]:
    return network(to_float(x)).flatten().double().cpu()
