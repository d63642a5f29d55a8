"""`dag-theory`: its enumerations against other ways to the same numbers, and claims that can fail."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.experiments import dag_theory
from pushforward.experiments.dag_theory import (
    ALIKE,
    CLASSICAL,
    DAG,
    GAN,
    GRADIENTS,
    NETWORKS,
    WEIGHED,
    finite,
    losses,
    mixture_weights,
    named,
    plane,
)
from pushforward.experiments.harness.experiment import Cell, Results
from pushforward.experiments.harness.summary import check
from pushforward.objectives.divergences import js_normals
from pushforward.recipes.augment import AugmentOptions
from pushforward.views.transforms import KINDS, transforms_of


def rotations(side: int = 2) -> finite.Game:
    return finite.Game(transforms_of(["rotation"], (1, side, side)), finite.every_image(side))


def test_every_image_is_there_once():
    x = finite.every_image(3)
    assert x.shape == (512, 1, 3, 3)
    assert len(x.unique(dim=0)) == 512
    assert set(x.unique().tolist()) == {-1.0, 1.0}


def test_a_pushed_distribution_is_that_of_transformed_draws():
    x = finite.every_image(2)
    p, _ = finite.positive(len(x), 0)
    game = rotations()
    seen = game.seen(p)
    torch.testing.assert_close(seen.sum(1), torch.ones(4).double())
    (turn, *_) = transforms_of(["rotation"], (1, 2, 2))
    for i, image in enumerate(x):
        (where,) = [j for j in range(16) if torch.equal(turn(x[j : j + 1])[0], image)]
        assert seen[1][game.index[0, i]] == p[where]


def test_js_is_that_of_the_definition_and_bounded_by_ln_2():
    p, q = finite.positive(7, 1)
    m = (p + q) / 2
    expected = ((p * (p / m).log()).sum() + (q * (q / m).log()).sum()) / 2
    torch.testing.assert_close(finite.js(p, q), expected)
    far = finite.js(torch.tensor([1.0, 0.0]).double(), torch.tensor([0.0, 1.0]).double())
    assert float(far) == pytest.approx(math.log(2))


def test_the_best_critics_are_those_of_the_librarys_loss():
    """Descending the loss of the critic finds them, and its value there is ln 4 - 2 JS."""
    p, q = finite.positive(16, 2)
    game = rotations()
    real, fake = game.seen(p)[1], game.seen(q)[1]
    scores = torch.zeros(16, dtype=torch.float64, requires_grad=True)
    descent = torch.optim.LBFGS([scores], max_iter=500, tolerance_grad=1e-12, tolerance_change=0.0)

    def loss() -> torch.Tensor:
        descent.zero_grad()
        softplus = torch.nn.functional.softplus
        value = (real * softplus(-scores)).sum() + (fake * softplus(scores)).sum()
        value.backward()
        return value

    descent.step(loss)
    found = scores.detach().sigmoid()[game.index[1]]
    torch.testing.assert_close(found, game.critics(p, q)[1], rtol=0, atol=1e-6)
    assert loss().item() == pytest.approx(math.log(4) - 2 * float(game.apart(p, q)[1]))


def test_weights_of_one_head_are_those_of_the_recipes_views():
    recipe = AugmentOptions(augment="dag-single", dag_transforms=("crop",))
    views = recipe.augmented(torch.nn.Identity(), (1, 8, 8))
    weights = torch.tensor([v.weight_critic for v in views], dtype=torch.float64)
    torch.testing.assert_close(mixture_weights(WEIGHED, 5), weights / weights.sum())
    torch.testing.assert_close(mixture_weights(ALIKE, 5), torch.full((5,), 0.2).double())


@pytest.mark.parametrize("method", [GAN, DAG, WEIGHED])
def test_the_data_are_the_optimum(method):
    p, _ = finite.positive(16, 3)
    assert finite.tv(p, finite.optimum(losses(method, rotations(), p), 16, 3)) < 1e-6


def test_augmented_data_lead_to_their_mean_over_turns():
    p, _ = finite.positive(16, 3)
    game = rotations()
    q = finite.optimum(losses(CLASSICAL, game, p), 16, 3)
    mean = game.seen(p).mean(0)[game.index[0]]
    torch.testing.assert_close(q, mean, rtol=0, atol=1e-6)
    assert finite.tv(p, q) > 0.05


@pytest.mark.parametrize("map_", plane.MAPS.values(), ids=list(plane.MAPS))
def test_maps_of_the_plane_are_undone_and_their_densities_sum_to_one(map_):
    x = torch.randn(50, 2, dtype=torch.float64)
    torch.testing.assert_close(map_.backward(map_.forward(x)), x)
    total = plane.pushed(plane.mixture(plane.P), map_)(plane.grid()).sum() * plane.STEP**2
    assert float(total) == pytest.approx(1, abs=1e-10)


def test_the_quadrature_of_the_plane_agrees_with_that_of_the_line():
    p, q = plane.mixture([(0, 0, 1)]), plane.mixture([(1.5, 0, 1)])
    zero, one = torch.zeros(1).double(), torch.ones(1).double()
    expected = float(js_normals(zero, one, zero + 1.5, one))
    assert plane.js(p, q) == pytest.approx(expected, abs=1e-10)
    assert plane.js_of_shadow(p, q) == pytest.approx(expected, abs=1e-10)


def test_a_crop_and_a_shift_of_two_pixels_are_left_out_as_they_do_nothing():
    x = finite.every_image(2)
    assert all(torch.equal(t(x), x) for k in ("crop", "translation") for t in KINDS[k])
    assert all(t.invertible for t in named(2).values())
    assert not all(t.invertible for t in named(3).values())


@pytest.mark.parametrize("kind", KINDS)
def test_each_term_of_a_network_gives_the_generator_a_gradient(kind):
    figures = dag_theory.run(Cell(NETWORKS, kind, 0, {"kind": kind}))
    assert figures["terms"] == 1 + len(KINDS[kind])
    assert figures["least size"] > 0.01


def short(cell: Cell) -> dict[str, float]:
    """Of the cells that search 512 states, what they come to."""
    if not (cell.method.startswith("optimum") and cell.options["side"] == dag_theory.LARGE):
        return dag_theory.run(cell)
    away = cell.method not in (f"optimum, {GAN}", f"optimum, {DAG}")
    return {"TV to the data": 0.3 * away, "loss left": 0.0, "JS": 0.1 * away}


@pytest.fixture(scope="module")
def figures() -> dict[Cell, dict[str, float]]:
    return {cell: short(cell) for cell in dag_theory.cells("quick", range(1))}


def failing(figures: dict[Cell, dict[str, float]]) -> list[str]:
    return [c.claim for c in dag_theory.claims("quick") if not check(c, Results(figures)).holds]


def test_the_claims_hold(figures):
    assert failing(figures) == []
    assert {f for found in figures.values() for f in found} == set(dag_theory.EXPERIMENT.figures)


@pytest.mark.parametrize(
    ("method", "figure", "value", "words"),
    [
        ("turn 90°", "undone, off", 1e-7, "to the last bit"),
        ("flip both", "JS seen", 0.01, "invertible T: JS"),
        ("bend", "JS seen", 0.01, "invertible T: JS"),
        ("mirror", "critics apart", 1e-3, "the best head says"),
        ("crop 0, 1", "kept", 1.0, "crops and shifts keep less"),
        (WEIGHED, "kept", 1.0, "never sees more"),
        (ALIKE, "JS seen", 0.01, "cannot tell"),
        (ALIKE, "JS", 0.0, "far apart"),
        ("optimum, GAN", "TV to the data", 0.1, "control"),
        ("optimum, DAG", "TV to the data", 0.1, "DAG, any T"),
        ("optimum, transforms' heads alone", "TV to the data", 0.1, "heads alone, invertible T"),
        ("optimum, transforms' heads alone", "TV to the data", 0.0, "leave much open"),
        ("optimum, one head, weighed", "TV to the data", 0.1, "weighed, invertible T"),
        ("optimum, one head, alike", "TV to the data", 0.0, "alike: its optimum is far"),
        ("optimum, one head, alike", "loss left", 0.1, "as if all were well"),
        ("optimum, augmented data", "TV to the data", 0.0, "move the optimum"),
        (GRADIENTS, "least size", 0.9, "the GAN's own"),
        (GRADIENTS, "least cosine", -0.1, "the GAN's way too"),
        (NETWORKS, "least size", 0.0, "without a gradient"),
    ],
)
def test_each_claim_can_fail(figures, method, figure, value, words):
    wrong = {
        cell: {**found, **({figure: value} if cell.method == method and figure in found else {})}
        for cell, found in figures.items()
    }
    assert any(words in claim for claim in failing(wrong))


def test_the_picture_shows_where_each_loss_leads(figures):
    canvas = dag_theory.plot(Results(figures))
    labels = {text for ax in canvas.axes for text in ax.get_legend_handles_labels()[1]}
    assert "DAG: TV 0.00 from the data" in labels
    assert sum(ax.get_title().startswith(("crop", "shift")) for ax in canvas.axes) == 8
