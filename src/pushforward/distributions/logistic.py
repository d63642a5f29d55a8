"""Pixels of eight bits: the mass that a logistic, or a mixture of logistics, puts on each of 256 levels.

T. Salimans, A. Karpathy, X. Chen and D. P. Kingma, *PixelCNN++*, ICLR 2017, section 2.1: the outermost
levels take the tails, so that the masses add up to one.

Deviations from the paper:
1. The difference of two sigmoids is taken in logarithms by an identity that is exact at any distance from
   the mean, instead of switching to the density where the mass falls under 1e-5.
2. ln s approaches its floor of -7 softly: a clamp would have no gradient there.
3. The channels of a pixel are independent given z; the paper's are a linear autoregression.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from pushforward.distributions.likelihood import LEVEL_WIDTH, Likelihood, at_least_single, snap_to_levels
from pushforward.errors import UserError

LOG_SCALE_FLOOR, LOG_SCALE_CEILING = -7.0, 20.0
ALMOST_ONE = 1 - LEVEL_WIDTH / 2


class DiscretizedLogistic(Likelihood):
    """A mass function over 256 levels: decoded channels are c means, then c values of ln s."""

    outputs = 2

    def prepare(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Round to the levels of eight bits."""
        return snap_to_levels(x)

    def log_prob(self, decoded: Float[Tensor, "b k h w"], x: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """ln P(x), summed over pixels and channels; x lies on the 256 levels."""
        mu, raw = at_least_single(decoded).chunk(2, dim=1)
        return _log_mass(mu, _log_scale(raw), x).flatten(1).sum(1)

    def mean(self, decoded: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c h w"]:
        """E[x|z], to within half a level."""
        mu, raw = at_least_single(decoded).chunk(2, dim=1)
        return _mean(mu, _log_scale(raw))

    def sample(self, decoded: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c h w"]:
        """A logistic draw, rounded to its level."""
        mu, raw = at_least_single(decoded).chunk(2, dim=1)
        return _sample(mu, _log_scale(raw))


class DiscretizedLogisticMixture(Likelihood):
    """A mixture of K discretized logistics for each channel of each pixel.

    Decoded channels are K x c logits of the weights, then K x c means, then K x c values of ln s.
    """

    def __init__(self, *, mixtures: int = 10) -> None:
        super().__init__()
        if mixtures < 1:
            raise UserError(f"mixtures: {mixtures}; expected at least 1 component")
        self.mixtures = mixtures
        self.outputs = 3 * mixtures

    def prepare(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Round to the levels of eight bits."""
        return snap_to_levels(x)

    def log_prob(self, decoded: Float[Tensor, "b k h w"], x: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """ln Σ_k π_k P_k(x), summed over pixels and channels; x lies on the 256 levels."""
        logits, mu, log_s = self._components(decoded)
        components = logits.log_softmax(1) + _log_mass(mu, log_s, x.unsqueeze(1).expand_as(mu))
        return components.logsumexp(1).flatten(1).sum(1)

    def mean(self, decoded: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c h w"]:
        """E[x|z], to within half a level."""
        logits, mu, log_s = self._components(decoded)
        return (logits.softmax(1) * _mean(mu, log_s)).sum(1)

    def sample(self, decoded: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c h w"]:
        """A component by the Gumbel-Max trick, then its draw."""
        logits, mu, log_s = self._components(decoded)
        gumbel = -torch.empty_like(logits).exponential_().log()
        chosen = (logits + gumbel).argmax(1, keepdim=True)
        return _sample(mu.gather(1, chosen), log_s.gather(1, chosen)).squeeze(1)

    def _components(self, decoded: Float[Tensor, "b k h w"]) -> tuple[Tensor, Tensor, Tensor]:
        b, channels, h, w = decoded.shape
        split = at_least_single(decoded).view(b, 3, self.mixtures, channels // self.outputs, h, w)
        logits, mu, raw = split.unbind(1)
        return logits, mu, _log_scale(raw)


def _log_scale(raw: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    log_s = LOG_SCALE_FLOOR + F.softplus(raw - LOG_SCALE_FLOOR)
    # Beyond the ceiling s would leave single precision; the gradient passes, so that it can come back.
    return log_s.detach().clamp(max=LOG_SCALE_CEILING) + (log_s - log_s.detach())


def _log_mass(
    mu: Float[Tensor, "*any"], log_s: Float[Tensor, "*any"], x: Float[Tensor, "*any"]
) -> Float[Tensor, "*any"]:
    """ln of the logistic's mass between x ± half a level.

    σ(a) - σ(b) = σ(a) σ(-b) (1 - e^(b - a)); at the outermost levels only one of the two bounds is finite.
    """
    inverse = torch.exp(-log_s)
    below = F.logsigmoid((x + LEVEL_WIDTH / 2 - mu) * inverse)
    above = F.logsigmoid((mu - x + LEVEL_WIDTH / 2) * inverse)
    inside = below + above + torch.log(-torch.expm1(-LEVEL_WIDTH * inverse))
    return torch.where(x < -ALMOST_ONE, below, torch.where(x > ALMOST_ONE, above, inside))


def _mean(mu: Float[Tensor, "*any"], log_s: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """-1 + ∫ P(x > t) dt over [-1, 1]; summing at the 255 bounds between levels is its midpoint rule."""
    s = log_s.exp()
    narrow = s * (F.softplus((mu + 1) / s) - F.softplus((mu - 1) / s))
    # ln((1 + e^a)/(1 + e^b)) = ln(1 + σ(b)(e^(a - b) - 1)): where s is large, the difference above cancels.
    wide = s.clamp(min=1.0)
    spread = wide * torch.log1p(torch.sigmoid((mu - 1) / wide) * torch.expm1(2 / wide))
    integral = torch.where(s < 1, narrow, spread)
    return (integral - 1).clamp(-1, 1)


def _sample(mu: Float[Tensor, "*any"], log_s: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    noise = torch.rand_like(mu).logit(eps=1e-7)
    return snap_to_levels(mu + log_s.exp() * noise)
