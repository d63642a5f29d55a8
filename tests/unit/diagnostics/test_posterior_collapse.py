"""Active units and the finding, on posteriors built to be alive, half alive and dead."""

from __future__ import annotations

import re

import pytest
import torch

from pushforward.diagnostics.latent_information import latent_information
from pushforward.diagnostics.posterior_collapse import active_units, diagnose_posterior_collapse
from pushforward.objectives.elbo import gaussian_kl


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


def test_moving_means_that_say_nothing_are_dead_when_information_is_measured():
    mu, log_var = 0.15 * torch.randn(500, 3), torch.zeros(500, 3)  # variance 0.02 beside a noise of 1
    kl = gaussian_kl(mu, log_var)
    assert diagnose_posterior_collapse(mu, kl) is None
    finding = diagnose_posterior_collapse(mu, kl, information=latent_information(mu, log_var))
    assert finding is not None
    assert finding.severity == "critical"
    assert "nats of the image, by 500 images" in finding.evidence


def test_variances_that_speak_are_not_dead():
    mu = torch.zeros(500, 2)
    log_var = torch.tensor([[-6.0, 0.0], [0.0, -6.0]]).repeat(250, 1)
    kl = gaussian_kl(mu, log_var)
    alone = diagnose_posterior_collapse(mu, kl)
    assert alone is not None
    assert alone.severity == "critical"
    assert diagnose_posterior_collapse(mu, kl, information=latent_information(mu, log_var)) is None


def test_saturated_information_is_given_as_a_lower_bound():
    mu = torch.cat([30 * torch.randn(50, 1), torch.zeros(50, 3)], dim=1)
    log_var = torch.full_like(mu, -4.0)
    finding = diagnose_posterior_collapse(
        mu, gaussian_kl(mu, log_var), information=latent_information(mu, log_var)
    )
    assert finding is not None
    assert re.search(r"z tells 3\.\d+ to \d+", finding.evidence)
