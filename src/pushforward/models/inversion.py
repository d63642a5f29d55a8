"""The code whose image is nearest to a given one, by descent: an encoder for models that have none.

A. Creswell and A. A. Bharath, *Inverting the Generator of a Generative Adversarial Network*, 2016. L. Metz
et al., *Unrolled GANs*, ICLR 2017, section 3.4, and A. Srivastava et al., *VEEGAN*, NIPS 2017, take the
error that is left as a measure of what a model cannot make (IvOM).

Deviations: Adam with a falling rate from several draws of the prior, of which the one with the least
objective is kept; theirs use L-BFGS from one or more. Codes are held near the prior by its own logarithm
where `prior_weight` is positive. The class of a conditional model stays that of the draw that descent begins
from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.abilities import Decodes, HasPrior
from pushforward.core import to_float
from pushforward.distributions.labels import Labels
from pushforward.errors import UserError
from pushforward.models.model import Model
from pushforward.randomness import aside

STARTS, STEPS, RATE = 4, 150, 0.1
DRAWN = 32  # codes of the prior for each start, of which the nearest begins
AT_ONCE = 64  # images


@dataclass(frozen=True)
class Inverted:
    """z: the best code of each image. error: its mean squared error on intensities in [0, 1]."""

    z: Float[Tensor, "n d"]
    error: Float[Tensor, " n"]


def invert(
    model: Model,
    x: Tensor,
    *,
    starts: int = STARTS,
    steps: int = STEPS,
    rate: float = RATE,
    prior_weight: float = 0.0,
    seed: int = 0,
) -> Inverted:
    """Search a code for each image, float in [-1, 1] or uint8.

    Minimises the mean squared error of a pixel plus prior_weight · ‖z‖²/2d. rate: Adam's, in units of the
    prior. Raises UserError for a model without a decoder of vectors or a prior, and for images of another
    shape.
    """
    decode, prior = model.ability(Decodes).decode, model.ability(HasPrior).sample_prior
    if tuple(x.shape[1:]) != model.shape or not len(x):
        raise UserError(
            f"`x`: shape {tuple(x.shape)}; expected images (n, {', '.join(map(str, model.shape))})"
        )
    if starts < 1 or steps < 1:
        raise UserError(f"`starts`, `steps`: {starts}, {steps}; expected at least 1 of each")
    labels: Labels | None = getattr(model.algorithm, "labels", None)
    classes = 0 if labels is None else len(labels)
    found = []
    grad = [p for p in model.algorithm.parameters() if p.requires_grad]
    try:
        for p in grad:
            p.requires_grad_(False)
        with aside(seed), torch.enable_grad():
            for part in x.split(AT_ONCE):
                images = to_float(part.to(model.device))
                tries = [
                    _descend(decode, prior, images, steps, rate, prior_weight, classes) for _ in range(starts)
                ]
                z, errors, objectives = (torch.stack(column) for column in zip(*tries, strict=True))
                best, rows = objectives.argmin(0), torch.arange(len(images), device=objectives.device)
                found.append((z[best, rows].cpu(), errors[best, rows].cpu()))
    finally:
        for p in grad:
            p.requires_grad_(True)
    return Inverted(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def _descend(
    decode: Callable[[Tensor], Tensor],
    prior: Callable[[int], Tensor],
    x: Float[Tensor, "n *x"],
    steps: int,
    rate: float,
    prior_weight: float,
    classes: int,
) -> tuple[Float[Tensor, "n d"], Float[Tensor, " n"], Float[Tensor, " n"]]:
    """From the nearest of some draws of the prior, a little aside: the codes, their errors and objectives.

    classes: at the end of a code, which do not move.
    """
    with torch.no_grad():
        drawn = prior(DRAWN)
        far = torch.cdist(x.flatten(1), decode(drawn).flatten(1))
        z = drawn[far.argmin(1)].clone()
    z, y = z[:, : z.shape[1] - classes], z[:, z.shape[1] - classes :]
    z = (z + 0.1 * torch.randn_like(z)).requires_grad_()

    def objective() -> tuple[Tensor, Tensor]:
        error = _error(decode(torch.cat([z, y], 1)), x)
        return error, error + prior_weight * z.square().mean(1) / 2

    adam = torch.optim.Adam([z], lr=rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        (z.grad,) = torch.autograd.grad(objective()[1].sum(), [z])
        adam.step()
        falling.step()
    with torch.no_grad():
        return torch.cat([z, y], 1).detach(), *objective()


def _error(made: Tensor, x: Tensor) -> Float[Tensor, " n"]:
    return (made - x).div(2).square().flatten(1).mean(1)
