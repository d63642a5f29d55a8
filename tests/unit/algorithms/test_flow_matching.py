"""The flow that a network of closed form makes, and what a short training comes to."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pushforward.algorithms import flow_matching
from pushforward.algorithms.flow_matching import FlowMatching, FlowMatchingHyperparameters
from pushforward.core import Batch
from pushforward.data import Dataset, Stream
from pushforward.data.modes import Modes
from pushforward.distributions import dequantize, snap_to_levels
from pushforward.distributions.likelihood import LEVEL_WIDTH
from pushforward.errors import UserError
from pushforward.evaluation import evaluate
from pushforward.metrics.modes import mixture_log_prob
from pushforward.models.model import Model
from pushforward.models.store import load
from pushforward.objectives.flow_matching import conditional_path
from pushforward.recipes.flow_matching import FlowMatchingRecipe
from pushforward.runs.run import train
from pushforward.training.fit import fit
from tests.runs import build, small_images

MEAN, STD = 0.4, 0.2
IMAGE = (1, 2, 3)


class GaussianVelocity(nn.Module):
    """E[x1 - x0 | x_t] of data N(MEAN, STD²), all numbers independent."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.seen.append(x.detach())
        t = t.view(-1, *[1] * (x.ndim - 1))
        gain = (t * STD**2 - (1 - t)) / ((1 - t) ** 2 + t**2 * STD**2)
        return MEAN + (x - t * MEAN) * gain


def gaussian_flow(shape: tuple[int, ...], **options) -> FlowMatching:
    hyper = FlowMatchingHyperparameters(**{"solver": "rk4", "sampler_steps": 40, **options})
    return FlowMatching(network=GaussianVelocity(), shape=shape, hyper=hyper)


def log_density(x: Tensor, std: float = STD) -> Tensor:
    return torch.distributions.Normal(MEAN, std).log_prob(x).flatten(1).sum(1)


def as_model(algorithm: FlowMatching) -> Model:
    shape = list(algorithm.shape)
    return Model(algorithm.eval(), {"method": "flow-matching", "shape": shape, "step": 0})


def drawing(x: Tensor):
    return lambda name="data", n=None: Batch(x, None, torch.arange(len(x)))


@pytest.mark.parametrize("shape", [(2,), IMAGE])
def test_codes_are_the_standardised_data(shape):
    flow = gaussian_flow(shape)
    x = MEAN + STD * torch.randn(30, *shape)
    z = flow.encode(x)
    torch.testing.assert_close(z, ((x - MEAN) / STD).flatten(1), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(flow.decode(z), x.clamp(-1, 1) if len(shape) == 3 else x, atol=1e-3, rtol=0)
    torch.testing.assert_close(flow.reconstruct(x), flow.decode(z))


@pytest.mark.parametrize("shape", [(2,), IMAGE])
def test_samples_come_from_the_data(shape):
    flow = gaussian_flow(shape)
    x = flow.sample(4000)
    assert x.shape == (4000, *shape)
    assert not x.requires_grad
    n = x.numel()
    assert x.mean().item() == pytest.approx(MEAN, abs=5 * STD / math.sqrt(n))
    assert x.std().item() == pytest.approx(STD, rel=0.05)
    assert flow.sample_prior(5).shape == (5, math.prod(shape))


@pytest.mark.parametrize("shape", [(2,), IMAGE])
def test_the_density_is_the_gaussians(shape):
    flow = gaussian_flow(shape)
    x = MEAN + 2 * STD * torch.randn(20, *shape)
    torch.testing.assert_close(flow.log_prob(x), log_density(x), rtol=1e-3, atol=1e-2)


def test_images_are_clamped_where_they_are_made_and_nowhere_else():
    flow = gaussian_flow(IMAGE)
    z = 5 * torch.ones(1, 6)  # decoded to MEAN + 5 STD = 1.4 without the clamp
    assert torch.equal(flow.decode(z), torch.ones(1, *IMAGE))
    assert flow.sample(500).abs().max() <= 1
    outside = torch.full((1, *IMAGE), 1.4)
    torch.testing.assert_close(flow.encode(outside), z, atol=0.01, rtol=0)
    torch.testing.assert_close(flow.log_prob(outside), log_density(outside), rtol=1e-3, atol=1e-2)
    points = gaussian_flow((6,))
    torch.testing.assert_close(points.decode(z), torch.full((1, 6), 1.4), atol=1e-3, rtol=0)


def test_beyond_some_hundred_numbers_the_density_is_estimated(monkeypatch):
    """A velocity that mixes pixels: one probe is off, the mean of many comes to the exact trace."""
    mixed = build("flow-matching", IMAGE, sampler_steps=2)
    x = torch.randn(2, *IMAGE)
    with torch.no_grad():
        exact = mixed.log_prob(x)
        torch.testing.assert_close(mixed.log_prob(x), exact)
        monkeypatch.setattr(flow_matching, "EXACT_UP_TO", 5)
        each = torch.stack([mixed.log_prob(x) for _ in range(30)])
        many = mixed.log_prob(x, probes=300)
    assert each.std(0).min() > 1e-3
    assert ((each.mean(0) - exact).abs() < 5 * each.std(0) / math.sqrt(30)).all()
    assert ((many - exact).abs() < 5 * each.std(0) / math.sqrt(300)).all()


@pytest.mark.parametrize("shape", [(2,), IMAGE])
@pytest.mark.parametrize("on", [True, False])
def test_pixels_get_noise_in_training_and_points_none(shape, on):
    flow = gaussian_flow(shape, dequantize=on, sigma_min=0.0)
    x = dequantize(torch.zeros(50, *shape)).sign()  # all -1 or 1
    seen = []
    flow.network.forward = lambda x_t, t: seen.append((x_t, t)) or x_t * 0
    update = next(flow.step(drawing(x)))
    torch.manual_seed(3)
    again = next(flow.step(drawing(x)))
    torch.manual_seed(3)
    x1 = dequantize(x) if on and len(shape) == 3 else x
    x0 = torch.randn_like(x1)
    t = torch.rand(len(x1))
    x_t, target = conditional_path(x0, x1, t)
    torch.testing.assert_close(seen[1][0], x_t)
    torch.testing.assert_close(again.losses["velocity"], target.square().mean())
    assert update.losses.keys() == {"velocity"}


def test_dequantised_density_bounds_the_mass_of_levels():
    """E_u ln p(x + u) + d ln w ≤ ln P(x), closely where the density is flat over a level."""
    flow = gaussian_flow(IMAGE, solver="rk4")
    x = (torch.randint(100, 255, (4, *IMAGE)).float() * LEVEL_WIDTH) - 1
    normal = torch.distributions.Normal(MEAN, STD)
    mass = (normal.cdf(x + LEVEL_WIDTH / 2) - normal.cdf(x - LEVEL_WIDTH / 2)).log().flatten(1).sum(1)
    noisy = dequantize(x.repeat(2000, 1, 1, 1))
    assert ((noisy - x.repeat(2000, 1, 1, 1)).abs().max() <= LEVEL_WIDTH / 2).item()
    values = log_density(noisy).view(2000, 4) + 6 * math.log(LEVEL_WIDTH)
    assert (values.mean(0) <= mass + 4 * values.std(0) / math.sqrt(2000)).all()
    torch.testing.assert_close(values.mean(0), mass, atol=0.05, rtol=0)
    found = as_model(flow).log_prob(noisy[:4]) + 6 * math.log(LEVEL_WIDTH)
    torch.testing.assert_close(found, values[0], atol=0.02, rtol=0)


def test_logit_normal_times_are_an_option():
    times = []
    for how in ("uniform", "logit-normal"):
        flow = gaussian_flow((2,), time_draws=how)
        flow.network.forward = lambda x, t: times.append(t) or x
        next(flow.step(drawing(torch.zeros(5000, 2))))
    middle = [((t - 0.5).abs() < 0.25).float().mean().item() for t in times]
    assert middle == [pytest.approx(0.5, abs=0.04), pytest.approx(0.728, abs=0.04)]


MIXTURE = Modes(
    "three", torch.tensor([[1.0, 0.0], [-0.6, 0.9], [-0.6, -0.9]]).double().numpy(), 0.25, 2, 0.75, ""
)


def mixture(n: int) -> Tensor:
    centres = torch.from_numpy(MIXTURE.centres).float()
    return centres[torch.randint(3, (n,))] + MIXTURE.sigma * torch.randn(n, 2)


@pytest.fixture(scope="module")
def short_training() -> Model:
    """Some seconds on three Gaussians in the plane."""
    torch.manual_seed(0)
    algorithm = FlowMatchingRecipe(
        hidden=(96, 96), lr=1e-2, lr_schedule="cosine", ema=0.99, sampler_steps=25
    ).build((2,))
    fit(algorithm, Stream({"data": Dataset.of(mixture(20_000))}, batch_size=256, seed=0), 2000)
    return as_model(algorithm)


def test_a_short_training_comes_near_the_datas_own_density(short_training):
    x = mixture(2000)
    own = mixture_log_prob(x, torch.from_numpy(MIXTURE.centres), sigma=MIXTURE.sigma)
    found = short_training.log_prob(x).double()
    gap = own - found
    assert gap.mean().item() < 0.08
    assert gap.mean().item() > -5 * gap.std().item() / math.sqrt(len(x))  # none beats the data's own


@pytest.fixture(scope="module")
def landscape(short_training) -> tuple[Tensor, float]:
    """ln p on a grid that holds all of it, and the area of a cell."""
    side = torch.linspace(-3, 3, 61)
    return short_training.log_prob(torch.cartesian_prod(side, side)).double(), 0.1**2


def test_its_density_integrates_to_one(landscape):
    log_p, cell = landscape
    assert log_p.exp().sum().item() * cell == pytest.approx(1, abs=0.005)


def test_its_samples_have_the_density_that_it_says(short_training, landscape):
    """The mean over its own samples of ln p is minus its entropy, which the grid gives too."""
    log_p, cell = landscape
    minus_entropy = (log_p.exp() * log_p).sum().item() * cell
    own = short_training.log_prob(short_training.sample(2000))
    assert own.mean().item() == pytest.approx(minus_entropy, abs=5 * own.std().item() / math.sqrt(2000))


def test_evaluation_puts_the_datas_own_density_beside(short_training):
    x = mixture(3000)
    result = evaluate(short_training, Dataset.of(x, modes=MIXTURE))
    found = result.find("log_prob")
    assert found.floor - 0.1 < found.value < found.floor + found.ci95
    assert found.unit == "nats/point"
    assert result.find("modes").value == 3
    assert any("2,000 of the 3,000 points" in note for note in result.notes)


CODES = {
    "effective_draws",
    "monte_carlo_error",
    "kl",
    "active_units",
    "information",
    "information_upper",
    "aggregate_gap",
}


def test_evaluation_of_images_is_in_bits_of_levels():
    flow = gaussian_flow((1, 8, 8))
    grey = MEAN + STD * torch.randn(300, 1, 8, 8)
    images = ((grey.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    result = evaluate(as_model(flow), Dataset.of(images))
    x = images.float() / 127.5 - 1
    normal = torch.distributions.Normal(MEAN, STD)
    mass = (normal.cdf(x + LEVEL_WIDTH / 2) - normal.cdf(x - LEVEL_WIDTH / 2)).log().mean().item()
    bits = result.find("bits/dimension")
    assert bits.value == pytest.approx(-mass / math.log(2), abs=3 * bits.ci95)
    assert result.find("log_prob").unit == "nats/image"
    assert {"elbo", "ln p(x)", *CODES} <= {s.name for s in result.skipped}


class Ridged(FlowMatching):
    """A density that falls from each level to the middle between two."""

    def log_prob(self, x: Tensor) -> Tensor:
        return -((x - snap_to_levels(x)).abs() / LEVEL_WIDTH).flatten(1).sum(1)


def test_evaluation_spreads_each_pixel_over_its_level():
    """E|u| = 1/4 of a level's width; at the levels themselves it would be 0."""
    flow = gaussian_flow((1, 8, 8))
    ridged = Ridged(network=flow.network, shape=flow.shape, hyper=flow.hyper)
    images = torch.randint(1, 255, (20, 1, 8, 8), dtype=torch.uint8)
    found = evaluate(as_model(ridged), Dataset.of(images)).find("log_prob")
    assert found.value == pytest.approx(-64 / 4, abs=0.5)


@pytest.mark.parametrize(
    ("options", "shape", "says"),
    [
        ({"sampler_steps": 0}, (2,), "`sampler_steps`: 0; expected at least 1"),
        ({"sigma_min": 1.0}, (2,), "`sigma_min`: 1.0; expected"),
        ({"network": "unet"}, (2,), "`network`: unet, but `data` holds points"),
        ({"width": 0}, (1, 16, 16), "`width`: 0"),
        ({"hidden": ()}, (2,), "`hidden`: .*expected one or more"),
        ({"ema": 1.5}, (2,), "`ema`: 1.5"),
    ],
)
def test_what_cannot_be_is_said(options, shape, says):
    with pytest.raises(UserError, match=says):
        FlowMatchingRecipe(**options).build(shape).players()


def test_images_from_a_command_to_a_loaded_model(tmp_path: Path, photos):
    run = train(
        "flow-matching",
        data=str(photos),
        run=str(tmp_path / "run"),
        steps=3,
        batch_size=5,
        options={"network": "unet", "width": 4, "sampler_steps": 2},
    )
    model = load(run)
    x = small_images(3, (3, 8, 8)).x
    assert model.sample(2, seed=1).shape == (2, 3, 8, 8)
    assert model.encode(x).shape == (3, 192)
    assert model.reconstruct(x).abs().max() <= 1
    assert torch.equal(model.log_prob(x), model.log_prob(x))
    assert (run / "samples" / "step-0000003.png").is_file()
