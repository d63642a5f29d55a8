"""What the path of an image inside its source says: ignored or not, its label. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from pushforward.text import printable

_IGNORED = {"__MACOSX", "Thumbs.db", "desktop.ini", "lost+found"}

Parts = tuple[str, ...]


def ignored(name: str) -> bool:
    """Whether a path, or a folder on it, is hidden or a file manager's own."""
    return any(part.startswith(".") or part in _IGNORED for part in PurePosixPath(name).parts)


def parts_of(names: Sequence[str]) -> list[Parts]:
    """The paths, split, without the folders that all of them lie in."""
    paths = [PurePosixPath(name).parts for name in names]
    depth = 0
    for folders in zip(*(path[:-1] for path in paths), strict=False):
        if len(set(folders)) > 1:
            break
        depth += 1
    return [path[depth:] for path in paths]


def labels_of(paths: Sequence[Parts]) -> tuple[str, ...] | None:
    """The first folder of each path; None where an image lies outside or all share one folder."""
    if not all(len(path) > 1 for path in paths):
        return None
    labels = tuple(printable(path[0]) for path in paths)
    return labels if len(set(labels)) > 1 else None
