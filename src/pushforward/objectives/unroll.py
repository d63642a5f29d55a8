"""Optimiser steps that can be differentiated through.

L. Metz et al., *Unrolled Generative Adversarial Networks*, ICLR 2017, eq. 7 to 10, with Adam as the inner
optimiser, whose moments the gradient passes through as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

# Adam's √v has no slope at 0, where units are dead; below this v counts as constant.
LEAST_SQUARE = 1e-30


@dataclass(frozen=True)
class Adam:
    """Adam's settings and moments, for a flat vector of parameters. Kingma and Ba 2015, Algorithm 1.

    lr: step size. steps: taken so far, whose count corrects the moments' bias.
    """

    lr: float
    beta1: float
    beta2: float
    eps: float
    steps: float | Tensor
    m: Float[Tensor, " p"]
    v: Float[Tensor, " p"]

    def step(
        self, theta: Float[Tensor, " p"], gradient: Float[Tensor, " p"]
    ) -> tuple[Float[Tensor, " p"], Adam]:
        """The parameters and the optimiser after one step; differentiable in all three tensors."""
        steps = self.steps + 1
        m = torch.lerp(gradient, self.m, self.beta1)
        v = torch.lerp(gradient.square(), self.v, self.beta2)
        root = (v / (1 - self.beta2**steps)).clamp_min(LEAST_SQUARE).sqrt()
        moved = theta - self.lr / (1 - self.beta1**steps) * m / (root + self.eps)
        return moved, Adam(self.lr, self.beta1, self.beta2, self.eps, steps, m, v)


def adam_of(optimizer: torch.optim.Optimizer | None, parameters: Iterable[Tensor], **settings: float) -> Adam:
    """Where a torch.optim.Adam stands: its moments as they are now, for these parameters in this order.

    settings: lr, beta1, beta2 and eps, for a missing optimiser and one that has not stepped yet.
    """
    parameters = list(parameters)
    group = optimizer.param_groups[0] if optimizer is not None else {}
    states = [optimizer.state.get(p, {}) if optimizer is not None else {} for p in parameters]
    beta1, beta2 = group.get("betas", (settings["beta1"], settings["beta2"]))
    return Adam(
        lr=group.get("lr", settings["lr"]),
        beta1=beta1,
        beta2=beta2,
        eps=group.get("eps", settings["eps"]),
        steps=_count(states[0].get("step", 0.0)) if states else 0.0,
        m=_flat(s.get("exp_avg", torch.zeros_like(p)) for s, p in zip(states, parameters, strict=True)),
        v=_flat(s.get("exp_avg_sq", torch.zeros_like(p)) for s, p in zip(states, parameters, strict=True)),
    )


def flatten(parameters: Iterable[Tensor]) -> Float[Tensor, " p"]:
    """One vector of all of them, through which gradients reach each."""
    return torch.cat([p.reshape(-1) for p in parameters])


def unflatten(theta: Float[Tensor, " p"], like: Iterable[Tensor]) -> list[Tensor]:
    """The inverse: views of the vector in the shapes of `like`."""
    like = list(like)
    parts = theta.split([p.numel() for p in like])
    return [part.view(p.shape) for part, p in zip(parts, like, strict=True)]


def unroll(
    loss: Callable[[Tensor], Tensor],
    theta: Float[Tensor, " p"],
    first_loss: Float[Tensor, ""],
    optimizer: Adam,
    *,
    steps: int,
    first_order: bool = False,
) -> Float[Tensor, " p"]:
    """θᴷ after `steps` descents of `loss` from θ⁰, as a function of θ⁰ and of all that `loss` is made of.

    first_loss: `loss(theta)`, which the caller has at hand. first_order: leave out how the gradients of
    `loss` depend on anything; then θᴷ is a constant.
    """
    value = first_loss
    for k in range(steps):
        (gradient,) = torch.autograd.grad(value, theta, create_graph=not first_order, retain_graph=True)
        theta, optimizer = optimizer.step(theta.detach() if first_order else theta, gradient)
        if k + 1 < steps:
            value = loss(theta.requires_grad_() if first_order else theta)
    return theta


def _count(step: float | Tensor) -> float | Tensor:
    """A number where that costs nothing: to read one of an accelerator would wait for it."""
    return step if isinstance(step, Tensor) and step.device.type != "cpu" else float(step)


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([t.detach().reshape(-1) for t in tensors])
