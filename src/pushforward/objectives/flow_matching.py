"""Flow matching: the straight path from noise to a datum, its velocity, and the regression on it.

Time runs from noise to data: x_0 ~ N(0, I) at t = 0, x_1 ~ data at t = 1. A network that is regressed on the
velocity of the path from one x_0 to one x_1 learns the mean of these velocities at each place and time. The
ordinary differential equation with that mean as its velocity carries N(0, I) to the data; `ode` solves it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def conditional_path(
    x0: Float[Tensor, "b *x"], x1: Float[Tensor, "b *x"], t: Float[Tensor, " b"], *, sigma_min: float = 0.0
) -> tuple[Float[Tensor, "b *x"], Float[Tensor, "b *x"]]:
    """(x_t, its velocity dx_t/dt) of the straight path from noise x_0 to the datum x_1 at times t in [0, 1].

    x_t = (1 - (1 - σ_min) t) x_0 + t x_1, with the velocity x_1 - (1 - σ_min) x_0. Lipman et al. 2023, eq. 22
    and 23; with σ_min = 0, eq. 1 of Liu et al. 2023. sigma_min: the paths to x_1 end in N(x_1, σ_min²), in
    the data's units.
    """
    t = t.view(-1, *[1] * (x0.ndim - 1))
    kept = 1 - sigma_min
    return (1 - kept * t) * x0 + t * x1, x1 - kept * x0


def flow_matching_loss(
    velocity: Callable[[Tensor, Tensor], Tensor],
    x0: Float[Tensor, "b *x"],
    x1: Float[Tensor, "b *x"],
    t: Float[Tensor, " b"],
    *,
    sigma_min: float = 0.0,
) -> Float[Tensor, " b"]:
    """‖v(x_t, t) - dx_t/dt‖² / d for each path, d numbers in x. Lipman et al. 2023, eq. 23.

    Its mean is smallest at v(x, t) = E[dx_t/dt | x_t = x], and not zero there, for many paths cross at x.
    velocity: (b, *x), (b,) -> (b, *x).
    """
    x_t, target = conditional_path(x0, x1, t, sigma_min=sigma_min)
    return (velocity(x_t, t).float() - target).square().flatten(1).mean(1)


def uniform_times(like: Float[Tensor, "b *x"]) -> Float[Tensor, " b"]:
    """t ~ U[0, 1) for each datum, as both papers draw it."""
    return torch.rand(len(like), device=like.device)


def logit_normal_times(
    like: Float[Tensor, "b *x"], *, mean: float = 0.0, std: float = 1.0
) -> Float[Tensor, " b"]:
    """t = σ(mean + std · n), n ~ N(0, 1), σ the logistic function: more often in the middle than at the ends.

    It weighs the times in the loss and leaves its minimiser as it is. Esser et al. 2024, *Scaling Rectified
    Flow Transformers for High-Resolution Image Synthesis*, section 3.1.
    """
    return torch.sigmoid(mean + std * torch.randn(len(like), device=like.device))
