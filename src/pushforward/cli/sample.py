"""`pushforward sample RUN`: draw new images, or points, from a trained model."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from pushforward.cli.options import parse
from pushforward.cli.output import (
    Kind,
    announce,
    at_least,
    check_seed,
    kind_of,
    require_room,
    scale_for,
    write_array,
    write_folder,
    write_picture,
    write_points,
)
from pushforward.errors import UserError
from pushforward.run_folder import RunFolder

if TYPE_CHECKING:
    from torch import Tensor

    from pushforward.config import RunConfig
    from pushforward.models.model import Model

DESCRIPTION = (
    "Draw new images or points from a trained model, as one picture, a folder of pictures or an array. "
    "Example: pushforward sample runs/vae-mnist5k --n 100 --out new-digits.png"
)


@dataclass(kw_only=True)
class SampleOptions:
    """What to draw, and where to put it."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run folder that `pushforward train` made, such as runs/vae-mnist5k."""
    n: int | None = None
    """How many. Default: 64 images, 2,500 points."""
    source: Annotated[Literal["prior", "aggregate"], tyro.conf.arg(name="from")] = "prior"
    """Where codes come from: the method's own prior, or a Gaussian mixture fitted to the codes of training
    images, with which a plain autoencoder samples too."""
    components: int = 10
    """Gaussians of that mixture."""
    seed: int = 0
    """The same seed gives the same images."""
    out: str | None = None
    """X.png for one picture of all images, FOLDER/ for a file each, X.npz for an array (key "images", uint8,
    N H W C; of points "points", float32, N D). Default: RUN/samples.png, of points RUN/samples.npz too."""
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
    check_seed(options.seed)
    kind = "grid" if options.out is None else kind_of(options.out)
    drawn = _draw(options)
    out = Path(options.out or options.run / "samples.png")
    if len(drawn.model.shape) == 1:
        line = _write_points(drawn, options, kind, out)
    else:
        line = _write_images(drawn, options, kind, out)
    n = len(drawn.samples)
    facts = {
        "run": str(options.run),
        "checkpoint": options.which,
        "step": drawn.model.about["step"],
        "from": options.source,
        "n": n,
        "seed": options.seed,
        "out": str(out),
    }
    weights = (
        f"{options.which} weights, step {facts['step']:,}"
        if facts["step"] is not None
        else f"{options.which} weights"
    )
    announce(facts, as_json=options.json, line=lambda: f"{n} samples  {line}  ({weights})")


@dataclass(frozen=True)
class Drawn:
    """The samples of a run's model."""

    config: RunConfig
    model: Model
    samples: Tensor


def _write_images(drawn: Drawn, options: SampleOptions, kind: Kind, out: Path) -> str:
    from pushforward.pictures.tiles import grid

    images = drawn.samples
    if kind == "array":
        write_array(images, out)
    elif kind == "folder":
        write_folder(images, out, scale=options.scale or 1)
    else:
        scale = scale_for(min(images.shape[2:]), options.scale)
        write_picture(grid(images, columns=options.columns, scale=scale), out)
    return str(out)


def _write_points(drawn: Drawn, options: SampleOptions, kind: Kind, out: Path) -> str:
    """A picture in front of held-out points, an array, or both where nothing was asked for."""
    from pushforward.pictures.points import Scene, scatter
    from pushforward.runs.reopen import images_for

    for name in ("columns", "scale"):
        if getattr(options, name) is not None:
            raise UserError(
                f"--{name}: {getattr(options, name)}, but points come in one picture; leave it out"
            )
    if kind == "folder":
        raise UserError(f"--out: {options.out}; points have no picture each: expected X.png or X.npz")
    written = []
    if kind == "grid":
        try:
            real = images_for(drawn.config, drawn.model).data.x
        except UserError as error:
            print(f"note    without real points behind the samples: {error}", file=sys.stderr)
            real = drawn.samples[:0]
        scene = Scene.of(real if len(real) else drawn.samples, behind=len(real) > 0)
        write_picture(scatter(scene, drawn.samples), out)
        written.append(str(out))
    if kind == "array" or options.out is None:
        written.append(str(out.with_suffix(".npz")))
        write_points(drawn.samples, out.with_suffix(".npz"))
    return "  ".join(written)


def _draw(options: SampleOptions) -> Drawn:
    from pushforward.abilities import Decodes, Encodes, Samples
    from pushforward.runs.reopen import images_for, open_run, require

    config, model = open_run(options.run, which=options.which)
    n = options.n or (64 if len(model.shape) == 3 else 2500)
    require_room(n, model.shape)
    if not RunFolder(options.run).finished:
        print(
            f"note    the run is not finished: these weights are of step {model.about['step']:,}",
            file=sys.stderr,
        )
    if options.source == "prior":
        if not model.can(Samples) and model.can(Encodes):
            raise UserError(
                f"RUN: a model of the method '{config.method}' has no prior to sample from; fit one to its "
                "codes with --from aggregate"
            )
        require(model, Samples)
        return Drawn(config, model, model.sample(n, seed=options.seed))
    require(model, Encodes, Decodes)
    shown = images_for(config, model, split="train")
    if shown.note:
        print(f"note    {shown.note}", file=sys.stderr)
    codes = model.aggregate(shown.data.x, components=options.components, seed=options.seed)
    return Drawn(config, model, model.sample_aggregate(n, codes, seed=options.seed))
