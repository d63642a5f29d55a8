"""How AdaGAN weighs the data for its next component: the closed form of Theorem 1 of its paper."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from safetensors.torch import load, save
from torch import Tensor


def component_weights(r: Float[Tensor, " n"], beta: float) -> tuple[Float[Tensor, " n"], float]:
    """The weights w of N data points that the next component should learn from, and λ.

    w_i = (λ - (1-β) r_i)₊ / (βN), with λ such that they sum to 1: the empirical form of the distribution Q
    for which (1-β) P_model + β Q comes nearest to the data. Points that the mixture misses weigh most, and
    those that it has more than enough of nothing.

    r: P_model(x_i) / P_data(x_i) of the mixture so far, at least 0, may be inf. beta: weight of the next
    component, in (0, 1]. In double. Tolstikhin et al. 2017, eq. 16 to 18.
    """
    if not 0 < beta <= 1:
        raise ValueError(f"beta: {beta}; expected a weight in (0, 1]")
    n = len(r)
    excess = (1 - beta) * r.double() if beta < 1 else torch.zeros(n, dtype=torch.float64)
    if not n or not bool((excess >= 0).all()) or not bool((excess < torch.inf).any()):
        raise ValueError("r: expected at least one finite ratio, and none below 0")
    ordered = excess.sort().values
    # λ_k is right if just the k smallest ratios have weight. While it exceeds the next ratio that one has
    # weight, too, and λ_{k+1}, a mean of both, lies between them: so the first that does not is λ.
    k = torch.arange(1, n + 1, dtype=torch.float64)
    candidates = (beta * n + ordered.cumsum(0)) / k
    following = torch.cat([ordered[1:], ordered.new_tensor([torch.inf])])
    lambda_ = float(candidates[(candidates <= following).nonzero()[0, 0]])
    w = (lambda_ - excess).clamp(min=0) / (beta * n)
    return w / w.sum(), lambda_  # the sum is 1 but for rounding


@dataclass(frozen=True)
class Weighting:
    """How the data were weighted for one component.

    weights: one a training row, float64, sums to 1; None for equal ones. lambda_: see `component_weights`.
    accuracy: of the classifier that the ratios came from, on rows it had not seen and as many samples; at
    0.5 it cannot tell the mixture from the data.
    """

    weights: Float[Tensor, " n"] | None = None
    lambda_: float = 1.0
    accuracy: float = float("nan")

    @property
    def effective(self) -> float:
        """Share of the data that counts, 1 / (N Σ w²): 1 for equal weights, 1/N for a single row."""
        return 1.0 if self.weights is None else float(1 / (len(self.weights) * self.weights.square().sum()))

    def to_bytes(self) -> bytes:
        """As safetensors."""
        scalars = torch.tensor([self.lambda_, self.accuracy], dtype=torch.float64)
        return save({"scalars": scalars, **({} if self.weights is None else {"weights": self.weights})})

    @classmethod
    def from_bytes(cls, content: bytes) -> Weighting:
        """The inverse of `to_bytes`."""
        tensors = load(content)
        lambda_, accuracy = tensors["scalars"].tolist()
        return cls(tensors.get("weights"), lambda_, accuracy)
