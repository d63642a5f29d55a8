"""Small expectations with known gradients, and the test that an estimator is unbiased on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Independent,
    Normal,
    OneHotCategorical,
)

from pushforward.objectives.estimators import FUNCTIONS, Estimate, RelaxControl, exact
from pushforward.objectives.estimators.quadrature import gaussian_gradient
from pushforward.objectives.montecarlo import measure_estimator

B = 2  # batch entries of every problem
BOUND = 4.5  # |z| of one coordinate; chance of a false alarm 7e-6 each, and every test is seeded


def leaf(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def bernoulli() -> Distribution:
    return Independent(Bernoulli(logits=leaf(B, 3)), 1)


def bernoulli_probs() -> Distribution:
    return Independent(Bernoulli(probs=leaf(B, 3).sigmoid()), 1)


def one_hot() -> Distribution:
    return Independent(OneHotCategorical(logits=leaf(B, 2, 3)), 1)


def one_hot_probs() -> Distribution:
    return Independent(OneHotCategorical(probs=leaf(B, 2, 3).softmax(-1)), 1)


def categorical() -> Distribution:
    return Independent(Categorical(logits=leaf(B, 2, 3)), 1)


def bit() -> Distribution:
    return Bernoulli(logits=leaf(B))


def category() -> Distribution:
    return Categorical(logits=leaf(B, 3))


FINITE: dict[str, Callable[[], Distribution]] = {
    "bernoulli": bernoulli,
    "bernoulli-probs": bernoulli_probs,
    "one-hot": one_hot,
    "one-hot-probs": one_hot_probs,
    "categorical": categorical,
    "bit": bit,
    "category": category,
}


def normal() -> Distribution:
    return Independent(Normal(leaf(B, 3), leaf(B, 3).exp()), 1)


def weights(dist: Distribution) -> Tensor:
    """φ of `coupled`."""
    return torch.linspace(1.3, -1, dist.event_shape.numel(), dtype=torch.float64).requires_grad_()


def coupled(phi: Tensor) -> Callable[[Tensor], Tensor]:
    """f_φ(z) = (t - 0.3)² + sin 2t, t = φ·z: neither linear nor additive in the coordinates of z."""

    def f(z: Tensor) -> Tensor:
        t = z.reshape(*z.shape[:2], -1).to(phi.dtype) @ phi
        return (t - 0.3).square() + torch.sin(2 * t)

    return f


def additive(z: Tensor) -> Tensor:
    """Σ sin z_i, whose Gaussian gradient is that of each coordinate alone."""
    return z.sin().sum(-1)


def additive_gradient(dist: Distribution) -> dict[str, Tensor]:
    """The exact gradient of E[additive(z)] for a Normal, by quadrature."""
    assert isinstance(dist, Independent)
    mu, sigma = (p.detach() for p in (dist.base_dist.loc, dist.base_dist.scale))
    each = [
        gaussian_gradient(torch.sin, float(m), float(s))
        for m, s in zip(mu.flatten(), sigma.flatten(), strict=True)
    ]
    return {name: torch.tensor([g[name] for g in each]).double().view_as(mu) for name in ("loc", "scale")}


def options(name: str) -> dict[str, Any]:
    """What an estimator needs besides f, samples and dist: state away from its start and its optimum."""
    if name == "score-function":
        return {"baseline": torch.tensor([0.2, 0.7], dtype=torch.float64)}
    if name == "nvil":
        baseline = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Flatten(0))
        return {"baseline": baseline.double(), "context": torch.ones(B, 2).double(), "constant": 0.1}
    if name == "rebar":
        return {"control": RelaxControl(temperature=0.7).double()}
    if name == "relax":
        return {"control": RelaxControl(lambda z: z.reshape(*z.shape[:2], -1).tanh().sum(-1)).double()}
    return {"temperature": 0.5} if "gumbel" in name else {}


def call(name: str, f: Callable[[Tensor], Tensor], n: int | Tensor, dist: Distribution) -> Estimate:
    """The estimator's Jacobians, with `options`."""
    return FUNCTIONS[name](f, n, dist, jacobians=True, **options(name))


def oracle(f: Callable[[Tensor], Tensor], dist: Distribution) -> dict[str, Tensor]:
    """The exact gradient by enumeration."""
    jacobians = exact(f, 1, dist, jacobians=True).jacobians
    assert jacobians is not None
    return {name: j[0] for name, j in jacobians.items()}


def largest_z(
    estimate: Callable[[int], Estimate],
    exact_gradient: Mapping[str, Tensor],
    *,
    samples: int = 20_000,
    repeats: int = 1,
) -> float:
    """Largest |bias|/standard error over all coordinates; draws are independent if repeats is 1."""
    measured = measure_estimator(
        estimate, samples=samples, repeats=repeats, oracle=exact_gradient, per_sample=repeats == 1
    )
    return max(z_score(bias.value, bias.standard_error) for bias in measured.bias.values())


def z_score(difference: Tensor, standard_error: Tensor) -> float:
    """Largest |difference|/error; rounding alone (1e-9) counts as no error."""
    return float((difference.abs() / standard_error.clamp(min=1e-9)).max())
