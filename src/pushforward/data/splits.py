"""Duplicates, the held-out split and limited subsets: all decided by content. Torch-free."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from pushforward.data.rows import Rows
from pushforward.errors import UserError

TEST_SHARE = 0.1


def drop_duplicates(rows: Rows) -> Rows:
    """Keep the first of the rows that decode to the same pixels; an official test row is kept before any."""
    test = np.zeros(len(rows), bool) if rows.official_test is None else rows.official_test
    seen: set[bytes] = set()
    keep: list[int] = []
    for i in np.argsort(~test, kind="stable").tolist():
        if rows.digests[i] not in seen:
            seen.add(rows.digests[i])
            keep.append(i)
    return _with_duplicates(rows.take(sorted(keep)), len(rows) - len(keep))


def without(rows: Rows, test: Rows) -> Rows:
    """The rows that do not occur in `test`; those dropped are counted as duplicates."""
    held_out = set(test.digests)
    keep = [i for i, d in enumerate(rows.digests) if d not in held_out]
    return _with_duplicates(rows.take(keep), len(rows) - len(keep))


def _with_duplicates(rows: Rows, more: int) -> Rows:
    return replace(rows, scan=replace(rows.scan, duplicates=rows.scan.duplicates + more))


def split(rows: Rows) -> tuple[Rows, Rows, str]:
    """(train, test, how): the official split, else each image's own hash decides, 10 % to the test.

    An image's side never depends on the others, so a growing folder keeps its split; only where all
    would land on one side is the nearest one moved over.
    """
    if rows.official_test is not None and rows.official_test.any() and not rows.official_test.all():
        test = rows.official_test
        return rows.take(np.flatnonzero(~test)), rows.take(np.flatnonzero(test)), "official"
    if len(rows) < 2:
        raise UserError(
            f"--data {rows.scan.source}: {len(rows)} usable image, but training needs at least 2 "
            "(one is held out); add images, or give the held-out ones with --test"
        )
    place = np.array([int.from_bytes(d[:8], "big") / 2**64 for d in rows.digests])
    test = place < TEST_SHARE
    if not test.any():
        test[place.argmin()] = True
    if test.all():
        test[place.argmax()] = False
    return rows.take(np.flatnonzero(~test)), rows.take(np.flatnonzero(test)), "10 % by content hash"


def subset(rows: Rows, limit: int, seed: int) -> Rows:
    """`limit` rows, in their order here: those that come first when sorted by a hash of (seed, content).

    So they do not depend on file names, and 100 of a seed lie within 200 of it.
    """
    if not 1 <= limit <= len(rows):
        raise UserError(
            f"--limit {limit}: expected a number of training images from 1 to {len(rows)}, "
            f"what {rows.scan.source} has after its test split"
        )
    key = repr(seed).encode()
    rank = [hashlib.blake2b(d, digest_size=16, key=key).digest() for d in rows.digests]
    return rows.take(sorted(sorted(range(len(rows)), key=rank.__getitem__)[:limit]))
