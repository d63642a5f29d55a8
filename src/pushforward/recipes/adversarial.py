"""What the recipes of all adversarial models share: networks and views, from options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import nn

from pushforward.algorithms.adversarial import AdversarialHyperparameters, AdversarialModel
from pushforward.distributions.labels import Labels
from pushforward.distributions.standard import standard_of
from pushforward.errors import UserError
from pushforward.networks.critic import Critic
from pushforward.networks.dcgan import ImageShape, dcgan_critic, dcgan_generator, dcgan_reconstructor
from pushforward.networks.fastgan import fastgan_generator
from pushforward.networks.gan_mlp import maxout_critic, mlp_critic, mlp_generator, mlp_reconstructor
from pushforward.networks.layers import (
    AnyModule,
    Shape,
    freeze_first_,
    has_batch_norm,
    normal_init_,
    normalise_spectrum_,
)
from pushforward.networks.projection import projecting
from pushforward.networks.residual import residual_critic, residual_generator
from pushforward.recipes.augment import AugmentOptions
from pushforward.recipes.projected import ProjectedOptions
from pushforward.streams import Classes, check_told
from pushforward.views import Identity, InstanceNoise, Packing, View, ViewedCritic

Family = Literal["mlp", "maxout", "dcgan", "residual"]


@dataclass(kw_only=True)
class AdversarialRecipe(ProjectedOptions, AugmentOptions, AdversarialHyperparameters):
    """Options of every method with a generator and a critic."""

    network: Literal["auto", "mlp", "maxout", "dcgan", "residual"] = "auto"
    """Architecture; auto takes mlp for points and images under 16 pixels, and dcgan above. maxout is an mlp
    with a maxout critic; residual has blocks and no normalisation."""
    generator: Literal["auto", "fastgan"] = "auto"
    """Architecture of the generator alone; auto takes that of --network. fastgan has skip-layer excitation
    (Liu et al. 2021), for images of at least 32 pixels."""
    hidden: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers of an mlp generator, from the noise outwards."""
    critic_hidden: tuple[int, ...] = ()
    """Widths of the hidden layers of an mlp or maxout critic; those of --hidden by default."""
    width: int = 64
    """Channels of a convolutional network at its finest scale; they double with each halving of the image."""
    slope: float = 0.0
    """Slope of the generator's rectifiers for negative inputs: 0 is ReLU, the paper's choice; 0.2 keeps a
    unit from dying."""
    generator_norm: Literal["auto", "none", "batch"] = "auto"
    """Normalisation in the generator; auto takes batch for dcgan and fastgan, none for others."""
    critic_norm: Literal["none", "batch", "spectral"] = "none"
    """Normalisation in the critic. batch is DCGAN's own, but scores then depend on the batch."""
    freeze_critic: int = 0
    """Layers of the critic, from the image on, that keep the weights of --init-from (Mo et al. 2020)."""
    init_std: float | None = None
    """Draw initial weights from N(0, init_std²), as DCGAN and PacGAN do with 0.02; the family's own by
    default."""
    noise: float = 0.0
    """Instance noise: standard deviation on all that the critic sees, at the start, in the data's units."""
    noise_until: float = 1.0
    """Share of the run over which the instance noise falls to nothing."""
    pack: int = 1
    """Samples that the critic sees at once (PacGAN's m)."""

    kept: ClassVar[tuple[str, ...]] = (
        "latent_dim",
        "network",
        "generator",
        "critic",
        "projected_size",
        "hidden",
        "critic_hidden",
        "width",
        "slope",
        "generator_norm",
        "init_std",
        "noise",
        "noise_until",
        "pack",
        *AugmentOptions.__dataclass_fields__,
    )  # what another method's run on the same data keeps
    keeps_gradient: ClassVar[str | None] = None  # a method to take where this one's gradient vanishes
    damping: ClassVar[str | None] = None  # an option that damps the game where it is raised
    algorithm: ClassVar[Callable[..., AdversarialModel]]
    penalised: ClassVar[bool] = False  # whether the critic's gradient is differentiated again

    def build(self, shape: Shape, classes: Classes | None = None) -> AdversarialModel:
        """A freshly initialised model for points (d,) or images (channels, height, width)."""
        self.check()
        check_told(self, classes)
        model = self._built(shape, classes)
        model.features_seen = self.features_used
        return model

    def _built(self, shape: Shape, classes: Classes | None) -> AdversarialModel:
        if classes is None:
            critic = self.viewed_critic(shape)
            return type(self).algorithm(generator=self.generator_network(shape), critic=critic, hyper=self)
        if self.pack > 1:
            raise UserError(f"`pack`: {self.pack}, but a critic that is told classes sees one sample at once")
        labels = Labels(classes.shares)
        critic = self.viewed_critic(shape, classes=len(labels))
        generator = self.generator_network(shape, inputs=self.latent_dim + len(labels))
        return type(self).algorithm(generator=generator, critic=critic, hyper=self, labels=labels)

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        super().check()
        self.check_augment()
        if self.pack < 1 or self.width < 1:
            name, value = ("pack", self.pack) if self.pack < 1 else ("width", self.width)
            raise UserError(f"`{name}`: {value}; expected at least 1")
        if self.freeze_critic < 0 or (self.freeze_critic and self.critic == "projected"):
            why = (
                "the projected critic is frozen already" if self.freeze_critic > 0 else "expected at least 0"
            )
            raise UserError(f"`freeze_critic`: {self.freeze_critic}; {why}")
        if self.noise < 0:
            raise UserError(f"`noise`: {self.noise}; expected a standard deviation of at least 0")
        for name in ("hidden", "critic_hidden"):
            widths = getattr(self, name)
            if any(h < 1 for h in widths):
                raise UserError(f"`{name}`: {' '.join(map(str, widths))}; expected widths of at least 1")
        if not 0 <= self.slope < 1:
            raise UserError(f"`slope`: {self.slope}; expected at least 0 (ReLU) and less than 1")
        if self.init_std is not None and not self.init_std > 0:
            raise UserError(f"`init_std`: {self.init_std}; expected a positive standard deviation")

    def family(self, shape: Shape) -> Family:
        """The architecture for this shape. Raises UserError for a convolutional one of points."""
        if self.network == "auto":
            return "dcgan" if len(shape) == 3 and min(shape[1:]) >= 16 else "mlp"
        if self.network in ("dcgan", "residual") and len(shape) != 3:
            raise UserError(f"`network`: {self.network}, but `data` holds points; take mlp or maxout")
        return self.network

    def viewed_critic(self, shape: Shape, *, codes: int = 0, classes: int = 0) -> ViewedCritic:
        """The critic network with its views, whose heads start and are normalised as the network is.

        codes: of a critic of pairs, their width. classes: that it is told, by a projection.
        """
        if self.critic == "projected":
            if codes:
                raise UserError(
                    "`critic`: projected, but this method's critic judges pairs with codes; take plain"
                )
            if self.critic_norm == "batch":
                raise UserError(
                    "`critic_norm`: batch, but the projected critic has the spectral norm; leave it out"
                )
            network = self.projected(shape, width=self.width, pack=self.pack, classes=classes)
        else:
            network = self.critic_network(shape, codes=codes)
            network = projecting(network, classes) if classes else network
        views = self.views(network, shape)
        viewed = ViewedCritic(
            network,
            views,
            standard=standard_of(shape),
            penalties=self.regularizers(len(views), shape),
            sampled=self.sampled,
        )
        critic = self._initialised(viewed)
        spectral = self.critic_norm == "spectral" or self.critic == "projected"
        critic = normalise_spectrum_(critic) if spectral else critic
        if self.freeze_critic:
            freeze_first_(network.trunk, self.freeze_critic)
        return critic

    def views(self, network: Critic, shape: Shape) -> list[View]:
        """What the critic sees: the data as they are, with noise or augmented, packed or not.

        network: the critic's, of which a view may ask `new_head()`.
        """
        if self.augment != "none":
            if self.noise:
                raise UserError(f"`noise`: {self.noise}, and `augment`: {self.augment}; take one of the two")
            if self.pack > 1 and self.augment.startswith("dag") and self.dag_share < 1:
                raise UserError(
                    f"`dag_share`: {self.dag_share}, and `pack`: {self.pack}; take one of the two"
                )
            views = self.augmented(network, shape)
        else:
            views = [InstanceNoise(self.noise, until=self.noise_until) if self.noise else Identity()]
        return views if self.pack == 1 else [Packing(view, self.pack) for view in views]

    def generator_network(self, shape: Shape, *, inputs: int | None = None) -> nn.Module:
        """(b, latent_dim) -> (b, *shape). inputs: how many numbers it takes instead."""
        network: nn.Module
        family: Family | Literal["fastgan"] = self.family(shape)
        if self.generator == "fastgan":
            if len(shape) != 3:
                raise UserError("`generator`: fastgan, but `data` holds points; take auto")
            family = "fastgan"
        norm = self.generator_norm
        batch_norm = norm == "batch" or (norm == "auto" and family in ("dcgan", "fastgan"))
        latent_dim, width, slope = inputs or self.latent_dim, self.width, self.slope
        match family:
            case "fastgan":
                network = fastgan_generator(latent_dim, _image(shape), width=width, batch_norm=batch_norm)
            case "dcgan":
                network = dcgan_generator(
                    latent_dim, _image(shape), width=width, slope=slope, batch_norm=batch_norm
                )
            case "residual" if batch_norm:
                raise UserError("`generator_norm`: batch, but the residual network has none; leave it out")
            case "residual":
                network = residual_generator(latent_dim, _image(shape), width=width, slope=slope)
            case _:
                network = mlp_generator(latent_dim, self.hidden, shape, slope=slope, batch_norm=batch_norm)
        return self._initialised(network)

    def critic_network(self, shape: Shape, *, codes: int = 0) -> Critic:
        """(b, *shape) -> (b, 1), where packing widens the shape; as its family starts it. See `critic`."""
        seen = (self.pack * shape[0], *shape[1:])
        hidden, norm = self.critic_hidden or self.hidden, self.critic_norm
        family = self.family(shape)
        if norm == "batch" and family != "dcgan":
            raise UserError(f"`critic_norm`: batch, but the {family} critic has none; take dcgan or 'none'")
        match family:
            case "dcgan":
                kind: Literal["none", "batch"] = "batch" if norm == "batch" else "none"
                network = dcgan_critic(
                    _image(seen),
                    width=self.width,
                    normalisation=kind,
                    codes=codes,
                    penalised=self.penalised,
                )
                if norm == "batch" and not has_batch_norm(network):
                    raise UserError(
                        f"`critic_norm`: batch, but images of {shape[1]}x{shape[2]} leave the critic one "
                        "convolution, which has none; take 'none' or 'spectral', or larger images"
                    )
            case "residual":
                network = residual_critic(
                    _image(seen), width=self.width, codes=codes, penalised=self.penalised
                )
            case "maxout":
                network = maxout_critic(seen, hidden, codes=codes)
            case _:
                network = mlp_critic(seen, hidden, codes=codes)
        return network

    def reconstructor_network(self, shape: Shape) -> nn.Module:
        """(b, *shape) -> (b, latent_dim)."""
        if self.family(shape) in ("dcgan", "residual"):
            network: nn.Module = dcgan_reconstructor(_image(shape), self.latent_dim, width=self.width)
        else:
            network = mlp_reconstructor(shape, self.latent_dim, self.hidden[::-1])
        return self._initialised(network)

    def _initialised(self, network: AnyModule) -> AnyModule:
        return network if self.init_std is None else normal_init_(network, self.init_std)


def _image(shape: Shape) -> ImageShape:
    c, h, w = shape
    return c, h, w
