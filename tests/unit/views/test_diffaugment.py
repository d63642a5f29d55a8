"""DiffAugment: each change by the formula of its paper."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pushforward.core import Clock
from pushforward.views import diffaugment as diff
from pushforward.views.diffaugment import DiffAugment, colour, cutout, translation

CLOCK = Clock()


def images(b: int = 6, c: int = 3, h: int = 8, w: int = 8, **kind) -> Tensor:
    return torch.rand(b, c, h, w, generator=torch.Generator().manual_seed(1), **kind) * 2 - 1


def fixed(monkeypatch, value: float):
    """Every draw of `rand` is this value."""
    monkeypatch.setattr(torch, "rand", lambda *size, **kind: torch.full(size, value, dtype=kind.get("dtype")))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_colours_are_those_of_the_paper(channels, monkeypatch):
    x = images(2, channels)
    fixed(monkeypatch, 0.75)  # brightness +0.25, saturation 1.5, contrast 1.25
    c = x[:, :-1] if channels in (2, 4) else x
    expected = c + 0.25
    if c.shape[1] > 1:
        grey = expected.mean(1, keepdim=True)
        expected = (expected - grey) * 1.5 + grey
    mean = expected.mean((1, 2, 3), keepdim=True)
    expected = (expected - mean) * 1.25 + mean
    told = colour(x)
    assert torch.allclose(told[:, : c.shape[1]], expected, atol=1e-6)
    if channels in (2, 4):
        assert torch.equal(told[:, -1], x[:, -1])


def test_a_shift_is_by_whole_pixels_and_at_most_an_eighth():
    torch.manual_seed(0)
    x = images(200, 1, 16, 24) + 3  # no 0 inside
    y = translation(x)
    reaches = set()
    for before, after in zip(x[:, 0], y[:, 0], strict=True):
        found = [
            (i, j)
            for i in range(-2, 3)
            for j in range(-3, 4)
            if torch.equal(
                after[max(0, -i) : 16 - max(0, i), max(0, -j) : 24 - max(0, j)],
                before[max(0, i) : 16 - max(0, -i), max(0, j) : 24 - max(0, -j)],
            )
        ]
        assert len(found) == 1
        i, j = found[0]
        reaches.add((i, j))
        outside = torch.ones_like(after, dtype=torch.bool)
        outside[max(0, -i) : 16 - max(0, i), max(0, -j) : 24 - max(0, j)] = False
        assert (after[outside] == 0).all()
    assert {i for i, _ in reaches} == {-2, -1, 0, 1, 2}
    assert {j for _, j in reaches} == {-3, -2, -1, 0, 1, 2, 3}


def test_a_hole_is_half_of_each_side_and_may_lie_over_an_edge():
    torch.manual_seed(0)
    y = cutout(images(400, 2, 8, 12) + 3)
    holes = y[:, 0] == 0
    assert torch.equal(holes, y[:, 1] == 0)
    rows, columns = holes.any(2).sum(1), holes.any(1).sum(1)
    assert (rows.max(), columns.max()) == (4, 6)
    assert (holes.sum((1, 2)) == rows * columns).all()  # a rectangle
    assert rows.min() >= 2


def test_a_gradient_passes_through_all_of_it():
    x = images(2, 3, 8, 8, dtype=torch.float64).requires_grad_()

    def seen(x: Tensor) -> Tensor:
        torch.manual_seed(3)
        return DiffAugment(tuple(diff.POLICIES))(x, CLOCK)

    assert torch.autograd.gradcheck(seen, (x,))
