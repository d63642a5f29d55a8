"""Contrastive losses: to find, among several keys, the one that belongs to a query."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def patch_nce(
    queries: Float[Tensor, "b n d"], keys: Float[Tensor, "b n d"], temperature: float
) -> Float[Tensor, ""]:
    """-ln of the softmax share of query i's own key i among its row's n keys, mean over i and rows, in nats.

    Similarities are inner products over the temperature. ln n where all keys look alike; 0 in the limit of a
    small temperature where each query is nearest to its own. Park et al. 2020, eq. 3 and 4. Under autocast
    too in the precision of its arguments, since a rounded similarity is divided by a small number.
    """
    with torch.autocast(queries.device.type, enabled=False):
        similarity = torch.bmm(queries, keys.transpose(1, 2)) / temperature
        own = torch.arange(keys.shape[1], device=keys.device).expand(len(keys), -1)
        return F.cross_entropy(similarity.flatten(0, 1), own.flatten())
