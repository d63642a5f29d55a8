"""The stochastic network's gradients against enumeration, and the experiment's cells at a tiny size."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from pushforward.core import Batch
from pushforward.errors import UserError
from pushforward.experiments import gumbel_softmax as table1
from pushforward.experiments.harness.execute import execute
from pushforward.experiments.harness.experiment import Cell, Results
from pushforward.experiments.stochastic_network import PATHWISE, StochasticNetwork

SHAPE = (1, 2, 3)
IMAGES = torch.tensor([[1.0, -1.0, 1.0, -1.0, 1.0, 1.0], [-1.0, 1.0, 1.0, 1.0, -1.0, 1.0]]).view(-1, *SHAPE)
LATENTS = {"bernoulli": {"variables": 2}, "categorical": {"variables": 1, "categories": 3}}


def network(latent: str, estimator: str, **options) -> StochasticNetwork:
    """The same weights for every estimator; not at its first step, and with a level that is off."""
    model = StochasticNetwork(SHAPE, latent=latent, estimator=estimator, **{**LATENTS[latent], **options})
    generator = torch.Generator().manual_seed(1)
    for part in (model.layers, model.output):
        for p in part.parameters():
            p.data.normal_(generator=generator)
    model.level.update(torch.tensor(1.5))
    model.clock.step = 1
    return model


def weights(model: StochasticNetwork) -> list[Tensor]:
    return [*model.layers.parameters(), *model.output.parameters()]


def flat(grads) -> Tensor:
    return torch.cat([g.flatten() for g in grads])


def values_of(latent: str) -> Tensor:
    if latent == "categorical":
        return torch.eye(3)[:, None]
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=2)))


def enumerated(model: StochasticNetwork, latent: str) -> tuple[Tensor, Tensor]:
    """E[cost] of each image, and ln p(lower|upper), summed over all values of both layers."""
    x = IMAGES.flatten(1)
    values = values_of(latent)
    first, joint, cost = model.code.posterior(model.layers[0](x[:, : model.upper])), [], []
    for a, b in itertools.product(values, values):
        a, b = a.expand(len(x), *a.shape), b.expand(len(x), *b.shape)
        second = model.code.posterior(model.layers[1](a.flatten(1)))
        joint.append(first.log_prob(a) + second.log_prob(b))
        cost.append(model.cost(b, x))
    log_p, c = torch.stack(joint), torch.stack(cost)
    torch.testing.assert_close(log_p.exp().sum(0), torch.ones(len(x)))
    return (log_p.exp() * c).sum(0), (log_p - c).logsumexp(0)


def estimated(model: StochasticNetwork, repeats: int = 4000) -> Tensor:
    x = IMAGES.repeat(repeats, 1, 1, 1)
    update = next(model.step(lambda name="data", n=None: Batch(x, None, torch.arange(len(x)))))
    return flat(torch.autograd.grad(update.losses["network"], weights(model)))


def deviation(model: StochasticNetwork, latent: str, batches: int = 20) -> float:
    """The largest mean error of the gradient, in standard errors."""
    truth = flat(torch.autograd.grad(enumerated(model, latent)[0].mean(), weights(model)))
    found = torch.stack([estimated(model) for _ in range(batches)])
    noise = found.std(0).clamp(min=1e-4)
    return float(((found.mean(0) - truth) / noise * batches**0.5).abs().max())


@pytest.mark.parametrize("latent", LATENTS)
@pytest.mark.parametrize("estimator", ["score-function", "nvil", "muprop"])
def test_the_gradient_through_both_layers_is_the_enumerated_one(latent, estimator):
    torch.manual_seed(0)
    assert deviation(network(latent, estimator), latent) < 5


@pytest.mark.parametrize("latent", LATENTS)
@pytest.mark.parametrize("estimator", PATHWISE)
def test_the_biased_ones_would_be_seen(latent, estimator):
    torch.manual_seed(0)
    assert deviation(network(latent, estimator), latent) > 10


def test_at_the_first_step_an_image_has_the_others_as_baseline():
    model = network("bernoulli", "score-function")
    model.clock.step = 0
    assert model._level(torch.tensor([1.0, 2.0, 6.0])).tolist() == [4.0, 3.5, 1.5]
    torch.manual_seed(0)
    assert deviation(model, "bernoulli") < 5


def test_a_baseline_learns_the_cost_of_its_image():
    model = network("bernoulli", "nvil")
    x = IMAGES.repeat(50, 1, 1, 1)
    adam = torch.optim.Adam(model.baseline.parameters(), lr=1e-2)
    for _ in range(300):
        (loss,) = next(model.step(lambda name="data", n=None: Batch(x, None, None))).losses.values()
        adam.zero_grad()
        loss.backward(inputs=list(model.baseline.parameters()))
        adam.step()
    expected = enumerated(model, "bernoulli")[0] - model.level()
    torch.testing.assert_close(model.baseline(IMAGES.flatten(1)), expected, atol=0.15, rtol=0.0)


@pytest.mark.parametrize("latent", LATENTS)
def test_the_bound_of_many_draws_is_the_enumerated_likelihood(latent):
    model = network(latent, "straight-through")
    torch.manual_seed(0)
    torch.testing.assert_close(
        model.bound(IMAGES, 20_000), enumerated(model, latent)[1].detach(), atol=0.03, rtol=0.0
    )


TINY = {
    "data": "digits",
    "steps": 20,
    "optimizer": "Adam",
    "rates": [1e-3],
    "draws": 2,
    "temperature rate": 1e-2,
    "temperature every": 5,
}


@pytest.mark.parametrize("setting", table1.SETTINGS)
@pytest.mark.parametrize("method", table1.ESTIMATORS)
def test_every_cell_runs_and_gives_finite_nats(method, setting):
    figures = table1.run(Cell(method, setting, 0, {**TINY, "steps": 3}))
    assert set(figures) == {table1.BOUND, table1.RATE}
    pixels = 32 if setting.startswith("SBN") else 64
    assert 0 < figures[table1.BOUND] < 2 * pixels


def test_the_better_rate_is_chosen_on_validation_images():
    options = {**TINY, "steps": 100, "optimizer": "SGD", "rates": [1e-7, 1e-2]}
    assert table1.run(Cell("Gumbel", "SBN Bernoulli", 0, options))[table1.RATE] == 1e-2


def test_the_networks_have_the_papers_sizes():
    cell = Cell("Gumbel", "VAE categorical", 0, dict(table1.BUDGETS["full"]))
    model = table1.build(cell, (1, 28, 28))
    sizes = [p.shape for part in (model.encoder, model.decoder) for p in part.parameters() if p.ndim == 2]
    assert sizes == [(200, 784), (200, 200), (784, 200)]
    network = table1.build(Cell("ST", "SBN Bernoulli", 0, {}), (1, 28, 28))
    assert [p.shape for p in network.parameters() if p.ndim == 2] == [(200, 392), (200, 200), (392, 200)]


def test_the_cells_of_a_budget_can_be_of_other_images():
    ours, theirs = table1.cells("full", [0]), table1.cells("full", [0], "my-mnist")
    assert {c.options["data"] for c in ours} == {"mnist"}
    assert {c.options["data"] for c in theirs} == {"my-mnist"}
    assert len(ours) == 4 * 6


def test_other_images_are_refused_where_they_are_part_of_the_claim():
    with pytest.raises(UserError, match="--data: x, but gaussian-mse"):
        execute("pushforward.experiments.gaussian_mse", data="x")


def test_the_claims_follow_the_order_of_the_bounds():
    def checks(gumbel: float) -> list[bool]:
        figures = {
            cell: {table1.BOUND: gumbel if cell.method == "Gumbel" else 100.0}
            for cell in table1.cells("quick", [0])
        }
        return [claim.value(Results(figures)) >= claim.bound for claim in table1.claims("quick")]

    assert all(checks(99.0))
    assert not any(checks(101.0))


def test_the_papers_numbers_stand_beside_their_cells():
    cells = {(c.method, c.setting) for c in table1.cells("quick", [0])}
    published = table1.EXPERIMENT.published
    assert {(method, setting) for method, setting, _ in published} <= cells
    assert published["Gumbel", "VAE categorical", table1.BOUND].value == 101.5
