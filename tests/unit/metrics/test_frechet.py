"""The Fréchet distance against closed forms, and what its simplest features are."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import t

from pushforward.errors import UserError
from pushforward.features.pixels import pixel_components
from pushforward.metrics.frechet import (
    extrapolated_frechet,
    frechet_distance,
    frechet_from_moments,
    moments,
)


def gaussian(n: int, d: int) -> torch.Tensor:
    """Points whose mean is exactly 0 and whose covariance is exactly I."""
    x = torch.randn(n, d, dtype=torch.float64)
    x = x - x.mean(0)
    return x @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(x.T))).T


def test_commuting_covariances_differ_by_their_deviations():
    x = gaussian(200, 3)
    scale, shift = torch.tensor([2.0, 0.5, 1.0]), torch.tensor([1.0, -2.0, 0.0])
    expected = (scale - 1).square().sum() + shift.square().sum()
    assert frechet_distance(x, x * scale + shift) == pytest.approx(expected.item())


def test_general_covariances_against_the_matrix_square_root():
    """tr (AB)^½ from the eigenvalues of the non-symmetric product."""
    x = gaussian(300, 4)
    p, q = torch.randn(4, 4).double(), torch.randn(4, 4).double()
    a, b = p @ p.T, q @ q.T
    expected = a.trace() + b.trace() - 2 * torch.linalg.eigvals(a @ b).real.clamp(min=0).sqrt().sum()
    assert frechet_distance(x @ p.T, x @ q.T) == pytest.approx(expected.item(), rel=1e-9)


def test_it_is_symmetric_and_zero_for_the_same_points():
    a, b = torch.randn(40, 5), torch.randn(60, 5) * 2 + 1
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-12)


def test_one_feature_and_degenerate_points_are_fine():
    flat = torch.cat([torch.randn(50, 1), torch.zeros(50, 1)], 1)
    assert frechet_distance(flat, flat + torch.tensor([0.0, 3.0])) == pytest.approx(9)
    assert frechet_distance(torch.randn(9, 1), torch.randn(7, 1)) >= 0


def test_two_samples_of_one_distribution_come_closer_as_they_grow():
    small, large = (frechet_distance(torch.randn(n, 10), torch.randn(n, 10)) for n in (50, 5000))
    assert 0 < large < small / 20


def test_pixel_components_keep_what_varies_most():
    basis = torch.linalg.qr(torch.randn(12, 3))[0].T
    scores = gaussian(400, 3) * torch.tensor([3.0, 2.0, 0.1])
    x = (scores.float() @ basis + 0.7).view(-1, 1, 3, 4)
    features = pixel_components(x, components=2)(x)
    assert features.shape == (400, 2)
    torch.testing.assert_close(features.mean(0), torch.zeros(2).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(features.std(0), torch.tensor([2.0, 3.0]).double(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("components", [0, 12, 50])
def test_more_components_than_the_images_span_are_refused(components):
    with pytest.raises(UserError, match=f"components: {components}; expected from 1 to 8"):
        pixel_components(torch.randn(9, 1, 3, 4), components=components)


def test_a_single_point_is_refused():
    with pytest.raises(UserError, match="a: 1 points; expected at least 2"):
        frechet_distance(torch.randn(1, 3), torch.randn(5, 3))


def test_fewer_rows_than_features_is_the_same_distance():
    """From the rows' cross-Gram, and from the covariances with their d - n zeros."""
    a, b = torch.randn(12, 30, dtype=torch.float64), torch.randn(20, 30, dtype=torch.float64) + 0.3
    assert frechet_distance(a, b) == pytest.approx(frechet_from_moments(moments(a), moments(b)), rel=1e-6)


@pytest.mark.parametrize(("n", "d"), [(60, 8), (12, 40)])
def test_torchmetrics_and_scipys_square_root_agree(n, d):
    from scipy.linalg import sqrtm
    from torchmetrics.image.fid import _compute_fid

    a, b = torch.randn(n, d, dtype=torch.float64), 2 * torch.randn(n + 5, d, dtype=torch.float64) + 1
    (ma, sa), (mb, sb) = ((x.mean(0), torch.cov(x.T)) for x in (a, b))
    ours = frechet_distance(a, b)
    root = sqrtm((sa @ sb).numpy()).real if n > d else None
    if root is not None:
        told = (ma - mb).square().sum() + sa.trace() + sb.trace() - 2 * root.trace()
        assert ours == pytest.approx(told.item(), rel=1e-9)
    # torchmetrics takes roots of eigenvalues that are zero but for rounding: 1e-8 of the largest, each.
    assert ours == pytest.approx(_compute_fid(ma, sa, mb, sb).item(), rel=1e-9 if n > d else 1e-6)


def test_the_limit_of_endless_rows_is_the_distance_of_the_distributions():
    """Two Gaussians a shift of 1 apart: 1. With 300 rows of 20 features the distance itself is 0.7 more."""
    a, b = torch.randn(300, 20, dtype=torch.float64), torch.randn(300, 20, dtype=torch.float64)
    b[:, 0] += 1
    told = extrapolated_frechet(a, b)
    assert told.value == pytest.approx(frechet_distance(a, b))
    assert told.value > 1.4
    assert abs(told.limit - 1) < 3 * told.limit_error < 1
    assert told.slope > 0


def test_the_bootstrap_spreads_as_repeated_samples_do():
    draws = [frechet_distance(torch.randn(200, 4), torch.randn(200, 4) + 0.5) for _ in range(60)]
    errors = [
        extrapolated_frechet(torch.randn(200, 4), torch.randn(200, 4) + 0.5, bootstraps=20).standard_error
        for _ in range(10)
    ]
    assert torch.tensor(errors).mean().item() == pytest.approx(torch.tensor(draws).std().item(), rel=0.35)


def test_the_interval_is_students():
    told = extrapolated_frechet(torch.randn(200, 4), torch.randn(200, 4) + 0.5)
    assert told.half_width == pytest.approx(2.262157 * told.standard_error, rel=1e-5)  # 9 degrees of freedom
    line = (told.limit_error**2 - told.standard_error**2) ** 0.5
    degrees = told.limit_error**4 / (told.standard_error**4 / 9 + line**4 / 4)
    assert told.limit_half_width == pytest.approx(t.ppf(0.975, degrees) * told.limit_error, rel=1e-6)
    same = torch.ones(20, 3)
    assert extrapolated_frechet(same, same).limit_half_width == 0


def test_other_features_and_too_few_rows_are_refused():
    with pytest.raises(UserError, match="3 and 4 features"):
        frechet_distance(torch.randn(5, 3), torch.randn(5, 4))
    with pytest.raises(UserError, match="3 points; expected at least 4"):
        extrapolated_frechet(torch.randn(3, 2), torch.randn(9, 2))
