"""VIMCO's gradient is that of the multi-sample bound, exactly, over all tuples of draws."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent

from pushforward.errors import UserError
from pushforward.objectives.estimators import every_value, vimco
from tests.unit.objectives.estimators.problems import leaf


@pytest.mark.parametrize("k", [2, 3])
def test_it_is_unbiased_by_theta_and_by_phi(k):
    logits, phi = leaf(2, 2), leaf(2)
    q = Independent(Bernoulli(logits=logits), 1)  # batch of 2, 2 bits

    def log_weights(z):
        return -(z @ phi - 0.7).square() - q.log_prob(z)

    bound, estimate = torch.zeros(()).double(), [torch.zeros(2, 2).double(), torch.zeros(2).double()]
    for draws in itertools.product(every_value(q), repeat=k):
        z = torch.stack(draws)
        probability = q.log_prob(z).sum(0).exp()  # of the tuple, per batch entry
        log_w, log_q = log_weights(z), q.log_prob(z)
        bound = bound + (probability * (log_w.logsumexp(0) - math.log(k))).sum()
        for b in range(2):
            one = vimco(log_w[:, b], log_q[:, b])
            torch.testing.assert_close(one, log_w[:, b].logsumexp(0) - math.log(k))
            gradients = torch.autograd.grad(one, (logits, phi), retain_graph=True)
            estimate = [e + probability[b].detach() * g for e, g in zip(estimate, gradients, strict=True)]
    wanted = torch.autograd.grad(bound, (logits, phi))
    torch.testing.assert_close(estimate, list(wanted))


def test_its_signal_is_centred_on_the_bound_without_each_draw():
    """Equal weights give no score signal at all: only the pathwise term is left."""
    log_q = torch.randn(5, 3, requires_grad=True)
    vimco(torch.full((5, 3), -80.0), log_q).backward()
    torch.testing.assert_close(log_q.grad, torch.zeros(5, 3))


def test_a_weight_of_zero_and_bfloat16_stay_finite():
    log_w = torch.tensor([[-torch.inf], [-3000.0], [-2000.0]], dtype=torch.bfloat16)
    log_q = torch.zeros(3, 1, dtype=torch.bfloat16, requires_grad=True)
    bound = vimco(log_w, log_q)
    bound.backward()
    assert bound.isfinite()
    assert not log_q.grad.isnan().any()


def test_one_draw_has_nothing_to_leave_out():
    with pytest.raises(UserError, match=r"log_weights: given shape \(1, 4\).*k ≥ 2; draw more"):
        vimco(torch.zeros(1, 4), torch.zeros(1, 4))
