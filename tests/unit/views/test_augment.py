"""What a critic is shown of few images: each change by its formula, and how often it is made."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pushforward.core import Clock
from pushforward.errors import UserError
from pushforward.recipes.gan import GANRecipe, LSGANRecipe, R3GANRecipe, VEEGANRecipe, WGANGPRecipe
from pushforward.views import Packing, ViewedCritic
from pushforward.views import ada as ada_module
from pushforward.views import diffaugment as diff
from pushforward.views.ada import ADA
from pushforward.views.adaptive import EVERY
from pushforward.views.apa import PseudoReal
from pushforward.views.classical import Classical
from pushforward.views.diffaugment import DiffAugment, colour, cutout, translation
from pushforward.views.transforms import KINDS, Transform, transforms_of

CLOCK = Clock()
ALL = list({t.name: t for kind in KINDS.values() for t in kind}.values())


def images(b: int = 6, c: int = 3, h: int = 8, w: int = 8, **kind) -> Tensor:
    return torch.rand(b, c, h, w, generator=torch.Generator().manual_seed(1), **kind) * 2 - 1


# Transforms


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


# DiffAugment


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


# ADA and APA


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


# Together


SMALL = {"network": "dcgan", "width": 4, "latent_dim": 4}


@pytest.mark.parametrize("augment", ["da", "diffaugment", "ada", "apa", "dag", "dag-single"])
@pytest.mark.parametrize("recipe", [GANRecipe, LSGANRecipe, R3GANRecipe, WGANGPRecipe])
@pytest.mark.parametrize("pack", [1, 2])
def test_a_step_of_every_loss_sees_what_it_is_shown(augment, recipe, pack):
    torch.manual_seed(0)
    asked = recipe(**SMALL, augment=augment, pack=pack)
    if augment in ("ada", "apa") and recipe is WGANGPRecipe:
        with pytest.raises(UserError, match="the scores of this loss have no zero"):
            asked.build((3, 16, 16))
        asked = recipe(**SMALL, augment=augment, ada_p=0.5, pack=pack)
    algorithm = asked.build((3, 16, 16))
    x = images(8, 3, 16, 16)
    looks = algorithm.critic(x, algorithm.generate(8), CLOCK)
    assert all(torch.isfinite(score).all() for look in looks for score in look.pair())
    loss = sum(look.fake_scores.mean() for look in algorithm.judged(algorithm.generate(8)))
    gradients = torch.autograd.grad(loss, list(algorithm.generator.parameters()))
    assert all(g.abs().sum() > 0 for g in gradients[-2:])


def test_what_cannot_go_together_is_one_line():
    with pytest.raises(UserError, match=r"`noise`: 0\.1, and `augment`: diffaugment"):
        GANRecipe(**SMALL, augment="diffaugment", noise=0.1).build((3, 16, 16))
    with pytest.raises(UserError, match="`data` holds points"):
        GANRecipe(augment="diffaugment").build((2,))
    with pytest.raises(UserError, match="reads from the critic's scores"):
        VEEGANRecipe(**SMALL, augment="ada").build((3, 16, 16))
    with pytest.raises(UserError, match=r"`ada_p`: 1.5"):
        GANRecipe(**SMALL, augment="ada", ada_p=1.5).build((3, 16, 16))
    with pytest.raises(UserError, match="perhaps you meant 'color'"):
        DiffAugment(["colour"])


def test_real_data_are_scored_for_a_generators_step_as_they_were_shown():
    torch.manual_seed(0)
    algorithm = R3GANRecipe(**SMALL, augment="da").build((1, 16, 16))
    critic, x = algorithm.critic, images(64, 1, 16, 16)
    torch.manual_seed(1)
    (scores,) = critic.score_real(x, CLOCK)
    torch.manual_seed(1)
    (look,) = critic(x, x, CLOCK)
    assert torch.allclose(scores, look.pair()[0], atol=1e-5)
    assert not torch.allclose(scores, critic.network(x), atol=1e-3)


def test_packs_are_of_what_the_wrapped_view_shows():
    real, fake = images(8, 1, 4, 4), images(8, 1, 4, 4) + 5
    view = Packing(PseudoReal(zero=0.0, fixed=1.0), 2)
    shown, _ = view.show(real, fake, CLOCK)
    assert torch.equal(shown, fake.view(4, 2, 4, 4))
    critic = ViewedCritic(torch.nn.Flatten(), [view])
    assert set(critic.first.report()) == {"augment_p", "augment_r"}
