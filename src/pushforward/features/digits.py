"""A classifier of single digits, for the modes of stacked ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pushforward.core import to_float
from pushforward.data import Dataset
from pushforward.data.rows import digests
from pushforward.errors import UserError
from pushforward.randomness import aside

KEPT_ASIDE = 500  # digits to measure the classifier on
EPOCHS, BATCH = 8, 64


@dataclass(frozen=True)
class Classifier:
    """Names a digit. side: pixels that it takes. accuracy: on digits that it did not learn from."""

    network: nn.Module
    side: int
    accuracy: float

    def __call__(self, images: Float[Tensor, "n 1 h w"]) -> Int[Tensor, " n"]:
        """The digit of each grey image in [-1, 1], which is brought to the right size."""
        if tuple(images.shape[2:]) != (self.side, self.side):
            images = F.interpolate(images, (self.side, self.side), mode="bilinear", antialias=True)
        with torch.no_grad():
            return torch.cat([self.network(part).argmax(1) for part in images.split(500)])


def unseen(digits: Dataset, seen: Dataset) -> Dataset:
    """The digits that are not among those seen."""
    known = set(digests(seen.x.numpy()))
    marks = digests(digits.x.numpy())
    rows = [i for i, mark in enumerate(marks) if mark not in known]
    if not rows:
        raise UserError("digits: all of them were seen; give others too")
    return digits.subset(rows)


def train_classifier(digits: Dataset, *, seed: int, epochs: int = EPOCHS) -> Classifier:
    """A small convolutional network, trained on all but a few of the digits, each shifted by a little."""
    assert digits.labels is not None
    side, kept = digits.shape[1], min(KEPT_ASIDE, len(digits) // 5)
    reach = side // 14
    with aside(seed), torch.enable_grad():
        order = torch.randperm(len(digits))
        x, y = to_float(digits.x[order]), digits.labels[order]
        network = _network(side, int(y.max()) + 1)
        steps = epochs * -(-(len(x) - kept) // BATCH)
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
        for _ in range(epochs):
            for rows in (kept + torch.randperm(len(x) - kept)).split(BATCH):
                shift = torch.randint(-reach, reach + 1, (2,)).tolist()
                loss = F.cross_entropy(network(x[rows].roll(shift, (2, 3))), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        network.eval()
        classifier = Classifier(network, side, 0.0)
        right = (classifier(x[:kept]) == y[:kept]).double().mean().item()
    return Classifier(network, side, right)


def triples(classifier: Classifier, images: Float[Tensor, "n 3 h w"]) -> Int[Tensor, " n"]:
    """The number from 0 to 999 that the red, green and blue digits of each image spell."""
    red, green, blue = (classifier(images[:, c : c + 1]) for c in range(3))
    return 100 * red + 10 * green + blue


def _network(side: int, classes: int) -> nn.Module:
    reduced = -(-side // 4)
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(32 * reduced * reduced, 128),
        nn.ReLU(),
        nn.Linear(128, classes),
    )
