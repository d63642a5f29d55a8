"""The variance of an encoder's gradient: a small VAE of binarized digits, Gaussian latents or bits.

The gradient is that of the negative ELBO on 32 images, by all weights of the encoder, KL in closed form; its
variance is the sum over weights. 8 bits have 256 values, so for them the exact gradient is at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Independent, Normal, kl_divergence

from pushforward.distributions import Bernoulli as BinaryPixels
from pushforward.experiments.equivalence import digits
from pushforward.experiments.harness.experiment import Cell
from pushforward.networks.mlp import mlp, mlp_decoder, mlp_encoder
from pushforward.objectives.estimators import (
    ESTIMATORS,
    FUNCTIONS,
    Estimate,
    MovingAverage,
    RelaxControl,
    disarm,
    exact,
    nvil,
    pathwise,
    score_function,
)
from pushforward.objectives.montecarlo import measure_estimator
from pushforward.randomness import aside

LATENTS = 8
GAUSSIAN, BITS = f"VAE encoder, {LATENTS} Gaussian latents", f"VAE encoder, {LATENTS} bits"
AVERAGED = "score-function, moving average"
GAUSSIAN_METHODS = (
    "score-function",
    AVERAGED,
    "nvil",
    "rloo",
    "muprop",
    "pathwise",
    "measure-valued",
)
BITS_METHODS = (
    *GAUSSIAN_METHODS[:5],
    "measure-valued",
    "arm",
    "disarm",
    "rebar",
    "relax",
    "gumbel-softmax",
    "straight-through-gumbel",
    "straight-through",
)
BIASED = tuple(name for name in BITS_METHODS if name in ESTIMATORS and not ESTIMATORS[name].unbiased)
DRAWS = 4
BATCH = 32
TEMPERATURE = 0.5
SHAPE = (1, 28, 28)


class SmallVAE(nn.Module):
    """784-64-8-64-784, with a standard normal prior or fair coins."""

    def __init__(self, setting: str) -> None:
        super().__init__()
        self.bits = setting == BITS
        self.encoder = mlp_encoder(SHAPE, (64,), LATENTS if self.bits else 2 * LATENTS)
        self.decoder = mlp_decoder(LATENTS, (64,), SHAPE)
        self.likelihood = BinaryPixels(binarization="static")

    def posterior(self, x: Float[Tensor, "b c h w"]) -> Distribution:
        """q(z|x), one event an image."""
        out = self.encoder(x)
        if self.bits:  # relaxations evaluate between 0 and 1
            return Independent(Bernoulli(logits=out, validate_args=False), 1)
        mu, log_sigma = out.chunk(2, dim=1)
        return Independent(Normal(mu, log_sigma.exp()), 1)

    def kl(self, q: Distribution) -> Float[Tensor, " b"]:
        """KL(q(z|x) ‖ p(z)) in nats."""
        assert isinstance(q, Independent)
        prior: Distribution = Bernoulli(probs=torch.tensor(0.5)) if self.bits else Normal(0.0, 1.0)
        return kl_divergence(q.base_dist, prior).sum(1)

    def distortion(self, x: Float[Tensor, "b c h w"]) -> Callable[[Tensor], Tensor]:
        """z -> -ln p(x|z) in nats, (n, b, d) -> (n, b)."""

        def f(z: Tensor) -> Tensor:
            decoded = self.decoder(z.flatten(0, 1))
            return -self.likelihood.log_prob(decoded, x.repeat(len(z), 1, 1, 1)).view(len(z), len(x))

        return f


class Correction(nn.Module):
    """RELAX's network r_φ(z, x). x: the images that z belongs to, set before use."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.layers = mlp([LATENTS + pixels, 64, 1])
        self.x = torch.zeros(0)

    def forward(self, z: Float[Tensor, "m b d"]) -> Float[Tensor, "m b"]:
        """r_φ at z."""
        x = self.x.flatten(1).expand(len(z), -1, -1)
        return self.layers(torch.cat([z, x], -1)).squeeze(-1)


class Learner(nn.Module):
    """An estimator with the state that it learns: a moving average, a baseline network, a control variate."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.method = method
        self.average = MovingAverage(decay=0.95)
        pixels = 28 * 28
        self.baseline = nn.Sequential(*mlp([pixels, 64, 1]), nn.Flatten(0)) if method == "nvil" else None
        self.correction = Correction(pixels) if method == "relax" else None
        self.control = RelaxControl(self.correction) if method in ("rebar", "relax") else None

    def estimate(self, vae: SmallVAE, x: Float[Tensor, "b c h w"], n: int, q: Distribution) -> Estimate:
        """Of the gradient of Σ_x E[-ln p(x|z)]."""
        if self.correction is not None:
            self.correction.x = x
        f = vae.distortion(x)
        if self.method == AVERAGED:
            return score_function(f, n, q, baseline=self.average())
        if self.baseline is not None:
            context = x.flatten(1)
            return nvil(f, n, q, baseline=self.baseline, context=context, constant=self.average())
        if self.control is not None:
            return FUNCTIONS[self.method](f, n, q, control=self.control)
        if "gumbel" in self.method:
            return FUNCTIONS[self.method](f, n, q, temperature=TEMPERATURE)
        return FUNCTIONS[self.method](f, n, q)


def binary_digits(n: int, *, seed: int) -> Float[Tensor, "n 1 28 28"]:
    """Digits thresholded at half intensity, in {-1, 1}."""
    return digits(n, seed=seed).float().ge(0).float() * 2 - 1


@cache
def trained(setting: str, steps: int, seed: int) -> SmallVAE:
    """Trained on 1,000 digits with the pathwise estimator, or DisARM for bits; ends without a gradient."""
    with aside(seed):
        vae, images = SmallVAE(setting), binary_digits(1000, seed=seed)
        adam = torch.optim.Adam(vae.parameters(), lr=2e-3)
        for _ in range(steps):
            x = images[torch.randint(len(images), (64,))]
            q = vae.posterior(x)
            estimator = disarm if vae.bits else pathwise
            loss = estimator(vae.distortion(x), 1, q).surrogate + vae.kl(q).sum()
            adam.zero_grad()
            (loss / len(x)).backward()
            adam.step()
    vae.zero_grad()
    return vae


def run(cell: Cell) -> dict[str, float]:
    """Train, let the estimator learn what it learns with the VAE frozen, then measure on other images."""
    vae = trained(cell.setting, cell.options["steps"], cell.seed)
    learner = Learner(cell.method)
    _learn(learner, vae, steps=cell.options["learning"], seed=cell.seed)
    x = binary_digits(1000 + BATCH, seed=cell.seed)[1000:]
    weights = list(vae.encoder.parameters())

    def gradient(estimate: Callable[[Distribution], Estimate]) -> tuple[Tensor, Mapping[str, Tensor]]:
        q = vae.posterior(x)
        loss = (estimate(q).surrogate + vae.kl(q).sum()) / len(x)
        return loss, {"encoder": _flat(torch.autograd.grad(loss, weights))[None]}

    repeats = cell.options["repeats"]
    measured = measure_estimator(
        lambda n: gradient(lambda q: learner.estimate(vae, x, n, q)), samples=DRAWS, repeats=repeats
    )
    variance = float(measured.variance["encoder"].value.sum())
    figures = {
        "encoder's variance": variance,
        "ms an estimate": 1e3 * DRAWS * float(measured.seconds_per_sample.value),
    }
    if vae.bits:
        _, truth = gradient(lambda q: exact(vae.distortion(x), 1, q))
        true = truth["encoder"][0].double()
        bias = float((measured.mean["encoder"].value - true).norm())
        figures["off the exact gradient"] = bias / float(true.norm())
        figures["off in standard errors"] = bias / (variance / repeats) ** 0.5
    return figures


def _learn(learner: Learner, vae: SmallVAE, *, steps: int, seed: int) -> None:
    images = binary_digits(1000, seed=seed)
    state = [p for p in learner.parameters() if p.requires_grad]
    if not state and learner.method != AVERAGED:
        return
    adam = torch.optim.Adam(state, lr=1e-2) if state else None
    for _ in range(steps):
        x = images[torch.randint(len(images), (BATCH,))]
        surrogate = learner.estimate(vae, x, DRAWS, vae.posterior(x)).surrogate / len(x)
        if adam is not None:
            for parameter, grad in zip(state, torch.autograd.grad(surrogate, state), strict=True):
                parameter.grad = grad
            adam.step()
        learner.average.update(surrogate)


def _flat(tensors: tuple[Tensor, ...]) -> Float[Tensor, " p"]:
    return torch.cat([t.flatten() for t in tensors])
