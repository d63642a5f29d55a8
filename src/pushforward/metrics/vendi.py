"""The Vendi score: how many different samples a set is worth.

D. Friedman and A. B. Dieng, *The Vendi Score: A Diversity Evaluation Metric for Machine Learning*, TMLR
2023: the exponential of the entropy of the eigenvalues of K/n, K the similarities of all pairs. A. P.
Pasarkar and A. B. Dieng, *Cousins of the Vendi Score*, 2024, for other orders q.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.errors import UserError
from pushforward.metrics.features import checked

LEAST = 2  # rows


def vendi(x: Float[Tensor, "n d"], *, q: float = 1.0) -> float:
    """The effective number of different rows, from 1 to the smaller of n and d, by cosine similarity.

    q: the order of the entropy; 1 for Shannon's, 2 counts rare ones less, infinity only the commonest.
    Features are compared about the origin, so subtract a mean first where they are all alike. XᵀX has the
    eigenvalues of XXᵀ: the smaller one is taken. Raises UserError for fewer than 2 rows, or q below 0.
    """
    (x,) = checked(LEAST, x=x)
    if not q >= 0:
        raise UserError(f"`q`: {q}; expected an order of at least 0")
    x = torch.nn.functional.normalize(x, dim=1)
    gram = x.T @ x if x.shape[1] < len(x) else x @ x.T
    p = torch.linalg.eigvalsh(gram).clamp(min=0)
    p = p / p.sum().clamp(min=1e-300)
    if q == 1:
        return math.exp(float(torch.special.entr(p).sum()))
    if math.isinf(q):
        return 1 / float(p.max())
    present = p[p > 1e-12]  # what rounding left of a zero is none
    return float(present.pow(q).sum() ** (1 / (1 - q)))
