"""`pushforward translate RUN IN OUT --to a`: pictures of one domain as those of another."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from pushforward.cli.many import Job, jobs, write
from pushforward.cli.options import parse
from pushforward.cli.output import announce
from pushforward.errors import RunFailed, UserError, as_options

if TYPE_CHECKING:
    from pushforward.data.ranges import PixelRange
    from pushforward.models.model import Model

DESCRIPTION = (
    "Translate pictures of one domain to another, at the size that they have. "
    "Example: pushforward translate runs/cyclegan-a-b photos/ painted/ --to b"
)


@dataclass(kw_only=True)
class TranslateOptions:
    """Which pictures, to what, and where they go."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run folder that `pushforward train` made, such as runs/cyclegan-a-b."""
    paths: Annotated[
        tuple[str, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="IN [IN ...] OUT", help_behavior_hint="(required)"),
    ] = ()
    """IN: a picture, a folder, whose names and sub-folders are kept, or a pattern such as 'photos/*.jpg'.
    OUT: the file to write of one picture, else a folder."""
    to: str | None = None
    """The domain to translate to: a or b. A model of one direction needs none."""
    tile: int | None = None
    """Translate pictures that are larger in tiles of so many pixels a side, which overlap. It bounds the
    memory, and changes colours a little. Default: each picture as a whole."""
    overwrite: bool = False
    """Replace files that are there already. Default: refuse."""
    pixel_range: tuple[float, float] | None = None
    """The numbers that are black and white in the files. Default: as for the run, else told by the type and
    the range of each picture's pixels."""
    which: Literal["last", "best"] = "last"
    """The weights at the end of training, or those with the best validation metric."""
    json: bool = False
    """Print the result as JSON, with each picture, its size and what was converted, and what failed."""


def run(argv: list[str]) -> None:
    """Parse, translate, write; a picture that cannot be is told and left out."""
    options = parse(TranslateOptions, argv, prog="translate", description=DESCRIPTION)
    from pushforward.cli.progress import Counted
    from pushforward.runs.reopen import open_run

    config, model = open_run(options.run, which=options.which)
    to, pixel_range = _check(options, model)
    pixel_range = pixel_range or config.train.pixel_range
    *given, out = options.paths
    todo = jobs(given, out, alpha=model.shapes[to][0] in (2, 4), overwrite=options.overwrite)
    done, failed, strangers = list[dict[str, Any]](), list[dict[str, str]](), 0
    with Counted("picture", len(todo)) as counted:
        for job in todo:
            told = _one(model, job, to, options.tile, pixel_range, alone=len(todo) == 1)
            if told is None:
                strangers += 1
            elif isinstance(told, str):
                counted.say(f"note: {job.source}: {told}")
                failed.append({"in": str(job.source), "reason": as_options(told)})
            else:
                done.append(told)
            counted.step()
    facts = {
        "run": str(options.run),
        "checkpoint": options.which,
        "step": model.about["step"],
        "to": to,
        "tile": options.tile,
        "n": len(done),
        "pictures": done,
        "failed": failed,
        "not_images": strangers,
        "out": out,
    }
    announce(facts, as_json=options.json, line=lambda: _line(done, strangers, to, out))
    if failed or not done:
        raise RunFailed(_lost(len(failed), len(todo) - strangers))


def _check(options: TranslateOptions, model: Model) -> tuple[str, PixelRange | None]:
    """The domain and the range of pixels. Raises UserError for what cannot be, before anything is read."""
    from pushforward.abilities import Translates
    from pushforward.data.ranges import checked
    from pushforward.models.translation import check_tile, source_of
    from pushforward.runs.reopen import require, require_images

    require_images(model, "translate")
    require(model, Translates)
    into = model.ability(Translates).into
    if options.to is None and len(into) > 1:
        raise UserError(f"--to: not given; expected one of {', '.join(into)}")
    to = into[0] if options.to is None else options.to
    source_of(model, to)
    check_tile(options.tile)
    if len(options.paths) < 2:
        missing = "OUT" if options.paths else "IN and OUT"
        raise UserError(f"{missing}: not given; expected `pushforward translate RUN IN OUT --to {to}`")
    try:
        return to, checked(options.pixel_range)
    except ValueError as error:
        raise UserError(str(error)) from error


def _one(
    model: Model, job: Job, to: str, tile: int | None, pixel_range: PixelRange | None, *, alone: bool
) -> dict[str, Any] | str | None:
    """What was done with one picture; in words why it was not; None for a file that is no picture.

    alone: whether it is the only one, so that a failure to write it ends the command.
    """
    import torch

    from pushforward.core import to_uint8
    from pushforward.data.decode import Item
    from pushforward.data.rows import NO_IMAGE, Skip
    from pushforward.data.single import read_picture
    from pushforward.models.translation import source_of
    from pushforward.pictures.tiles import to_pil

    channels = model.shapes[source_of(model, to)][0]
    read = read_picture(Item(job.name, job.source.absolute), channels=channels, pixel_range=pixel_range)
    if read is None:
        return NO_IMAGE if job.named else None
    if isinstance(read, Skip):
        return read.reason
    pixels = torch.from_numpy(read.pixels)
    x = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
    try:
        made = model.translate(x[None], to=to, tile=tile)
    except UserError as error:
        return str(error)
    try:
        write(to_pil(to_uint8(made[0])), job.out)
    except UserError as error:
        if alone:
            raise
        return str(error)  # the others are not to be lost with it
    return {
        "in": str(job.source),
        "out": str(job.out),
        "size": [x.shape[2], x.shape[1]],
        "converted": list(read.converted),
    }


def _line(done: list[dict[str, Any]], strangers: int, to: str, out: str) -> str:
    converted = Counter(what for picture in done for what in picture["converted"])
    told = [f"{n:,} × {what}" for what, n in sorted(converted.items())]
    if strangers:
        told.append(
            f"{strangers:,} {'file is' if strangers == 1 else 'files are'} no picture, and left alone"
        )
    note = f"\nnote: {', '.join(told)}" if told else ""
    return f"{len(done):,} picture{'s' * (len(done) != 1)} translated to {to}  {out}{note}"


def _lost(failed: int, pictures: int) -> str:
    if not pictures:
        return "IN: none of its files is a picture"
    return f"{failed:,} of {pictures:,} pictures not translated"
