"""The conditional variational autoencoder.

K. Sohn, H. Lee and X. Yan, *Learning Structured Output Representation using Deep Conditional Generative
Models*, NIPS 2015, eq. 4: the bound of a VAE with encoder q(z|x, y) and decoder p(x|z, y), for a class y.

Deviations from the paper:
1. The prior of z does not depend on y; theirs is a network of it. So a code means one style in every class.
2. y enters the encoder as one more channel, a linear map of the class to the image's size.
3. Those of the VAE.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pushforward.algorithms.latent import LatentHyperparameters, gaussian_log_weights
from pushforward.core import Algorithm, Draw, Player, Selector, Steps, Update
from pushforward.distributions import Likelihood
from pushforward.distributions.labels import Labels
from pushforward.distributions.likelihood import at_least_single
from pushforward.objectives.elbo import bounded_log_var, gaussian_kl, reparameterize


class ConditionalVAE(Algorithm):
    """encoder: (b, c + 1, h, w) -> (b, 2 latent_dim). decoder: (b, latent_dim + k) -> what the
    likelihood takes.

    A code of `decode` and `sample_prior` is z with its one-hot class. It has a bound where it is `given`
    the class of each image.
    """

    selector = Selector("validation_elbo")

    def __init__(
        self,
        *,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Likelihood,
        hyper: LatentHyperparameters,
        labels: Labels,
        size: tuple[int, int],
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood
        self.plane = nn.Sequential(nn.Linear(len(labels), size[0] * size[1]), nn.Unflatten(1, (1, *size)))
        self.labels, self.hyper, self.latent_dim = labels, hyper, hyper.latent_dim

    def players(self) -> dict[str, Player]:
        """One player: encoder, decoder and likelihood share one loss."""
        return {"vae": self.hyper.player(self)}

    def step(self, draw: Draw) -> Steps:
        """Maximise E_q[ln p(x|z, y)] - KL(q(z|x, y) ‖ p(z))."""
        batch = draw()
        x, label = self.likelihood.prepare(batch.x), self.labels.of(batch.label)
        mu, log_var = self.posterior(x, label)
        z = self.labels.beside(reparameterize(mu, log_var), label)
        log_px = self.likelihood.log_prob(self.decoder(z), x).mean()
        kl = gaussian_kl(mu, log_var).sum(1).mean()
        yield Update({"vae": kl - log_px}, {"kl": kl, "reconstruction": -log_px})

    def posterior(
        self, x: Float[Tensor, "b c h w"], label: Int[Tensor, " b"]
    ) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]:
        """μ and ln σ² of q(z|x, y)."""
        y = self.labels.beside(x.new_zeros(len(x), 0), label)
        outputs = at_least_single(self.encoder(torch.cat([x, self.plane(y).to(x)], 1)))
        mu, log_var = outputs.chunk(2, dim=1)
        return mu, bounded_log_var(log_var)

    def sample_prior(self, n: int) -> Float[Tensor, "n e"]:
        """z ~ N(0, 1) with a class, as often as in the training data."""
        like = next(self.decoder.parameters())
        z = torch.randn(n, self.latent_dim, device=like.device, dtype=like.dtype)
        return self.labels.beside(z, self.labels.draw(n))

    def decode(self, z: Float[Tensor, "n e"]) -> Float[Tensor, "n c h w"]:
        """The mean of p(x|z, y), in [-1, 1]."""
        return self.likelihood.mean(self.decoder(z))

    def sample(self, n: int) -> Float[Tensor, "n c h w"]:
        """n images of classes in the proportions of the training data."""
        return self.decode(self.sample_prior(n))

    def given(self, label: Int[Tensor, " n"]) -> GivenClasses:
        """The model of n images of these classes."""
        return GivenClasses(self, label)


class GivenClasses(nn.Module):
    """p(z) p(x|z, y) and q(z|x, y) of images whose classes y are known: b of them, in the order of the rows,
    or one for all rows.

    Its codes are z alone. Of several draws an image it takes (k, b, d), flattened.
    """

    def __init__(self, model: ConditionalVAE, label: Int[Tensor, " b"]) -> None:
        super().__init__()
        self.model, self.label, self.likelihood = model, label, model.likelihood

    def decoder(self, z: Float[Tensor, "n d"]) -> Tensor:
        """What the likelihood takes, of k codes for each image."""
        decoded: Tensor = self.model.decoder(self.model.labels.beside(z, self._labels(len(z))))
        return decoded

    def sample_prior(self, n: int) -> Float[Tensor, "n d"]:
        """z ~ N(0, 1)."""
        return self.model.labels.split(self.model.sample_prior(n))[0]

    def sample(self, n: int) -> Float[Tensor, "n *x"]:
        """n images, of the classes in turn."""
        return self.decode(self.sample_prior(n))

    def encode(self, x: Float[Tensor, "n *x"]) -> Float[Tensor, "n d"]:
        """The mean of q(z|x, y)."""
        return self.posterior(self.likelihood.prepare(x))[0]

    def decode(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n *x"]:
        """The mean of p(x|z, y), in [-1, 1]."""
        return self.likelihood.mean(self.decoder(z))

    def reconstruct(self, x: Float[Tensor, "n *x"]) -> Float[Tensor, "n *x"]:
        """Decode the mean code."""
        return self.decode(self.encode(x))

    def posterior(self, x: Float[Tensor, "n *x"]) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """μ and ln σ² of q(z|x, y)."""
        return self.model.posterior(x, self._labels(len(x)))

    def divergence(self, x: Float[Tensor, "n *x"]) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """μ, and the KL from the prior in nats per dimension."""
        mu, log_var = self.posterior(x)
        return mu, gaussian_kl(mu, log_var)

    def sample_posterior(self, x: Float[Tensor, "n *x"]) -> Float[Tensor, "n d"]:
        """z ~ q(z|x, y), one for each image as stored."""
        return reparameterize(*self.posterior(self.likelihood.prepare(x)))

    def log_weights(self, x: Float[Tensor, "n *x"], k: int) -> Float[Tensor, "k n"]:
        """ln p(x, z_i|y) - ln q(z_i|x, y) for k draws, in nats."""
        return gaussian_log_weights(self.decoder, self.likelihood, x, *self.posterior(x), k)

    def _labels(self, n: int) -> Int[Tensor, " n"]:
        """One for each of n rows, which go through the classes again and again."""
        k, rest = divmod(n, len(self.label))
        assert rest == 0, f"{n} rows for {len(self.label)} classes"
        return self.label.repeat(k)
