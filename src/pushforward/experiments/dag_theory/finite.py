"""Distributions over every black-and-white image of a few pixels, and what transforms do to them: exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import logsigmoid

from pushforward.views.transforms import Transform

IDENTITY = Transform("identity", lambda x: x, lambda x: x)
DIGITS = 9  # equal pixels may differ in their last digits after a crop's interpolation


def every_image(side: int) -> Float[Tensor, "n 1 s s"]:
    """All 2^(side²) images of black (-1) and white (1) pixels, in double."""
    bits = torch.arange(2 ** (side * side))[:, None] >> torch.arange(side * side) & 1
    return (2.0 * bits - 1).double().view(-1, 1, side, side)


def positive(n: int, seed: int) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """p and q: two random distributions over n states, uniform over all distributions."""
    random = torch.Generator().manual_seed(seed)
    p, q = -torch.rand(2, n, generator=random, dtype=torch.float64).log()
    return p / p.sum(), q / q.sum()


def landings(
    transforms: Sequence[Transform], x: Float[Tensor, "n 1 s s"]
) -> tuple[Int64[Tensor, "k n"], int]:
    """Which image each T_k(x_i) is, numbered over all images that come out of any, and how many these are."""
    out = torch.cat([t(x) for t in transforms]).flatten(1).mul(10**DIGITS).round()
    kinds, index = out.unique(dim=0, return_inverse=True)
    return index.view(len(transforms), len(x)), len(kinds)


def pushed(p: Float[Tensor, " n"], index: Int64[Tensor, " n"], kinds: int) -> Float[Tensor, " m"]:
    """The distribution of T(x), of where each state lands."""
    return p.new_zeros(kinds).index_add(0, index, p)


def js(p: Float[Tensor, " n"], q: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """JS(p ‖ q) in nats."""
    m = (p + q) / 2
    entropies = (torch.xlogy(r, r).sum() for r in (p, q))
    return sum(entropies, start=torch.zeros_like(m[0])) / 2 - torch.xlogy(m, m).sum()


def tv(p: Float[Tensor, " n"], q: Float[Tensor, " n"]) -> float:
    """Total variation: the largest difference of the probabilities of any event."""
    return float((p - q).abs().sum() / 2)


class Game:
    """A finite game: where each transform takes each state, the first being the identity."""

    def __init__(self, transforms: Sequence[Transform], x: Tensor) -> None:
        self.index, self.kinds = landings([IDENTITY, *transforms], x)

    def seen(self, p: Tensor) -> Float[Tensor, "k m"]:
        """The distribution of T_k(x), for each k."""
        return torch.stack([pushed(p, index, self.kinds) for index in self.index])

    def apart(self, p: Tensor, q: Tensor) -> Float[Tensor, " k"]:
        """JS of what each head compares."""
        return torch.stack([js(a, b) for a, b in zip(self.seen(p), self.seen(q), strict=True)])

    def mixed(self, p: Tensor, q: Tensor, weights: Tensor) -> Float[Tensor, ""]:
        """JS of what one head for all compares: a transform drawn by these weights."""
        return js(weights @ self.seen(p), weights @ self.seen(q))

    def critics(self, p: Tensor, q: Tensor) -> Float[Tensor, "k n"]:
        """D_k*(T_k(x)) for each state x, where q or p has mass."""
        real, fake = self.seen(p), self.seen(q)
        return (real / (real + fake)).gather(1, self.index)

    def generator_gradients(self, p: Tensor, q: Tensor) -> Float[Tensor, "k n"]:
        """Of each head's -E ln D_k*(T_k(G(z))), by the logits of q, critics held where they are best."""
        logits = q.log().requires_grad_()
        scores = torch.logit(self.critics(p, q))
        terms = -(logits.softmax(0) * logsigmoid(scores)).sum(1)
        return torch.stack([torch.autograd.grad(t, logits, retain_graph=True)[0] for t in terms])


def optimum(loss: Callable[[Tensor], Tensor], n: int, seed: int) -> Float[Tensor, " n"]:
    """The q of n states that minimises a convex loss, from a random start, by L-BFGS on its logits."""
    random = torch.Generator().manual_seed(seed + 1000)
    logits = torch.randn(n, generator=random, dtype=torch.float64).requires_grad_()
    method = torch.optim.LBFGS(
        [logits],
        max_iter=400,
        tolerance_grad=1e-10,
        tolerance_change=0.0,
        history_size=30,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        method.zero_grad()
        value = loss(logits.softmax(0))
        value.backward()
        return value

    method.step(closure)
    return logits.detach().softmax(0)
