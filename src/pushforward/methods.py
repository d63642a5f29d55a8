"""The one registry: a method's name -> where its recipe is. Torch-free, so that help is instant."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from pushforward.errors import UserError, did_you_mean


@dataclass(frozen=True)
class Method:
    """One trainable method.

    recipe: "module:Class" of a dataclass of options with `build(shape) -> Algorithm`.
    """

    name: str
    recipe: str
    summary: str
    paper: str


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
            "beta-vae",
            "pushforward.recipes.beta_vae:BetaVAERecipe",
            "VAE whose code carries only so much: β fixed or learned, capacity, GECO, free bits",
            "Higgins et al. 2017",
        ),
        Method(
            "iwae",
            "pushforward.recipes.iwae:IWAERecipe",
            "VAE trained on a tighter likelihood bound, of several samples",
            "Burda et al. 2016",
        ),
        Method(
            "ae",
            "pushforward.recipes.ae:AERecipe",
            "plain autoencoder: encode, reconstruct; the baseline that cannot sample by itself",
            "Hinton & Salakhutdinov 2006",
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
