"""`pushforward sample RUN`: draw new images, or points, from a trained model."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
    write_animation,
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
    "Draw new images or points from a trained model, as one picture, a folder of pictures, an array or a "
    "moving walk. Example: pushforward sample runs/vae-mnist5k --n 100 --out new-digits.png"
)
WALK = 9  # images


@dataclass(kw_only=True)
class SampleOptions:
    """What to draw, and where to put it."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run folder that `pushforward train` made, such as runs/vae-mnist5k."""
    n: int | None = None
    """How many. Default: 64 images, 2,500 points. Into a folder or an array any number fits."""
    source: Annotated[Literal["prior", "aggregate"], tyro.conf.arg(name="from")] = "prior"
    """Where codes come from: the method's own prior, or a Gaussian mixture fitted to the codes of training
    images, with which a plain autoencoder samples too."""
    components: int = 10
    """Gaussians of that mixture."""
    truncation: float | None = None
    """Scale codes towards the mean of a Gaussian prior by this factor, above 0 and at most 1: images become
    more typical and less various."""
    label: str | None = None
    """Of a model that was trained with --conditional: draw this class alone. Default: classes as often as in
    the training data."""
    per_label: int | None = None
    """Of such a model: so many of each class, a row each in the picture."""
    seed: int = 0
    """The same seed gives the same images."""
    seeds: Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="A B")] = None
    """Instead of samples, a walk from the first image of seed A to that of seed B, on an arc of codes."""
    interpolate: int | None = None
    """Images of that walk, both ends included. Default: 9."""
    out: str | None = None
    """X.png for one picture of all images, FOLDER/ for a file each, X.npz for an array (key "images", uint8,
    N H W C; of points "points", float32, N D), X.gif for a walk that moves. Default: RUN/samples.png, of
    points RUN/samples.npz too; of a walk RUN/walk.png."""
    which: Literal["last", "best"] = "last"
    """The weights at the end of training, or those with the best validation metric."""
    columns: int | None = None
    """Images a row of the picture. Default: about as many as rows; all of a walk."""
    grid: Annotated[str | None, tyro.conf.arg(metavar="CxR")] = None
    """So many columns and rows of images in the picture, such as 12x4, instead of --n and --columns."""
    scale: int | None = None
    """Enlarge pictures by this whole factor. Default: enough to see small images; 1 for a folder."""
    json: bool = False
    """Print the result as JSON."""


def run(argv: list[str]) -> None:
    """Parse, draw, write."""
    options = parse(SampleOptions, argv, prog="sample", description=DESCRIPTION)
    kind = _check(options)
    drawn = _draw(options, kind)
    out = Path(options.out or options.run / ("walk.png" if options.seeds else "samples.png"))
    write = _write_points if len(drawn.model.shape) == 1 else _write_images
    line = write(drawn, options, kind, out)
    step = drawn.model.about["step"]
    facts = {
        "run": str(options.run),
        "checkpoint": options.which,
        "step": step,
        "from": options.source,
        "n": drawn.n,
        "seed": options.seed if options.seeds is None else None,
        "seeds": options.seeds,
        "truncation": options.truncation,
        "out": str(out),
    }
    what = "samples" if options.seeds is None else "images from seed {} to {}".format(*options.seeds)
    weights = f"{options.which} weights" + (f", step {step:,}" if step is not None else "")
    announce(facts, as_json=options.json, line=lambda: f"{drawn.n} {what}  {line}  ({weights})")


def _check(options: SampleOptions) -> Kind:
    """What --out names. Raises UserError for options that cannot be, alone or together."""
    for name in ("n", "components", "columns", "scale", "per_label"):
        at_least(f"--{name.replace('_', '-')}", getattr(options, name))
    _check_label(options)
    at_least("--interpolate", options.interpolate, 2)
    check_seed(options.seed)
    if options.truncation is not None and not 0 < options.truncation <= 1:
        raise UserError(f"--truncation: {options.truncation}; expected a factor above 0, at most 1")
    if options.truncation is not None and options.source != "prior":
        raise UserError("--truncation: given, but --from aggregate has no prior to narrow; leave one out")
    kind = "grid" if options.out is None else kind_of(options.out)
    _check_walk(options, kind)
    if options.grid is not None:
        _check_grid(options, options.grid, kind)
    return kind


def _check_label(options: SampleOptions) -> None:
    """Raise UserError for classes that are asked for twice, or of what has none."""
    asked = {"--label": options.label, "--per-label": options.per_label}
    given = [option for option, value in asked.items() if value is not None]
    others = {
        "--n": options.n is not None and options.per_label is not None,
        "--grid": options.grid is not None and options.per_label is not None,
        "--seeds": options.seeds is not None,
        "--from aggregate": options.source != "prior",
    }
    clash = [*given[1:], *(option for option, there in others.items() if there)]
    if given and clash:
        raise UserError(f"{given[0]}: given with {clash[0]}; leave one out")


def _check_walk(options: SampleOptions, kind: Kind) -> None:
    if options.seeds is None:
        if options.interpolate is not None:
            raise UserError(
                f"--interpolate: {options.interpolate}, but no ends to walk between; add --seeds A B"
            )
        if kind == "animation":
            raise UserError(f"--out: {options.out}; a GIF shows a walk: add --seeds A B, or take X.png")
        return
    for seed in options.seeds:
        check_seed(seed, "--seeds")
    instead = {
        "--n": (options.n is not None, "take --interpolate"),
        "--seed": (options.seed != 0, "leave it out"),
        "--grid": (options.grid is not None, "take --columns"),
        "--from aggregate": (options.source != "prior", "leave it out"),
    }
    for option, (given, mend) in instead.items():
        if given:
            a, b = options.seeds
            raise UserError(f"{option}: given with --seeds {a} {b}, a walk between two codes; {mend}")


def _check_grid(options: SampleOptions, asked: str, kind: Kind) -> None:
    """Put --grid into the number and the columns."""
    match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", asked)
    if match is None or not all(map(int, match.groups())):
        raise UserError(f"--grid: {asked}; expected columns x rows, such as 12x4")
    columns, lines = map(int, match.groups())
    if options.n not in (None, columns * lines) or options.columns not in (None, columns):
        raise UserError(
            f"--grid: {asked}, which is --n {columns * lines} --columns {columns}, but others are given; "
            "leave them out"
        )
    if kind != "grid":
        raise UserError(f"--grid: {asked}, but --out {options.out} is not one picture; take X.png or --n")
    options.n, options.columns = columns * lines, columns
    at_least("--n", options.n)
    at_least("--columns", options.columns)


@dataclass(frozen=True)
class Drawn:
    """The samples of a run's model, n in all, which are made part by part as they are asked for."""

    config: RunConfig
    model: Model
    n: int
    parts: Iterable[Tensor]


def _write_images(drawn: Drawn, options: SampleOptions, kind: Kind, out: Path) -> str:
    import torch

    from pushforward.pictures.tiles import grid, picture

    scale = scale_for(min(drawn.model.shape[1:]), options.scale)
    if kind == "array":
        write_array(drawn.parts, drawn.n, out)
    elif kind == "folder":
        write_folder(drawn.parts, drawn.n, out, scale=options.scale or 1)
    elif kind == "animation":
        write_animation([picture(image, scale=scale) for part in drawn.parts for image in part], out)
    else:
        columns = options.columns or (drawn.n if options.seeds else None)
        write_picture(grid(torch.cat(list(drawn.parts)), columns=columns, scale=scale), out)
    return str(out)


def _write_points(drawn: Drawn, options: SampleOptions, kind: Kind, out: Path) -> str:
    """A picture in front of held-out points, an array, or both where nothing was asked for."""
    import torch

    from pushforward.pictures.points import Scene, scatter
    from pushforward.runs.reopen import images_for

    parts, written = drawn.parts, []
    if kind == "grid":
        samples = torch.cat(list(parts))
        parts = [samples]
        try:
            real = images_for(drawn.config, drawn.model).data.x
        except UserError as error:
            print(f"note    without real points behind the samples: {error}", file=sys.stderr)
            real = samples[:0]
        scene = Scene.of(real if len(real) else samples, behind=len(real) > 0)
        write_picture(scatter(scene, samples), out)
        written.append(str(out))
    if kind == "array" or options.out is None:
        written.append(str(out.with_suffix(".npz")))
        write_points(parts, drawn.n, out.with_suffix(".npz"))
    return "  ".join(written)


def _refuse_for_points(options: SampleOptions, kind: Kind) -> None:
    """Raise UserError for what only images have."""
    for name in ("grid", "columns", "scale"):
        given = getattr(options, name)
        if given is not None:
            raise UserError(f"--{name}: {given}, but points come in one picture; leave it out")
    if options.seeds is not None:
        a, b = options.seeds
        raise UserError(f"--seeds: {a} {b}, a walk of images, but this model makes points; leave it out")
    if kind == "folder":
        raise UserError(f"--out: {options.out}; points have no picture each: expected X.png or X.npz")


def _draw(options: SampleOptions, kind: Kind) -> Drawn:
    from pushforward.abilities import Decodes, Encodes, Samples
    from pushforward.runs.reopen import images_for, open_run, require

    config, model = open_run(options.run, which=options.which)
    if len(model.shape) == 1:
        _refuse_for_points(options, kind)
    if not RunFolder(options.run).finished:
        print(
            f"note    the run is not finished: these weights are of step {model.about['step']:,}",
            file=sys.stderr,
        )
    if options.seeds is not None:
        n = options.interpolate or WALK
        return Drawn(config, model, n, [model.interpolate(options.seeds, n, truncation=options.truncation)])
    n = options.n or (64 if len(model.shape) == 3 else 2500)
    if kind == "grid":
        require_room(n, model.shape)
    if options.source == "prior":
        if not model.can(Samples) and model.can(Encodes):
            raise UserError(
                f"RUN: a model of the method '{config.method}' has no prior to sample from; fit one to its "
                "codes with --from aggregate"
            )
        require(model, Samples)
        how: dict[str, Any] = {"seed": options.seed, "truncation": options.truncation}
        if options.per_label is not None:
            return _of_each_class(config, model, options, how)
        return Drawn(config, model, n, model.sample_parts(n, **how, label=options.label))
    require(model, Encodes, Decodes)
    shown = images_for(config, model, split="train")
    if shown.note:
        print(f"note    {shown.note}", file=sys.stderr)
    codes = model.aggregate(shown.data.x, components=options.components, seed=options.seed)
    return Drawn(config, model, n, model.sample_parts(n, seed=options.seed, codes=codes))


def _of_each_class(config: RunConfig, model: Model, options: SampleOptions, how: dict[str, Any]) -> Drawn:
    assert options.per_label is not None
    if not model.classes:
        raise UserError(
            f"--per-label: {options.per_label}, but this model was not trained with --conditional; take --n"
        )
    options.columns = options.columns or options.per_label
    parts = (
        part for name in model.classes for part in model.sample_parts(options.per_label, **how, label=name)
    )
    return Drawn(config, model, options.per_label * len(model.classes), parts)
