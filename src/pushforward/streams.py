"""Which streams of data a method learns from, by name. Torch-free.

Most learn from one, called "data". A recipe of several declares `streams: ClassVar[tuple[str, ...]]`, and its
`build` takes their shapes by name. What a trained model does without naming a stream, such as `sample`, is
about the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pushforward.errors import UserError

if TYPE_CHECKING:
    from pushforward.core import Algorithm

DATA = "data"  # the stream of a recipe that declares none


def streams_of(recipe: Any) -> tuple[str, ...]:
    """The names of the streams that a recipe, or its class, learns from."""
    return getattr(recipe, "streams", (DATA,))


def option_of(name: str, stream: str) -> str:
    """What sets an option of one stream: "--data", or "--data.b" of the stream b."""
    return f"--{name}" if stream == DATA else f"--{name}.{stream}"


@dataclass(frozen=True)
class Classes:
    """The classes that a conditional model is told. shares: of the training data, which sum to 1."""

    names: tuple[str, ...]
    shares: tuple[float, ...]

    @classmethod
    def told(cls, about: Mapping[str, Any]) -> Classes | None:
        """Those that a `model.json` tells of; None where the model is told none."""
        content = about.get("classes")
        return None if content is None else cls(tuple(content["names"]), tuple(content["shares"]))


def shapes_of(about: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shapes of the data by stream that a `model.json` tells of."""
    told = about["shapes"] if "shapes" in about else {DATA: about["shape"]}
    return {name: tuple(shape) for name, shape in told.items()}


def check_told(recipe: Any, classes: Classes | None) -> None:
    """Raise UserError where a recipe is `conditional` and gets no classes, or gets some and is not."""
    conditional = getattr(recipe, "conditional", False)
    if conditional and classes is None:
        raise UserError(
            "`conditional`: True, but no classes are given; call `build(shape, classes)` with a "
            "`streams.Classes`, or leave it out"
        )
    if classes is not None and not conditional:
        raise UserError("`conditional`: not set, but classes are given; set it where the method has it")


def build(recipe: Any, shapes: Mapping[str, tuple[int, ...]], classes: Classes | None = None) -> Algorithm:
    """A freshly initialised algorithm for data of these shapes, by stream.

    A recipe of one stream is called as `build(shape)`, one of several as `build(a=shape, b=shape)`, and one
    that is `conditional` as `build(shape, classes)`.
    """
    streams = streams_of(recipe)
    built: Algorithm
    if len(streams) == 1:
        (shape,) = shapes.values()
        built = recipe.build(shape, classes) if classes is not None else recipe.build(shape)
    else:
        built = recipe.build(**{name: shapes[name] for name in streams})
    return built
