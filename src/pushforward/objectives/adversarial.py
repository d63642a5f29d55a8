"""What a critic and a generator minimise, as functions of the critic's scores.

Scores are logits, of any shape; a loss is their mean, a scalar to minimise. "Critic" is whatever scores,
be it a discriminator (sigmoid of the score is a probability) or a critic of Arjovsky et al. 2017.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus


def minimax_critic(real: Float[Tensor, "*r"], fake: Float[Tensor, "*f"]) -> Float[Tensor, ""]:
    """-E ln D(x) - E ln(1 - D(G(z))) with D = sigmoid(score). Goodfellow et al. 2014, eq. 1.

    At its minimum over all critics it is ln 4 - 2 JS(p ‖ p_G), in nats.
    """
    return softplus(-real).mean() + softplus(fake).mean()


def minimax_generator(fake: Float[Tensor, "*f"]) -> Float[Tensor, ""]:
    """E ln(1 - D(G(z))): the game of eq. 1, without gradient where the critic is sure. Goodfellow 2014."""
    return -softplus(fake).mean()


def nonsaturating_generator(fake: Float[Tensor, "*f"]) -> Float[Tensor, ""]:
    """-E ln D(G(z)): same fixed point, a gradient where the critic is sure. Goodfellow 2014, section 3."""
    return softplus(-fake).mean()


def wasserstein_critic(real: Float[Tensor, "*r"], fake: Float[Tensor, "*f"]) -> Float[Tensor, ""]:
    """E D(G(z)) - E D(x); minus W1 at the best 1-Lipschitz D. Arjovsky et al. 2017, eq. 2."""
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Float[Tensor, "*f"]) -> Float[Tensor, ""]:
    """-E D(G(z)). Arjovsky et al. 2017, Algorithm 1."""
    return -fake.mean()


def least_squares_critic(real: Float[Tensor, "*r"], fake: Float[Tensor, "*f"]) -> Float[Tensor, ""]:
    """½ E(D(x) - 1)² + ½ E D(G(z))². Mao et al. 2017, eq. 9 (a = 0, b = 1)."""
    return 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean()


def least_squares_generator(fake: Float[Tensor, "*f"]) -> Float[Tensor, ""]:
    """½ E(D(G(z)) - 1)². Mao et al. 2017, eq. 9 (c = 1)."""
    return 0.5 * (fake - 1).square().mean()


def hinge_critic(real: Float[Tensor, "*r"], fake: Float[Tensor, "*f"]) -> Float[Tensor, ""]:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))). Lim and Ye 2017; Miyato et al. 2018, section 4."""
    return (1 - real).relu().mean() + (1 + fake).relu().mean()


def hinge_generator(fake: Float[Tensor, "*f"]) -> Float[Tensor, ""]:
    """-E D(G(z)). Lim and Ye 2017; Miyato et al. 2018, section 4."""
    return -fake.mean()


def relativistic_critic(real: Float[Tensor, "*b"], fake: Float[Tensor, "*b"]) -> Float[Tensor, ""]:
    """E softplus(-(D(x) - D(G(z)))), pairs by batch index. Huang et al. 2024, eq. 2."""
    return softplus(fake - real).mean()


def relativistic_generator(real: Float[Tensor, "*b"], fake: Float[Tensor, "*b"]) -> Float[Tensor, ""]:
    """E softplus(D(x) - D(G(z))): the critic's loss with the sign swapped. Huang et al. 2024, eq. 2."""
    return softplus(real - fake).mean()
