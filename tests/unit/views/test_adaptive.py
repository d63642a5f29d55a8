"""ADA and APA: what they change, and how often; classical augmentation beside them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pushforward.core import Clock
from pushforward.views import ada as ada_module
from pushforward.views.ada import ADA
from pushforward.views.adaptive import EVERY
from pushforward.views.apa import PseudoReal
from pushforward.views.classical import Classical
from pushforward.views.transforms import transforms_of

CLOCK = Clock()


def images(b: int = 6, c: int = 3, h: int = 8, w: int = 8, **kind) -> Tensor:
    return torch.rand(b, c, h, w, generator=torch.Generator().manual_seed(1), **kind) * 2 - 1


def adaptive(p: float, **how) -> ADA:
    return ADA(**{"zero": 0.0, "fixed": p, **how})


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(8, 8), (8, 6)])
def test_nothing_is_changed_at_p_0_and_everything_at_p_1(channels, size):
    torch.manual_seed(0)
    x = images(16, channels, *size)
    assert torch.equal(adaptive(0.0)(x, CLOCK), x)
    y = adaptive(1.0)(x, CLOCK)
    assert y.shape == x.shape
    assert torch.isfinite(y).all()
    assert ((y - x).flatten(1).abs().amax(1) > 0).all()


def test_the_share_of_changed_images_follows_from_p():
    torch.manual_seed(0)
    x = images(4000, 1, 4, 4)
    p = 0.1
    changed = ((adaptive(p)(x, CLOCK) - x).flatten(1).abs().amax(1) > 1e-6).double().mean().item()
    # Six maps of p each, two turns that together have p, and three colours; some draws are the identity.
    assert 1 - (1 - p) ** 7 < changed < 1 - (1 - p) ** 10


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("flip", [False, True])
def test_flips_and_quarter_turns_only_move_pixels(quarters, flip, monkeypatch):
    x = images(3, 2, 6, 6)
    angle = torch.full((3,), quarters * math.pi / 2)
    sign = torch.full((3,), -1.0 if flip else 1.0)
    total = ada_module._scaled(sign, torch.ones(3)) @ ada_module._turned(angle)
    view = adaptive(1.0)
    monkeypatch.setattr(view, "affine", lambda x: (total, torch.ones(3, dtype=torch.bool)))
    y = view.geometry(x)
    expected = x.flip(3) if flip else x
    assert any(torch.allclose(y, expected.rot90(k, (2, 3)), atol=1e-5) for k in (quarters, -quarters))


def test_a_shift_goes_where_it_says(monkeypatch):
    x = images(2, 1, 6, 8)
    total = ada_module._shifted(torch.full((2,), 2.0), torch.full((2,), 1.0))
    view = adaptive(1.0)
    monkeypatch.setattr(view, "affine", lambda x: (total, torch.ones(2, dtype=torch.bool)))
    assert torch.allclose(view.geometry(x)[:, :, 1:, 2:], x[:, :, :-1, :-2], atol=1e-5)


def test_colours_of_ada_keep_what_they_should(monkeypatch):
    eye = torch.eye(3, dtype=torch.float64)
    grey = torch.full((3, 3), 1 / 3, dtype=torch.float64)
    turn = ada_module._hue(torch.tensor([[[0.7]]], dtype=torch.float64), eye, grey)[0]
    assert torch.allclose(turn @ turn.T, eye)
    assert torch.det(turn).item() == pytest.approx(1)
    assert torch.allclose(turn @ torch.ones(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64))
    third = ada_module._hue(torch.tensor([[[2 * math.pi / 3]]], dtype=torch.float64), eye, grey)[0]
    assert torch.allclose(third, eye.roll(1, 0)) or torch.allclose(third, eye.roll(-1, 0))
    x = images(4, 4, 6, 6)
    assert torch.equal(adaptive(1.0).colours(x)[:, 3], x[:, 3])


def test_a_gradient_passes_through_ada():
    x = images(2, 3, 6, 6, dtype=torch.float64).requires_grad_()
    view = adaptive(1.0).double()

    def seen(x: Tensor) -> Tensor:
        torch.manual_seed(5)
        return view(x, CLOCK)

    assert torch.autograd.gradcheck(seen, (x,))


def steps(view: ADA | PseudoReal, scores: float, n: int, images_a_step: int) -> float:
    for step in range(n):
        real = torch.full((10, 1), scores)
        view.observe(view.statistics(real, torch.zeros(10, 1)), step * images_a_step)
    return view.p.item()


def test_p_follows_the_papers_rule_and_stays_in_its_range():
    view = ADA(zero=0.0, length=1000)
    # Moves at the 4th, 8th, ... step, by the images since the last: 30, 40, 40, ... of 1,000.
    assert steps(view, 1.0, 3, 10) == 0
    view = ADA(zero=0.0, length=1000)
    assert steps(view, 1.0, 12, 10) == pytest.approx(0.03 + 0.04 + 0.04, abs=1e-6)
    assert view.report()["augment_r"].item() == 1
    assert steps(view, 1.0, 4 * 30, 10) <= 1
    view.p.fill_(0.99)
    view.images.fill_(0)
    for step in range(40):
        view.observe({"sign": torch.tensor(1.0)}, 100 * step)
    assert view.p.item() == 1
    for step in range(40, 200):
        view.observe({"sign": torch.tensor(0.0)}, 100 * step)
    assert view.p.item() == 0
    assert EVERY == 4


def test_the_zero_is_the_losss_own():
    real, fake = torch.tensor([[0.6], [0.4], [0.7]]), torch.tensor([[0.5], [0.5], [0.1]])
    assert ADA(zero=0.5).statistics(real, fake)["sign"].item() == pytest.approx(1 / 3)
    assert ADA(zero=0.0).statistics(real, fake)["sign"].item() == 1
    assert ADA(zero=None).statistics(real, fake)["sign"].item() == pytest.approx(1 / 3)


def test_a_fixed_p_does_not_move():
    view = ADA(zero=0.0, fixed=0.3, length=100)
    assert steps(view, 1.0, 40, 10) == pytest.approx(0.3)


def test_pseudo_real_images_are_generated_ones_without_a_gradient():
    torch.manual_seed(0)
    real, fake = images(1000, 1, 2, 2), images(1000, 1, 2, 2).add(5).requires_grad_()
    view = PseudoReal(zero=0.0, fixed=0.25)
    shown, same = view.show(real, fake, CLOCK)
    assert same is fake
    assert not shown.requires_grad
    swapped = (shown == fake).flatten(1).all(1)
    assert swapped.double().mean().item() == pytest.approx(0.25, abs=0.05)
    assert torch.equal(shown[~swapped], real[~swapped])
    assert view.show(None, fake, CLOCK) == (None, fake)


def test_classical_augmentation_transforms_real_images_alone():
    torch.manual_seed(0)
    real, fake = images(400, 1, 4, 4), images(400, 1, 4, 4) + 5
    transforms = transforms_of(["rotation"], (1, 4, 4))
    shown, same = Classical(transforms).show(real, fake, CLOCK)
    assert same is fake
    versions = torch.stack([real, *(t(real) for t in transforms)])
    hits = (versions == shown).flatten(2).all(2)
    assert (hits.sum(0) == 1).all()
    assert hits.double().mean(1).tolist() == pytest.approx([0.25] * 4, abs=0.07)
