"""Adam as a function, and gradients through its steps: torch's own, closed forms, finite differences."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from pushforward.algorithms.gan import GAN, GANHyperparameters
from pushforward.algorithms.unrolled import UnrolledGAN, UnrolledHyperparameters
from pushforward.core import Batch, Clock
from pushforward.networks.critic import Critic
from pushforward.objectives.unroll import Adam, adam_of, flatten, unflatten, unroll
from pushforward.training.optim import build_optimizers, set_rates
from pushforward.training.steps import Stepper
from pushforward.views import ViewedCritic

SETTINGS = {"lr": 0.01, "beta1": 0.5, "beta2": 0.9, "eps": 1e-8}
B, D = 12, 2


def wiggly(parameters: list[nn.Parameter]) -> Tensor:
    """A loss with curvature between all of them."""
    theta = flatten(parameters)
    return (theta.sin() * torch.arange(1, len(theta) + 1)).sum() + theta.prod() + theta.square().sum()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("before", [0, 3])
def test_a_step_is_torchs_adam(fused, before):
    """From nothing, and from the moments of a run."""
    parameters = [nn.Parameter(torch.randn(2, 3)), nn.Parameter(torch.randn(4))]
    optimizer = torch.optim.Adam(parameters, lr=0.05, betas=(0.6, 0.95), eps=1e-6, fused=fused)

    def descend() -> None:
        optimizer.zero_grad()
        wiggly(parameters).backward()
        optimizer.step()

    for _ in range(before):
        descend()
    optimizer.param_groups[0]["lr"] = 0.02  # as a schedule does
    mine = adam_of(optimizer, parameters, **SETTINGS)
    theta = flatten(parameters).detach().requires_grad_()
    for _ in range(4):
        (gradient,) = torch.autograd.grad(wiggly(unflatten(theta, parameters)), theta)
        theta, mine = mine.step(theta, gradient)
        descend()
        assert torch.allclose(theta, flatten(parameters), atol=1e-6)
    assert mine.steps == before + 4
    assert torch.allclose(mine.m, flatten(optimizer.state[p]["exp_avg"] for p in parameters), atol=1e-6)
    assert torch.allclose(mine.v, flatten(optimizer.state[p]["exp_avg_sq"] for p in parameters), atol=1e-6)


def test_without_an_optimiser_it_starts_from_the_settings():
    parameters = [nn.Parameter(torch.ones(2, 3))]
    adam = adam_of(None, parameters, **SETTINGS)
    assert (adam.lr, adam.beta1, adam.beta2, adam.eps, adam.steps) == (0.01, 0.5, 0.9, 1e-8, 0)
    assert torch.equal(adam.m, torch.zeros(6))
    assert torch.equal(adam.v, torch.zeros(6))


def test_a_count_on_an_accelerator_stays_there():
    """To read it would wait for the device at each step. A meta tensor cannot be read at all."""
    parameters = [nn.Parameter(torch.ones(2, 3))]
    optimizer = torch.optim.Adam(parameters)
    optimizer.state[parameters[0]]["step"] = torch.tensor(3.0, device="meta")
    assert adam_of(optimizer, parameters, **SETTINGS).steps.device.type == "meta"
    theta, gradient = torch.randn(6), torch.randn(6)
    zero = torch.zeros(6)
    counted = [Adam(0.1, 0.5, 0.9, 1e-8, steps, zero, zero) for steps in (3.0, torch.tensor(3.0))]
    a, b = (adam.step(theta, gradient)[0] for adam in counted)
    assert torch.allclose(a, b, atol=1e-6)


def test_unflatten_is_the_inverse_and_lets_gradients_through():
    parameters = [
        nn.Parameter(torch.randn(2, 3)),
        nn.Parameter(torch.randn(())),
        nn.Parameter(torch.randn(4)),
    ]
    back = unflatten(flatten(parameters), parameters)
    assert all(torch.equal(a, b) for a, b in zip(back, parameters, strict=True))
    (2 * flatten(parameters)).sum().backward()
    assert all((p.grad == 2).all() for p in parameters)


def test_two_steps_in_closed_form():
    """ℓ = ½(θ - φ)² by Adam without memory and ε = 1: θ' = θ - lr g/(|g| + 1), so that
    dθ'/dφ = lr/(|g| + 1)² and dθ''/dφ = dθ'/dφ - lr (dθ'/dφ - 1)/(|g'| + 1)²."""
    lr, start, goal = 0.5, 3.0, 1.0
    for steps in (1, 2):
        phi = torch.tensor([goal], dtype=torch.float64, requires_grad=True)
        theta = torch.tensor([start], dtype=torch.float64, requires_grad=True)
        zero = torch.zeros(1, dtype=torch.float64)

        def loss(t: Tensor, phi: Tensor = phi) -> Tensor:
            return (t - phi).square().sum() / 2

        later = unroll(loss, theta, loss(theta), Adam(lr, 0.0, 0.0, 1.0, 0.0, zero, zero), steps=steps)
        by_phi, by_theta = torch.autograd.grad(later.sum(), [phi, theta])
        g = start - goal
        value, slope = start - lr * g / (g + 1), lr / (g + 1) ** 2
        if steps == 2:
            g = value - goal
            slope -= lr * (slope - 1) / (g + 1) ** 2
            value -= lr * g / (g + 1)
        assert later.item() == pytest.approx(value)
        assert by_phi.item() == pytest.approx(slope)
        assert by_theta.item() == pytest.approx(1 - slope)  # moving both moves the result as much


# -- the unrolled generator's gradient ---------------------------------------------------------------


def smooth_networks() -> tuple[nn.Module, Critic]:
    """In double and without kinks, so that finite differences mean something."""
    generator = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, D))
    critic = Critic(nn.Sequential(nn.Linear(D, 5), nn.Tanh()), nn.Linear(5, 1))
    return generator.double(), critic.double()


def model_of(kind, *, before: int = 0, networks=smooth_networks, **options):
    """A model in double whose z is always the same, after some steps; and the draw of its one batch."""
    torch.manual_seed(1)
    hyper = {"latent_dim": 2, "lr": 0.05, "beta2": 0.9, **options}
    generator, critic = networks()
    settings = UnrolledHyperparameters(**hyper) if kind is UnrolledGAN else GANHyperparameters(**hyper)
    model = kind(generator=generator, critic=ViewedCritic(critic), hyper=settings)
    z, x = torch.randn(B, 2, dtype=torch.float64), 0.5 * torch.randn(B, D, dtype=torch.float64) + 1
    model.sample_prior = lambda n: z
    batch = Batch(x, None, torch.arange(B))

    def draw(name: str = "data", n: int | None = None) -> Batch:
        return batch

    optimizers = build_optimizers(model.players())
    set_rates(optimizers, model.players(), Clock())
    stepper = Stepper(model, model.players(), optimizers)
    for _ in range(before):
        stepper(draw)
    return model, draw


def losses(model, draw):
    return next(model.step(draw)).losses


def gradient(model, draw) -> Tensor:
    parameters = list(model.generator.parameters())
    return flatten(torch.autograd.grad(losses(model, draw)["generator"], parameters))


def papers_value(model, draw) -> float:
    """f_K(θ_G) of eq. 10, of nothing but networks and torch's Adam: E ln D(x) + E ln(1 - D(G(z))) at θᴷ."""
    critic = copy.deepcopy(model.critic.network)
    adam = torch.optim.Adam(critic.parameters())
    adam.load_state_dict(copy.deepcopy(model.optimizers["critic"].state_dict()))  # it would share them
    x, fake = draw().x, model.generator(model.sample_prior(B)).detach()

    def f() -> Tensor:
        return critic(x).sigmoid().log().mean() + (1 - critic(fake).sigmoid()).log().mean()

    for _ in range(model.hyper.unroll):
        adam.zero_grad()
        (-f()).backward()
        adam.step()
    return f().item()


def finite_differences(model, draw, h: float = 1e-5) -> Tensor:
    """Central ones of the paper's value, in every parameter of the generator."""
    slopes = []
    for p in model.generator.parameters():
        flat = p.data.view(-1)
        for i in range(len(flat)):
            at = flat[i].item()
            sides = []
            for side in (at + h, at - h):
                flat[i] = side
                sides.append(papers_value(model, draw))
            flat[i] = at
            slopes.append((sides[0] - sides[1]) / (2 * h))
    return torch.tensor(slopes, dtype=torch.float64)


@pytest.mark.parametrize("before", [1, 4])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_unrolled_gradient_is_that_of_the_papers_whole_value(k, before):
    model, draw = model_of(UnrolledGAN, unroll=k, before=before)
    if before > 1:
        assert (model.inner_optimizer().m != 0).any()
    assert losses(model, draw)["generator"].item() == pytest.approx(papers_value(model, draw), rel=1e-9)
    exact, approximate = gradient(model, draw), finite_differences(model, draw)
    assert float((exact - approximate).norm()) <= 1e-5 * float(approximate.norm())

    # The test has teeth: the term through θᴷ is a good part of it.
    model.hyper.first_order = True
    assert float((gradient(model, draw) - approximate).norm()) >= 0.01 * float(approximate.norm())


def test_first_order_is_the_gradient_at_the_later_critic_held_constant():
    """θᴷ by torch's own Adam on a copy, K plain steps; then the fakes' term there."""
    k = 3
    model, draw = model_of(UnrolledGAN, unroll=k, before=4, first_order=True)
    critic = copy.deepcopy(model.critic.network)
    adam = torch.optim.Adam(critic.parameters())
    adam.load_state_dict(copy.deepcopy(model.optimizers["critic"].state_dict()))  # it would share them
    x, fake = draw().x, model.generator(model.sample_prior(B))
    for _ in range(k):
        adam.zero_grad()
        (softplus(-critic(x)).mean() + softplus(critic(fake.detach())).mean()).backward()
        adam.step()
    term = -softplus(critic(fake)).mean()
    expected = flatten(torch.autograd.grad(term, list(model.generator.parameters())))
    assert losses(model, draw)["generator"].item() == pytest.approx(papers_value(model, draw), rel=1e-9)
    assert torch.allclose(gradient(model, draw), expected, rtol=1e-9)

    model.hyper.first_order = False
    assert losses(model, draw)["generator"].item() == pytest.approx(papers_value(model, draw), rel=1e-9)
    assert not torch.allclose(gradient(model, draw), expected, rtol=0.01)


@pytest.mark.parametrize("first_order", [False, True])
def test_the_critics_own_step_is_a_plain_gans(first_order):
    model, draw = model_of(UnrolledGAN, unroll=3, before=2, first_order=first_order)
    plain, _ = model_of(GAN)
    plain.load_state_dict(model.state_dict())
    of = [torch.autograd.grad(losses(m, draw)["critic"], list(m.critic.parameters())) for m in (model, plain)]
    for mine, theirs in zip(*of, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-9)


def test_unrolling_leaves_no_trace_in_weights_or_moments():
    model, draw = model_of(UnrolledGAN, unroll=3, before=2)
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    moments = copy.deepcopy(model.optimizers["critic"].state_dict()["state"])
    losses(model, draw)
    assert all(torch.equal(v, weights[k]) for k, v in model.state_dict().items())
    for i, state in model.optimizers["critic"].state_dict()["state"].items():
        assert all(torch.equal(v, moments[i][name]) for name, v in state.items())


def dead_networks() -> tuple[nn.Module, Critic]:
    """A critic of which three of five rectifiers never open: their gradients are exactly 0."""
    generator, _ = smooth_networks()
    critic = Critic(nn.Sequential(nn.Linear(D, 5), nn.ReLU()), nn.Linear(5, 1)).double()
    with torch.no_grad():
        critic.trunk[0].bias[:3] = -100
    return generator, critic


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_dead_units_do_not_make_a_nan(before, dtype):
    model, draw = model_of(UnrolledGAN, unroll=4, before=before, networks=dead_networks)
    theta = flatten(model.critic.parameters())
    assert float(model.inner_optimizer().v[:6].abs().max()) == 0  # weights of the dead ones
    if dtype == torch.float32:
        model.float()
        model.optimizers = {}
        z, batch = model.sample_prior(B).float(), draw()
        model.sample_prior = lambda n: z
        batch = Batch(batch.x.float(), None, batch.index)

        def draw(name: str = "data", n: int | None = None) -> Batch:
            return batch

    assert torch.equal(theta[:6], flatten(model.critic.parameters())[:6].double())
    value = losses(model, draw)
    assert all(v.isfinite() for v in value.values())
    assert gradient(model, draw).isfinite().all()
    own = torch.autograd.grad(value["critic"], list(model.critic.parameters()))
    assert all(g.isfinite().all() for g in own)


def test_unrolling_looks_further_the_more_steps():
    """The later critic tells better, so the value at θᴷ grows with K here."""
    values = []
    for k in (1, 5, 20):
        model, draw = model_of(UnrolledGAN, unroll=k)
        values.append(losses(model, draw)["generator"].item())
    assert values == sorted(values)
    assert values[0] < values[-1]
