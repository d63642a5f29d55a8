"""Nearest neighbours and the measures on them, against plain loops in double and the published package."""

from __future__ import annotations

import math

import pytest
import torch
from prdc import compute_prdc

from pushforward.errors import UserError
from pushforward.metrics import memorisation, neighbours
from pushforward.metrics.memorisation import authenticity, birthday, closer_to_train
from pushforward.metrics.neighbours import clouds, inside, kth_squared_distances, nearest
from pushforward.metrics.prdc import prdc
from pushforward.metrics.probabilistic import probabilistic


def sets(kind: str, n: int = 60, m: int = 50, d: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    """Random rows, ones on a grid (ties), far from the origin (cancellation), copies, and all the same."""
    a, b = torch.randn(n, d), torch.randn(m, d) + 0.5
    match kind:
        case "ties":
            return (2 * a).round(), (2 * b).round()
        case "far":
            return a * 1e-3 + 1000, b * 1e-3 + 1000
        case "copies":
            return a, torch.cat([a[: m // 2], b[m // 2 :]])
        case "same":
            return a, torch.ones(m, d)
        case _:
            return a, b


KINDS = ["random", "ties", "far", "copies", "same"]


def exact(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a.double()[:, None] - b.double()).square().sum(-1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [16, 512])
def test_neighbours_and_balls_are_those_of_double(kind, block, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    a, b = sets(kind)
    x, y = clouds(a, b)
    own = exact(a, a).fill_diagonal_(math.inf).sort(1).values
    for k in (1, 3, len(a) - 1):
        torch.testing.assert_close(kth_squared_distances(x, k), own[:, k - 1], rtol=1e-12, atol=1e-14)
    value, index = nearest(x, y)
    torch.testing.assert_close(value, exact(a, b).min(1).values, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(exact(a, b).gather(1, index[:, None])[:, 0], value, rtol=1e-12, atol=1e-14)
    radii = kth_squared_distances(x, 3), kth_squared_distances(y, 3)
    for rows, mine, theirs in inside(x, y, of_x=radii[0], of_y=radii[1]):
        assert torch.equal(mine, exact(a, b)[rows] < radii[0][rows, None])
        assert torch.equal(theirs, exact(a, b)[rows] < radii[1])


@pytest.mark.parametrize("kind", ["random", "far", "same"])
@pytest.mark.parametrize("k", [1, 5])
def test_prdc_is_the_packages(kind, k):
    """Ties and copies are left out: there the package decides by the rounding of its distances."""
    a, b = sets(kind)
    told = compute_prdc(a.double().numpy(), b.double().numpy(), k)
    ours = prdc(a, b, k=k)
    for name in ("precision", "recall", "density", "coverage"):
        assert getattr(ours, name) == pytest.approx(told[name], rel=1e-12), name


def test_prdc_at_its_limits():
    a, _ = sets("random")
    assert prdc(a, a).recall == prdc(a, a).precision == prdc(a, a).coverage == 1
    far = prdc(a, a + 100)
    assert (far.precision, far.recall, far.density, far.coverage) == (0, 0, 0, 0)
    one = prdc(a, torch.zeros(50, 7))  # each sample the mean: in many balls, and nothing is recalled
    assert one.recall == 0
    assert one.precision == 1


@pytest.mark.parametrize("kind", KINDS)
def test_probabilistic_precision_is_one_minus_the_product(kind):
    a, b = sets(kind)
    told = probabilistic(a, b)
    for value, error, centres, points in (
        (told.precision, told.precision_error, a, b),
        (told.recall, told.recall_error, b, a),
    ):
        reach = 1.2 * exact(centres, centres).sqrt().sort(1).values[:, 4].mean()
        covered = 1 - (exact(points, centres).sqrt() / reach.clamp(min=1e-150)).clamp(max=1).prod(1)
        assert value == pytest.approx(covered.mean().item(), abs=1e-6)
        assert error == pytest.approx(covered.std().item() / len(points) ** 0.5, abs=1e-6)


def test_an_outlier_moves_probabilistic_precision_less():
    """A real image far away has a ball over everything in precision, and one of the common radius here."""
    a, b = torch.randn(60, 3), torch.randn(60, 3) + 8
    with_outlier = torch.cat([a, torch.full((1, 3), 60.0)])
    assert prdc(a, b).precision == 0
    assert prdc(with_outlier, b).precision == 1
    assert probabilistic(with_outlier, b).precision < 0.2


def test_copies_are_not_authentic_and_fresh_draws_are_half_the_time():
    train, fresh = torch.randn(400, 5), torch.randn(400, 5)
    assert authenticity(train, train[:50]).value == 0
    told = authenticity(train, fresh)
    assert told.low < told.value < told.high
    assert told.value == pytest.approx(0.5, abs=0.08)
    brute = exact(fresh, train).min(1)
    own = exact(train, train).fill_diagonal_(math.inf).min(1).values
    assert told.value == (brute.values > own[brute.indices]).double().mean().item()


def test_closer_to_train_is_half_unless_copies_are_made():
    train, test, fresh = (torch.randn(300, 4) for _ in range(3))
    assert closer_to_train(train, test, train[:40]).value == 1
    assert closer_to_train(train, test, test[:40]).value == 0
    assert closer_to_train(train, train, fresh).value == 0.5  # all ties
    told = closer_to_train(train, test, fresh)
    assert told.low < 0.5 < told.high


def test_the_birthday_estimate_finds_the_support():
    """Draws from 50 points: pairs meet with probability 1/50."""
    points = 100 * torch.eye(50, 60)
    told = birthday(points[torch.randint(50, (1000,))], usual=1.0)
    assert told.support == pytest.approx(50, rel=0.1)
    assert told.repeats.low < 1 / 50 < told.repeats.high
    assert birthday(points, usual=1.0).support == math.inf


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda a, b: prdc(a[:9], b), r"`real`: \(9, 7\); expected at least 10 rows"),
        (lambda a, b: prdc(a, b[:, :3]), "`fake`: 3 features, and 7 of real"),
        (lambda a, b: prdc(a, b, k=50), "`k`: 50; expected from 1 to 49"),
        (lambda a, b: probabilistic(a, b / 0), "`fake`: some features are NaN or infinite"),
        (lambda a, b: authenticity(a, b[:2]), "`fake`"),
        (lambda a, b: closer_to_train(a, a[:5], b), "`held_out`"),
        (lambda a, b: birthday(b[:3], 1.0), "`fake`"),
    ],
)
def test_too_few_or_other_features_are_refused(call, said):
    with pytest.raises(UserError, match=said):
        call(*sets("random"))


def test_the_interval_of_repeats_holds_where_one_mode_repeats():
    """A tenth of all draws is one point, the rest never meet: pairs meet with probability 1/100."""
    inside = 0
    for _ in range(200):
        points = 100 * torch.arange(400.0)[:, None]
        points[torch.rand(400) < 0.1] = -100.0
        repeats = birthday(points, usual=1.0).repeats
        inside += repeats.low < 0.01 < repeats.high
    assert 180 <= inside <= 200


def test_the_birthday_looks_within_batches(monkeypatch):
    monkeypatch.setattr(memorisation, "BATCH", 10)
    x = torch.arange(20.0)[:, None] * torch.ones(1, 2)
    assert birthday(torch.cat([x[:10], x[:10]]), usual=1.0).support == math.inf
