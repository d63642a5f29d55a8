"""What the experiments on images train, measure and claim, on a handful of small images."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from pushforward.core import to_float
from pushforward.data import Dataset, load_dataset
from pushforward.experiments import augmentation_utility as utility
from pushforward.experiments import few_labels, images, sides, stacked_mnist, vae_vs_gan, wgan_loss
from pushforward.experiments.covering import DIVERGENCES, FAR, JS, KL, REVERSE, SIGMA, W2, fitted
from pushforward.experiments.harness.experiment import Cell, Results
from pushforward.experiments.images import Training

SMALL = {"network": "dcgan", "width": 4, "latent_dim": 4}


def digits(n: int = 200) -> Dataset:
    return load_dataset("digits", image_size=16).subset(range(n))


def test_a_look_leaves_no_trace_in_training():
    weights = []
    for looks in (False, True):
        training = Training(method="gan", data=digits(), steps=4, seed=0, options=SMALL, batch_size=8)
        for _ in training.reports():
            if looks:
                assert training.look(3, seed=0).dtype == torch.uint8
        weights.append(torch.cat([p.flatten() for p in training.algorithm.parameters()]))
    assert torch.equal(*weights)


def test_a_training_takes_the_preset_for_its_size_and_is_told_classes():
    training = Training(
        method="r3gan", data=digits(), steps=1, seed=0, options={"width": 4, "conditional": True}
    )
    recipe = training.algorithm.hyper
    assert (recipe.latent_dim, recipe.gamma, recipe.width) == (64, 0.5, 4)
    assert training.trained().classes == tuple("0123456789")


def test_a_training_counts_its_own_processor_time_alone(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(images.time, "process_time", lambda: next(clock))
    training = Training(method="gan", data=digits(), steps=4, seed=0, options=SMALL, batch_size=8)
    for _ in training.reports():
        next(clock)  # what the caller does between two steps
    assert training.seconds == 4


# For a Gaussian p with p(x) = N(0, Σ), KL(p‖q) is least where q has p's mean and variances.
def test_forward_kl_matches_the_moments_of_both_modes():
    told = fitted(KL, 0)
    var = (FAR**2 + SIGMA**2, SIGMA**2)
    entropy_q = 0.5 * sum(math.log(2 * math.pi * math.e * v) for v in var)
    # The modes hardly overlap: the entropy of p is that of one of them and a coin's.
    entropy_p = 2 * 0.5 * math.log(2 * math.pi * math.e * SIGMA**2) + math.log(2)
    assert told["left"] == pytest.approx(entropy_q - entropy_p, abs=2e-3)
    assert told["covered"] > 99.9


def test_one_mode_is_what_the_other_divergences_leave():
    js, reverse = fitted(JS, 1), fitted(REVERSE, 1)
    assert reverse["left"] == pytest.approx(math.log(2), abs=1e-3)  # q is one half of p
    # JS of p = (a + b)/2 and q = a, disjoint: ½ [ln 4/3 ½ + ½ ln 2 + ln 4/3 ½ ...]
    m = 0.75
    expected = 0.5 * (0.5 * math.log(0.5 / m) + 0.5 * math.log(0.5 / 0.25) + math.log(1 / m))
    assert js["left"] == pytest.approx(expected, abs=1e-3)
    for told in (js, reverse):
        assert told["covered"] == pytest.approx(50, abs=0.5)
        assert told["good"] == pytest.approx(100 * -math.expm1(-4.5), abs=0.5)


def test_the_nearest_gaussian_by_transport_is_wide():
    told = fitted(W2, 0)
    # Sorted draws are paired by the best plan in one dimension, and σ is a regression of one on the other.
    draws = torch.Generator().manual_seed(0)
    z, noise = torch.randn(2, 400_000, generator=draws, dtype=torch.float64)
    sides_ = torch.where(torch.rand(len(z), generator=draws) < 0.5, -FAR, FAR)
    x, z = (sides_ + SIGMA * noise).sort().values, z.sort().values
    left = (x - (x * z).mean() * z).square().mean().item()
    assert told["left"] == pytest.approx(left, rel=0.02)
    assert told["covered"] > 99


def test_the_names_of_divergences_are_cells():
    named = {c.method for c in vae_vs_gan.cells("quick", [0]) if c.setting == vae_vs_gan.MECHANISM}
    assert named == set(DIVERGENCES)


@pytest.mark.parametrize("label", [vae_vs_gan.REAL, *vae_vs_gan.METHODS])
def test_a_model_is_measured_from_all_sides(label, cache, monkeypatch):
    monkeypatch.setattr(sides, "TRANSPORTED", 30)
    asked = {"data": "digits", "n": 100, "side": 16}
    if label in vae_vs_gan.METHODS:
        method, options, _ = vae_vs_gan.METHODS[label]
        asked |= {"method": method, "options": {**options, "width": 4}, "steps": 3}
    cell = Cell(label, "digits", 0, asked)
    told = sides.measured(cell, batch=16, drawn=60, inverted=3, bounded=5)
    expected = set(sides.TAKEN.values()) | {"sharpness", "Sinkhorn"}
    if label != vae_vs_gan.REAL:
        expected |= {"parameters", "seconds"}
    if label not in (vae_vs_gan.REAL, vae_vs_gan.AE):
        expected |= {"inversion error"}
    if label == vae_vs_gan.VAE:
        expected |= {"ln p(x)"}
    assert set(told) == expected
    assert expected <= set(vae_vs_gan.UNITS)
    if label == vae_vs_gan.REAL:
        assert told["sharpness"] == pytest.approx(1, abs=0.3)


def test_budgets_give_all_methods_the_same_time():
    for budget in ("quick", "full"):
        spent = {
            cell.options["steps"] * vae_vs_gan.METHODS[cell.method][2]
            for cell in vae_vs_gan.cells(budget, [0])
            if "steps" in cell.options
        }
        assert max(spent) / min(spent) < 1.01


def test_the_estimate_of_a_perfect_critic_is_the_divergence():
    both = -math.log(0.5)  # a critic that cannot tell: E -ln D - ln(1 - D) = 2 ln 2
    assert wgan_loss.estimate({"loss/critic": torch.tensor(2 * both)}) == pytest.approx(0, abs=1e-6)
    assert wgan_loss.estimate({"loss/critic": torch.tensor(0.0)}) == pytest.approx(math.log(2))
    assert wgan_loss.estimate({"info/distance": torch.tensor(3.0), "loss/critic": torch.tensor(0.0)}) == 3


def test_ranks_leave_out_the_start_and_see_order():
    falling = [float(20 - i) for i in range(wgan_loss.LOOKS)]
    told = wgan_loss.told([0.0, 1.0, *falling[2:]], falling)
    assert told[wgan_loss.RHO] == pytest.approx(1)
    assert wgan_loss.told(falling[::-1], falling)[wgan_loss.LATER] == pytest.approx(-1)
    assert wgan_loss.spearman([1, 1, 1], [1, 2, 3]) == 0
    shown = wgan_loss.rows(Results(dict.fromkeys(wgan_loss.cells("quick", [0]), told)))
    assert {row.figure for row in shown} == {
        wgan_loss.RHO,
        wgan_loss.LATER,
        wgan_loss.FIRST,
        wgan_loss.LAST,
    }


def test_few_labels_are_balanced_and_are_not_tested_on(monkeypatch):
    monkeypatch.setattr(few_labels, "load_splits", lambda name: _Splits(digits(300), digits(400)))
    train, test = few_labels.load("digits", 50, seed=1)
    assert train.labels.bincount().tolist() == [5] * 10
    assert len(test) == 400
    again, _ = few_labels.load("digits", 50, seed=1)
    other, _ = few_labels.load("digits", 50, seed=2)
    assert torch.equal(train.x, again.x)
    assert not torch.equal(train.x, other.x)


@dataclasses.dataclass
class _Splits:
    train: Dataset
    test: Dataset


def test_a_classical_transform_moves_each_image_by_its_own_draw():
    torch.manual_seed(0)
    x = to_float(digits(1).x).repeat(6, 1, 1, 1)
    moved = few_labels.transformed(x, flips=False)
    assert len(torch.unique(moved, dim=0)) == 6
    assert (moved - x).square().mean() < 0.6 * (x.flip(0) - x.roll(8, 3)).square().mean()


def test_no_reach_is_no_change_and_a_mirror_is_exact(monkeypatch):
    for name in ("TURN", "SHIFT", "SCALE"):
        monkeypatch.setattr(few_labels, name, 0.0)
    x = to_float(digits(8).x)
    assert torch.allclose(few_labels.transformed(x, flips=False), x, atol=1e-5)
    torch.manual_seed(0)
    turned = few_labels.transformed(x, flips=True)
    same = [torch.allclose(a, b, atol=1e-5) for a, b in zip(turned, x, strict=True)]
    mirrored = [torch.allclose(a, b.flip(2), atol=1e-5) for a, b in zip(turned, x, strict=True)]
    assert all(a or b for a, b in zip(same, mirrored, strict=True))
    assert any(same)
    assert any(mirrored)


def test_a_classifier_learns_from_generated_images_beside_few_real_ones(monkeypatch):
    monkeypatch.setattr(few_labels, "STEPS", 60)
    data = digits(400)
    train, test = data.subset(range(20)), data.subset(range(200, 400))
    more = (to_float(data.x[20:200]), data.labels[20:200])
    told = [
        few_labels.accuracy(train, test, extra=extra, classical=False, flips=False, seed=0)
        for extra in (None, more)
    ]
    assert told[1] > told[0] + 10


def test_the_modes_of_stacks_are_counted(monkeypatch):
    cell = next(c for c in stacked_mnist.cells("quick", [3]) if c.method == stacked_mnist.UNIFORM)
    told = stacked_mnist.run(cell)
    assert told[stacked_mnist.MODES] == 1000
    assert told[stacked_mnist.KL] == pytest.approx(999 / 52_000, abs=0.002)
    names = torch.zeros(100, dtype=torch.int64)
    monkeypatch.setattr(stacked_mnist, "_named", lambda cell: (names, {}))
    told = stacked_mnist.run(Cell(stacked_mnist.DCGAN, "", 0))
    assert told == {stacked_mnist.MODES: 1.0, stacked_mnist.KL: pytest.approx(math.log(1000))}


def test_gains_are_over_the_same_labels_alone():
    figures = {}
    for cell in utility.cells("quick", [0, 1]):
        level = {utility.SVM: 60.0, utility.ALONE: 70.0, utility.VAE: 72.0, utility.R3GAN: 69.0}
        more = 10.0 if "1,000" in cell.setting else 0.0
        figures[cell] = {utility.PLAIN: level[cell.method] + more}
        if cell.method != utility.SVM:
            figures[cell][utility.CLASSICAL] = level[cell.method] + more
    held = {claim.claim: claim.value(Results(figures)) for claim in utility.claims("quick")}
    assert held["some generator adds a point to 100 labels alone"] == 2
    assert held["no generator takes a point away from classical augmentation"] == -1
    assert held["control: 1,000 labels are worth more than 100, in points"] == 10
