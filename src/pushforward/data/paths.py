"""What the path of an image inside its source says: ignored or not, its label, its split. Torch-free."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

TRAIN, TEST = {"train", "training"}, {"test", "testing", "val", "valid", "validation"}
_IGNORED = {"__MACOSX", "Thumbs.db", "desktop.ini", "lost+found"}

Parts = tuple[str, ...]


def ignored(name: str) -> bool:
    """Whether a path, or a folder on it, is hidden or a file manager's own."""
    return any(part.startswith(".") or part in _IGNORED for part in PurePosixPath(name).parts)


def printable(name: str) -> str:
    """The name on one line of text: bytes that are none, and control characters, escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def parts_of(names: Sequence[str]) -> list[Parts]:
    """The paths, split, without the folders that all of them lie in."""
    paths = [PurePosixPath(name).parts for name in names]
    depth = 0
    for folders in zip(*(path[:-1] for path in paths), strict=False):
        if len(set(folders)) > 1:
            break
        depth += 1
    return [path[depth:] for path in paths]


def official_test(paths: Sequence[Parts]) -> tuple[NDArray[np.bool_] | None, list[Parts]]:
    """(which rows are held out, the paths below) where two folders, train and test, hold everything."""
    tops = {path[0].lower() for path in paths if len(path) > 1}
    if len(tops) == 2 and tops & TRAIN and tops & TEST and all(len(path) > 1 for path in paths):
        return np.array([path[0].lower() in TEST for path in paths]), [path[1:] for path in paths]
    return None, list(paths)


def labels_of(paths: Sequence[Parts]) -> tuple[str, ...] | None:
    """The first folder of each path; None where an image lies outside or all share one folder."""
    if not all(len(path) > 1 for path in paths):
        return None
    labels = tuple(printable(path[0]) for path in paths)
    return labels if len(set(labels)) > 1 else None
