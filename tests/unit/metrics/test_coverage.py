"""C of samplers whose C is known, and what it does not see."""

import math

import pytest
import torch
from sklearn.neighbors import KernelDensity

from pushforward.errors import UserError
from pushforward.metrics.coverage import coverage


def clusters(n, seed, means=(-5.0, 0.0, 5.0, 10.0), sigma=0.5):
    generator = torch.Generator().manual_seed(seed)
    which = torch.randint(len(means), (n,), generator=generator)
    centres = torch.tensor(means)[which]
    return torch.stack([centres, -centres], 1) + sigma * torch.randn(n, 2, generator=generator)


DATA = clusters(2000, 0)


def test_a_perfect_sampler_scores_95_percent():
    shares = [coverage(DATA, clusters(4000, seed)).share for seed in range(1, 4)]
    # The threshold is a quantile of 1,000 samples, so P(below it) has the standard error of their share.
    error = math.sqrt(0.05 * 0.95 * (1 / 1000 + 1 / 2000))
    assert max(abs(share - 0.95) for share in shares) < 4 * error


@pytest.mark.parametrize(("means", "most"), [((-5.0,), 0.25), ((-5.0, 0.0), 0.5), ((-5.0, 0.0, 5.0), 0.75)])
def test_a_sampler_that_misses_modes_scores_no_more_than_those_it_has(means, most):
    share = coverage(DATA, clusters(4000, 1, means)).share
    assert most - 0.1 < share <= most + 0.03


def test_a_sampler_that_is_too_wide_scores_one_and_one_that_is_too_narrow_little():
    assert coverage(DATA, clusters(4000, 1, sigma=2.0)).share > 0.99
    assert coverage(DATA, clusters(4000, 1, sigma=0.05)).share < 0.1


def test_samples_that_are_all_the_same_cover_nothing():
    assert coverage(DATA, torch.zeros(100, 2)).share == 0


def test_it_is_the_kernel_density_estimate_that_it_says():
    samples = clusters(400, 3)
    seen = coverage(DATA, samples)
    kernels, chooses, limits = samples.double().split([200, 100, 100])
    density = KernelDensity(bandwidth=seen.bandwidth).fit(kernels.numpy())
    data = torch.from_numpy(density.score_samples(DATA.double().numpy()))
    threshold = torch.from_numpy(density.score_samples(limits.numpy())).quantile(0.05)
    assert seen.share == (data > threshold).double().mean().item()
    assert seen.log_density == pytest.approx(data.mean().item())
    for factor in (0.5, 2.0):
        other = KernelDensity(bandwidth=factor * seen.bandwidth).fit(kernels.numpy())
        assert other.score(chooses.numpy()) <= density.score(chooses.numpy())


def test_it_has_the_scale_of_the_data():
    near, far = coverage(DATA, clusters(400, 3)), coverage(DATA * 1e4, clusters(400, 3) * 1e4)
    assert far.share == near.share
    assert far.bandwidth == pytest.approx(1e4 * near.bandwidth, rel=1e-3)


def test_mistakes():
    with pytest.raises(UserError, match="samples: 39 points; expected at least 40"):
        coverage(DATA, DATA[:39])
    with pytest.raises(UserError, match="data: 0 points"):
        coverage(DATA[:0], DATA)
    with pytest.raises(UserError, match="finite"):
        coverage(DATA, torch.cat([DATA, torch.full((1, 2), math.nan)]))
