"""Active units and the finding, on posteriors built to be alive, half alive and dead."""

from __future__ import annotations

import pytest
import torch

from pushforward.diagnostics.posterior_collapse import active_units, diagnose_posterior_collapse


def means(n: int, active: int, dead: int) -> torch.Tensor:
    return torch.cat([torch.randn(n, active), 0.03 * torch.randn(n, dead)], dim=1)


def test_active_units_are_those_whose_mean_moves():
    mu = means(2000, 3, 2)
    assert active_units(mu).tolist() == [True, True, True, False, False]


def test_the_threshold_is_a_variance_and_an_offset_does_not_count():
    mu = 5 + torch.tensor([[0.0, 0.0], [0.2, 0.3]])  # variances 0.02 and 0.045
    assert active_units(mu, threshold=0.03).tolist() == [False, True]
    assert active_units(torch.full((10, 2), 7.0)).tolist() == [False, False]


def test_a_lively_posterior_gives_no_finding():
    assert diagnose_posterior_collapse(means(500, 3, 2), torch.ones(500, 5)) is None


def test_a_wide_latent_space_is_a_warning_that_says_how_wide_would_do():
    finding = diagnose_posterior_collapse(means(500, 4, 12), torch.ones(500, 16), command="x")
    assert finding is not None
    assert finding.severity == "warning"
    assert finding.evidence.startswith("4 of 16")
    assert finding.command == "--latent-dim 4"


def test_a_dead_posterior_is_critical_and_carries_the_cure():
    finding = diagnose_posterior_collapse(means(500, 0, 6), torch.zeros(500, 6), command="--beta 0.5")
    assert finding is not None
    assert finding.severity == "critical"
    assert "0 of 6" in finding.evidence
    assert "0.00 nats" in finding.evidence
    assert finding.command == "--beta 0.5"


def test_confidence_grows_with_the_images_seen():
    few, many = (diagnose_posterior_collapse(means(n, 0, 4), torch.zeros(n, 4)) for n in (5, 5000))
    assert few is not None
    assert many is not None
    assert 0 <= few.confidence < 0.5
    assert many.confidence == pytest.approx(0.98)
