"""Each fixed transform does what its name says, passes a gradient, and is undone to the bit if it can be."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pushforward.errors import UserError
from pushforward.views.transforms import KINDS, Transform, transforms_of

ALL = list({t.name: t for kind in KINDS.values() for t in kind}.values())


def images(b: int = 6, c: int = 3, h: int = 8, w: int = 8, **kind) -> Tensor:
    return torch.rand(b, c, h, w, generator=torch.Generator().manual_seed(1), **kind) * 2 - 1


@pytest.mark.parametrize("transform", ALL, ids=lambda t: t.name)
@pytest.mark.parametrize("size", [(8, 8), (7, 7), (8, 6)])
def test_an_inverse_gives_every_bit_back(transform: Transform, size):
    x = images(2, 3, *size)
    if transform.square and size[0] != size[1]:
        with pytest.raises(UserError, match="needs square images, and these are 8x6"):
            transform.check((3, *size))
        return
    transform.check((3, *size))
    y = transform(x)
    assert y.shape == x.shape
    if transform.inverse is not None:
        assert torch.equal(transform.inverse(y), x)
        assert torch.equal(transform(transform.inverse(x)), x)
    else:
        assert not transform.invertible


def test_transforms_do_what_their_names_say():
    x = torch.arange(6.0).view(1, 1, 2, 3)  # 0 1 2 / 3 4 5
    named = {t.name: t(x)[0, 0].tolist() for t in ALL if not t.square and t.invertible}
    assert named["flip left-right"] == [[2, 1, 0], [5, 4, 3]]
    assert named["flip up-down"] == [[3, 4, 5], [0, 1, 2]]
    assert named["flip both"] == named["turn 180°"] == [[5, 4, 3], [2, 1, 0]]
    y = torch.arange(4.0).view(1, 1, 2, 2)
    squares = {t.name: t(y)[0, 0].tolist() for t in ALL if t.square}
    assert squares["turn 90°"] == [[1, 3], [0, 2]]
    assert squares["turn 270°"] == [[2, 0], [3, 1]]
    assert squares["mirror and turn"] == [[0, 2], [1, 3]]
    z = torch.arange(16.0).view(1, 1, 4, 4)
    down, right = (
        t(z)[0, 0] for t in KINDS["translation"] if t.name in ("shift +0.25, +0", "shift +0, +0.25")
    )
    assert torch.equal(down[1:], z[0, 0, :3])
    assert (down[0] == -1).all()
    assert torch.equal(right[:, 1:], z[0, 0, :, :3])
    ones = images(1, 1, 8, 8)
    corner = KINDS["crop"][0](ones)
    assert corner[0, 0, 0, 0] == pytest.approx(ones[0, 0, 0, 0].item(), abs=1e-5)


@pytest.mark.parametrize("transform", ALL, ids=lambda t: t.name)
def test_a_gradient_passes_through_each(transform):
    x = images(1, 1, 4, 4, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(transform.forward, (x,))


def test_kinds_that_are_unknown_or_do_not_fit_are_refused():
    with pytest.raises(UserError, match="'rotatio'; perhaps you meant 'rotation'"):
        transforms_of(["rotatio"], (1, 8, 8))
    with pytest.raises(UserError, match="the data are points"):
        transforms_of(["flip"], (2,))
    assert len(transforms_of(["flip", "fliprot"], (1, 8, 8))) == 5  # the common one once
