"""Posterior collapse: latent dimensions that ignore the image."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from pushforward.core import Finding

ACTIVE_VARIANCE = 0.01


def active_units(mu: Float[Tensor, "n d"], *, threshold: float = ACTIVE_VARIANCE) -> Bool[Tensor, " d"]:
    """Which dimensions move with the image: Var_x(E_q[z|x]) > 0.01. Burda et al. 2016, section 5.1."""
    return mu.double().var(dim=0) > threshold


def diagnose_posterior_collapse(
    mu: Float[Tensor, "n d"], kl: Float[Tensor, "n d"], *, command: str = ""
) -> Finding | None:
    """A finding where at most half of the latent dimensions are active, else None.

    mu: posterior means of n held-out images. kl: their KL in nats, per dimension. Few active units of
    many are normal for a wide latent space; none at all means that the decoder ignores z.
    """
    active = int(active_units(mu).sum())
    d = mu.shape[1]
    if active > d // 2:
        return None
    dead = active == 0
    # The variance of n means is known to about sqrt(2/n): few images, little confidence.
    confidence = max(0.0, 1 - (2 / max(2, len(mu))) ** 0.5)
    return Finding(
        name="posterior-collapse",
        severity="critical" if dead else "warning",
        confidence=round(confidence, 2),
        evidence=f"{active} of {d} latent dimensions are active, KL {kl.sum(1).mean():.2f} nats an image",
        advice=(
            "the decoder ignores the latent code: lower the learning rate, or use a likelihood with a "
            "smaller noise scale (--likelihood gaussian --sigma optimal)"
            if dead
            else f"the data did not need more than about {active} dimensions: a smaller latent space "
            "trains faster and samples no worse"
        ),
        command=command if dead else f"--latent-dim {max(2, active)}",
    )
