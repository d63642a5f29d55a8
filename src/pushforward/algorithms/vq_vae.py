"""VQ-VAE: an autoencoder whose code is an array of integers, each the index of a vector in a codebook.

A. van den Oord, O. Vinyals and K. Kavukcuoglu, *Neural Discrete Representation Learning*, NIPS 2017: eq. 1 to
3, with the codebook of appendix A.1, whose vectors are moving averages of the encodings that choose them. The
paper then fits a prior to the integers; without one the model does not sample.

Deviations from the paper:
1. The first codebook is drawn from a normal distribution with the mean and covariance of the first batch's
   encodings. The paper does not say how it starts; common code takes small uniform numbers.
2. A pseudo-count of 1e-10 keeps a code that nothing chooses where it is, where the paper has 0/0. Common code
   smooths all counts instead (Laplace), which draws such a code to the origin.
3. Counts and sums are divided by the number of encodings. This changes no quotient, and several processes
   then average what one would count.
4. The commitment loss is summed over the integers of a code, as -ln p(x|z) is over pixels, so that their
   balance does not depend on the size of the image. The paper averages it.
5. Networks are the recipe's, smaller than the paper's; fully connected ones cut one vector into encodings.
   Adam's rate is 1e-3, for thousands of steps instead of 250,000 at 2e-4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from pushforward.algorithms.latent import LatentHyperparameters
from pushforward.core import Algorithm, Draw, Player, Selector, Steps, Update
from pushforward.distributions import Likelihood
from pushforward.distributions.likelihood import at_least_single
from pushforward.errors import UserError
from pushforward.objectives.quantization import (
    PSEUDO_COUNT,
    code_statistics,
    codebook_step,
    moments,
    nearest_codes,
    normal_codebook,
    perplexity,
    straight_through_copy,
)


@dataclass(kw_only=True)
class VQVAEHyperparameters(LatentHyperparameters):
    """The paper's settings."""

    latent_dim: int = 16
    """D, numbers in each vector of the codebook."""
    codebook_size: int = 512
    """K, vectors in the codebook."""
    commitment: float = 0.25
    """β, the weight of the commitment loss, which keeps encodings near the vectors that they choose."""
    decay: float = 0.99
    """γ, the decay per step of the moving averages that the codebook is made of."""


class Codebook(nn.Module):
    """K vectors of D numbers: each the mean of the encodings that chose it in the last 1/(1 - decay) steps.

    The moving averages start at 0 without a correction, which would leave their quotient as it is.
    """

    vectors: Tensor
    shares: Tensor
    sums: Tensor

    def __init__(self, k: int, d: int, *, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("vectors", torch.randn(k, d))
        self.register_buffer("shares", torch.zeros(k))
        self.register_buffer("sums", torch.zeros(k, d))

    def begin(self, moments: Mapping[str, Tensor]) -> None:
        """Give its vectors, standard normal until then, the mean and covariance of encodings."""
        self.vectors.copy_(normal_codebook(self.vectors, moments["mean"], moments["second"]))

    def nearest(self, z: Float[Tensor, "b d *t"]) -> Int64[Tensor, "b *t"]:
        """The index of the vector that is nearest to each encoding."""
        flat = z.movedim(1, -1)
        return nearest_codes(flat.flatten(0, -2), self.vectors).view(flat.shape[:-1])

    def forward(self, codes: Int64[Tensor, "b *t"]) -> Float[Tensor, "b d *t"]:
        """The vectors of these indices."""
        return self.vectors[codes].movedim(-1, 1)

    def statistics(self, z: Float[Tensor, "b d *t"], codes: Int64[Tensor, "b *t"]) -> dict[str, Tensor]:
        """What it must know of a batch, to be averaged over processes."""
        shares, sums = code_statistics(z.movedim(1, -1).flatten(0, -2), codes.flatten(), len(self.vectors))
        return {"shares": shares, "sums": sums}

    def follow(self, statistics: Mapping[str, Tensor]) -> None:
        """Take a step towards the encodings that chose each vector."""
        self.shares.lerp_(statistics["shares"].to(self.shares), 1 - self.decay)
        self.sums.lerp_(statistics["sums"].to(self.sums), 1 - self.decay)
        self.vectors.copy_(codebook_step(self.vectors, self.shares, self.sums))


class VQVAE(Algorithm):
    """encoder: x -> encodings (b, D, *t). decoder: chosen vectors (b, D, *t) -> what the likelihood expects.

    *t is the shape of a code, (codes,) or (h, w). vocabulary: K; the integers of a code are below it.
    """

    selector = Selector("validation_log_px_given_z")
    training_only = ("codebook.shares", "codebook.sums")

    def __init__(
        self, *, encoder: nn.Module, decoder: nn.Module, likelihood: Likelihood, hyper: VQVAEHyperparameters
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.codebook = Codebook(hyper.codebook_size, hyper.latent_dim, decay=hyper.decay)
        self.vocabulary = hyper.codebook_size
        self.hyper = hyper

    def players(self) -> dict[str, Player]:
        """One player: encoder, decoder and likelihood. The codebook follows without a gradient."""
        return {"vq-vae": self.hyper.player(self)}

    def step(self, draw: Draw) -> Steps:
        """Descend -ln p(x|z_q) + β ‖z - sg(z_q)‖², eq. 3 without its second term; then the codebook follows.

        Both are sums for an image. The first step begins the codebook.
        """
        x = self.likelihood.prepare(draw().x)
        z = at_least_single(self.encoder(x))
        if self.clock.step == 0:
            mean, second = moments(z.movedim(1, -1).flatten(0, -2))
            self.codebook.begin((yield Update({}, share={"mean": mean, "second": second})))
        codes = self.codebook.nearest(z)
        z_q = self.codebook(codes)
        distortion = self._distortion(straight_through_copy(z, z_q), x).mean()
        commitment = (z - z_q).square().flatten(1).sum(1).mean()
        info = {
            "reconstruction": distortion,
            "commitment": commitment,
            "perplexity": perplexity(self.codebook.shares + PSEUDO_COUNT),
        }
        loss = distortion + self.hyper.commitment * commitment
        self.codebook.follow((yield Update({"vq-vae": loss}, info, share=self.codebook.statistics(z, codes))))

    def _distortion(self, z_q: Float[Tensor, "b d *t"], x: Float[Tensor, "b *x"]) -> Float[Tensor, " b"]:
        return -self.likelihood.log_prob(self.decoder(z_q), x)

    def distortion(self, x: Float[Tensor, "b *x"]) -> Float[Tensor, " b"]:
        """-ln p(x|z_q) in nats, at the code of x; x as stored."""
        x = self.likelihood.prepare(x)
        return self._distortion(self.codebook(self._codes(x)), x)

    def _codes(self, x: Float[Tensor, "b *x"]) -> Int64[Tensor, "b *t"]:
        return self.codebook.nearest(at_least_single(self.encoder(x)))

    def tokens(self, x: Float[Tensor, "b *x"]) -> Int64[Tensor, "b *t"]:
        """The code of each x, integers from 0 to below K."""
        return self._codes(self.likelihood.prepare(x))

    def decode_tokens(self, tokens: Int64[Tensor, "b *t"]) -> Float[Tensor, "b *x"]:
        """The mean of p(x|z_q). Raises UserError for integers that are not in the codebook."""
        if len(tokens) and not 0 <= int(tokens.min()) <= int(tokens.max()) < self.vocabulary:
            raise UserError(
                f"`tokens`: from {int(tokens.min())} to {int(tokens.max())}; expected integers from 0 to "
                f"{self.vocabulary - 1}"
            )
        return self.likelihood.mean(self.decoder(self.codebook(tokens)))

    def reconstruct(self, x: Float[Tensor, "b *x"]) -> Float[Tensor, "b *x"]:
        """Encode and decode."""
        return self.decode_tokens(self.tokens(x))
