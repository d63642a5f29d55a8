"""The Bernoulli likelihood: a normalised mass over binary images, and the three protocols."""

from __future__ import annotations

import itertools
import warnings

import pytest
import torch
import torch.nn.functional as F

from pushforward.distributions import Bernoulli


def all_binary_images(h: int, w: int) -> torch.Tensor:
    rows = list(itertools.product((-1.0, 1.0), repeat=h * w))
    return torch.tensor(rows).view(-1, 1, h, w)


def test_the_mass_of_all_binary_images_is_one():
    x = all_binary_images(2, 4)
    logits = 3 * torch.randn(1, 1, 2, 4).expand(len(x), -1, -1, -1)
    total = Bernoulli().log_prob(logits, x).double().exp().sum()
    torch.testing.assert_close(total.item(), 1.0, atol=1e-5, rtol=0)


def test_the_mean_is_the_expectation_over_all_binary_images():
    x = all_binary_images(2, 3)
    logits = torch.randn(1, 1, 2, 3)
    weights = Bernoulli().log_prob(logits.expand(len(x), -1, -1, -1), x).exp()
    torch.testing.assert_close(torch.einsum("n,nchw->chw", weights, x), Bernoulli().mean(logits)[0])


def test_it_is_binary_cross_entropy_summed_over_pixels():
    x = torch.randint(0, 2, (5, 3, 4, 4)).float().mul(2).sub(1)
    logits = torch.randn(5, 3, 4, 4)
    expected = F.binary_cross_entropy(logits.sigmoid(), (x + 1) / 2, reduction="sum")
    torch.testing.assert_close(-Bernoulli().log_prob(logits, x).sum(), expected)


def test_large_logits_stay_finite():
    logits = torch.tensor([200.0, -200.0]).view(1, 1, 1, 2)
    x = torch.tensor([-1.0, -1.0]).view(1, 1, 1, 2)
    torch.testing.assert_close(Bernoulli().log_prob(logits, x), torch.tensor([-200.0]))


def test_half_precision_logits_are_scored_in_single_precision():
    x = all_binary_images(2, 2)
    scores = Bernoulli().log_prob(torch.randn(16, 1, 2, 2).bfloat16(), x)
    assert scores.dtype == torch.float32


def test_samples_are_binary_and_have_the_mean():
    logits = torch.tensor([-2.0, 0.5]).view(1, 1, 1, 2)
    samples = Bernoulli().sample(logits.expand(20_000, -1, -1, -1))
    assert set(samples.unique().tolist()) == {-1.0, 1.0}
    # A pixel's standard error is at most 1/sqrt(20,000) = 0.007.
    torch.testing.assert_close(samples.mean(0), Bernoulli().mean(logits)[0], atol=0.03, rtol=0)


def test_dynamic_binarization_draws_anew_with_the_intensity_as_probability():
    likelihood = Bernoulli(binarization="dynamic")
    grey = torch.tensor([-1.0, -0.5, 0.5, 1.0]).view(1, 1, 1, 4).expand(20_000, -1, -1, -1)
    before = grey.clone()
    binary = likelihood.prepare(grey)
    assert set(binary.unique().tolist()) == {-1.0, 1.0}
    torch.testing.assert_close(binary.mean(0), grey[0], atol=0.03, rtol=0)
    assert not torch.equal(binary, likelihood.prepare(grey))
    assert torch.equal(grey, before)


def test_static_binarization_keeps_binary_images_and_rounds_others():
    likelihood = Bernoulli(binarization="static")
    binary = all_binary_images(2, 2)
    assert torch.equal(likelihood.prepare(binary), binary)
    grey = torch.tensor([-0.2, 0.2]).view(1, 1, 1, 2)
    assert likelihood.prepare(grey).flatten().tolist() == [-1.0, 1.0]


def test_grey_pixels_without_binarization_warn_once_and_pass_unchanged():
    likelihood = Bernoulli(binarization="none")
    grey = torch.full((2, 1, 2, 2), 0.3)
    with pytest.warns(UserWarning, match="grey pixels"):
        assert torch.equal(likelihood.prepare(grey), grey)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        likelihood.prepare(grey)


def test_binary_images_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for protocol in ("none", "static", "dynamic"):
            Bernoulli(binarization=protocol).prepare(all_binary_images(2, 2))
