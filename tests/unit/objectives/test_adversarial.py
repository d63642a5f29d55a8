"""What critics and generators minimise: optima of discrete distributions, slopes, and scores of any size."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.objectives import adversarial as losses

# Two distributions on four points, in eighths, so that a repeated sample has exactly these shares.
P, Q = torch.tensor([1, 2, 4, 1]), torch.tensor([3, 3, 1, 1])
CRITICS = [
    losses.minimax_critic,
    losses.wasserstein_critic,
    losses.least_squares_critic,
    losses.hinge_critic,
    losses.relativistic_critic,
]
GENERATORS = [
    losses.minimax_generator,
    losses.nonsaturating_generator,
    losses.wasserstein_generator,
    losses.least_squares_generator,
    losses.hinge_generator,
]


def of_points(scores: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """The scores of a sample with exactly these counts."""
    return scores.repeat_interleave(counts)


def shares() -> tuple[torch.Tensor, torch.Tensor]:
    return P.double() / 8, Q.double() / 8


def js(p: torch.Tensor, q: torch.Tensor) -> float:
    m = (p + q) / 2
    return float((p * (p / m).log()).sum() / 2 + (q * (q / m).log()).sum() / 2)


def minimised(loss) -> torch.Tensor:
    """The critic of four free scores that minimises a loss, in double."""
    scores = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([scores], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss(of_points(scores, P), of_points(scores, Q))
        value.backward()
        return value

    optimizer.step(closure)
    return scores.detach()


def test_the_best_minimax_critic_is_the_log_odds_and_scores_ln_4_less_2_js():
    p, q = shares()
    best = minimised(losses.minimax_critic)
    assert torch.allclose(best, (p / q).log(), atol=1e-6)
    value = losses.minimax_critic(of_points(best, P), of_points(best, Q))
    assert float(value) == pytest.approx(math.log(4) - 2 * js(p, q), abs=1e-10)


def test_a_minimax_critic_that_cannot_tell_scores_ln_4_and_the_generator_minus_ln_2():
    zero = torch.zeros(5)
    assert float(losses.minimax_critic(zero, zero)) == pytest.approx(math.log(4))
    assert float(losses.minimax_generator(zero)) == pytest.approx(-math.log(2))
    assert float(losses.nonsaturating_generator(zero)) == pytest.approx(math.log(2))


def test_the_game_is_zero_sum_where_the_paper_says_so():
    """Minimax: critic's and generator's losses add up to a constant in the fakes; Wasserstein's, too."""
    real, fake = torch.randn(7), torch.randn(7)
    constant = losses.minimax_critic(real, fake) + losses.minimax_generator(fake)
    assert float(constant) == pytest.approx(float(-torch.sigmoid(real).log().mean()), rel=1e-5)
    constant = losses.wasserstein_critic(real, fake) + losses.wasserstein_generator(fake)
    assert float(constant) == pytest.approx(float(-real.mean()), rel=1e-5)


@pytest.mark.parametrize("score", [-20.0, -3.0, 0.0, 3.0])
def test_slopes_of_the_two_games_in_a_score(score):
    """Saturating: -σ(s), nothing where the critic is sure (s ≪ 0). Non-saturating: -σ(-s), all of it."""
    slopes = []
    for loss in (losses.minimax_generator, losses.nonsaturating_generator):
        s = torch.tensor([score], dtype=torch.float64, requires_grad=True)
        loss(s).backward()
        slopes.append(s.grad.item())
    assert slopes[0] == pytest.approx(-1 / (1 + math.exp(-score)), rel=1e-9)
    assert slopes[1] == pytest.approx(-1 / (1 + math.exp(score)), rel=1e-9)


def test_the_best_least_squares_critic_is_a_regression_and_the_value_pearsons_chi_square():
    """D = p / (p + q) minimises it, and the value is ½ Σ pq / (p + q)."""
    p, q = shares()
    best = minimised(losses.least_squares_critic)
    assert torch.allclose(best, p / (p + q), atol=1e-6)
    value = losses.least_squares_critic(of_points(best, P), of_points(best, Q))
    assert float(value) == pytest.approx(float((p * q / (p + q)).sum() / 2), abs=1e-12)
    assert float(losses.least_squares_generator(torch.tensor([0.0, 3.0]))) == 1.25  # (1 + 4) / 2 / 2


def test_the_best_hinge_critic_is_the_sign_and_its_value_the_overlap():
    """Among scores in [-1, 1] it is linear: D = sign(p - q), worth 2 - Σ|p - q|."""
    p, q = shares()
    best = (p - q).sign()
    value = losses.hinge_critic(of_points(best, P), of_points(best, Q))
    assert float(value) == pytest.approx(2 - float((p - q).abs().sum()))
    for _ in range(100):
        other = 3 * torch.randn(4, dtype=torch.float64)
        assert float(losses.hinge_critic(of_points(other, P), of_points(other, Q))) >= float(value)


def test_a_hinge_beyond_the_margin_is_flat():
    real = torch.tensor([1.5, 0.5], requires_grad=True)
    fake = torch.tensor([-1.5, -0.5], requires_grad=True)
    losses.hinge_critic(real, fake).backward()
    assert real.grad.tolist() == [0.0, -0.5]
    assert fake.grad.tolist() == [0.0, 0.5]


def test_the_wasserstein_critic_of_a_line_is_the_distance_of_means():
    x = torch.linspace(0, 1, 11, dtype=torch.float64)
    assert float(losses.wasserstein_critic(-(x - 3), -x)) == pytest.approx(-3)  # the real ones lie 3 below


def test_the_relativistic_pair_is_symmetric_and_sees_differences_alone():
    real, fake = torch.randn(9).double(), torch.randn(9).double()
    critic, generator = losses.relativistic_critic, losses.relativistic_generator
    assert critic(real, fake) == generator(fake, real)  # signs swapped
    assert float(critic(real + 5, fake + 5)) == pytest.approx(float(critic(real, fake)))
    by_hand = [math.log1p(math.exp(-(r - f))) for r, f in zip(real.tolist(), fake.tolist(), strict=True)]
    assert float(critic(real, fake)) == pytest.approx(sum(by_hand) / 9)
    assert float(critic(real, fake.flip(0))) != pytest.approx(float(critic(real, fake)))  # pairs matter


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_scores_of_any_size_are_safe(dtype, size):
    for loss in CRITICS:
        real = torch.full((4, 1), size, dtype=dtype, requires_grad=True)
        fake = torch.full((4, 1), -size, dtype=dtype, requires_grad=True)
        value = loss(real, fake)
        value.backward()
        assert value.isfinite(), loss.__name__
        assert real.grad.isfinite().all(), loss.__name__
        assert fake.grad.isfinite().all(), loss.__name__
    for loss in GENERATORS:
        fake = torch.full((4, 1), size, dtype=dtype, requires_grad=True)
        value = loss(fake)
        value.backward()
        assert value.isfinite(), loss.__name__
        assert fake.grad.isfinite().all(), loss.__name__


def test_what_a_sure_and_wrong_critic_pays_is_its_score():
    """softplus(1e4) = 1e4, where ln(1 - σ(s)) by way of σ is ln 0."""
    wrong = torch.full((3,), 1e4)
    assert float(losses.minimax_critic(-wrong, wrong)) == 2e4
    assert float(losses.minimax_generator(wrong)) == -1e4
    assert float(losses.nonsaturating_generator(-wrong)) == 1e4


@pytest.mark.parametrize("loss", CRITICS)
def test_every_critic_loss_pulls_real_scores_up_and_fakes_down(loss):
    real = torch.zeros(6, 1, requires_grad=True)
    fake = torch.full((6, 1), 0.5, requires_grad=True)
    loss(real, fake).backward()
    assert (real.grad < 0).all()
    assert (fake.grad > 0).all()


@pytest.mark.parametrize("loss", GENERATORS)
def test_every_generator_loss_pulls_fakes_up(loss):
    fake = torch.zeros(6, 1, requires_grad=True)
    loss(fake).backward()
    assert (fake.grad < 0).all()
