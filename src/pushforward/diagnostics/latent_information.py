"""Where the KL of a VAE goes: what z says of the image, how dimensions depend, how far q(z) is from p(z).

With the aggregate posterior q(z) = (1/n) Σ_i q(z|x_i) of n images,

    E_x KL(q(z|x) ‖ p(z)) = I(x; z) + KL(q(z) ‖ p(z))                  Hoffman & Johnson 2016
    KL(q(z) ‖ p(z)) = KL(q(z) ‖ Π_j q(z_j)) + Σ_j KL(q(z_j) ‖ p(z_j))  Chen et al. 2018, eq. 2

The mixture over all n images is summed exactly; only the expectation over z is by Monte Carlo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.errors import UserError
from pushforward.objectives.elbo import gaussian_kl

NEAR = 3.0  # nats: within them of ln n, n images say less than the truth by more than chance
ELEMENTS_AT_ONCE = 2**22  # of the (z, image, dimension) table of densities


@dataclass(frozen=True)
class LatentInformation:
    """The decomposition in nats, over the n images that it was measured on.

    kl: E_x KL(q(z_j|x) ‖ p(z_j)), per dimension. information: I(x; z). standard_error: of information,
    over images. dimension_information: I(x; z_j). n: images.

    I(x; z) is that of the n images, so it is at most ln n, and on average a lower bound on that of the
    population: more images may raise it. `upper` is on average an upper bound: each z is compared with the
    mixture of the other images' posteriors, without its own (Poole et al. 2019, eq. 11, the other side of
    InfoNCE), and never above the KL. Where `saturated`, the truth is anywhere between them.
    """

    kl: Float[Tensor, " d"]
    information: float
    upper: float
    standard_error: float
    dimension_information: Float[Tensor, " d"]
    n: int

    @property
    def ceiling(self) -> float:
        """ln n, the most that n images can tell apart."""
        return math.log(self.n)

    @property
    def saturated(self) -> bool:
        """Whether I(x; z) is within three nats of its ceiling: there its bias is more than its error."""
        return self.information > self.ceiling - NEAR

    @property
    def marginal_kl(self) -> float:
        """KL(q(z) ‖ p(z)), the aggregate posterior's gap to the prior; of the population at most this."""
        return self.kl.sum().item() - self.information

    @property
    def least_marginal_kl(self) -> float:
        """The other side of it: the KL less `upper`."""
        return max(0.0, self.kl.sum().item() - self.upper)

    @property
    def dimension_kl(self) -> Float[Tensor, " d"]:
        """KL(q(z_j) ‖ p(z_j)), each dimension's own gap; their sum is at most `marginal_kl`."""
        return self.kl - self.dimension_information

    @property
    def total_correlation(self) -> float:
        """KL(q(z) ‖ Π_j q(z_j)): how much the dimensions tell of each other."""
        return self.marginal_kl - self.dimension_kl.sum().item()


@torch.no_grad()
def latent_information(
    mu: Float[Tensor, "n d"], log_var: Float[Tensor, "n d"], *, draws: int = 1
) -> LatentInformation:
    """Decompose the KL of the posteriors N(μ_i, σ_i²) of n images against N(0, 1).

    draws: samples of z an image; the error falls with the square root of n x draws, the cost grows with
    n² x draws x d.
    """
    if len(mu) < 2:
        raise UserError(f"mu: {len(mu)} image; expected at least 2, the aggregate posterior mixes them")
    if draws < 1:
        raise UserError(f"draws: {draws}; expected at least 1 sample an image")
    mu, log_var = mu.double(), log_var.double()
    own = torch.arange(len(mu), device=mu.device).repeat(draws)
    z = mu[own] + torch.exp(0.5 * log_var[own]) * torch.randn_like(mu[own])
    joint, others, per_dimension = _log_ratios(z, own, mu, log_var)
    per_image, kl = joint.view(draws, -1).mean(0), gaussian_kl(mu, log_var).mean(0)
    return LatentInformation(
        kl=kl,
        information=per_image.mean().item(),
        upper=min(others.mean().item(), kl.sum().item()),
        standard_error=per_image.std().item() / math.sqrt(len(mu)),
        dimension_information=per_dimension.mean(0),
        n=len(mu),
    )


def _log_ratios(
    z: Float[Tensor, "m d"], own: Tensor, mu: Float[Tensor, "n d"], log_var: Float[Tensor, "n d"]
) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"], Float[Tensor, "m d"]]:
    """ln q(z|x)/q(z) of each z with its own image: jointly, against the other images, and per dimension."""
    n, d = mu.shape
    rows = max(1, ELEMENTS_AT_ONCE // (n * d))
    precision = torch.exp(-log_var)
    joint, others, per_dimension = [], [], []
    for z_rows, own_rows in zip(z.split(rows), own.split(rows), strict=True):
        # ln q(z_j|x_i) but for ½ ln 2π, which cancels.
        table = -0.5 * ((z_rows[:, None] - mu).square() * precision + log_var)
        at = torch.arange(len(z_rows), device=z.device), own_rows
        mine, whole = table[at], table.sum(2)
        per_dimension.append(mine - table.logsumexp(1) + math.log(n))
        joint.append(mine.sum(1) - whole.logsumexp(1) + math.log(n))
        whole[at] = -torch.inf
        others.append(mine.sum(1) - whole.logsumexp(1) + math.log(n - 1))
    return torch.cat(joint), torch.cat(others), torch.cat(per_dimension)
