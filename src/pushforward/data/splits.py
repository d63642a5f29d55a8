"""Duplicates, the held-out split and limited subsets: all decided by content. Torch-free."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pushforward.data.kinds import Kind, size_of
from pushforward.data.rows import TEST_SHARE, Rows, Size, places
from pushforward.data.sources import read_source
from pushforward.errors import UserError
from pushforward.streams import DATA, option_of


@dataclass(frozen=True)
class Divided:
    """Training and held-out rows. how: where the split comes from. classes: those of both."""

    train: Rows
    test: Rows
    how: str
    classes: tuple[str, ...] | None


def read_unique(
    source: str,
    *,
    image_size: Size,
    channels: int | None,
    pixel_range: Sequence[float] | None = None,
    option: str = "--data",
) -> Rows:
    """Everything that `source` names, without exact duplicates; see `read_source`."""
    asked: dict[str, Any] = {"image_size": image_size, "channels": channels, "pixel_range": pixel_range}
    return drop_duplicates(read_source(source, **asked, option=option))


def divide(
    rows: Rows,
    *,
    test: str | None,
    image_size: Size,
    limit: int | None,
    limit_seed: int,
    pixel_range: Sequence[float] | None = None,
    stream: str = DATA,
) -> Divided:
    """Hold images out and limit the rest; the arguments are those of `load_splits`."""
    require_usable(rows, option_of("data", stream))
    if test is None:
        train, held_out, how = split(rows, stream)
    else:
        train, held_out, how = _split_by(rows, test, image_size, pixel_range, stream)
    # of all rows, so that neither a split nor --limit renumbers the classes
    classes = list(rows.classes or ())
    classes += [word for word in held_out.classes or () if word not in classes]
    if limit is not None:
        train = subset(train, limit, limit_seed)
    return Divided(train, held_out, how, tuple(classes) or None)


def require_usable(rows: Rows, option: str = "--data") -> None:
    """Raise the UserError that says why the rows cannot be used, if they cannot."""
    if rows.problem:
        raise UserError(f"{option} {rows.scan.source}: {rows.problem}")


def drop_duplicates(rows: Rows) -> Rows:
    """Keep the first of the rows that decode to the same pixels; an official test row is kept before any."""
    test = np.zeros(len(rows), bool) if rows.official_test is None else rows.official_test
    seen: set[bytes] = set()
    keep: list[int] = []
    for i in np.argsort(~test, kind="stable").tolist():
        if rows.digests[i] not in seen:
            seen.add(rows.digests[i])
            keep.append(i)
    return _keep(rows, sorted(keep))


def split(rows: Rows, stream: str = DATA) -> tuple[Rows, Rows, str]:
    """(train, test, how): the official split, else each image's own hash decides, 10 % to the test.

    An image's side depends neither on the others nor on the size it is trained at, so a growing folder
    keeps its split; only where all would land on one side is the nearest one moved over.
    """
    official = rows.official_test
    if official is not None and official.any() and not official.all():
        how = rows.split_how or "official"
        return rows.take(np.flatnonzero(~official)), rows.take(np.flatnonzero(official)), how
    if len(rows) < 2:
        kind = Kind.of(rows.shape)
        copies = f" ({rows.scan.duplicates} more are the same)" if rows.scan.duplicates else ""
        raise UserError(
            f"{option_of('data', stream)} {rows.scan.source}: 1 usable {kind.name}{copies}, but one is "
            f"held out and training needs another; add {kind.many}, or give the held-out ones with "
            f"{option_of('test', stream)}"
        )
    place = places(rows.keys)
    test = place < TEST_SHARE
    if not test.any():
        test[place.argmin()] = True
    if test.all():
        test[place.argmax()] = False
    return rows.take(np.flatnonzero(~test)), rows.take(np.flatnonzero(test)), "10 % by content hash"


def _split_by(
    rows: Rows, test: str, image_size: Size, pixel_range: Sequence[float] | None, stream: str
) -> tuple[Rows, Rows, str]:
    """Hold out the official test part of the source `test`, or all of it where it has none."""
    data, option = option_of("data", stream), option_of("test", stream)
    official = rows.official_test
    train = rows if official is None or official.all() else rows.take(np.flatnonzero(~official))
    channels = train.shape[0] if len(train.shape) == 3 else None
    held_out = read_unique(
        test, image_size=image_size, channels=channels, pixel_range=pixel_range, option=option
    )
    require_usable(held_out, option)
    if held_out.official_test is not None and held_out.official_test.any():
        held_out = held_out.take(np.flatnonzero(held_out.official_test))
    if 1 in (len(held_out.shape), len(train.shape)) and held_out.shape != train.shape:
        raise UserError(
            f"{option} {test}: {size_of(held_out.shape)}, but {data} has {size_of(train.shape)}; "
            "give more of those"
        )
    if held_out.shape != train.shape:
        ours, theirs = (f"{r.shape[2]} × {r.shape[1]}" for r in (train, held_out))
        raise UserError(
            f"{option} {test}: images of {theirs} pixels, but those of {data} are {ours}; "
            f"give `image_size` {min(train.shape[1:])} for both"
        )
    tested = set(held_out.digests)
    train = _keep(train, [i for i, digest in enumerate(train.digests) if digest not in tested])
    if not len(train):
        raise UserError(
            f"{option} {test}: it holds every {Kind.of(train.shape).name} of {data}; give others to train on"
        )
    return train, held_out, f"{option} {test}"


def _keep(rows: Rows, keep: list[int]) -> Rows:
    duplicates = rows.scan.duplicates + len(rows) - len(keep)
    return replace(rows.take(keep), scan=replace(rows.scan, duplicates=duplicates))


def subset(rows: Rows, limit: int, seed: int) -> Rows:
    """`limit` rows, in their order here: those that come first when sorted by a hash of (seed, content).

    So they do not depend on file names, and 100 of a seed lie within 200 of it.
    """
    if not 1 <= limit <= len(rows):
        raise UserError(
            f"`limit` {limit}: expected 1 to {len(rows)}, the training {Kind.of(rows.shape).many} that "
            f"{rows.scan.source} has"
        )
    key = repr(seed).encode()
    rank = [hashlib.blake2b(d, digest_size=16, key=key).digest() for d in rows.keys]
    return rows.take(sorted(sorted(range(len(rows)), key=rank.__getitem__)[:limit]))
