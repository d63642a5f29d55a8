"""What keeps a critic smooth: clipped weights, and penalties on the norm of its gradient.

Penalties are computed in float32 where the scores have less, and in double where they have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


@torch.no_grad()
def clip_weights_(module: nn.Module, c: float) -> None:
    """Clamp every parameter that learns to [-c, c], in place. Arjovsky et al. 2017, Algorithm 1."""
    parameters: list[Tensor] = [p for p in module.parameters() if p.requires_grad]
    torch._foreach_clamp_min_(parameters, -c)
    torch._foreach_clamp_max_(parameters, c)


def input_gradients(
    scores: Sequence[Float[Tensor, "_ *s"]], x: Sequence[Float[Tensor, "_ *x"]]
) -> list[Float[Tensor, "_ n"]]:
    """∇_x of each row's mean score, flattened and differentiable itself, in one backward pass over all rows.

    Each x requires a gradient; batches may differ in size. The scores of a row depend on its own x alone, and
    those of a batch not on each other: no BatchNorm.
    """
    first, *rest = (s.sum() if s.numel() == len(s) else s.flatten(1).mean(1).sum() for s in scores)
    gradients = torch.autograd.grad(sum(rest, start=first), list(x), create_graph=True)
    return [g.flatten(1).to(torch.promote_types(g.dtype, torch.float32)) for g in gradients]


def input_gradient(scores: Float[Tensor, "b *s"], x: Float[Tensor, "b *x"]) -> Float[Tensor, "b n"]:
    """`input_gradients` of one row."""
    return input_gradients([scores], [x])[0]


def between(real: Float[Tensor, "b *x"], fake: Float[Tensor, "b *x"]) -> Float[Tensor, "b *x"]:
    """x̂, a random point of the line from each fake to a real, which requires a gradient.

    Gulrajani et al. 2017, Algorithm 1, line 5. Needs as many fakes as reals.
    """
    eps = torch.rand(len(real), *[1] * (real.ndim - 1), dtype=real.dtype, device=real.device)
    return torch.lerp(fake.detach(), real.detach(), eps).requires_grad_()


def distance_from_one(gradients: Float[Tensor, "b n"], *, one_sided: bool = False) -> Float[Tensor, ""]:
    """E(‖g‖₂ - 1)²; one_sided: E max(0, ‖g‖₂ - 1)². Gulrajani et al. 2017, eq. 3 and section 4."""
    excess = gradients.norm(dim=1) - 1
    return (excess.relu() if one_sided else excess).square().mean()


def squared_norm(gradients: Float[Tensor, "b n"]) -> Float[Tensor, ""]:
    """E‖g‖₂²: R1 of gradients at real data, R2 of those at generated data.

    Mescheder et al. 2018, eq. 9, without their γ/2.
    """
    return gradients.square().sum(1).mean()


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Float[Tensor, "b *x"],
    fake: Float[Tensor, "b *x"],
    *,
    one_sided: bool = False,
) -> Float[Tensor, ""]:
    """E[(‖∇D(x̂)‖₂ - 1)²] on lines between real and fake. Gulrajani et al. 2017, eq. 3."""
    x_hat = between(real, fake)
    return distance_from_one(input_gradient(critic(x_hat), x_hat), one_sided=one_sided)


def zero_centred_penalty(scores: Float[Tensor, "b *s"], x: Float[Tensor, "b *x"]) -> Float[Tensor, ""]:
    """E‖∇D(x)‖₂² of scores that were computed from x, which requires a gradient."""
    return squared_norm(input_gradient(scores, x))
