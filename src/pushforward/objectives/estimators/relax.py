"""RELAX: the score function with a learned, differentiable control variate.

W. Grathwohl, D. Choi, Y. Wu, G. Roeder and D. Duvenaud, *Backpropagation through the void*, ICLR 2018,
the discrete case, with z the continuous variable, b = H(z) its discrete value and z̃ ~ p(z|b):

    ĝ = (f(b) - c_φ(z̃)) ∇_θ ln q_θ(b) + ∇_θ c_φ(z) - ∇_θ c_φ(z̃)

The control c_φ descends E Σ ĝ², the variance plus a constant, since ĝ is unbiased for every φ.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from pushforward.errors import UserError
from pushforward.objectives.estimators.contract import (
    Estimate,
    Function,
    Lifted,
    Samples,
    evaluate,
    finish,
    lift,
    linear,
    over_event,
    zero_with_gradient,
)
from pushforward.objectives.estimators.relaxations import (
    Relaxable,
    conditional_logits,
    harden,
    perturbed_logits,
    relaxable,
    score,
    soften,
    tangent,
)
from pushforward.objectives.estimators.table import check, check_temperature

Soften = Callable[[Tensor, Tensor], Tensor]  # (z, temperature) -> relaxed value


class RelaxControl(nn.Module):
    """c_φ(z) = η f(σ(z/τ)) + r_φ(z), with η, τ and r_φ learned.

    network: r_φ, from z of shape (n, *batch, *event), unbounded, to (n, *batch). use_f: False leaves out
    the first term, for an f that is not differentiable or not defined between the discrete values.
    """

    def __init__(
        self,
        network: Callable[[Tensor], Tensor] | None = None,
        *,
        use_f: bool = True,
        temperature: float = 0.5,
    ) -> None:
        super().__init__()
        check_temperature(temperature)
        self.network = network
        self.use_f = use_f
        self.eta = nn.Parameter(torch.ones(()), requires_grad=use_f)
        self.log_temperature = nn.Parameter(torch.tensor(temperature).log(), requires_grad=use_f)

    def forward(
        self, f: Function, z: Float[Tensor, "m *z"], soften: Soften
    ) -> Float[Tensor, "m *batch"] | Tensor:
        """c_φ at z."""
        value = self.eta * f(soften(z, self.log_temperature.exp())) if self.use_f else torch.zeros(())
        return value if self.network is None else value + self.network(z)


def relax(
    f: Function, samples: Samples, dist: Distribution, *, control: RelaxControl, jacobians: bool = False
) -> Estimate:
    """Estimate ∇ E_q[f(z)] with a learned control variate; unbiased whatever the control.

    The surrogate's gradient by the control's parameters is that of the mean over draws of Σ ĝ², ĝ taken by
    the logits, and f's own parameters get theirs from the discrete draws alone. Raises UserError for a
    control whose shape is not (n, *batch).
    """
    check("relax", samples, dist)
    return controlled(f, samples, dist, control, jacobians=jacobians)


def controlled(
    f: Function, samples: Samples, dist: Distribution, control: RelaxControl, *, jacobians: bool
) -> Estimate:
    """RELAX's estimate for any control; REBAR is this one without a network."""
    q = lift(dist, samples, jacobians=jacobians)
    factors = relaxable(q.factors)
    z = perturbed_logits(factors)
    b = harden(factors, z.detach())
    values = evaluate(f, b, q)
    if not (torch.is_grad_enabled() and factors.logits.requires_grad):  # only the value is wanted
        return finish(values, q, jacobians=jacobians)
    learned = [p for p in control.parameters() if p.requires_grad]
    g = _gradient(f, values.detach(), z, b, control, q, differentiable=bool(learned))

    state: Tensor | None = None
    if learned:
        loss = g.square().sum() / q.n
        grads = torch.autograd.grad(loss, learned, materialize_grads=True)
        pairs = zip(learned, grads, strict=True)
        state = torch.stack([(zero_with_gradient(p) * d).sum() for p, d in pairs]).sum()
    terms = values + linear(g, factors.logits, len(q.batch_shape))
    return finish(terms, q, jacobians=jacobians, state=state)


def _gradient(
    f: Function,
    values: Float[Tensor, "n *batch"],
    z: Float[Tensor, "n *z"],
    b: Float[Tensor, "n *z"],
    control: RelaxControl,
    q: Lifted,
    *,
    differentiable: bool,
) -> Float[Tensor, "n *z"]:
    """ĝ by the logits, of every draw, with the graph of the control's parameters if asked."""
    factors: Relaxable = relaxable(q.factors)
    both = torch.cat([z, conditional_logits(factors, b)])
    c = control(lambda y: evaluate(f, y, q), both, lambda x, tau: soften(factors, x, tau))
    if c.shape != (2 * q.n, *q.batch_shape):
        raise UserError(
            f"control: returned shape {tuple(c.shape)} for z of shape {tuple(both.shape)}, expected "
            f"{(2 * q.n, *q.batch_shape)}; reduce over the event inside the network"
        )
    c_z, c_z_tilde = c.split(q.n)
    (path,) = torch.autograd.grad(
        (c_z - c_z_tilde).sum(), factors.logits, create_graph=differentiable, materialize_grads=True
    )
    return over_event(values - c_z_tilde, b) * score(factors, b) + tangent(factors, path)
