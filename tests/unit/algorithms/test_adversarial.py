"""Each adversarial step against its paper's losses, worked out here again on one batch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import mse_loss

from pushforward.algorithms.gan import GAN, GANHyperparameters
from pushforward.algorithms.r3gan import R3GAN, R3GANHyperparameters
from pushforward.algorithms.unrolled import UnrolledGAN, UnrolledHyperparameters
from pushforward.algorithms.veegan import VEEGAN, VEEGANHyperparameters
from pushforward.algorithms.wgan_gp import WGANGP, WGANGPHyperparameters
from pushforward.core import Batch, Clock
from pushforward.errors import UserError
from pushforward.methods import recipe_class
from pushforward.networks.dcgan import dcgan_critic, dcgan_generator
from pushforward.networks.gan_mlp import mlp_critic, mlp_generator
from pushforward.training.optim import build_optimizers, set_rates
from pushforward.training.steps import Stepper
from pushforward.views import Identity, Packing, ViewedCritic

B, LATENT = 8, 3


class Played:
    """A model for points with known noise; its step is played update by update."""

    def __init__(self, method: str, **options: Any) -> None:
        torch.manual_seed(0)
        recipe = recipe_class(method)(latent_dim=LATENT, hidden=(16,), **options)
        self.model = recipe.build((2,))
        self.optimizers = build_optimizers(self.model.players())
        set_rates(self.optimizers, self.model.players(), Clock())
        self.stepper = Stepper(self.model, self.model.players(), self.optimizers)
        self.x = [torch.randn(B, 2) + 1 for _ in range(12)]
        self.z = [torch.randn(B, LATENT) for _ in range(12)]
        self.drawn = self.sampled = 0
        self.model.sample_prior = self._sample_prior

    def _sample_prior(self, n: int) -> Tensor:
        self.sampled += 1
        return self.z[self.sampled - 1]

    def draw(self, name: str = "data", n: int | None = None) -> Batch:
        self.drawn += 1
        return Batch(self.x[self.drawn - 1], None, torch.arange(B))

    def updates(self):
        """Each update before its players move, which they do when the next one is asked for."""
        for update in self.model.step(self.draw):
            yield update
            self.stepper.descend(update)

    @property
    def critic(self) -> nn.Module:
        return self.model.critic.network

    def fake(self, i: int) -> Tensor:
        return self.model.generator(self.z[i])


def close(a: Tensor, b: Tensor | float) -> None:
    assert a.item() == pytest.approx(float(b), rel=1e-5, abs=1e-6)


def ones(scores: Tensor) -> Tensor:
    return torch.ones_like(scores)


def zeros(scores: Tensor) -> Tensor:
    return torch.zeros_like(scores)


# -- who moves, and how often ------------------------------------------------------------------------

TWO = [{"critic"}, {"generator"}]
FIVE = [{"critic"}] * 5 + [{"generator"}]
MOVES = {
    "gan": TWO,
    "gan-minimax": TWO,
    "pacgan": TWO,
    "lsgan": TWO,
    "wgan": FIVE,
    "wgan-gp": FIVE,
    "sngan": FIVE,
    "unrolled": [{"critic", "generator"}],
    "veegan": [{"critic"}, {"generator", "reconstructor"}],
    "r3gan": TWO,
}


@pytest.mark.parametrize("method", list(MOVES))
def test_who_moves_in_a_step(method):
    played = Played(method)
    assert [set(u.losses) for u in played.updates()] == MOVES[method]


@pytest.mark.parametrize("method", [m for m in MOVES if m != "unrolled"])
def test_each_critic_step_sees_new_data_and_new_noise(method):
    played = Played(method, n_critic=3)
    updates = list(played.updates())
    assert [set(u.losses) for u in updates[:3]] == [{"critic"}] * 3
    assert len(updates) == 4
    assert (played.drawn, played.sampled) == (3, 4)


# -- losses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["gan", "gan-minimax"])
def test_both_games_of_goodfellow(method):
    """The critic is a classifier of real (1) and fake (0); the generator swaps its label or its sign."""
    played = Played(method)
    updates = played.updates()
    first, critic = next(updates), played.critic
    real, fake = critic(played.x[0]), critic(played.fake(0))
    close(first.losses["critic"], bce(real, ones(real)) + bce(fake, zeros(fake)))
    second = next(updates)
    fake = critic(played.fake(1))
    swapped = bce(fake, ones(fake)) if method == "gan" else -bce(fake, zeros(fake))
    close(second.losses["generator"], swapped)


def test_lsgan():
    played = Played("lsgan")
    updates = played.updates()
    first = next(updates)
    real, fake = played.critic(played.x[0]), played.critic(played.fake(0))
    close(first.losses["critic"], (mse_loss(real, ones(real)) + mse_loss(fake, zeros(fake))) / 2)
    second = next(updates)
    fake = played.critic(played.fake(1))
    close(second.losses["generator"], mse_loss(fake, ones(fake)) / 2)


def test_sngan():
    """Each sample counts until it is 1 beyond the border, and not further."""
    played = Played("sngan", n_critic=1, critic_norm="none")
    played.critic.head.weight.data.mul_(60)  # scores on both sides of both borders
    updates = played.updates()
    first = next(updates)
    real, fake = (played.critic(x).flatten().tolist() for x in (played.x[0], played.fake(0)))
    assert min(real) < 1 < max(real)
    assert min(fake) < -1 < max(fake)
    close(first.losses["critic"], sum(max(0, 1 - s) for s in real) / B + sum(max(0, 1 + s) for s in fake) / B)
    second = next(updates)
    close(second.losses["generator"], -played.critic(played.fake(1)).mean())


@pytest.mark.parametrize("network", ["mlp", "maxout", "dcgan", "residual"])
def test_every_weight_of_sngans_critic_has_the_norm_1_as_it_is_trained(network):
    """About: power iteration finds the largest singular value from below, one step of it a pass."""
    torch.manual_seed(0)
    options = {"network": network, "hidden": (16, 16), "width": 4, "latent_dim": 3}
    model = recipe_class("sngan")(**options).build((1, 16, 16))
    players = model.players()
    stepper = Stepper(model, players, build_optimizers(players))
    plain = [p for name, p in model.critic.named_parameters() if name.endswith("original")]
    before = [p.detach().clone() for p in plain]
    for _ in range(60):
        stepper(lambda: Batch(torch.randn(B, 1, 16, 16).tanh(), None, torch.arange(B)))
    assert not any(torch.allclose(p, was, atol=1e-4) for p, was in zip(plain, before, strict=True))
    layers = [m for m in model.critic.eval().modules() if isinstance(m, nn.Linear | nn.Conv2d)]

    def norms(weights: Iterable[Tensor]) -> list[float]:
        return [torch.linalg.matrix_norm(w.flatten(1), 2).item() for w in weights]

    assert len(layers) == len(plain)
    assert max(abs(n - 1) for n in norms(plain)) > 0.3
    assert all(0.999 < n < 1.15 for n in norms(layer.weight for layer in layers))


def test_wgan_and_its_weights_after_each_step():
    played = Played("wgan", c=0.02)
    assert isinstance(played.optimizers["critic"], torch.optim.RMSprop)
    for i, update in enumerate(played.updates()):
        if i:  # a step behind us
            largest = max(p.abs().max() for p in played.critic.parameters()).item()
            assert largest == pytest.approx(0.02, rel=1e-6)
        fake = played.critic(played.fake(i)).mean()
        if i < 5:
            distance = played.critic(played.x[i]).mean() - fake
            close(update.losses["critic"], -distance)
            close(update.info["distance"], distance)
        else:
            close(update.losses["generator"], -fake)


def slopes(critic: nn.Module, x: Tensor) -> list[float]:
    """‖∇D‖ at each point by itself."""
    norms = []
    for point in x:
        point = point[None].detach().requires_grad_()
        critic(point).sum().backward()
        norms.append(point.grad.norm().item())
    return norms


@pytest.mark.parametrize("one_sided", [False, True])
def test_wgan_gp(one_sided):
    played = Played("wgan-gp", penalty=7.0, one_sided=one_sided, n_critic=1)
    with torch.no_grad():
        for p in played.critic.parameters():
            p.mul_(3)  # slopes on both sides of 1
    torch.manual_seed(5)
    updates = played.updates()
    update = next(updates)
    torch.manual_seed(5)
    eps = torch.rand(B, 1)
    norms = slopes(played.critic, eps * played.x[0] + (1 - eps) * played.fake(0))
    assert min(norms) < 1 < max(norms)
    penalty = sum((max(n - 1, 0) if one_sided else n - 1) ** 2 for n in norms) / B
    distance = (played.critic(played.x[0]).mean() - played.critic(played.fake(0)).mean()).item()
    close(update.info["penalty"], penalty)
    close(update.info["distance"], distance)
    close(update.losses["critic"], 7 * penalty - distance)
    second = next(updates)
    close(second.losses["generator"], -played.critic(played.fake(1)).mean())


def test_r3gan():
    played = Played("r3gan", gamma=0.8, gamma_end=0.25)
    played.model.clock = Clock(step=1, steps=2)  # half-way: γ is midway between 0.8 and 0.2
    updates = played.updates()
    update = next(updates)
    margins = (played.critic(played.x[0]) - played.critic(played.fake(0))).flatten().tolist()
    r1 = sum(n**2 for n in slopes(played.critic, played.x[0])) / B
    r2 = sum(n**2 for n in slopes(played.critic, played.fake(0))) / B
    adversarial = sum(math.log1p(math.exp(-m)) for m in margins) / B
    close(update.info["r1"], r1)
    close(update.info["r2"], r2)
    close(update.losses["critic"], adversarial + 0.5 / 2 * (r1 + r2))
    second = next(updates)
    margins = (played.critic(played.x[0]) - played.critic(played.fake(1))).flatten().tolist()
    close(second.losses["generator"], sum(math.log1p(math.exp(m)) for m in margins) / B)


def test_r3gans_schedules_fall_along_a_cosine():
    hyper = R3GANHyperparameters(lr=1.0, lr_end=0.25, gamma=2.0, gamma_end=0.1)
    clocks = [Clock(step=s, steps=4) for s in range(5)]
    assert [hyper.rate(c) for c in (clocks[0], clocks[2], clocks[4])] == pytest.approx([1, 0.625, 0.25])
    assert [hyper.gamma_at(c) for c in (clocks[0], clocks[2], clocks[4])] == pytest.approx([2, 1.1, 0.2])


def test_veegan():
    """BCE(D(z, G(z)), 1) + BCE(D(F(x), x), 0); mean D(z, G(z)) + λ ‖z - F(G(z))‖²; F the latter alone."""
    played = Played("veegan", reconstruction=0.3)
    updates = played.updates()
    first = next(updates)
    model, x = played.model, played.x[0]
    of_fake = played.critic(played.fake(0), played.z[0])
    of_real = played.critic(x, model.reconstructor(x))
    close(first.losses["critic"], bce(of_fake, ones(of_fake)) + bce(of_real, zeros(of_real)))
    second = next(updates)
    z, fake = played.z[1], played.fake(1)
    distance = sum(((a - b) ** 2).sum().item() for a, b in zip(z, model.reconstructor(fake), strict=True)) / B
    close(second.losses["reconstructor"], distance)
    close(second.losses["generator"], played.critic(fake, z).mean().item() + 0.3 * distance)
    close(second.info["reconstruction"], distance)


def test_veegans_generator_does_not_move_by_the_reconstructors_gradient_alone():
    """F's gradient is of the reconstruction; the generator's, of both terms."""
    played = Played("veegan", reconstruction=0.0)
    updates = played.updates()
    next(updates)
    second = next(updates)
    parameters = list(played.model.generator.parameters())
    mine = torch.autograd.grad(second.losses["generator"], parameters, retain_graph=True)
    fake = played.fake(1)
    theirs = torch.autograd.grad(played.critic(fake, played.z[1]).mean(), parameters)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(mine, theirs, strict=True))


def test_veegan_encodes_and_reconstructs():
    model = Played("veegan").model
    x = torch.randn(5, 2)
    assert model.encode(x).shape == (5, LATENT)
    assert torch.equal(model.reconstruct(x), model.decode(model.encode(x)))
    assert set(model.players()) == {"critic", "generator", "reconstructor"}
    assert not hasattr(Played("gan").model, "encode")


def test_unrolled_moves_both_from_where_they_stand():
    played = Played("unrolled", unroll=2)
    update = next(played.updates())
    real, fake = played.critic(played.x[0]), played.critic(played.fake(0))
    close(update.losses["critic"], bce(real, ones(real)) + bce(fake, zeros(fake)))
    now = -update.losses["critic"].item()
    assert update.losses["generator"].item() > now  # the value, which the later critic has raised


@pytest.mark.parametrize("m", [2, 4])
def test_pacgan_is_the_gan_of_packs(m):
    played = Played("pacgan", pack=m)
    update = next(played.updates())
    real = played.critic(played.x[0].reshape(B // m, 2 * m))
    fake = played.critic(played.fake(0).reshape(B // m, 2 * m))
    close(update.losses["critic"], bce(real, ones(real)) + bce(fake, zeros(fake)))


# -- what is not computed ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", [m for m in MOVES if m not in ("unrolled", "gan-minimax", "pacgan")])
def test_fakes_that_are_only_scored_record_no_graph(method):
    """The critic's loss does not reach the generator or the reconstructor."""
    played = Played(method)
    first = next(played.updates())
    others = [p for n, player in played.model.players().items() if n != "critic" for p in player.parameters()]
    grads = torch.autograd.grad(first.losses["critic"], others, allow_unused=True, retain_graph=True)
    assert all(g is None for g in grads)


def test_r3gans_references_record_no_graph():
    """Real scores are constants to the generator, so no graph of the critic on real data is kept."""
    played = Played("r3gan")
    graphs: list[bool] = []
    played.critic.trunk.register_forward_hook(lambda module, x, y: graphs.append(y.requires_grad))
    updates = played.updates()
    next(updates)
    graphs.clear()
    next(updates)
    assert graphs == [False, True]


@pytest.mark.parametrize("method", ["gan", "wgan-gp", "r3gan"])
def test_the_critic_scores_real_and_fake_in_one_pass(method):
    played = Played(method, n_critic=1)
    sizes: list[int] = []
    played.critic.trunk.register_forward_hook(lambda module, x, y: sizes.append(len(y)))
    next(played.updates())
    assert sizes[0] == 2 * B
    assert len(sizes) == (2 if method == "wgan-gp" else 1)  # whose penalty is elsewhere, on lines


def test_a_batch_norm_critic_of_the_gan_learns_from_passes_of_their_own():
    generator = dcgan_generator(LATENT, (1, 16, 16), width=4)
    network = dcgan_critic((1, 16, 16), width=4, normalisation="batch")
    model = GAN(
        generator=generator, critic=ViewedCritic(network), hyper=GANHyperparameters(latent_dim=LATENT)
    )
    sizes: list[int] = []
    network.trunk.register_forward_hook(lambda module, x, y: sizes.append(len(y)))
    x = torch.randn(B, 1, 16, 16)
    next(model.step(lambda: Batch(x, None, torch.arange(B))))
    assert sizes == [B, B]


# -- bad use from Python -----------------------------------------------------------------------------

PENALISED = [
    (WGANGP, WGANGPHyperparameters),
    (R3GAN, R3GANHyperparameters),
    (UnrolledGAN, UnrolledHyperparameters),
]


@pytest.mark.parametrize(("kind", "hyper"), PENALISED)
def test_a_batch_norm_critic_is_refused_where_single_gradients_are_needed(kind, hyper):
    critic = ViewedCritic(dcgan_critic((1, 16, 16), width=4, normalisation="batch"))
    generator = dcgan_generator(LATENT, (1, 16, 16), width=4)
    with pytest.raises(UserError, match=r"`critic_norm`: batch, but .* take 'none' or 'spectral'"):
        kind(generator=generator, critic=critic, hyper=hyper(latent_dim=LATENT))


def test_veegan_needs_a_reconstructor_and_no_packs():
    parts: dict[str, Any] = {
        "generator": mlp_generator(LATENT, (8,), (2,)),
        "critic": ViewedCritic(mlp_critic((2,), (8,), codes=LATENT)),
        "hyper": VEEGANHyperparameters(latent_dim=LATENT),
    }
    with pytest.raises(UserError, match="reconstructor: None; VEEGAN needs a network"):
        VEEGAN(**parts)
    parts["critic"] = ViewedCritic(mlp_critic((4,), (8,), codes=LATENT), [Packing(Identity(), 2)])
    with pytest.raises(UserError, match="`pack`: VEEGAN's critic"):
        VEEGAN(**parts, reconstructor=nn.Linear(2, LATENT))


# -- behaviour ---------------------------------------------------------------------------------------

LEARNS = {
    "gan": {},
    "lsgan": {},
    "wgan": {"c": 0.1, "n_critic": 2},
    "wgan-gp": {"n_critic": 3, "penalty": 1.0},
    "sngan": {"n_critic": 2},
    "unrolled": {"unroll": 1},
    "veegan": {},
    "pacgan": {},
    "r3gan": {},
}


@pytest.mark.parametrize("method", list(LEARNS))
def test_it_finds_a_gaussian_from_afar(method):
    """Points N((2, -1.5), ½²), where the generator starts near 0: half of the way at least, and spread."""
    torch.manual_seed(1)
    options = {"lr": 3e-3, "lr_schedule": "cosine", **LEARNS[method]}
    recipe = recipe_class(method)(latent_dim=2, hidden=(32,), **options)
    model = recipe.build((2,))
    players = model.players()
    optimizers = build_optimizers(players)
    stepper = Stepper(model, players, optimizers)
    goal = torch.tensor([2.0, -1.5])
    model.clock = Clock(steps=300)

    def draw(name: str = "data", n: int | None = None) -> Batch:
        return Batch(goal + 0.5 * torch.randn(64, 2), None, torch.arange(64))

    before = (model.sample(1000).mean(0) - goal).norm().item()
    for step in range(300):
        model.clock.step = step
        set_rates(optimizers, players, model.clock)
        stepper(draw)
    samples = model.sample(1000)
    assert before > 1.5
    assert (samples.mean(0) - goal).norm().item() < before / 2
    assert 0.1 < samples.std(0).mean().item() < 1.5
