"""Mode collapse is called by its name, and samples of the data themselves never are."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.data import Dataset, toys
from pushforward.diagnostics.exam import Reference
from pushforward.diagnostics.mode_collapse import (
    CHANCE,
    collapse_in_cells,
    collapse_in_modes,
    diagnose_mode_collapse,
    effective_modes,
)
from pushforward.metrics import diversity
from pushforward.metrics.modes import mode_statistics

RING, GRID = toys.ring_modes(), toys.grid_modes()


def drawn(modes, n=2500, seed=3):
    return torch.from_numpy(toys.draw(modes, n, seed=seed)[0])


def judged(modes, samples):
    """The verdict on samples of a toy set, as an observer reaches it."""
    real = drawn(modes, seed=1)
    spread = diversity.mean_distance(samples) / diversity.mean_distance(real)
    statistics = mode_statistics(samples, torch.as_tensor(modes.centres), radius=modes.radius)
    return collapse_in_modes(statistics, spread=spread)


def only(modes, kept, n=2500):
    """Samples of some modes."""
    points, which = toys.draw(modes, 40 * n, seed=5)
    return torch.from_numpy(points[[i in kept for i in which]][:n])


@pytest.mark.parametrize("modes", [RING, GRID, toys.high_modes()], ids=lambda m: m.name)
@pytest.mark.parametrize("seed", range(3))
def test_samples_of_the_data_are_well(modes, seed):
    n = 600 if modes.name == "gaussians-1200d" else 2500
    collapse = judged(modes, drawn(modes, n, seed))
    assert collapse.verdict == "none"
    assert collapse.starved == ()
    assert diagnose_mode_collapse(collapse) is None


@pytest.mark.parametrize(
    ("modes", "kept"), [(RING, {0, 1, 2, 3}), (RING, {0, 1}), (RING, set(range(7))), (GRID, {7, 8})]
)
def test_modes_left_out_are_partial_and_are_named(modes, kept):
    collapse = judged(modes, only(modes, kept))
    assert collapse.verdict == "partial"
    assert set(collapse.starved) == set(range(len(modes))) - kept
    finding = diagnose_mode_collapse(collapse, names=toys.by_place(modes), command="cure")
    assert (finding.name, finding.severity, finding.command) == ("mode-collapse-partial", "warning", "cure")
    assert toys.by_place(modes)[collapse.starved[0]] in finding.evidence
    assert finding.confidence == 0.99


@pytest.mark.parametrize("modes", [RING, GRID], ids=lambda m: m.name)
def test_one_mode_is_complete(modes):
    collapse = judged(modes, only(modes, {3}))
    assert collapse.verdict == "complete"
    assert diagnose_mode_collapse(collapse).severity == "critical"


def test_one_place_between_the_modes_is_complete():
    torch.manual_seed(0)
    assert judged(RING, 0.01 * torch.randn(2500, 2)).verdict == "complete"
    assert judged(RING, torch.zeros(2500, 2)).verdict == "complete"


def test_two_modes_that_lie_close_together_are_not_one_thing():
    high = toys.high_modes()
    near = {3, 7}  # means 0 and 0.25
    collapse = judged(high, only(high, near, n=100))
    assert collapse.spread < 0.2
    assert collapse.verdict == "partial"


def test_a_blob_over_all_modes_is_bad_but_not_collapsed():
    torch.manual_seed(0)
    collapse = judged(RING, 0.8 * torch.randn(2500, 2))
    assert collapse.verdict == "none"


def test_few_samples_of_many_modes_miss_some_by_chance():
    """2,500 draws of 1,000 modes leave out 82 of them on average, and that is no disease."""
    weights = torch.full((1000,), 1e-3)
    generator = torch.Generator().manual_seed(0)
    counts = torch.bincount(torch.randint(1000, (2500,), generator=generator), minlength=1000)
    healthy = collapse_in_cells(counts, weights, spread=1.0)
    assert 50 < len(healthy.starved) < 120
    assert healthy.verdict == "none"
    counts = torch.bincount(torch.randint(700, (2500,), generator=generator), minlength=1000)
    assert collapse_in_cells(counts, weights, spread=1.0).verdict == "partial"


def test_the_chance_is_the_binomials():
    """Two modes, four samples, one mode empty: P(at least one of two empty) as if they were independent."""
    collapse = collapse_in_cells(torch.tensor([4, 0]), torch.tensor([0.5, 0.5]), spread=1.0)
    p = 0.5**4
    assert collapse.chance == pytest.approx(1 - (1 - p) ** 2)
    assert collapse.chance > CHANCE  # so that four samples prove nothing
    assert collapse.verdict == "none"


def test_effective_modes():
    assert effective_modes(torch.tensor([5, 5, 5, 5])) == pytest.approx(4)
    assert effective_modes(torch.tensor([7, 0, 0])) == 1
    assert effective_modes(torch.tensor([0, 0])) == 0
    assert effective_modes(torch.tensor([3, 1])) == pytest.approx(
        math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    )


# -- without known modes -----------------------------------------------------------------------------


def kinds(n, seed, which=range(6)):
    """Images of six kinds: bright squares at different places, each with brightness and noise of its own."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.tensor(list(which))[torch.randint(len(which), (n,), generator=generator)]
    images = -1 + 0.2 * torch.rand(n, 1, 18, 12, generator=generator)
    for image, kind in zip(images, chosen.tolist(), strict=True):
        top, left = 6 * (kind % 3), 6 * (kind // 3)
        image[:, top : top + 6, left : left + 6] += 1 + 0.6 * torch.rand(1, generator=generator)
    return images


def to_data(images):
    return Dataset.of(((images + 1) * 127.5).clamp(0, 255).to(torch.uint8))


@pytest.fixture(scope="module")
def reference():
    return Reference(to_data(kinds(1500, 0)), 1000)


def test_other_real_images_are_well(reference):
    for seed in (1, 2, 3):
        collapse, counts, figures = reference.measure(kinds(1000, seed))
        assert collapse.verdict == "none"
        assert figures["spread"] == pytest.approx(1, abs=0.05)
        assert figures["near_duplicates"] < 0.05
        assert int(counts.sum()) == 1000


def test_half_of_the_kinds_is_partial(reference):
    collapse, _, _ = reference.measure(kinds(1000, 1, which=range(3)))
    assert collapse.verdict == "partial"
    assert collapse.lost > 0.4


def test_one_image_is_complete(reference):
    collapse, _, figures = reference.measure(kinds(1, 1).expand(1000, -1, -1, -1))
    assert collapse.verdict == "complete"
    assert (figures["spread"], figures["near_duplicates"]) == (0, 1)


def test_few_images_again_and_again_are_partial_though_of_all_kinds(reference):
    """Every cell is full; only that they repeat tells."""
    few = kinds(250, 1)[torch.arange(1000) % 250]
    collapse, _, figures = reference.measure(few + 0.001 * torch.randn_like(few))
    assert collapse.verdict == "partial"
    assert collapse.lost < 0.1
    finding = diagnose_mode_collapse(collapse, what="cells")
    assert "100% of them have a near-duplicate" in finding.evidence
    assert figures["near_duplicates"] == 1


def test_blurred_images_are_not_called_collapsed(reference):
    blurred = torch.nn.functional.avg_pool2d(kinds(1000, 1), 3, 1, 1, count_include_pad=False)
    collapse, _, _ = reference.measure(blurred)
    assert collapse.verdict == "none"


@pytest.mark.parametrize("n", [30, 60, 100, 200, 300])
def test_a_perfect_sampler_of_few_data_has_not_collapsed(n):
    """As many samples as real rows: 2,500 of them beside 60 rows were all near-duplicates."""
    from pushforward.data import Dataset
    from pushforward.diagnostics.exam import Reference

    verdicts = []
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        real, drawn = (torch.randn(n, 2, generator=generator) for _ in range(2))
        verdicts.append(Reference(Dataset.of(real), n).measure(drawn)[0].verdict)
    assert verdicts.count("none") >= 19
