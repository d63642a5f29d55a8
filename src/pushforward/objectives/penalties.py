"""What keeps a critic smooth: clipped weights, and penalties on the norm of its gradient.

Penalties are computed in float32, whatever precision the scores have.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn


@torch.no_grad()
def clip_weights_(module: nn.Module, c: float) -> None:
    """Clamp every parameter to [-c, c], in place. Arjovsky et al. 2017, Algorithm 1."""
    parameters: list[Tensor] = list(module.parameters())
    torch._foreach_clamp_min_(parameters, -c)
    torch._foreach_clamp_max_(parameters, c)


def input_gradient(scores: Float[Tensor, "b *s"], x: Float[Tensor, "b *x"]) -> Float[Tensor, "b n"]:
    """∇_x of each score, flattened and differentiable itself. x must require a gradient.

    The scores of a batch must not depend on each other: no BatchNorm.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return gradient.flatten(1).float()


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Float[Tensor, "b *x"],
    fake: Float[Tensor, "b *x"],
    *,
    one_sided: bool = False,
) -> Float[Tensor, ""]:
    """E[(‖∇D(x̂)‖₂ - 1)²] on lines between real and fake. Gulrajani et al. 2017, eq. 3.

    one_sided: only norms above 1 count, section 4's max(0, ‖∇D(x̂)‖₂ - 1)². Needs as many fakes as reals.
    """
    eps = torch.rand(len(real), *[1] * (real.ndim - 1), dtype=real.dtype, device=real.device)
    x_hat = torch.lerp(fake.detach(), real.detach(), eps).requires_grad_()
    excess = input_gradient(critic(x_hat), x_hat).norm(dim=1) - 1
    return (excess.relu() if one_sided else excess).square().mean()


def zero_centred_penalty(scores: Float[Tensor, "b *s"], x: Float[Tensor, "b *x"]) -> Float[Tensor, ""]:
    """E‖∇D(x)‖₂² of scores that were computed from x, which requires a gradient.

    On real data it is R1, on generated ones R2. Mescheder et al. 2018, eq. 9, without their γ/2.
    """
    return input_gradient(scores, x).square().sum(1).mean()


def zero_centred_penalties(
    real_scores: Float[Tensor, "b *s"],
    real: Float[Tensor, "b *x"],
    fake_scores: Float[Tensor, "b *s"],
    fake: Float[Tensor, "b *x"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """R1 and R2, in one backward pass where both were scored in one forward pass."""
    gradients = torch.autograd.grad(real_scores.sum() + fake_scores.sum(), [real, fake], create_graph=True)
    r1, r2 = (g.flatten(1).float().square().sum(1).mean() for g in gradients)
    return r1, r2
