"""`pushforward sample RUN`: draw new images from a trained model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

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
    for name, value in (("--n", options.n), ("--columns", options.columns), ("--scale", options.scale)):
        at_least(name, value)
    kind = "grid" if options.out is None else kind_of(options.out)
    from pushforward.inspection import open_run, require
    from pushforward.observers.pictures import grid

    _, model = open_run(options.run, which=options.which)
    require(model, "sample")
    images = model.sample(options.n, seed=options.seed)
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
        "step": model.about["step"],
        "n": options.n,
        "seed": options.seed,
        "out": str(out),
    }
    announce(facts, as_json=options.json, line=lambda: f"{options.n} samples  {out}")
