"""`js-vs-wasserstein`: its formulas against autograd and sampling, its cells, and claims that can fail."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
import torch

from pushforward.experiments import js_vs_wasserstein as experiment
from pushforward.experiments.harness.experiment import Cell, Results
from pushforward.experiments.harness.summary import check
from pushforward.experiments.js_vs_wasserstein import (
    CLOSED,
    CRITIC,
    ERRING,
    NOISE,
    NOISY,
    NOT_STEEP,
    OPTIMAL,
    STEEPNESS,
    STEEPNESS_TWO_SIDED,
    TRAINED,
    TWO_SIDED,
    trained,
)
from pushforward.experiments.js_vs_wasserstein.formulas import (
    distances_and_slopes,
    erring_discriminator,
    optimal_discriminator,
)
from pushforward.experiments.js_vs_wasserstein.trained import (
    GENERATORS,
    PLANAR,
    READINGS,
    gradient_by_m,
    ring,
    shifted,
)
from pushforward.objectives.adversarial import minimax_critic


@pytest.mark.parametrize("noise", [0.0, 2.0])
@pytest.mark.parametrize("m", [0.5, 3.0])
def test_the_optimal_discriminators_gradients_are_those_of_its_draws(m, noise):
    """The library's losses, on the optimal logit, differentiated by each draw."""
    tau2 = 1 + noise**2
    formula = optimal_discriminator([m], noise)
    for name, loss in GENERATORS.items():
        gradient = gradient_by_m(loss, lambda x: (m * m / 2 - m * x[:, 0]) / tau2, shifted(m, noise)[1])
        mean, sd = (float(t) for t in formula[name])
        assert gradient.mean().item() == pytest.approx(mean, abs=5 * sd / math.sqrt(len(gradient)))
        assert gradient.std().item() == pytest.approx(sd, rel=0.05)


def test_noise_is_a_smaller_shift_for_kl_and_js_and_none_for_w1():
    plain = distances_and_slopes([3.0 / math.sqrt(5)])
    noisy = distances_and_slopes([3.0], noise=2.0)
    for name in ("KL", "JS"):
        torch.testing.assert_close(noisy[name][0], plain[name][0])
        torch.testing.assert_close(noisy[name][1], plain[name][1] / math.sqrt(5))
    assert noisy["W1"] == (torch.tensor([3.0], dtype=torch.float64), torch.ones(1, dtype=torch.float64))


def test_the_optimal_discriminator_reaches_the_games_value():
    """-V* = ln 4 - 2 JS, what `train_discriminator` reads JS from."""
    real, fake = shifted(1.5)
    game = minimax_critic(1.5**2 / 2 - 1.5 * real, 1.5**2 / 2 - 1.5 * fake)
    js = float(distances_and_slopes([1.5])["JS"][0])
    assert float(game) == pytest.approx(math.log(4) - 2 * js, abs=0.02)


def test_an_error_of_any_size_leaves_a_gradient_without_a_mean():
    assert erring_discriminator(1e-9, 50_000)["−ln D"] == pytest.approx(1.0, rel=0.05)
    assert erring_discriminator(1e-9, 50_000)["minimax"] < 1e-9


def test_the_rings_are_where_they_should_be():
    points = ring(4000, radius=2.0, turned=0.5)
    angles = torch.atan2(points[:, 1], points[:, 0]) / (2 * math.pi / 8)
    assert points.norm(dim=1).mean().item() == pytest.approx(2.0, rel=0.01)
    assert (angles - angles.floor() - 0.5).abs().max() < 0.2  # between the modes of one that is not turned
    assert len(torch.unique(angles.floor())) == 8
    assert ring(50, modes=1).std(dim=0).max() < 0.1


def short(method: str, setting: str, **options: float) -> dict[str, float]:
    figures = experiment.run(Cell(method, setting, 0, {"steps": 60, "points": 60, **options}))
    assert figures.keys() <= experiment.EXPERIMENT.figures.keys()
    assert all(math.isfinite(v) for v in figures.values())
    return figures


@pytest.mark.parametrize(
    "method", [CLOSED, CLOSED + NOISY, OPTIMAL, OPTIMAL + NOISY, TRAINED, TRAINED + NOISY, CRITIC]
)
def test_a_cell_of_a_shift_gives_its_figures(method, monkeypatch):
    monkeypatch.setattr(trained, "DRAWS", 500)
    figures = short(method, "m = 3", m=3.0)
    if method.endswith(NOISY) and method.startswith(OPTIMAL):
        mean = optimal_discriminator([3.0], NOISE)["minimax"][0]
        assert figures["slope, minimax"] == pytest.approx(float(mean))


@pytest.mark.parametrize("method", [STEEPNESS, STEEPNESS_TWO_SIDED, ERRING])
def test_the_other_cells_on_a_line_give_theirs(method, monkeypatch):
    monkeypatch.setattr(trained, "DRAWS", 500)
    short(method, "", **{"λ": 4.0, "m": 8.0, "error": 0.01})


@pytest.mark.parametrize("method", READINGS)
def test_a_cell_of_the_plane_gives_its_figures(method):
    figures = short(method, "rings, one wider")
    assert figures["off the exact W1"] == pytest.approx(abs(figures["W1"] / figures["W1 by POT"] - 1))


def test_the_two_sided_penalty_is_read_where_it_differs():
    cells = experiment.cells("quick", range(2))
    assert {c.setting for c in cells if c.method == TWO_SIDED} == set(NOT_STEEP) < set(PLANAR)


@pytest.fixture(scope="module")
def figures():
    """What every cell would give if it were exactly as is claimed."""
    return {cell: ideal(cell) for cell in experiment.cells("quick", range(2))}


def ideal(cell: Cell) -> dict[str, float]:
    options = cell.options
    if cell.setting in PLANAR:
        factor = {TWO_SIDED: 0.5, "sliced": 0.6, "Sinkhorn": 0.9}.get(cell.method, 1.0)
        return {"W1": 2 * factor, "W1 by POT": 2.0, "off the exact W1": abs(factor - 1)}
    if cell.method in (STEEPNESS, STEEPNESS_TWO_SIDED):
        slope = 0.0 if cell.method == STEEPNESS_TWO_SIDED else 1 + options["m"] / (2 * options["λ"])
        law = slope / (1 + options["m"] / (2 * options["λ"]))
        return {
            "slope over 1 + m/(2λ)": law,
            "uncorrected, over W1": slope,
            "critic's slope": slope,
            "off the exact W1": 0.0,
        }
    if cell.method == CRITIC:
        return {"W1": options["m"], "off the exact W1": 0.0, "slope of W1": 1.0, "sd of a draw, critic": 0.0}
    if cell.method.startswith(TRAINED):
        noisy = cell.method.endswith(NOISY)
        same = Cell(CLOSED + NOISY * noisy, cell.setting, 0, options)
        return {
            "JS": experiment.run(same)["JS"],
            "slope, minimax": 0.03 if noisy else 1e-4,
            "sd of a draw, minimax": 0.1,
            "slope, −ln D": 0.4,
            "sd of a draw, −ln D": 0.1,
        }
    return experiment.run(cell)


def failing(figures) -> list[str]:
    claims = experiment.claims("quick")
    return [claim.claim for claim in claims if not check(claim, Results(figures)).holds]


def test_the_claims_hold_where_all_is_as_claimed(figures):
    assert failing(figures) == []


@pytest.mark.parametrize(
    ("method", "figure", "value", "words"),
    [
        (CLOSED, "slope of KL", 5.0, "KL: its gradient is m"),
        (CLOSED, "JS", 0.5, "saturates at ln 2"),
        (CLOSED, "slope of JS", 1e-3, "its gradient vanishes"),
        (CLOSED, "slope of JS", 1e-3, "twice that of JS"),
        (CLOSED, "slope of JS", 1e-3, "KL(q ‖ p) − 2 JS"),
        (CLOSED, "slope of W1", 0.9, "W₁: its gradient is 1"),
        (CLOSED + NOISY, "slope of JS", 1e-3, "JS has a gradient again"),
        (OPTIMAL, "sd of a draw, −ln D", 0.3, "equally noisy"),
        (OPTIMAL, "sd of a draw, minimax", 1e-6, "minimax drowns"),
        (OPTIMAL, "sd of a draw, −ln D", 3.0, "−ln D does not"),
        (ERRING, "median of a draw, −ln D", 0.1, "median size 1"),
        (ERRING, "median of a draw, minimax", 0.1, "no larger than the error"),
        (TRAINED, "JS", 0.6, "reads JS"),
        (TRAINED, "slope, minimax", 0.1, "no signal"),
        (TRAINED, "slope, −ln D", -0.1, "the right way"),
        (TRAINED, "slope, −ln D", 20.0, "but not by m"),
        (TRAINED + NOISY, "slope, minimax", 0.001, "is alive"),
        (CRITIC, "slope of W1", 0.8, "1 at every m"),
        (CRITIC, "off the exact W1", 0.06, "reads W₁ to 5 % at every m"),
        (CRITIC, "off the exact W1", 0.06, "POT's W₁ of Gaussians and rings"),
        (STEEPNESS, "slope over 1 + m/(2λ)", 1.1, "is 1 + m/(2λ)"),
        (STEEPNESS, "uncorrected, over W1", 1.0, "reads too much"),
        (STEEPNESS, "off the exact W1", 0.06, "corrected it reads"),
        (STEEPNESS_TWO_SIDED, "slope over 1 + m/(2λ)", 1.0, "flat"),
        (TWO_SIDED, "off the exact W1", 0.01, "further off"),
        ("sliced", "W1", 2.1, "read less than W₁"),
    ],
)
def test_each_claim_can_fail(figures, method, figure, value, words):
    wrong = {
        cell: {**found, **({figure: value} if cell.method == method and figure in found else {})}
        for cell, found in figures.items()
    }
    assert any(words in claim for claim in failing(wrong))


def test_the_picture_shows_the_trained_beside_the_formulas(figures):
    canvas = experiment.plot(Results(figures))
    labels = {text for ax in canvas.axes for text in ax.get_legend_handles_labels()[1]}
    assert {"minimax, D optimal", "minimax, D trained", "W₁, critic trained", "Sinkhorn"} <= labels
    (plane,) = (ax for ax in canvas.axes if ax.get_title() == "in the plane")
    widths = [bar.get_width() for bar in plane.patches if bar.get_height() < 0.5]
    assert fmean(widths) == pytest.approx((7 * (1 + 0.6 + 0.9) + 2 * 0.5) / 23)
