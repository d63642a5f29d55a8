"""What all estimators of ∇_θ E_{q_θ}[f(z)] share: how they are called and what they return.

    estimator(f, samples, dist, *, jacobians=False, ...) -> Estimate(surrogate, jacobians)

dist is q_θ, a torch distribution with batch shape `*batch` and event shape `*event`; latents that f uses
together belong to the event, so a VAE's posterior over b images is `Independent(Normal(mu, sigma), 1)`.
f maps z of shape (n, *batch, *event) to values of shape (n, *batch), for any n, each value from its own z
alone. samples is the number n of draws, or, where the table allows it, the draws themselves.

The surrogate's *value* is the sum over the batch of the Monte Carlo mean of f. Its *gradient* is the
estimate: for θ by the estimator, for whatever else f depends on by differentiating f at the draws. State
that an estimator learns (a baseline, a control variate) gets its own gradient from the same backward.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.distributions import (
    Bernoulli,
    Beta,
    Categorical,
    Cauchy,
    Dirichlet,
    Distribution,
    Exponential,
    Gamma,
    Independent,
    Laplace,
    MultivariateNormal,
    Normal,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
    Poisson,
    StudentT,
    Uniform,
)

from pushforward.errors import UserError

SURE = 1e5  # a logit whose sigmoid is 0 or 1 in any precision

Function = Callable[[Tensor], Tensor]
Samples = int | Tensor

PARAMETERS: dict[type[Distribution], tuple[str, ...]] = {
    Beta: ("concentration1", "concentration0"),
    Cauchy: ("loc", "scale"),
    Dirichlet: ("concentration",),
    Exponential: ("rate",),
    Gamma: ("concentration", "rate"),
    Laplace: ("loc", "scale"),
    MultivariateNormal: ("loc", "scale_tril"),
    Normal: ("loc", "scale"),
    Poisson: ("rate",),
    StudentT: ("df", "loc", "scale"),
    Uniform: ("low", "high"),
}
# With probs or logits, whichever they were made with.
DISCRETE = (Bernoulli, Categorical, OneHotCategorical, OneHotCategoricalStraightThrough)


class Estimate(NamedTuple):
    """A scalar to differentiate, and its gradient draw by draw.

    jacobians: parameter name -> (n, *its shape), whose mean over n is the surrogate's gradient through the
    draws; None unless asked for. What f takes from θ other than through z is in the surrogate only.
    """

    surrogate: Tensor
    jacobians: dict[str, Tensor] | None


@dataclass(frozen=True)
class Lifted:
    """q_θ with a copy of θ for each draw, so that one backward gives every draw its own gradient.

    dist: batch shape (n, *batch). factors: `dist` without its `Independent` wrappers. parameters: name ->
    (n, *shape), in the graph of θ, in float32 at least; empty for types that PARAMETERS does not know.
    dtype: of θ, in which f gets its z. n: draws.
    """

    dist: Distribution
    factors: Distribution
    parameters: dict[str, Tensor]
    dtype: torch.dtype | None
    batch_shape: torch.Size
    n: int


def unwrap(dist: Distribution) -> tuple[Distribution, int]:
    """The distribution inside `Independent`, and how many batch dimensions that made events."""
    if isinstance(dist, Independent):
        inner, dims = unwrap(dist.base_dist)
        return inner, dims + dist.reinterpreted_batch_ndims
    return dist, 0


def parameters_of(factors: Distribution) -> dict[str, Tensor]:
    """Name -> tensor of an unwrapped distribution's parameters; empty for a type that is not known."""
    if type(factors) in DISCRETE:
        held: Any = factors._categorical if isinstance(factors, OneHotCategorical) else factors
        # Reading the other of the two caches it on the instance, so ask which one it was made with.
        name = "probs" if vars(held).get("probs") is held._param else "logits"
        return {name: held._param}
    return {name: getattr(factors, name) for name in PARAMETERS.get(type(factors), ())}


def _finite(name: str, p: Tensor) -> Tensor:
    """Logits that are infinite as ones that are as sure: ∞ times a probability of 0 would be NaN."""
    return p.clamp(-SURE, SURE) if name == "logits" else p


def unchecked(family: type[Distribution], **parameters: Tensor) -> Distribution:
    """A distribution whose parameters are not looked at: a check waits for the device.

    torch 2.13 does not hand `validate_args` on to the Categorical inside of a OneHotCategorical.
    """
    if not issubclass(family, OneHotCategorical):
        made: Callable[..., Distribution] = family
        return made(**parameters, validate_args=False)
    one_hot = family.__new__(family)
    one_hot._categorical = inner = Categorical(**parameters, validate_args=False)
    Distribution.__init__(one_hot, inner.batch_shape, inner.param_shape[-1:], validate_args=False)
    return one_hot


def full_precision(x: Tensor) -> Tensor:
    """bfloat16 and float16 as float32; anything else as it is."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def lift(dist: Distribution, samples: Samples, *, jacobians: bool) -> Lifted:
    """Copy θ for each draw, without copying memory. Raises UserError for jacobians that cannot be had."""
    n = samples if isinstance(samples, int) else len(samples)
    factors, dims = unwrap(dist)
    held = parameters_of(factors)
    if jacobians:
        _check_jacobians(factors, held)
    if not held:
        q = dist.expand(torch.Size((n, *dist.batch_shape)))
        return Lifted(q, unwrap(q)[0], {}, None, dist.batch_shape, n)
    parameters = {name: _finite(name, full_precision(p)).expand(n, *p.shape) for name, p in held.items()}
    lifted = unchecked(type(factors), **parameters)
    dtype = next(iter(held.values())).dtype
    q = Independent(lifted, dims, validate_args=False) if dims else lifted
    return Lifted(q, lifted, parameters, dtype, dist.batch_shape, n)


def _check_jacobians(factors: Distribution, held: dict[str, Tensor]) -> None:
    known = ", ".join(sorted(t.__name__ for t in (*PARAMETERS, *DISCRETE)))
    if not held:
        why = f"only {known} are taken apart; differentiate the surrogate instead"
    elif not any(p.requires_grad for p in held.values()):
        why = "none of its parameters requires grad; call requires_grad_() on what it was made from"
    elif not torch.is_grad_enabled():
        why = "gradients are disabled; leave torch.no_grad()"
    else:
        return
    raise UserError(f"jacobians: given True for a {type(factors).__name__}, but {why}")


def draw(q: Lifted, samples: Samples) -> Shaped[Tensor, "n *z"]:
    """The draws that were given, or n new ones; no gradient passes through them."""
    return q.dist.sample() if isinstance(samples, int) else full_precision(samples.detach())


def evaluate(f: Function, z: Shaped[Tensor, "m *z"], q: Lifted) -> Float[Tensor, "m *batch"]:
    """f(z), in float32 at least. Raises UserError where f's shape is not (m, *batch)."""
    values = f(z.to(q.dtype) if q.dtype is not None and z.is_floating_point() else z)
    expected = (len(z), *q.batch_shape)
    if tuple(values.shape) != expected:
        raise UserError(
            f"f: returned shape {tuple(values.shape)} for z of shape {tuple(z.shape)}, expected {expected}, "
            "one value per draw and batch entry; reduce over the event inside f, and make latents that f "
            "uses together an event with torch.distributions.Independent"
        )
    # Counts and truth values are fair rewards.
    return full_precision(values) if values.is_floating_point() else values.to(torch.get_default_dtype())


def subtract(values: Float[Tensor, "n *batch"], baseline: float | Tensor, name: str) -> Tensor:
    """f - b, without a graph of f. Raises UserError, naming the argument, for a tensor of another shape."""
    shape = tuple(values.shape[1:])
    if isinstance(baseline, Tensor) and tuple(baseline.shape) not in ((), shape):
        raise UserError(
            f"{name}: given shape {tuple(baseline.shape)}, expected a number or the batch shape {shape}; "
            "squeeze what is left of other dimensions"
        )
    return values.detach() - baseline


def over_event(values: Float[Tensor, "m *batch"], like: Tensor) -> Tensor:
    """Values with trailing dimensions of size 1, to broadcast against (m, *batch, *event)."""
    return values.reshape(values.shape + (1,) * (like.ndim - values.ndim))


def sum_event(x: Float[Tensor, "m *z"], batch_ndim: int) -> Float[Tensor, "m *batch"]:
    """Sum over the event's dimensions, if it has any."""
    return x.reshape(*x.shape[: 1 + batch_ndim], -1).sum(-1)


def zero_with_gradient(x: Tensor) -> Tensor:
    """0 whose derivative with respect to x is 1."""
    return x - x.detach()


def linear(gradient: Tensor, parameter: Tensor, batch_ndim: int) -> Float[Tensor, "n *batch"]:
    """⟨stop(ĝ), θ⟩ per draw and batch entry, with value 0: its gradient by `parameter` is `gradient`."""
    return sum_event(gradient.detach() * zero_with_gradient(parameter), batch_ndim)


def finish(
    terms: Float[Tensor, "n *batch"], q: Lifted, *, jacobians: bool, state: Tensor | None = None
) -> Estimate:
    """Average the draws' terms, sum the batch, and take the Jacobians if asked.

    state: a scalar whose value is 0 and whose gradient is the estimator's own, for what it learns.
    """
    total = terms.sum()
    surrogate = total / q.n if state is None else total / q.n + state
    if not jacobians:
        return Estimate(surrogate, None)
    wanted = {name: p for name, p in q.parameters.items() if p.requires_grad}
    rows = torch.autograd.grad(total, list(wanted.values()), retain_graph=True, materialize_grads=True)
    return Estimate(surrogate, dict(zip(wanted, rows, strict=True)))
