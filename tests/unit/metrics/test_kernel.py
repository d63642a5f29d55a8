"""Kernel distances against the definition, torchmetrics, and repeated draws."""

from __future__ import annotations

import pytest
import torch
from torchmetrics.image.kid import poly_mmd

from pushforward.errors import UserError
from pushforward.metrics import kernel as module
from pushforward.metrics.kernel import gaussian_mmd, kid


def unbiased(k, a, b) -> float:
    kaa, kbb, kab = k(a, a), k(b, b), k(a, b)
    n, m = len(a), len(b)
    own = (kaa.sum() - kaa.trace()) / (n * (n - 1)) + (kbb.sum() - kbb.trace()) / (m * (m - 1))
    return float(own - 2 * kab.mean())


@pytest.mark.parametrize("block", [8, 1024])
def test_kid_is_the_unbiased_statistic(block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", block)
    a, b = torch.randn(30, 5).double(), torch.randn(20, 5).double() + 0.5
    expected = unbiased(lambda x, y: (x @ y.T / 5 + 1) ** 3, a, b)
    assert kid(a, b).value == pytest.approx(expected, rel=1e-12)


def test_torchmetrics_agrees():
    a, b = torch.randn(40, 6).double(), 1.5 * torch.randn(40, 6).double()
    assert kid(a, b).value == pytest.approx(poly_mmd(a, b).item(), rel=1e-9)


def test_the_gaussian_kernel_is_cmmds_without_its_bias_and_factor():
    a, b = torch.randn(30, 5).double(), torch.randn(25, 5).double() + 1
    expected = unbiased(lambda x, y: torch.exp(-torch.cdist(x, y).square() / (2 * 3.0**2)), a, b)
    assert gaussian_mmd(a, b, sigma=3.0).value == pytest.approx(expected, rel=1e-9)
    median = torch.pdist(b).median().item()
    assert gaussian_mmd(a, b).value == pytest.approx(gaussian_mmd(a, b, sigma=median).value)
    assert gaussian_mmd(torch.ones(20, 2), torch.ones(20, 2)).value == pytest.approx(0)


def test_it_is_unbiased_and_its_error_is_that_of_repeated_draws():
    far = [kid(torch.randn(100, 3), torch.randn(100, 3) + 0.5) for _ in range(150)]
    values = torch.tensor([f.value for f in far])
    errors = torch.tensor([f.standard_error for f in far])
    assert errors.mean().item() == pytest.approx(values.std().item(), rel=0.2)
    near = torch.tensor([kid(torch.randn(50, 3), torch.randn(50, 3)).value for _ in range(200)])
    assert abs(near.mean()) < 3 * near.std() / 200**0.5


def test_bad_input_is_one_line():
    with pytest.raises(UserError, match="`sigma`: 0"):
        gaussian_mmd(torch.randn(20, 2), torch.randn(20, 2), sigma=0.0)
    with pytest.raises(UserError, match="at least 10 rows"):
        kid(torch.randn(5, 2), torch.randn(20, 2))
