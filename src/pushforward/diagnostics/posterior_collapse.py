"""Posterior collapse: latent dimensions that ignore the image."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from pushforward.core import Finding
from pushforward.diagnostics.latent_information import LatentInformation

ACTIVE_VARIANCE = 0.01
ACTIVE_NATS = 0.01
DEAD_NATS = 0.1


def active_units(mu: Float[Tensor, "n d"], *, threshold: float = ACTIVE_VARIANCE) -> Bool[Tensor, " d"]:
    """Which dimensions move with the image: Var_x(E_q[z|x]) > 0.01. Burda et al. 2016, section 5.1."""
    return mu.double().var(dim=0) > threshold


def diagnose_posterior_collapse(
    mu: Float[Tensor, "n d"],
    kl: Float[Tensor, "n d"],
    *,
    command: str = "",
    information: LatentInformation | None = None,
) -> Finding | None:
    """A finding where at most half of the latent dimensions are active or z says nothing, else None.

    mu: posterior means of n held-out images. kl: their KL in nats, per dimension. Few active units of
    many are normal for a wide latent space; none at all means that the decoder ignores z. information:
    what z says of the image; it decides in place of the means' variance, since means may move a little
    without saying anything, and variances may speak where means stand still. A dimension is then active
    that says more than 0.01 nats, and the posterior is dead that says less than 0.1.
    """
    d = mu.shape[1]
    if information is None:
        active = int(active_units(mu).sum())
        dead = active == 0
    else:
        active = int((information.dimension_information > ACTIVE_NATS).sum())
        dead = information.information < DEAD_NATS
    if active > d // 2 and not dead:
        return None
    # The variance of n means is known to about sqrt(2/n): few images, little confidence.
    confidence = max(0.0, 1 - (2 / max(2, len(mu))) ** 0.5)
    return Finding(
        name="posterior-collapse",
        severity="critical" if dead else "warning",
        confidence=round(confidence, 2),
        evidence=f"{active} of {d} latent dimensions are active, KL {kl.sum(1).mean():.2f} nats an image"
        + _what_z_says(information),
        advice=(
            "let the KL's weight rise from 0 (`warm_up`), keep nats free in each dimension (`free_bits`) "
            "or, where a bound holds the KL, loosen it (`delta`); else lower the learning rate, or take a "
            "Gaussian likelihood with a smaller noise scale (`sigma` optimal)"
            if dead
            else "a smaller latent space trains faster and samples no worse (`latent_dim`)"
        ),
        command=command if dead else f"--latent-dim {max(2, active)}",
        headline="the decoder ignores the latent code"
        if dead
        else f"the data need no more than about {max(1, active)} dimensions",
    )


def _what_z_says(information: LatentInformation | None) -> str:
    if information is None:
        return ""
    told = f"{information.information:.2f}"
    if information.saturated:
        told += f" to {max(information.upper, information.information):.2f}"
    return f", of which z tells {told} nats of the image, by {information.n:,} images"
