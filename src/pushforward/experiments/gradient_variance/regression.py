"""Bayesian logistic regression by variational inference, one estimator of its gradient against another.

The setting of S. Mohamed et al. 2020, section 8.1: scikit-learn's breast-cancer data, q a diagonal Gaussian
over the weights, batches of 32, 50 samples, rate 1e-3. Ours: Adam, standardised features and a bias, prior
N(0, 1), KL in closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from sklearn.datasets import load_breast_cancer
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal, kl_divergence

from pushforward.experiments.harness.experiment import Cell
from pushforward.objectives.estimators import FUNCTIONS, Estimate, MovingAverage, score_function
from pushforward.objectives.montecarlo import measure_estimator

SETTING = "Bayesian logistic regression"
AVERAGED = "score-function, moving average"
METHODS = ("score-function", AVERAGED, "rloo", "muprop", "pathwise", "measure-valued")
BATCH, SAMPLES, RATE = 32, 50, 1e-3


@cache
def cancer() -> tuple[Float[Tensor, "569 31"], Float[Tensor, " 569"]]:
    """Standardised features with a 1 appended, and ±1."""
    features, label = load_breast_cancer(return_X_y=True)
    x = torch.from_numpy(features).double()
    x = (x - x.mean(0)) / x.std(0)
    return torch.cat([x, torch.ones(len(x), 1)], 1).float(), 2 * torch.from_numpy(label).float() - 1


class Posterior(nn.Module):
    """q(w) = N(μ, σ²), starting at the prior."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.mu = nn.Parameter(torch.zeros(dimensions))
        self.log_sigma = nn.Parameter(torch.zeros(dimensions))

    def forward(self) -> Independent:
        """As a distribution with one event."""
        return Independent(Normal(self.mu, self.log_sigma.exp()), 1)

    def kl(self, q: Independent) -> Float[Tensor, ""]:
        """KL(q ‖ N(0, 1)) in nats."""
        return kl_divergence(q.base_dist, Normal(0.0, 1.0)).sum()


def distortion(x: Float[Tensor, "b d"], y: Float[Tensor, " b"], scale: float) -> Callable[[Tensor], Tensor]:
    """w -> scale · Σ_b -ln p(y_b|x_b, w), (n, d) -> (n)."""
    return lambda w: scale * F.softplus(-(w @ x.T) * y).sum(-1)


def run(cell: Cell) -> dict[str, float]:
    """Fit q; the gradient's variance where all methods start, where this one ended, and the ELBO there."""
    x, y = cancer()
    q, average = Posterior(x.shape[1]), MovingAverage(decay=0.9)
    everything, repeats = distortion(x, y, 1.0), cell.options["repeats"]

    def estimate(f: Callable[[Tensor], Tensor], dist: Distribution) -> Estimate:
        if cell.method == AVERAGED:
            return score_function(f, SAMPLES, dist, baseline=average())
        return FUNCTIONS[cell.method](f, SAMPLES, dist)

    def variance() -> float:
        for _ in range(20):  # a baseline that knows where q is, as it does in the middle of a run
            average.update(estimate(everything, q()).surrogate)

        def one(n: int) -> tuple[Tensor, dict[str, Tensor]]:
            loss = estimate(everything, q()).surrogate
            gradient = torch.autograd.grad(loss, list(q.parameters()))
            return loss, {"q": torch.cat(gradient)[None]}

        measured = measure_estimator(one, samples=SAMPLES, repeats=repeats)
        return float(measured.variance["q"].value.sum())

    at_start = variance()
    adam = torch.optim.Adam(q.parameters(), lr=RATE)
    for _ in range(cell.options["steps"]):
        rows = torch.randperm(len(x))[:BATCH]
        dist = q()
        surrogate = estimate(distortion(x[rows], y[rows], len(x) / BATCH), dist).surrogate
        adam.zero_grad()
        (surrogate + q.kl(dist)).backward()
        adam.step()
        average.update(surrogate)
    at_end = variance()
    with torch.no_grad():
        dist = q()
        elbo = -everything(dist.sample(torch.Size((5000,)))).mean() - q.kl(dist)
    return {"variance at the start": at_start, "variance at the end": at_end, "ELBO": float(elbo)}
