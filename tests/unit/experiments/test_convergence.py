"""`convergence`: its mathematics against autograd and other algorithms, and that its claims can fail."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pushforward.experiments import convergence
from pushforward.experiments.convergence import GAMES, HOW, LIMIT
from pushforward.experiments.convergence.games import (
    Game,
    autograd_field,
    autograd_step,
    jacobian_eigenvalues,
)
from pushforward.experiments.convergence.simulate import distance, play, start
from pushforward.experiments.harness.experiment import Cell, Results
from pushforward.experiments.harness.summary import check

SMOOTH = [name for name, game in GAMES.items() if game.smooth]


def close(ours, theirs) -> bool:
    return np.allclose(np.sort_complex(np.array(ours)), np.sort_complex(theirs), atol=1e-6)


@pytest.mark.parametrize("name", SMOOTH)
def test_eigenvalues_of_the_field_are_autograds(name):
    game = GAMES[name]
    assert close(game.eigenvalues(), jacobian_eigenvalues(lambda x: autograd_field(game, *x.unbind())))


@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize("name", SMOOTH)
def test_eigenvalues_of_a_step_are_autograds(name, alternating):
    game = GAMES[name]
    ours = game.step_eigenvalues(0.3, alternating=alternating)
    assert close(ours, jacobian_eigenvalues(autograd_step(game, 0.3, alternating=alternating)))


@pytest.mark.parametrize("name", GAMES)
def test_the_field_is_that_of_the_packages_losses(name):
    assert convergence.field_off(GAMES[name], seed=7) < 1e-5


@pytest.mark.parametrize("name", GAMES)
def test_steps_by_hand_are_autograds(name):
    game, at = GAMES[name], (0.7, -0.4)
    for how in ("simultaneous", "alternating"):
        step = autograd_step(game, 0.2, alternating=how == "alternating")
        point = torch.tensor(at, dtype=torch.float64, requires_grad=True)
        theirs = step(point).detach().numpy()
        if how == "simultaneous" or game.clip is None:  # autograd's steps do not clip in between
            theirs[1] = game.clipped(theirs[1])
            assert play(game, how, at, h=0.2, steps=1)[1] == pytest.approx(theirs, abs=1e-6)


def test_the_field_is_elementwise_and_noise_is_averaged():
    game = Game(loss="minimax", noise=0.8)
    theta, psi = np.array([[0.3, -1.0]]), np.array([[0.5, 2.0]])
    both = game.critic(theta, psi)
    assert both.shape == (1, 2)
    assert both[0, 1] == pytest.approx(game.critic(-1.0, 2.0))
    eps = np.random.default_rng(0).normal(size=400_000) * 0.8
    sigmoid = 1 / (1 + np.exp(-2.0 * (eps - 1.0)))
    sampled = (eps / (1 + np.exp(2.0 * eps))).mean() - (sigmoid * (eps - 1.0)).mean()
    assert game.critic(-1.0, 2.0) == pytest.approx(sampled, abs=0.005)
    assert game.generator(-1.0, 2.0) == pytest.approx(2.0 * sigmoid.mean(), abs=0.005)


def test_a_turn_of_the_flow_takes_two_pi_over_the_imaginary_part():
    game = Game(loss="Wasserstein", ratio=4.0)
    (period,) = {2 * math.pi / abs(value.imag) for value in game.eigenvalues()}
    steps = 2000
    path = play(game, "flow", (1.0, 0.5), h=period / steps, steps=steps)
    assert path[-1] == pytest.approx(path[0], abs=1e-6)
    assert distance(path, game) == pytest.approx(distance(path, game)[0])


def test_many_critic_steps_are_one_larger_step():
    """Without damping, n critic steps at the same θ and a critic n times as fast are one thing for WGAN."""
    theta, psi = 0.8, -0.3
    for _ in range(5):
        psi = psi + 0.1 * Game(loss="Wasserstein").critic(theta, psi)
    fast = play(Game(loss="Wasserstein", ratio=5.0), "alternating", (0.8, -0.3), h=0.1, steps=1)
    assert fast[1] == pytest.approx((theta + 0.1 * psi, psi))


@pytest.mark.parametrize("h", [0.05, 0.5])
def test_simultaneous_steps_of_a_wgan_grow_by_their_modulus_at_each(h):
    game = Game(loss="Wasserstein")
    r = distance(play(game, "simultaneous", start(3), h=h, steps=20), game)
    assert r[1:] / r[:-1] == pytest.approx(math.sqrt(1 + h * h))


def test_alternating_steps_leave_the_circle_only_beyond_two():
    game = Game(loss="Wasserstein")
    for h, bounded in ((1.9, True), (2.1, False)):
        r = distance(play(game, "alternating", start(3), h=h, steps=200), game)
        assert (r.max() < 20) == bounded


def test_the_largest_stable_step_of_r1():
    game = GAMES["GAN, R1"]
    for factor, inside in ((0.99, True), (1.01, False)):
        largest = max(map(abs, game.step_eigenvalues(factor * LIMIT, alternating=False)))
        assert (largest < 1) == inside


def test_a_gradient_penalty_of_one_is_the_first_to_rest_in_the_wrong_place():
    for lambda_, rests in ((0.9, False), (1.0, True), (3.0, True)):
        game = Game(loss="Wasserstein", lambda_=lambda_)
        path = play(game, "flow", start(1), h=0.02, steps=4000)
        assert (abs(abs(path[-1, 0]) - 2 * lambda_) < 0.01 and abs(path[-1, 1]) < 0.01) == rests


def test_starts_are_on_the_circle_and_differ():
    assert np.hypot(*start(0, 0.3)) == pytest.approx(0.3)
    assert start(0) != start(1)


def test_what_a_cell_measures_is_what_the_eigenvalues_say():
    for name in ("GAN, noise", "WGAN, R1", "GAN, R1, two time scales"):
        for how in HOW:
            figures = convergence.run(Cell(name, how, 0, {"steps": 3000}))
            assert figures["distance at the end"] < 1e-12
            assert figures["rate"] == pytest.approx(figures["rate by eigenvalues"], rel=0.05)


def test_the_slow_pull_of_the_nonsaturating_loss():
    steps = 4000
    ends = {how: convergence.run(Cell("GAN, −ln D", how, 2, {"steps": steps})) for how in HOW}
    t = convergence.H * steps * 0.95  # the middle of the last tenth
    for how in ("flow", "alternating"):
        assert ends[how]["distance at the end"] == pytest.approx(math.sqrt(8 / (t + 8)), rel=0.02)
    assert ends["simultaneous"]["distance at the end"] == pytest.approx(
        math.sqrt(2 * convergence.H), rel=0.15
    )


@pytest.fixture(scope="module")
def figures():
    """What every cell would give if it were exactly as is claimed."""
    return {cell: ideal(cell) for cell in convergence.cells("quick", [0])}


def ideal(cell: Cell) -> dict[str, float]:
    game, (how, h) = GAMES[cell.method], convergence.PLAYED[cell.setting]
    figures = {"field off autograd's": 0.0, "|θ| at the end": 2 * game.lambda_}
    if game.smooth:
        figures |= convergence.spectrum(game, how, h)
        figures["rate"] = figures["rate by eigenvalues"]
    if game.clip or game.lambda_:
        end = game.clip or 2.0
    elif cell.method == "GAN, −ln D":
        duration = convergence.H * cell.options["steps"]
        end = math.sqrt(2 * convergence.H) if how == "simultaneous" else math.sqrt(8 / duration)
    else:
        rate = figures["rate by eigenvalues"]
        end = 1.0 if abs(rate) < 1e-12 else 2.0 if rate > 0 else 0.0
    return figures | {"distance at the end": end, "least": end}


def failing(figures) -> list[str]:
    claims = convergence.claims("quick")
    return [claim.claim for claim in claims if not check(claim, Results(figures)).holds]


def test_the_claims_hold_where_all_is_as_claimed(figures):
    assert failing(figures) == []
    assert {cell.setting for cell in figures} == {*HOW, *convergence.LIMITS}


@pytest.mark.parametrize(
    ("figure", "value", "words"),
    [
        ("distance at the end", 2.0, "keeps its distance"),
        ("distance at the end", 0.5, "converge, however"),
        ("distance at the end", 0.9, "falls as √(8/t)"),
        ("distance at the end", 0.9, "radius √(2h)"),
        ("distance at the end", 0.9, "end at a distance of the clip"),
        ("least", 0.5, "drift away"),
        ("least", 0.5, "ends on a cycle"),
        ("|θ| at the end", 1.0, "comes to rest 2λ away"),
        ("rate", -0.1, "at the rate that the eigenvalues say"),
        ("rate", -0.1, "ten times as fast"),
        ("real part", -0.1, "no eigenvalue has a real part"),
        ("real part", -0.1, "negative one"),
        ("eigenvalues off autograd's", 0.01, "are autograd's"),
        ("field off autograd's", 0.01, "those of the package's losses"),
    ],
)
def test_each_claim_can_fail(figures, figure, value, words):
    wrong = {
        cell: {**found, **({figure: value} if figure in found else {})} for cell, found in figures.items()
    }
    assert any(words in claim for claim in failing(wrong))


def test_a_cell_that_does_not_converge_has_no_rate():
    cell = Cell("GAN", "flow", 0, {"steps": 100})
    assert "rate" not in convergence.run(cell)


def test_the_picture_has_a_panel_for_each_game_it_names(figures, monkeypatch):
    from pushforward.experiments.convergence import picture

    monkeypatch.setattr(picture, "DURATION", 1.0)
    monkeypatch.setattr(picture, "LONG", 25.0)
    figure = convergence.plot(Results(figures))
    titles = [ax.get_title().split("\n")[0] for ax in figure.axes]
    assert set(picture.PANELS) <= set(titles)
    assert len(titles) == len(picture.PANELS) + 4
