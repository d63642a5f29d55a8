"""`pushforward sample RUN`: draw new images from a trained model."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from pushforward.cli.options import parse
from pushforward.cli.output import (
    announce,
    at_least,
    kind_of,
    scale_for,
    write_array,
    write_folder,
    write_picture,
)
from pushforward.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

DESCRIPTION = (
    "Draw new images from a trained model, as one picture, a folder of pictures or an array. "
    "Example: pushforward sample runs/vae-mnist5k --n 100 --out new-digits.png"
)


@dataclass(kw_only=True)
class SampleOptions:
    """What to draw, and where to put it."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run folder that `pushforward train` made, such as runs/vae-mnist5k."""
    n: int = 64
    """How many images."""
    source: Annotated[Literal["prior", "aggregate"], tyro.conf.arg(name="from")] = "prior"
    """Where codes come from: the method's own prior, or a Gaussian mixture fitted to the codes of training
    images, with which a plain autoencoder samples too."""
    components: int = 10
    """Gaussians of that mixture."""
    seed: int = 0
    """The same seed gives the same images."""
    out: str | None = None
    """X.png for one picture of all images, FOLDER/ for a file each, X.npz for an array (key "images", uint8,
    N H W C). Default: RUN/samples.png."""
    which: Literal["last", "best"] = "last"
    """The weights at the end of training, or those with the best validation metric."""
    columns: int | None = None
    """Images a row of the picture. Default: about as many as rows."""
    scale: int | None = None
    """Enlarge pictures by this whole factor. Default: enough to see small images; 1 for a folder."""
    json: bool = False
    """Print the result as JSON."""


def run(argv: list[str]) -> None:
    """Parse, draw, write."""
    options = parse(SampleOptions, argv, prog="sample", description=DESCRIPTION)
    for name in ("n", "components", "columns", "scale"):
        at_least(f"--{name}", getattr(options, name))
    kind = "grid" if options.out is None else kind_of(options.out)
    from pushforward.observers.pictures import grid

    images, step = _draw(options)
    out = Path(options.out or options.run / "samples.png")
    if kind == "array":
        write_array(images, out)
    elif kind == "folder":
        write_folder(images, out, scale=options.scale or 1)
    else:
        scale = scale_for(min(images.shape[2:]), options.scale)
        write_picture(grid(images, columns=options.columns, scale=scale), out)
    facts = {
        "run": str(options.run),
        "checkpoint": options.which,
        "step": step,
        "from": options.source,
        "n": options.n,
        "seed": options.seed,
        "out": str(out),
    }
    announce(facts, as_json=options.json, line=lambda: f"{options.n} samples  {out}")


def _draw(options: SampleOptions) -> tuple[Tensor, int]:
    """The images, and the step of the model that drew them."""
    from pushforward.inspection import images_for, open_run, require

    config, model = open_run(options.run, which=options.which)
    step: int = model.about["step"]
    if options.source == "prior":
        if not model.can("sample") and model.can("encode"):
            raise UserError(
                f"RUN: a model of the method '{config.method}' has no prior to sample from; fit one to its "
                "codes with --from aggregate"
            )
        require(model, "sample")
        return model.sample(options.n, seed=options.seed), step
    require(model, "encode", "decode")
    shown = images_for(config, model, split="train")
    if shown.note:
        print(f"note    {shown.note}", file=sys.stderr)
    codes = model.aggregate(shown.images.images, components=options.components, seed=options.seed)
    return model.sample_aggregate(options.n, codes, seed=options.seed), step
