"""RS-IMLE: a generator from a data shape and options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from pushforward.algorithms.rs_imle import RSIMLE, RSIMLEHyperparameters
from pushforward.errors import UserError
from pushforward.networks.dcgan import dcgan_generator
from pushforward.networks.gan_mlp import mlp_generator
from pushforward.networks.layers import Shape


@dataclass(kw_only=True)
class RSIMLERecipe(RSIMLEHyperparameters):
    """Options of `train rs-imle`."""

    network: Literal["auto", "mlp", "dcgan"] = "auto"
    """Architecture; auto takes mlp for points and images under 16 pixels, and dcgan above."""
    hidden: tuple[int, ...] = (128, 128)
    """Widths of the mlp's hidden layers, from the noise outwards."""
    width: int = 32
    """Channels of dcgan at its finest scale; they double with each halving of the image."""
    slope: float = 0.2
    """Slope of the rectifiers for negative inputs: 0 is ReLU."""
    generator_norm: Literal["none", "batch"] = "none"
    """Normalisation. With batch, a sample of the pool is another one beside other samples."""

    def build(self, shape: Shape) -> RSIMLE:
        """A freshly initialised model for points (d,) or images (channels, height, width)."""
        self.check()
        return RSIMLE(generator=self._network(shape), shape=shape, hyper=self)

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        super().check()
        if self.width < 1:
            raise UserError(f"`width`: {self.width}; expected at least 1")
        if any(h < 1 for h in self.hidden):
            raise UserError(f"`hidden`: {' '.join(map(str, self.hidden))}; expected widths of at least 1")
        if not 0 <= self.slope < 1:
            raise UserError(f"`slope`: {self.slope}; expected at least 0 (ReLU) and less than 1")

    def _network(self, shape: Shape) -> nn.Module:
        batch_norm = self.generator_norm == "batch"
        if self.network == "dcgan" and len(shape) != 3:
            raise UserError("`network`: dcgan, but `data` holds points; take mlp or leave it out")
        if len(shape) == 3:
            c, h, w = shape
            if self.network == "dcgan" or (self.network == "auto" and min(h, w) >= 16):
                return dcgan_generator(
                    self.latent_dim, (c, h, w), width=self.width, slope=self.slope, batch_norm=batch_norm
                )
        return mlp_generator(self.latent_dim, self.hidden, shape, slope=self.slope, batch_norm=batch_norm)
