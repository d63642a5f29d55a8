"""A Gaussian decoder with fixed σ is squared error: same gradients, same optimum. With a learned σ it is not.

The linear VAE's optimum is that of probabilistic PCA: M. E. Tipping and C. M. Bishop, *Probabilistic
Principal Component Analysis*, JRSS B 1999, eq. 7 and 8; J. Lucas et al., *Don't Blame the ELBO!*, 2019.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.distributions import Gaussian
from pushforward.experiments.equivalence import (
    angle,
    digits,
    gradient,
    minimise,
    principal_scores,
    relative_difference,
    whitened,
)
from pushforward.experiments.harness.experiment import Budget, Cell, Claim, Experiment, Figure, Results
from pushforward.networks.mlp import mlp_decoder
from pushforward.objectives.elbo import gaussian_kl

Sigma = float | Literal["learned", "optimal"]
SIGMAS = (0.05, 0.2, 1.0, 3.0)
FIXED = 1.0  # of the linear VAE: large enough that some of its latents are not worth their KL
CODES = 8
LATENTS = 6
SIDE = 10  # pixels of the images that are fitted
SQUARED_ERROR = f"squared error + {2 * FIXED**2:g} KL"
LINEAR_VAES = (f"σ = {FIXED:g}", SQUARED_ERROR, "σ learned", "σ = the learned one")
OFF_FIXED, OFF_BEST = f"off the optimum of σ = {FIXED:g}", "off the optimum of the best σ"
ABOUT = """\
With a fixed σ, −ln p(x|z) = ‖x − f(z)‖²/(2σ²) + D ln σ + (D/2) ln 2π. The last two terms are constants, so
its gradient is that of squared error over 2σ², and minimising ‖x − f(z)‖² + β KL is maximising the ELBO
with σ² = β/2: a weight on the KL is a choice of σ.

With a learned σ the two part, in a way that has to be said exactly:

- In *regression* (codes z given), one σ for all pixels and images moves no optimum. For any f the best σ²
  is the mean squared error, and what is left, (D/2) ln of it, falls when squared error falls. Only the
  size of the gradient changes, and it changes as the fit gets better. A σ(z) that differs between images
  weights them, and does move the optimum.
- In a *VAE* the codes are learned too, and σ sets how much a nat of KL may cost. Learning it chooses one
  β, the data's own, so the optimum is another than that of squared error with a β chosen by hand: other
  weights, another KL, another number of latents in use. Fixed at the value that was learned, σ gives the
  same optimum again.

The VAE here is linear, so both optima are known in closed form (probabilistic PCA) and the fits are held
against those. A gradient that differed by more than 10⁻⁶, or a fit at the other's optimum, would refute
this.
"""


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """Gradients on digits of 28 × 28; fits on 500 (full: 2,000) of them at 10 × 10."""
    size = {"images": {"quick": 500, "full": 2000}[budget]}
    settings: list[tuple[str, str, Mapping[str, Any]]] = [
        *(("gradient", f"σ = {sigma:g}", {"sigma": sigma, "held against": sigma}) for sigma in SIGMAS),
        ("gradient", "σ 1 % off", {"sigma": 0.2, "held against": 0.202}),
        ("gradient", "σ optimal", {"sigma": "optimal", "held against": 1.0}),
        *(("regression", setting, size) for setting in ("σ = 0.2", "σ learned", "σ(z) learned")),
        *(("linear VAE", setting, size) for setting in LINEAR_VAES),
    ]
    return [Cell(method, setting, seed, options) for method, setting, options in settings for seed in seeds]


def run(cell: Cell) -> dict[str, float]:
    """One comparison."""
    return {"gradient": _gradient, "regression": _regression, "linear VAE": _linear_vae}[cell.method](cell)


def _likelihood(sigma: Sigma) -> Gaussian:
    likelihood = Gaussian(sigma=sigma).double()
    if not isinstance(sigma, str):
        likelihood.log_sigma.fill_(math.log(sigma))  # what the buffer lost in single precision
    return likelihood


def _gradient(cell: Cell) -> dict[str, float]:
    """By the parameters of a two-layer decoder that knows the mean image so far, on a batch of 64 images."""
    x, z = digits(64, seed=cell.seed), torch.randn(64, CODES, dtype=torch.float64)
    decoder = mlp_decoder(CODES, (32,), (1, 28, 28)).double()
    with torch.no_grad():
        list(decoder.parameters())[-1].copy_(x.mean(0).flatten())  # the last layer's bias
    ours = gradient(-_likelihood(cell.options["sigma"]).log_prob(decoder(z), x).sum(), decoder)
    squared_error = (x - decoder(z)).square().sum()
    theirs = gradient(squared_error / (2 * cell.options["held against"] ** 2), decoder)
    return {
        "gradient difference": relative_difference(ours, theirs),
        "gradient angle": angle(ours, theirs),
    }


def _regression(cell: Cell) -> dict[str, float]:
    """A linear decoder of given codes, fitted by maximum likelihood, against least squares."""
    x = digits(cell.options["images"], seed=cell.seed, image_size=SIDE)
    codes = principal_scores(x.flatten(1), CODES)
    z = torch.cat([codes, torch.ones(len(x), 1, dtype=torch.float64)], dim=1)
    weights = torch.zeros(z.shape[1], SIDE * SIDE, dtype=torch.float64, requires_grad=True)
    if cell.setting == "σ(z) learned":
        log_sigma = torch.zeros(z.shape[1], dtype=torch.float64, requires_grad=True)
        fitted = [weights, log_sigma]

        def loss() -> Tensor:
            squared = (x.flatten(1) - z @ weights).square().sum(1)
            return (squared * torch.exp(-2 * z @ log_sigma) / 2 + SIDE * SIDE * (z @ log_sigma)).mean()
    else:
        likelihood = _likelihood("learned" if cell.setting == "σ learned" else 0.2)
        fitted = [weights, *likelihood.parameters()]

        def loss() -> Tensor:
            return -likelihood.log_prob((z @ weights).view_as(x), x).mean()

    minimise(loss, fitted)
    least_squares = torch.linalg.lstsq(z, x.flatten(1)).solution
    return {"optimum off least squares": relative_difference([weights], [least_squares])}


class LinearVAE(nn.Module):
    """q(z|x) = N(Vᵀx, diag s), f(z) = Wz + μ: its ELBO needs no sample.

    The encoder reads whitened images (n, k), which leaves what it can express as it is and makes the fit
    well-conditioned. μ is the mean image.
    """

    def __init__(self, white: Float[Tensor, "n k"], mean: Float[Tensor, " d"]) -> None:
        super().__init__()
        self.white, self.mean = white, mean
        self.encode = nn.Parameter(torch.randn(white.shape[1], LATENTS, dtype=torch.float64) / 10)
        self.decode = nn.Parameter(torch.randn(LATENTS, len(mean), dtype=torch.float64) / 10)
        self.log_var = nn.Parameter(torch.zeros(LATENTS, dtype=torch.float64))

    def forward(self) -> tuple[Float[Tensor, "n d"], Float[Tensor, ""], Float[Tensor, " n"]]:
        """Of every image: f(E[z]); what z's variance adds to E‖x - f(z)‖², tr(W diag(s) Wᵀ); KL in nats."""
        mu = self.white @ self.encode
        noise = (self.log_var.exp() * self.decode.square().sum(1)).sum()
        return mu @ self.decode + self.mean, noise, gaussian_kl(mu, self.log_var.expand_as(mu)).sum(1)


def _linear_vae(cell: Cell) -> dict[str, float]:
    """Fit W, V, s (and σ), and hold the covariance WWᵀ against both closed-form optima."""
    x = digits(cell.options["images"], seed=cell.seed, image_size=SIDE)
    flat = x.flatten(1)
    spectrum, best_sigma = _spectrum(flat)
    vae = LinearVAE(whitened(flat), flat.mean(0))
    sigmas: dict[str, Sigma] = {"σ learned": "learned", "σ = the learned one": best_sigma}
    likelihood = _likelihood(sigmas.get(cell.setting, FIXED))

    def elbo() -> Tensor:
        x_hat, noise, kl = vae()
        log_px = likelihood.log_prob(x_hat.view_as(x), x) - noise * torch.exp(-2 * likelihood.log_sigma) / 2
        return (log_px - kl).mean()

    def weighted_squared_error() -> Tensor:
        x_hat, noise, kl = vae()
        return ((flat - x_hat).square().sum(1) + noise + 2 * FIXED**2 * kl).mean()

    learned = list(likelihood.parameters())
    squared = cell.setting == SQUARED_ERROR
    minimise(weighted_squared_error if squared else lambda: -elbo(), [*vae.parameters(), *learned])
    with torch.no_grad():
        covariance = vae.decode.T @ vae.decode
        kl = gaussian_kl(vae.white @ vae.encode, vae.log_var.expand(len(x), -1)).mean(0)
        figures = {
            OFF_FIXED: relative_difference([covariance], [_optimum(*spectrum, FIXED)]),
            OFF_BEST: relative_difference([covariance], [_optimum(*spectrum, best_sigma)]),
            "KL": float(kl.sum()),
            "latents in use": float((kl > 0.01).sum()),
        }
        if learned:
            figures |= {"σ": float(likelihood.log_sigma.exp()), "σ in closed form": best_sigma}
    return figures


def _spectrum(x: Float[Tensor, "n d"]) -> tuple[tuple[Tensor, Tensor], float]:
    """Largest eigenvalues and vectors of the covariance, and the best σ: Tipping & Bishop, eq. 8."""
    values, vectors = torch.linalg.eigh(torch.cov(x.T, correction=0))
    best_sigma = float(values[:-LATENTS].mean().sqrt())
    return (values[-LATENTS:], vectors[:, -LATENTS:]), best_sigma


def _optimum(
    values: Float[Tensor, " k"], vectors: Float[Tensor, "d k"], sigma: float
) -> Float[Tensor, "d d"]:
    """WWᵀ at the optimum for this σ: U (Λ - σ²)₊ Uᵀ. Tipping & Bishop, eq. 7."""
    return (vectors * (values - sigma**2).clamp(min=0)) @ vectors.T


def claims(budget: Budget) -> list[Claim]:
    """What the equivalence says, and where it ends."""

    def worst(figure: str, method: str, *settings: str) -> Callable[[Results], float]:
        return lambda results: max(v for s in settings for v in results.values(figure, method, s))

    def least(figure: str, method: str, *settings: str) -> Callable[[Results], float]:
        return lambda results: min(v for s in settings for v in results.values(figure, method, s))

    sigmas = [f"σ = {sigma:g}" for sigma in SIGMAS]
    return [
        Claim(
            "fixed σ: the gradients of −ln p and of squared error/(2σ²) are equal",
            worst("gradient difference", "gradient", *sigmas),
            "<=",
            1e-6,
        ),
        Claim(
            "the comparison of gradients notices a σ that is 1 % off",
            least("gradient difference", "gradient", "σ 1 % off"),
            ">=",
            0.01,
        ),
        Claim(
            "optimal σ: the gradient is not that of squared error",
            least("gradient difference", "gradient", "σ optimal"),
            ">=",
            0.1,
        ),
        Claim(
            "optimal σ: but it points the same way, on one batch",
            worst("gradient angle", "gradient", "σ optimal"),
            "<=",
            1e-6,
        ),
        Claim(
            "regression: fixed σ and one learned σ have the optimum of least squares",
            worst("optimum off least squares", "regression", "σ = 0.2", "σ learned"),
            "<=",
            1e-4,
        ),
        Claim(
            "regression: a σ(z) that is learned per image has another optimum",
            least("optimum off least squares", "regression", "σ(z) learned"),
            ">=",
            0.01,
        ),
        Claim(
            f"VAE: the ELBO with σ = {FIXED:g} and squared error + {2 * FIXED**2:g} KL have the same optimum",
            worst(OFF_FIXED, "linear VAE", LINEAR_VAES[0], SQUARED_ERROR),
            "<=",
            1e-3,
        ),
        Claim(
            "VAE: a learned σ has another optimum",
            least(OFF_FIXED, "linear VAE", "σ learned"),
            ">=",
            0.1,
        ),
        Claim(
            "VAE: with σ fixed at the learned value the optimum is the same again",
            worst(OFF_BEST, "linear VAE", "σ learned", "σ = the learned one"),
            "<=",
            1e-3,
        ),
        Claim(
            "VAE: the learned σ² is the mean variance that the latents leave over",
            lambda results: max(
                abs(a / b - 1)
                for a, b in zip(
                    results.values("σ", "linear VAE", "σ learned"),
                    results.values("σ in closed form", "linear VAE", "σ learned"),
                    strict=True,
                )
            ),
            "<=",
            1e-4,
        ),
    ]


EXPERIMENT = Experiment(
    name="gaussian-mse",
    title="A Gaussian decoder with fixed σ is squared error; with a learned σ it is not",
    about=ABOUT,
    source="Kingma & Welling 2014, appendix C.2; Tipping & Bishop 1999; Lucas et al. 2019",
    cells=cells,
    run=run,
    figures={
        "gradient difference": Figure("relative"),
        "gradient angle": Figure("radians"),
        "optimum off least squares": Figure("relative"),
        OFF_FIXED: Figure("relative"),
        OFF_BEST: Figure("relative"),
        "KL": Figure("nats/image"),
        "latents in use": Figure(f"of {LATENTS}"),
        "σ": Figure("on [-1, 1]"),
        "σ in closed form": Figure("on [-1, 1]"),
    },
    claims=claims,
)
