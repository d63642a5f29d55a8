"""The recipes of the adversarial methods: each its paper's hyper-parameters and the shared options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pushforward.algorithms.gan import GAN, GANHyperparameters, MinimaxGAN
from pushforward.algorithms.lsgan import LSGAN, LSGANHyperparameters
from pushforward.algorithms.r3gan import R3GAN, R3GANHyperparameters
from pushforward.algorithms.sngan import SNGAN, SNGANHyperparameters
from pushforward.algorithms.unrolled import UnrolledGAN, UnrolledHyperparameters
from pushforward.algorithms.veegan import VEEGAN, VEEGANHyperparameters
from pushforward.algorithms.wgan import WGAN, WGANHyperparameters
from pushforward.algorithms.wgan_gp import WGANGP, WGANGPHyperparameters
from pushforward.networks.layers import Shape
from pushforward.recipes.adversarial import AdversarialRecipe
from pushforward.recipes.augment import Adapts
from pushforward.streams import Classes, check_told


@dataclass(kw_only=True)
class GANRecipe(GANHyperparameters, AdversarialRecipe):
    """Options of `train gan`."""

    algorithm: ClassVar = GAN
    kept: ClassVar = (*AdversarialRecipe.kept, "conditional")
    conditional: bool = False
    """Learn each class for itself: the critic projects its features on the class (Miyato & Koyama 2018), the
    generator gets it beside z (Mirza & Osindero 2014)."""


@dataclass(kw_only=True)
class MinimaxGANRecipe(GANHyperparameters, AdversarialRecipe):
    """Options of `train gan-minimax`."""

    keeps_gradient: ClassVar = "gan"
    algorithm: ClassVar = MinimaxGAN


@dataclass(kw_only=True)
class PacGANRecipe(GANHyperparameters, AdversarialRecipe):
    """Options of `train pacgan`: the GAN whose critic sees --pack samples at once."""

    algorithm: ClassVar = GAN
    pack: int = 2
    """Samples that the critic sees at once (PacGAN's m)."""


@dataclass(kw_only=True)
class LSGANRecipe(LSGANHyperparameters, AdversarialRecipe):
    """Options of `train lsgan`."""

    algorithm: ClassVar = LSGAN


@dataclass(kw_only=True)
class WGANRecipe(WGANHyperparameters, AdversarialRecipe):
    """Options of `train wgan`."""

    keeps_gradient: ClassVar = "wgan-gp"
    algorithm: ClassVar = WGAN


@dataclass(kw_only=True)
class WGANGPRecipe(WGANGPHyperparameters, AdversarialRecipe):
    """Options of `train wgan-gp`."""

    algorithm: ClassVar = WGANGP
    penalised: ClassVar = True
    kept: ClassVar = (*AdversarialRecipe.kept, "conditional")
    conditional: bool = False
    """Learn each class for itself: the critic projects its features on the class (Miyato & Koyama 2018), the
    generator gets it beside z (Mirza & Osindero 2014)."""


@dataclass(kw_only=True)
class UnrolledRecipe(UnrolledHyperparameters, AdversarialRecipe):
    """Options of `train unrolled`."""

    algorithm: ClassVar = UnrolledGAN


@dataclass(kw_only=True)
class SNGANRecipe(SNGANHyperparameters, AdversarialRecipe):
    """Options of `train sngan`."""

    algorithm: ClassVar = SNGAN
    critic_norm: Literal["none", "batch", "spectral"] = "spectral"
    """Normalisation in the critic: spectral, as in the paper. none leaves a plain hinge game."""


@dataclass(kw_only=True)
class R3GANRecipe(R3GANHyperparameters, AdversarialRecipe):
    """Options of `train r3gan`."""

    algorithm: ClassVar = R3GAN
    damping: ClassVar = "gamma"
    adapts: ClassVar[Adapts] = "by pairs"
    penalised: ClassVar = True
    kept: ClassVar = (*AdversarialRecipe.kept, "conditional")
    conditional: bool = False
    """Learn each class for itself: the critic projects its features on the class (Miyato & Koyama 2018), the
    generator gets it beside z (Mirza & Osindero 2014)."""
    slope: float = 0.2
    """Slope of the generator's rectifiers for negative inputs, as in the paper."""
    generator_norm: Literal["auto", "none", "batch"] = "none"
    """Normalisation in the generator: none, as in the paper."""


@dataclass(kw_only=True)
class VEEGANRecipe(VEEGANHyperparameters, AdversarialRecipe):
    """Options of `train veegan`."""

    adapts: ClassVar[Adapts] = "never"

    def build(self, shape: Shape, classes: Classes | None = None) -> VEEGAN:
        """A freshly initialised model, with a critic of pairs and a reconstructor; it is told no classes."""
        self.check()
        check_told(self, classes)
        critic = self.viewed_critic(shape, codes=self.latent_dim)
        return VEEGAN(
            generator=self.generator_network(shape),
            critic=critic,
            reconstructor=self.reconstructor_network(shape),
            hyper=self,
        )
