"""Codes against torch.distributions: divergences, priors, modes."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import kl_divergence

from pushforward.algorithms.codes import BernoulliCode, CategoricalCode, Code, GaussianCode, make_code

CODES = {
    "gaussian": lambda: GaussianCode(3),
    "bernoulli": lambda: BernoulliCode(3, "learned"),
    "categorical": lambda: CategoricalCode(3, 4, "learned"),
}


def made(name: str) -> tuple[Code, torch.Tensor]:
    """A code with a prior that is not uniform, in double, and encoder outputs for five images."""
    torch.manual_seed(0)
    code = CODES[name]().double()
    for p in code.parameters():
        torch.nn.init.normal_(p)
    return code, torch.randn(5, code.outputs * code.coordinates, dtype=torch.float64)


@pytest.mark.parametrize("name", CODES)
def test_the_divergence_is_torchs(name):
    code, encoded = made(name)
    mean, kl = code.divergence(encoded)
    q = code.posterior(encoded)
    expected = kl_divergence(q, code.prior().expand(q.batch_shape))
    torch.testing.assert_close(kl.sum(1), expected)
    torch.testing.assert_close(mean, q.mean.flatten(1))
    assert kl.shape == mean.shape == (5, code.coordinates)
    assert bool((kl >= 0).all())


@pytest.mark.parametrize("name", CODES)
def test_the_divergence_from_the_prior_itself_is_zero(name):
    code, _ = made(name)
    prior = code.prior_logits.flatten() if name != "gaussian" else torch.zeros(6, dtype=torch.float64)
    torch.testing.assert_close(code.divergence(prior[None])[1], torch.zeros(1, code.coordinates).double())


@pytest.mark.parametrize("name", ["bernoulli", "categorical"])
def test_draws_and_the_mode_are_hard_and_the_mode_is_the_most_likely(name):
    code, encoded = made(name)
    q = code.posterior(encoded)
    z = q.sample((200,))
    assert set(z.unique().tolist()) == {0.0, 1.0}
    mode = code.mode(encoded).view(q.batch_shape + q.event_shape)
    assert bool((q.log_prob(mode) >= q.log_prob(z)).all())
    assert torch.equal(code.harden(z), z)


def test_hardening_rounds_to_the_nearest_value():
    bits, choice = BernoulliCode(2, "uniform"), CategoricalCode(1, 3, "uniform")
    assert bits.harden(torch.tensor([[0.4, 0.6]])).tolist() == [[0.0, 1.0]]
    assert choice.harden(torch.tensor([[[0.3, 0.4, 0.3]]])).tolist() == [[[0.0, 1.0, 0.0]]]


def test_only_a_learned_prior_has_parameters():
    for prior, count in (("uniform", 0), ("learned", 1)):
        for latent in ("bernoulli", "categorical"):
            code = make_code(latent, 3, categories=4, prior=prior)
            assert len(list(code.parameters())) == count
    assert not list(make_code("gaussian", 3, categories=4, prior="uniform").parameters())
