"""What the experiments that compare two objectives share: images, gradients and minimisers, in double."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.core import to_float
from pushforward.data import load_splits


@functools.cache
def _training_images(image_size: int | None) -> Tensor:
    return load_splits("mnist5k", image_size=image_size).train.x


def digits(n: int, *, seed: int, image_size: int | None = None) -> Float[Tensor, "n 1 h w"]:
    """n training digits in [-1, 1], in double; which ones depends on the seed."""
    images = _training_images(image_size)
    rows = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:n]
    return to_float(images[rows]).double()


def relative_difference(ours: Iterable[Tensor], theirs: Iterable[Tensor]) -> float:
    """‖a - b‖₂ / ‖b‖₂ over all tensors together."""
    a, b = (torch.cat([t.detach().double().flatten() for t in side]) for side in (ours, theirs))
    return float((a - b).norm() / b.norm())


def angle(ours: Iterable[Tensor], theirs: Iterable[Tensor]) -> float:
    """The angle between two vectors in radians, exact for small ones too: 2 arctan(‖â - b̂‖/‖â + b̂‖)."""
    a, b = (torch.cat([t.detach().double().flatten() for t in side]) for side in (ours, theirs))
    a, b = a / a.norm(), b / b.norm()
    return 2 * math.atan2(float((a - b).norm()), float((a + b).norm()))


def gradient(loss: Tensor, module: nn.Module) -> Sequence[Tensor]:
    """The gradient of the loss by every parameter of the module."""
    return torch.autograd.grad(loss, list(module.parameters()))


def minimise(loss: Callable[[], Tensor], parameters: Sequence[Tensor], *, iterations: int = 2000) -> float:
    """L-BFGS with strong Wolfe line search until nothing moves; returns the largest derivative left."""
    optimizer = torch.optim.LBFGS(
        list(parameters),
        max_iter=iterations,
        tolerance_grad=1e-10,
        tolerance_change=1e-14,
        history_size=50,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        torch.autograd.backward(value, inputs=list(parameters))
        return value

    optimizer.step(closure)
    closure()
    return max(float(p.grad.abs().max()) for p in parameters if p.grad is not None)


def principal_scores(x: Float[Tensor, "n d"], k: int) -> Float[Tensor, "n k"]:
    """Codes: the first k principal scores of each row, scaled to unit variance."""
    return whitened(x)[:, :k]


def whitened(x: Float[Tensor, "n d"]) -> Float[Tensor, "n r"]:
    """All principal scores scaled to unit variance, largest first; directions without variance left out."""
    u, s, _ = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    return u[:, s > 1e-6 * s[0]] * len(x) ** 0.5
