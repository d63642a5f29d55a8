"""`pushforward traverse RUN`: what each latent dimension changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from pushforward.cli.options import parse
from pushforward.cli.output import announce, at_least, require_png, scale_for, write_picture
from pushforward.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

DESCRIPTION = (
    "Walk along latent dimensions, one a row, the most active first, and show what changes in the image. "
    "Example: pushforward traverse runs/vae-mnist5k --dims 3 7 --steps 11"
)


@dataclass(kw_only=True)
class TraverseOptions:
    """Which dimensions, how far, and where to put the picture."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run folder that `pushforward train` made, such as runs/vae-mnist5k."""
    dims: tuple[int, ...] = ()
    """Numbers of the dimensions to walk along, from 0. Default: all, the most active first."""
    steps: int = 9
    """Images a row."""
    range: float = 3.0
    """Walk from minus to plus this many standard deviations: of the prior, or of the codes without one."""
    image: int | None = None
    """Start from the code of this held-out image, by its number from 0. Default: the middle."""
    label: str | None = None
    """The class to walk in, of a model that was trained with --conditional."""
    out: str | None = None
    """The picture to write, X.png. Default: RUN/traversals.png."""
    which: Literal["last", "best"] = "last"
    """The weights at the end of training, or those with the best validation metric."""
    scale: int | None = None
    """Enlarge the picture by this whole factor. Default: enough to see small images."""
    json: bool = False
    """Print the result as JSON, with the KL of each dimension in nats."""


def run(argv: list[str]) -> None:
    """Parse, walk, write."""
    options = parse(TraverseOptions, argv, prog="traverse", description=DESCRIPTION)
    at_least("--steps", options.steps, 2)
    at_least("--scale", options.scale)
    if not 0 < options.range <= 1000:
        raise UserError(f"--range: {options.range}; expected standard deviations, above 0 and at most 1000")
    require_png(options.out)
    from pushforward.abilities import Decodes, Encodes
    from pushforward.models.by_class import needs_class, of_class
    from pushforward.models.latents import codes, traverse
    from pushforward.pictures.tiles import rows
    from pushforward.runs.reopen import images_for, open_run, require, require_images

    config, model = open_run(options.run, which=options.which)
    require_images(model, "traverse")
    held_out = images_for(config, model).data
    if options.label is not None:
        model, held_out = model.given(options.label), of_class(held_out, options.label)
    elif needs_class(model):
        raise UserError(
            f"--label: not given, and this model is told the class; give one of {', '.join(model.classes)}"
        )
    require(model, Encodes, Decodes)
    found = codes(model, held_out.x[:1000])
    kl = found.kl
    dims = _dims(options.dims, found.order)
    start = None if options.image is None else model.encode(_image(held_out.x, options.image))[0]
    steps, images = traverse(model, found, dims, steps=options.steps, reach=options.range, start=start)
    out = Path(options.out or options.run / "traversals.png")
    labels = [f"z{d}" if kl is None else f"z{d}   {kl[d]:.2f} nats" for d in dims]
    scale = scale_for(min(images.shape[3:]), options.scale)
    write_picture(rows(images, labels, [f"{s:+.1f}" for s in steps], scale=scale), out)
    facts = {
        "run": str(options.run),
        "checkpoint": options.which,
        "step": model.about["step"],
        "dims": dims,
        "kl": None if kl is None else [kl[d] for d in dims],
        "positions": steps,
        "out": str(out),
    }
    announce(facts, as_json=options.json, line=lambda: f"{len(dims)} latent dimensions  {out}")


def _dims(asked: tuple[int, ...], order: list[int]) -> list[int]:
    for number in asked:
        if number not in order:
            raise UserError(f"--dims: {number}; expected numbers from 0 to {len(order) - 1}")
    return list(asked) or order


def _image(images: Tensor, number: int) -> Tensor:
    if not 0 <= number < len(images):
        raise UserError(f"--image: {number}; expected a number from 0 to {len(images) - 1}")
    return images[number : number + 1]
