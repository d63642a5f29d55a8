"""Images damaged in known ways, for measures to be tried on."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from pushforward.core import to_float, to_uint8
from pushforward.data import Dataset
from pushforward.experiments.harness.experiment import Cell


def damaged(fresh: Dataset, more: Dataset, train: Dataset, cell: Cell) -> Tensor:
    """uint8 images. more: further fresh images, for what takes the place of missing classes."""
    strength, x = cell.options["strength"], fresh.x
    torch.manual_seed(cell.seed)
    match cell.options.get("damage"):
        case "blur":
            return to_uint8(_blurred(to_float(x), 1.5 * strength))
        case "noise":
            floats = to_float(x)
            return to_uint8(floats + 0.8 * strength * torch.randn_like(floats))
        case "missing classes":
            assert fresh.labels is not None
            assert more.labels is not None
            gone = round(8 * strength)
            left, others = fresh.labels >= gone, more.labels >= gone
            pool = torch.cat([x[left], more.x[others]])
            return pool[_shuffled(len(x)) % len(pool)]
        case "repeats":
            kept = len(x) - round(0.9 * strength * len(x))
            return x[_shuffled(len(x)) % kept]
        case "copies":
            n = round(strength * len(x))
            return torch.cat([train.x[:n], x[n:]])
    return x


def _shuffled(n: int) -> Tensor:
    """Rows in random order: measures take the first of them for any."""
    return torch.randperm(n)


def _blurred(x: Tensor, sigma: float) -> Tensor:
    reach = max(1, round(3 * sigma))
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma).square())
    kernel = (line[:, None] * line / line.sum() ** 2).view(1, 1, *[2 * reach + 1] * 2)
    n, c, h, w = x.shape
    padded = pad(x.reshape(n * c, 1, h, w), [reach] * 4, mode="replicate")
    return conv2d(padded, kernel).view(n, c, h, w)
