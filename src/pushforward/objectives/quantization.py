"""Vector quantization: the nearest vectors of a codebook, and a codebook that follows what chose it.

A. van den Oord, O. Vinyals and K. Kavukcuoglu, *Neural Discrete Representation Learning*, NIPS 2017, section
3 and appendix A.1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

PSEUDO_COUNT = 1e-10  # of a code, as a share of the vectors in a batch


def nearest_codes(z: Float[Tensor, "n d"], codebook: Float[Tensor, "k d"]) -> Int64[Tensor, " n"]:
    """argmin_k ‖z - e_k‖₂ for each vector; of equally near codes the first. Van den Oord et al. 2017, eq. 2.

    In the precision of its arguments, also under autocast: rounded distances would choose other codes.
    """
    with torch.autocast(z.device.type, enabled=False):
        centre = codebook.mean(0)  # far from the origin, the difference of squares would lose its digits
        e, z = codebook - centre, z - centre
        # ‖z - e‖²/2 without ‖z‖²/2, which is the same for all k.
        return torch.addmm(0.5 * e.square().sum(1), z, e.T, alpha=-1).argmin(1)


def straight_through_copy(z: Float[Tensor, "*n"], z_q: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """z_q, whose gradient goes to z as if it were z. Van den Oord et al. 2017, section 3.2."""
    return z + (z_q - z).detach()


def code_statistics(
    z: Float[Tensor, "n d"], codes: Int64[Tensor, " n"], k: int
) -> tuple[Float[Tensor, " k"], Float[Tensor, "k d"]]:
    """For each code, the share of the vectors that chose it, and the sum of these vectors divided by n.

    The mean over equal parts of a batch is that of the whole.
    """
    n, z = len(z), z.detach()
    if z.device.type == "cpu":
        sums = z.new_zeros(k, z.shape[1]).index_add_(0, codes, z)
        return torch.bincount(codes, minlength=k).to(z.dtype) / n, sums / n
    with torch.autocast(z.device.type, enabled=False):
        # A GPU would add up in another order each time, and wait for the counts.
        chosen = F.one_hot(codes, k).to(z.dtype)
        return chosen.mean(0), chosen.T @ z / n


def codebook_step(
    codebook: Float[Tensor, "k d"], shares: Float[Tensor, " k"], sums: Float[Tensor, "k d"]
) -> Float[Tensor, "k d"]:
    """e_k = m_k/N_k, the mean of the vectors that chose each code. Van den Oord et al. 2017, appendix A.1.

    shares (N) and sums (m): those of `code_statistics`, or moving averages of them. A pseudo-count of each
    code, where it stands, keeps a code that nothing chooses in its place instead of at 0/0. For a code in use
    it is too small to matter.
    """
    # Not (m + εe)/(N + ε), which rounding would move where N and m are 0.
    return codebook + (sums - shares[:, None] * codebook) / (shares + PSEUDO_COUNT)[:, None]


def moments(z: Float[Tensor, "n d"]) -> tuple[Float[Tensor, " d"], Float[Tensor, "d d"]]:
    """The means of z and of z zᵀ. The mean over equal parts of a batch is that of the whole."""
    with torch.autocast(z.device.type, enabled=False):
        z = z.detach()
        return z.mean(0), z.T @ z / len(z)


def normal_codebook(
    noise: Float[Tensor, "k d"], mean: Float[Tensor, " d"], second: Float[Tensor, "d d"]
) -> Float[Tensor, "k d"]:
    """Draws from N(mean, C) with C = second - mean meanᵀ, made of standard normal noise.

    mean, second: those of `moments`. Where vectors fill a plane only, the draws lie in it. Computed in double
    on the CPU, and continuous in the moments: the root of C is the symmetric one.
    """
    at, c = mean.cpu().double(), second.cpu().double()
    variances, axes = torch.linalg.eigh(c - at[:, None] * at)
    root = axes * variances.clamp(min=0).sqrt() @ axes.T
    return (at + noise.cpu().double() @ root).to(noise)


def perplexity(shares: Float[Tensor, "*b k"]) -> Float[Tensor, "*b"]:
    """exp(H(p)): how many codes, chosen equally often, would be as hard to guess. From 1 to k.

    shares: how often each is chosen, of any positive sum.
    """
    p = shares / shares.sum(-1, keepdim=True)
    return torch.special.entr(p).sum(-1).exp()
