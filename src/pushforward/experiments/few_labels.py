"""Classifiers that learn from few labels, from transformed copies of them, and from generated images."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from pushforward.core import to_float
from pushforward.data import Dataset, load_dataset, load_splits
from pushforward.features.classifier import small_network
from pushforward.features.digits import unseen
from pushforward.models.model import Model

STEPS, BATCH, RATE = 500, 64, 2e-3
TURN, SHIFT, SCALE = 12.0, 0.07, 0.1  # degrees; shares of the side and of the size


def load(data: str, labels: int, seed: int) -> tuple[Dataset, Dataset]:
    """(as many labelled images, as many of each class, drawn by the seed; all that may be tested on)."""
    splits = load_splits(data)
    pool, test = splits.train, splits.test
    if data == "mnist5k":  # far more digits than its own held-out ones, none of which are among them
        test = unseen(load_dataset("mnist10k"), load_dataset(data))
    assert pool.labels is not None
    assert pool.classes is not None
    order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))
    each = labels // len(pool.classes)
    rows = [order[pool.labels[order] == k][:each] for k in range(len(pool.classes))]
    return pool.subset(torch.cat(rows)), test


def support_vectors(train: Dataset, test: Dataset) -> float:
    """Per cent that scikit-learn's SVC names right, with C = 10, on pixels in [-1, 1]."""
    from sklearn.svm import SVC

    assert train.labels is not None
    assert test.labels is not None
    machine = SVC(C=10.0).fit(to_float(train.x).flatten(1).numpy(), train.labels.numpy())
    return 100 * float(machine.score(to_float(test.x).flatten(1).numpy(), test.labels.numpy()))


def drawn(model: Model, n: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """(n images in [-1, 1], as many of each class, and their classes)."""
    each = n // len(model.classes)
    made = [model.sample(each, seed=seed, label=name) for name in model.classes]
    return torch.cat(made).float(), torch.arange(len(model.classes)).repeat_interleave(each)


def accuracy(
    train: Dataset,
    test: Dataset,
    *,
    extra: tuple[Tensor, Tensor] | None,
    classical: bool,
    flips: bool,
    seed: int,
) -> float:
    """Per cent of test images that are named right. extra: images and classes that make up half of a
    batch."""
    assert train.labels is not None
    assert test.labels is not None
    torch.manual_seed(seed)
    x, y = to_float(train.x), train.labels
    network = torch.nn.Sequential(*small_network(train.shape[0], train.shape[1], int(y.max()) + 1))
    adam = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, RATE, total_steps=STEPS)
    real = BATCH if extra is None else BATCH // 2
    for _ in range(STEPS):
        rows = torch.randint(len(x), (real,))
        images, labels = (transformed(x[rows], flips=flips) if classical else x[rows]), y[rows]
        if extra is not None:
            others = torch.randint(len(extra[0]), (BATCH - real,))
            images, labels = torch.cat([images, extra[0][others]]), torch.cat([labels, extra[1][others]])
        loss = F.cross_entropy(network(images), labels)
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
    network.eval()
    with torch.no_grad():
        named = torch.cat([network(to_float(part)).argmax(1) for part in test.x.split(1000)])
    return 100 * (named == test.labels).double().mean().item()


def transformed(x: Tensor, *, flips: bool) -> Tensor:
    """Each image turned, shifted and scaled by its own draw; mirrored half of the time where flips."""
    n = len(x)

    def uniform(reach: float) -> Tensor:
        return (2 * torch.rand(n) - 1) * reach

    angle, size = uniform(math.radians(TURN)), 1 + uniform(SCALE)
    mirror = torch.where(torch.rand(n) < 0.5, -1.0, 1.0) if flips else torch.ones(n)
    cos, sin = angle.cos() * size, angle.sin() * size
    rows = [
        torch.stack([cos * mirror, -sin, uniform(2 * SHIFT)], 1),
        torch.stack([sin * mirror, cos, uniform(2 * SHIFT)], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)
