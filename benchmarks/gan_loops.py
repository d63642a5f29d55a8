"""Adversarial training loops to race against: the best bare ones, and ones as public scripts have them.

The arithmetic of "bare" is that of the library's recipes. "public" does what the well-known scripts do:
real and fake in passes of their own, gradients of whatever the graph holds, Adam as it comes, the plain
layout, and the losses read out (`.item()`) at every step; its DCGAN critic has batch normalisation, as all
of them have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from gan_networks import LATENT, Method, critic, generator
from torch import Tensor, nn

Steps = Callable[[int], None]
ADAM: dict[Method, dict[str, Any]] = {
    "gan": {"lr": 2e-4, "betas": (0.5, 0.999)},
    "wgan-gp": {"lr": 1e-4, "betas": (0.0, 0.9)},
    "r3gan": {"lr": 2e-4, "betas": (0.0, 0.99)},
    "toy": {"lr": 2e-4, "betas": (0.5, 0.999)},
    "script": {"lr": 2e-4, "betas": (0.5, 0.999)},
}


class Game:
    """Networks, optimisers and shuffled batches without end, of data that lie ready in memory."""

    def __init__(
        self, method: Method, data: Tensor, batch: int, *, batch_norm: bool = False, **options: Any
    ) -> None:
        self.g, self.d = generator(method), critic(method, batch_norm=batch_norm)
        self.g_parameters, self.d_parameters = list(self.g.parameters()), list(self.d.parameters())
        self.g_adam = torch.optim.Adam(self.g_parameters, **ADAM[method], **options)
        self.d_adam = torch.optim.Adam(self.d_parameters, **ADAM[method], **options)
        self.batch, self.batches = batch, self._feed(data)

    def _feed(self, data: Tensor) -> Iterator[Tensor]:
        while True:
            for rows in torch.randperm(len(data)).split(self.batch):
                if len(rows) == self.batch:
                    yield data[rows]

    def noise(self) -> Tensor:
        return torch.randn(self.batch, LATENT)


class Bare(Game):
    """No gradient that is not used, fused Adam, no reading out.

    Channels last, but for critics whose gradient is differentiated again: those it makes slower.
    """

    def __init__(self, method: Method, data: Tensor, batch: int, *, bf16: bool) -> None:
        super().__init__(method, data, batch, fused=True)
        self.bf16 = bf16
        self.apart = method == "script"  # whose critic has batch normalisation
        if method != "toy":
            self.g.to(memory_format=torch.channels_last)
        if method in ("gan", "script"):
            self.d.to(memory_format=torch.channels_last)

    def autocast(self) -> AbstractContextManager[object]:
        return torch.autocast("cpu", torch.bfloat16, cache_enabled=False) if self.bf16 else nullcontext()

    def fakes(self) -> Tensor:
        with torch.no_grad():
            return self.g(self.noise()).float()

    def scores(self, x: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor]:
        if self.apart:
            return self.d(x), self.d(x_fake)
        real, fake = self.d(torch.cat([x, x_fake])).chunk(2)
        return real, fake

    def critic_descends(self, loss: Tensor) -> None:
        self.d_adam.zero_grad()
        torch.autograd.backward(loss, inputs=self.d_parameters)
        self.d_adam.step()

    def generator_descends(self, loss: Tensor) -> None:
        self.g_adam.zero_grad()
        torch.autograd.backward(loss, inputs=self.g_parameters)
        self.g_adam.step()


def bare(method: Method, data: Tensor, batch: int, *, bf16: bool = False) -> Steps:
    """The best loop that we could write by hand."""
    step = {"wgan-gp": _bare_wgan_gp, "r3gan": _bare_r3gan}.get(method, _bare_gan)
    return _repeat(partial(step, Bare(method, data, batch, bf16=bf16)))


def _bare_gan(game: Bare) -> None:
    x = next(game.batches)
    with game.autocast():
        real, fake = game.scores(x, game.fakes())
        loss = F.softplus(-real).mean() + F.softplus(fake).mean()
    game.critic_descends(loss)
    with game.autocast():
        loss = F.softplus(-game.d(game.g(game.noise()))).mean()
    game.generator_descends(loss)


def _bare_wgan_gp(game: Bare) -> None:
    for _ in range(5):
        x = next(game.batches)
        with game.autocast():
            x_fake = game.fakes()
            real, fake = game.scores(x, x_fake)
            x_hat = torch.lerp(x_fake, x, torch.rand(game.batch, 1, 1, 1)).requires_grad_()
            (slope,) = torch.autograd.grad(game.d(x_hat).sum(), x_hat, create_graph=True)
            penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
            loss = fake.mean() - real.mean() + 10 * penalty
        game.critic_descends(loss)
    with game.autocast():
        loss = -game.d(game.g(game.noise())).mean()
    game.generator_descends(loss)


def _bare_r3gan(game: Bare) -> None:
    x = next(game.batches)
    with game.autocast():
        both = torch.cat([x, game.fakes()]).requires_grad_()
        scores = game.d(both)
        real, fake = scores.chunk(2)
        (slope,) = torch.autograd.grad(scores.sum(), both, create_graph=True)
        loss = F.softplus(fake - real).mean() + 0.5 * slope.square().sum() / game.batch
    game.critic_descends(loss)
    with game.autocast():
        with torch.no_grad():
            real = game.d(x)
        loss = F.softplus(real - game.d(game.g(game.noise()))).mean()
    game.generator_descends(loss)


def public(method: Method, data: Tensor, batch: int) -> Steps:
    """After PyTorch's DCGAN example, PyTorch-GAN's dcgan.py (script) and wgan_gp.py, and R3GAN's trainer."""
    steps = {"wgan-gp": _public_wgan_gp, "r3gan": _public_r3gan, "script": _public_script}
    game = Game(method, data, batch, batch_norm=method == "gan")
    return _repeat(partial(steps.get(method, _public_gan), game, []))


def _public_gan(game: Game, seen: list[float]) -> None:
    bce = F.binary_cross_entropy_with_logits
    x, ones, zeros = next(game.batches), torch.ones(game.batch, 1), torch.zeros(game.batch, 1)
    game.d.zero_grad()
    real_loss = bce(game.d(x), ones)
    real_loss.backward()
    x_fake = game.g(game.noise())
    fake_loss = bce(game.d(x_fake.detach()), zeros)
    fake_loss.backward()
    game.d_adam.step()
    game.g.zero_grad()
    loss = bce(game.d(x_fake), ones)  # on the same fakes; D's gradients are made in vain
    loss.backward()
    game.g_adam.step()
    seen[:] = [real_loss.item() + fake_loss.item(), loss.item()]


def _public_script(game: Game, seen: list[float]) -> None:
    bce = F.binary_cross_entropy
    x, ones, zeros = next(game.batches), torch.ones(game.batch, 1), torch.zeros(game.batch, 1)
    game.g_adam.zero_grad()
    x_fake = game.g(game.noise())
    loss = bce(torch.sigmoid(game.d(x_fake)), ones)  # D's gradients are made in vain
    loss.backward()
    game.g_adam.step()
    game.d_adam.zero_grad()
    real_loss = bce(torch.sigmoid(game.d(x)), ones)
    fake_loss = bce(torch.sigmoid(game.d(x_fake.detach())), zeros)
    d_loss = (real_loss + fake_loss) / 2
    d_loss.backward()
    game.d_adam.step()
    seen[:] = [d_loss.item(), loss.item()]


def _public_wgan_gp(game: Game, seen: list[float]) -> None:
    for _ in range(5):
        x = next(game.batches)
        game.d_adam.zero_grad()
        x_fake = game.g(game.noise())  # not detached there: G's gradients are made in vain
        real, fake = game.d(x), game.d(x_fake)
        alpha = torch.rand(game.batch, 1, 1, 1)
        x_hat = (alpha * x + (1 - alpha) * x_fake.detach()).requires_grad_(True)
        scores = game.d(x_hat)
        (slope,) = torch.autograd.grad(
            scores, x_hat, torch.ones_like(scores), create_graph=True, retain_graph=True
        )
        penalty = ((slope.view(game.batch, -1).norm(2, dim=1) - 1) ** 2).mean()
        d_loss = -real.mean() + fake.mean() + 10 * penalty
        d_loss.backward()
        game.d_adam.step()
        seen[:] = [d_loss.item()]
    game.g_adam.zero_grad()
    loss = -game.d(game.g(game.noise())).mean()
    loss.backward()
    game.g_adam.step()
    seen.append(loss.item())


def _public_r3gan(game: Game, seen: list[float]) -> None:
    x = next(game.batches)
    game.d.requires_grad_(True)
    game.d_adam.zero_grad()
    x_real = x.detach().requires_grad_(True)
    x_fake = game.g(game.noise()).detach().requires_grad_(True)
    real, fake = game.d(x_real), game.d(x_fake)
    r1, r2 = (
        torch.autograd.grad(scores.sum(), x_i, create_graph=True)[0].square().sum((1, 2, 3))
        for scores, x_i in ((real, x_real), (fake, x_fake))
    )
    d_loss = (F.softplus(fake - real).squeeze(1) + 0.5 * (r1 + r2)).mean()
    d_loss.backward()
    game.d_adam.step()
    game.d.requires_grad_(False)  # as theirs: here nothing is made in vain
    game.g_adam.zero_grad()
    loss = F.softplus(game.d(x) - game.d(game.g(game.noise()))).mean()
    loss.backward()
    game.g_adam.step()
    seen[:] = [d_loss.item(), loss.item(), r1.mean().item(), r2.mean().item()]


def parameters(method: Method) -> int:
    """How many weights the networks here have, to hold against the library's."""
    networks: list[nn.Module] = [generator(method), critic(method)]
    return sum(p.numel() for network in networks for p in network.parameters())


def _repeat(step: Callable[[], None]) -> Steps:
    def steps(n: int) -> None:
        for _ in range(n):
            step()

    return steps
