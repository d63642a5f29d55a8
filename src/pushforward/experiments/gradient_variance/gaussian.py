"""One Gaussian, three functions: the measured variance of every estimator, and the exact one by quadrature.

The functions are those of S. Mohamed, M. Rosca, M. Figurnov and A. Mnih, *Monte Carlo gradient estimation in
machine learning*, JMLR 2020, section 3, at μ = σ = 1. In D dimensions f is summed over coordinates, so that
the exact variance of every estimator still follows from integrals over one.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from pushforward.experiments.harness.experiment import Cell
from pushforward.objectives.estimators import (
    Estimate,
    Function,
    measure_valued,
    muprop,
    nvil,
    pathwise,
    rloo,
    score_function,
)
from pushforward.objectives.estimators.quadrature import (
    REACH,
    Univariate,
    bell,
    cosine,
    gaussian_moments,
    legendre,
    square,
)
from pushforward.objectives.montecarlo import variance_interval

FUNCTIONS: Mapping[str, Callable[[float], Univariate]] = {
    "(x − k)²": square,
    "exp(−kx²)": bell,
    "cos(kx)": cosine,
}
FIXED = "score-function, fixed baseline"
METHODS = ("score-function", FIXED, "nvil", "rloo", "muprop", "pathwise", "measure-valued")
PARAMETERS = {"loc": "μ", "scale": "σ"}

KS = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0)
DRAWS = (2, 4, 16, 64)
DIMENSIONS = (4, 10, 40)
MEANS, SIGMAS = (0.0, 3.0), (0.25, 0.5, 2.0)
USUAL: Mapping[str, float] = {"k": 1.0, "μ": 1.0, "σ": 1.0, "D": 1, "N": 8}
ELEMENTS_AT_ONCE = 2**22


def points() -> list[dict[str, Any]]:
    """What is varied, one thing at a time: k, μ, σ, the dimensions D and the draws N of an estimate."""
    sweeps = {"k": KS, "μ": MEANS, "σ": SIGMAS, "D": DIMENSIONS, "N": DRAWS}
    varied = [{**USUAL, name: value} for name, values in sweeps.items() for value in values]
    return [{"f": f, **point} for f in FUNCTIONS for point in varied]


def setting(f: str, **changed: float) -> str:
    """`cos(kx), k = 8`; what is as usual is left out, k apart."""
    shown = {"k": USUAL["k"], **{name: v for name, v in changed.items() if v != USUAL[name]}}
    return ", ".join([f, *(f"{name} = {value:g}" for name, value in shown.items())])


class Problem(NamedTuple):
    """∇ E Σ_d f(x_d) with x_d ~ N(μ, σ²), d ≤ dims, from `draws` draws."""

    f: Univariate
    mu: float
    sigma: float
    dims: int
    draws: int


def run(cell: Cell) -> dict[str, float]:
    """The variance of one coordinate's gradient over independent estimates, beside the exact one."""
    # A stream of its own, so that agreement is put to the test as often as there are cells.
    torch.manual_seed(zlib.crc32(cell.label.encode()))
    o = cell.options
    problem = Problem(FUNCTIONS[o["f"]](o["k"]), o["μ"], o["σ"], int(o["D"]), int(o["N"]))
    replicas = max(2000, o["replicas"] // problem.dims)
    baseline = _baseline(cell.method, problem)
    estimates = gradients(cell.method, problem, replicas, baseline)
    exact = exact_variance(cell.method, problem, baseline)
    figures: dict[str, float] = {}
    for name, symbol in PARAMETERS.items():
        measured = variance_interval(estimates[name])
        off = abs(float(measured.value) - exact[name])
        # Where nothing varies (the measure-valued σ-gradient of a linear f, say) rounding is all there is.
        nothing = exact[name] < 1e-20
        figures |= {
            f"variance by {symbol}": float(measured.value),
            f"exact variance by {symbol}": exact[name],
            f"off by {symbol}": off if nothing else off / float(measured.standard_error),
        }
    return figures


def exact_variance(method: str, problem: Problem, baseline: float = 0.0) -> dict[str, float]:
    """Of one coordinate's gradient by "loc" and "scale". baseline: of the score function, for Σ_d f."""
    f, mu, sigma, dims, draws = problem
    if method in ("pathwise", "measure-valued"):  # the other coordinates' terms have no slope, or cancel
        variance = gaussian_moments(method, f, mu, sigma).variance
        return {name: v / draws for name, v in variance.items()}
    if method == "muprop":
        f = _beyond_first_order(f, mu)
    eps, weight = _normal_rule()
    values = f(mu + sigma * eps) - baseline / dims
    scores = {"loc": eps / sigma, "scale": (eps.square() - 1) / sigma}
    of = _rloo_variance if method == "rloo" else _score_variance
    return {name: of(values, score, weight, dims, draws) for name, score in scores.items()}


def _score_variance(values: Tensor, score: Tensor, weight: Tensor, dims: int, draws: int) -> float:
    """Var((f + R) s)/n, where R is the sum of f over the other coordinates, independent of f and s."""
    others = dims - 1
    mean = (values * weight).sum()
    variance = ((values - mean).square() * weight).sum()
    rest = others * variance + (others * mean).square()
    squares = values.square() + 2 * others * mean * values + rest
    second = (squares * score.square() * weight).sum()
    return float((second - (values * score * weight).sum().square()) / draws)


def _rloo_variance(values: Tensor, score: Tensor, weight: Tensor, dims: int, draws: int) -> float:
    """RLOO is the sample covariance of f and s: m₂₂/n - m₁₁²(n - 2)/(n(n - 1)) + m₂₀m₀₂/(n(n - 1))."""
    centred = values - (values * weight).sum()
    m20, m02 = (centred.square() * weight).sum(), (score.square() * weight).sum()
    m11 = (centred * score * weight).sum()
    m22 = (centred.square() * score.square() * weight).sum() + (dims - 1) * m20 * m02
    pairs = draws * (draws - 1)
    return float(m22 / draws - m11.square() * (draws - 2) / pairs + dims * m20 * m02 / pairs)


def _beyond_first_order(f: Univariate, mu: float) -> Univariate:
    """f less its Taylor expansion at μ, whose own gradient MuProp adds without noise."""
    at = torch.tensor(mu, dtype=torch.float64, requires_grad=True)
    value = f(at)
    (slope,) = torch.autograd.grad(value, at)
    level = value.detach()
    return lambda x: f(x) - level - slope * (x - mu)


def _normal_rule() -> tuple[Tensor, Tensor]:
    x, dx = legendre(-REACH, REACH, 128)
    return x, dx * Normal(0.0, 1.0).log_prob(x).exp()


def gradients(
    method: str, problem: Problem, replicas: int, baseline: float
) -> dict[str, Float[Tensor, " replicas"]]:
    """Independent estimates for the first coordinate, by parameter: one problem of a batch each."""
    copies = 1 + (3 * problem.dims if method == "measure-valued" else 0)
    part = max(1, ELEMENTS_AT_ONCE // (problem.draws * problem.dims * copies))
    sizes = [min(part, replicas - i) for i in range(0, replicas, part)]
    parts = []
    for size in sizes:
        jacobians = _estimate(method, problem, size, baseline).jacobians
        assert jacobians is not None
        parts.append({name: j[..., 0].mean(0) for name, j in jacobians.items()})
    return {name: torch.cat([p[name] for p in parts]) for name in PARAMETERS}


def _estimate(method: str, problem: Problem, replicas: int, baseline: float) -> Estimate:
    f = _summed(problem.f)
    q = _normals(problem, replicas)
    if method == FIXED:
        return score_function(f, problem.draws, q, baseline=baseline, jacobians=True)
    if method == "nvil":
        constant, context = _Constant(baseline), torch.zeros(replicas, 1)
        return nvil(f, problem.draws, q, baseline=constant, context=context, jacobians=True)
    plain: Mapping[str, Callable[..., Estimate]] = {
        "score-function": score_function,
        "rloo": rloo,
        "muprop": muprop,
        "pathwise": pathwise,
        "measure-valued": measure_valued,
    }
    return plain[method](f, problem.draws, q, jacobians=True)


def _summed(f: Univariate) -> Function:
    return lambda x: f(x).sum(-1)


def _normals(problem: Problem, replicas: int) -> Distribution:
    shape, double = (replicas, problem.dims), torch.float64
    mu = torch.full(shape, problem.mu, dtype=double, requires_grad=True)
    sigma = torch.full(shape, problem.sigma, dtype=double, requires_grad=True)
    return Independent(Normal(mu, sigma), 1)


class _Constant(nn.Module):
    """NVIL's baseline where every problem is the same one."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value, dtype=torch.float64))

    def forward(self, context: Float[Tensor, "b 1"]) -> Float[Tensor, " b"]:
        return self.value.expand(len(context))


def _baseline(method: str, problem: Problem) -> float:
    """E Σ f by quadrature for the fixed one; learned by gradient descent on NVIL's loss, then frozen."""
    if method == FIXED:
        eps, weight = _normal_rule()
        return problem.dims * float((problem.f(problem.mu + problem.sigma * eps) * weight).sum())
    if method != "nvil":
        return 0.0
    learned, problems = _Constant(), 256
    descent = torch.optim.SGD(learned.parameters(), lr=0.1 / problems)
    q, context = _normals(problem, problems), torch.zeros(problems, 1)
    for _ in range(50):
        descent.zero_grad()
        nvil(_summed(problem.f), 8, q, baseline=learned, context=context).surrogate.backward()
        descent.step()
    return learned.value.item()
