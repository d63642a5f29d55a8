"""The one registry: a method's name -> where its recipe is. Torch-free, so that help is instant."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pushforward.errors import UserError, did_you_mean


@dataclass(frozen=True)
class Method:
    """One trainable method.

    recipe: "module:Class" of a dataclass of options with `build(shape) -> Algorithm`; see `streams` for one
    that learns from several streams of data. kind: an "ensemble" has no step, but trains algorithms one after
    another. formerly: the method that had its options before; its recipe then tells by `was_used(options)`
    whether an old config means this one (see `migrate`). treats: findings, by name or beginning, against
    which it is the method to change to.
    """

    name: str
    recipe: str
    summary: str
    paper: str
    formerly: str = ""
    treats: tuple[str, ...] = ()
    kind: Literal["algorithm", "ensemble"] = "algorithm"


METHODS = {
    m.name: m
    for m in (
        Method(
            "vae",
            "pushforward.recipes.vae:VAERecipe",
            "variational autoencoder: sample, encode, reconstruct, likelihood bound",
            "Kingma & Welling 2014",
        ),
        Method(
            "discrete-vae",
            "pushforward.recipes.estimator_vae:EstimatorVAERecipe",
            "VAE of bits or choices among classes, and any estimator of its encoder's gradient",
            "Jang et al. 2017",
            formerly="vae",
        ),
        Method(
            "beta-vae",
            "pushforward.recipes.beta_vae:BetaVAERecipe",
            "VAE whose code carries only so much: β fixed or learned, capacity, GECO, free bits",
            "Higgins et al. 2017",
            treats=("posterior-collapse",),
        ),
        Method(
            "iwae",
            "pushforward.recipes.iwae:IWAERecipe",
            "VAE trained on a tighter likelihood bound, of several samples",
            "Burda et al. 2016",
        ),
        Method(
            "piwae",
            "pushforward.recipes.iwae:PIWAERecipe",
            "IWAE whose encoder learns from bounds of fewer samples, so that its gradient is less noisy",
            "Rainforth et al. 2018",
        ),
        Method(
            "ciwae",
            "pushforward.recipes.iwae:CIWAERecipe",
            "the same paper's mixture of the ELBO and the IWAE's bound",
            "Rainforth et al. 2018",
        ),
        Method(
            "dreg",
            "pushforward.recipes.iwae:DReGRecipe",
            "IWAE whose encoder's gradient has the same mean and less noise, the less the more samples",
            "Tucker et al. 2019",
        ),
        Method(
            "ae",
            "pushforward.recipes.ae:AERecipe",
            "plain autoencoder: encode, reconstruct; the baseline that cannot sample by itself",
            "Hinton & Salakhutdinov 2006",
        ),
        Method(
            "vq-vae",
            "pushforward.recipes.vq_vae:VQVAERecipe",
            "autoencoder whose code is an array of integers: tokens, reconstruct; no samples without a prior",
            "van den Oord et al. 2017",
        ),
        Method(
            "gan",
            "pushforward.recipes.gan:GANRecipe",
            "generative adversarial network, the non-saturating game",
            "Goodfellow et al. 2014",
        ),
        Method(
            "gan-minimax",
            "pushforward.recipes.gan:MinimaxGANRecipe",
            "the same paper's saturating game, whose gradient vanishes where the critic is sure",
            "Goodfellow et al. 2014",
        ),
        Method(
            "lsgan",
            "pushforward.recipes.gan:LSGANRecipe",
            "least-squares GAN",
            "Mao et al. 2017",
        ),
        Method(
            "wgan",
            "pushforward.recipes.gan:WGANRecipe",
            "Wasserstein GAN, its critic's weights clipped",
            "Arjovsky et al. 2017",
        ),
        Method(
            "wgan-gp",
            "pushforward.recipes.gan:WGANGPRecipe",
            "Wasserstein GAN with gradient penalty",
            "Gulrajani et al. 2017",
        ),
        Method(
            "sngan",
            "pushforward.recipes.gan:SNGANRecipe",
            "hinge GAN, every weight of its critic divided by its largest singular value",
            "Miyato et al. 2018",
        ),
        Method(
            "unrolled",
            "pushforward.recipes.gan:UnrolledRecipe",
            "GAN whose generator looks K critic steps ahead",
            "Metz et al. 2017",
        ),
        Method(
            "veegan",
            "pushforward.recipes.gan:VEEGANRecipe",
            "GAN with a reconstructor of its noise, that shows it missing modes; it encodes, too",
            "Srivastava et al. 2017",
        ),
        Method(
            "pacgan",
            "pushforward.recipes.gan:PacGANRecipe",
            "GAN whose critic sees several samples at once",
            "Lin et al. 2018",
        ),
        Method(
            "r3gan",
            "pushforward.recipes.gan:R3GANRecipe",
            "relativistic GAN with both gradient penalties: the modern default for images",
            "Huang et al. 2024",
            treats=("mode-collapse", "mode-oscillation", "critic-saturated"),
        ),
        Method(
            "cyclegan",
            "pushforward.recipes.cyclegan:CycleGANRecipe",
            "translation between two sets of images without pairs, there and back",
            "Zhu et al. 2017",
        ),
        Method(
            "cut",
            "pushforward.recipes.cut:CUTRecipe",
            "translation from one set of images to another without pairs, patch by patch",
            "Park et al. 2020",
        ),
        Method(
            "flow-matching",
            "pushforward.recipes.flow_matching:FlowMatchingRecipe",
            "a flow from noise to data, learned by regression: sample, encode, exact likelihood",
            "Lipman et al. 2023",
        ),
        Method(
            "rs-imle",
            "pushforward.recipes.rs_imle:RSIMLERecipe",
            "a generator alone: each datum draws its nearest sample, so no mode is dropped; for few images",
            "Vashist et al. 2024",
        ),
        Method(
            "adagan",
            "pushforward.ensembles.recipe:AdaGANRecipe",
            "a mixture of gan or another method, each trained on what those before it miss",
            "Tolstikhin et al. 2017",
            kind="ensemble",
        ),
    )
}


def find_method(name: str) -> Method:
    """The method of that name. Raises UserError with the nearest name and the whole list."""
    if name not in METHODS:
        raise UserError(
            f"METHOD: there is no method '{name}'{did_you_mean(name, METHODS)}. Known: {', '.join(METHODS)}"
        )
    return METHODS[name]


def recipe_class(name: str) -> type[Any]:
    """Import and return the recipe dataclass of a method (this imports torch)."""
    module, _, attribute = find_method(name).recipe.partition(":")
    return getattr(importlib.import_module(module), attribute)


def migrate(method: str, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A method and its options as they are called today, from those of an older config (imports torch).

    Where another method has taken options over, they go with it if they are used, and are left out if they
    are not. What else is unknown stays, for validation to name it.
    """
    for heir, moved in taken_over(method).items():
        if moved & options.keys() and recipe_class(heir).was_used(options):
            return heir, dict(options)
        options = {name: value for name, value in options.items() if name not in moved}
    return method, dict(options)


def treating(finding: str) -> str:
    """The method to change to where this was found, by the finding's name or its beginning."""
    return next(m.name for m in METHODS.values() if finding in m.treats)


def taken_over(method: str) -> dict[str, set[str]]:
    """The options that a method had and other methods have now: method -> names (imports torch)."""
    heirs = [m.name for m in METHODS.values() if m.formerly == method]
    fields = {name: {f.name for f in dataclasses.fields(recipe_class(name))} for name in (method, *heirs)}
    return {heir: fields[heir] - fields[method] for heir in heirs}
