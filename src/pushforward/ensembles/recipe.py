"""The recipe of AdaGAN: which components, with which options."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import tyro
import yaml

from pushforward.abilities import PreparesData, offers
from pushforward.config import validated
from pushforward.data import Dataset
from pushforward.ensembles.adagan import AdaGANHyperparameters
from pushforward.ensembles.mixture import MixtureModel
from pushforward.errors import UserError
from pushforward.methods import find_method, recipe_class
from pushforward.networks.layers import Shape
from pushforward.streams import DATA, streams_of


def _from_words(words: Sequence[str]) -> dict[str, Any]:
    if len(words) % 2:
        raise ValueError(f"{shlex.join(words)}: expected pairs of a name and a value, such as: n_critic 2")
    return {
        name.replace("-", "_"): yaml.safe_load(v) for name, v in zip(words[::2], words[1::2], strict=True)
    }


def _to_words(options: Mapping[str, Any]) -> list[str]:
    return [w for name, value in options.items() for w in (name, _flow(value))]


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n").strip()


# On the command line: --component-options hidden "[16, 16]" n_critic 2
Pairs = Annotated[
    dict[str, Any],
    tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar="[NAME VALUE ...]",
        instance_from_str=_from_words,
        is_instance=lambda value: isinstance(value, dict),
        str_from_instance=_to_words,
    ),
]


@dataclass(kw_only=True)
class AdaGANRecipe(AdaGANHyperparameters):
    """Options of `train adagan`."""

    component: str = "gan"
    """Method of the components: gan, wgan-gp or any other that samples."""
    component_options: Pairs = field(default_factory=dict)
    """The components' own options, as names and values in YAML: hidden "[16, 16]" n_critic 2."""

    def build(self, shape: Shape) -> MixtureModel:
        """A mixture of untrained components of points (d,) or images (channels, height, width)."""
        self.check()
        recipe = self.component_recipe()
        try:
            components = [recipe.build(shape) for _ in range(self.components)]
        except UserError as error:
            raise UserError(f"`component` {self.component}: {error}") from None
        return MixtureModel(components)

    def component_recipe(self) -> Any:
        """The components' options. Raises UserError for a method, or an option, that cannot be."""
        if find_method(self.component).kind == "ensemble":
            raise UserError(
                f"`component`: {self.component} is an ensemble itself; take a method that trains one model, "
                "such as gan"
            )
        recipe = recipe_class(self.component)
        if streams_of(recipe) != (DATA,):
            raise UserError(
                f"`component`: {self.component} learns from {' and '.join(streams_of(recipe))}; take a "
                "method that learns from one set of data, such as gan"
            )
        options = validated(recipe, self.component_options, "`component_options`: ")
        if getattr(options, "conditional", False):
            raise UserError(
                "`component_options`: conditional, but components of a mixture are told no classes; leave it "
                f"out, or train {self.component} alone"
            )
        return options

    def prepare_data(self, images: Dataset) -> Dataset:
        """The data as the components' method prepares them, if it does."""
        recipe = self.component_recipe()
        if not offers(recipe, PreparesData):
            return images
        prepared: Dataset = recipe.prepare_data(images)
        return prepared
