"""Labels of arrays, whatever type they have, as words. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pushforward.text import printable


def label_words(parts: Mapping[str, NDArray[np.generic]], n: int) -> list[str]:
    """A word for each of n rows: of names, numbers, or one-hot rows, in parts that follow each other.

    Raises ValueError for what labels no row.
    """
    words = [word for key, part in parts.items() for word in _words(key, part)]
    if len(words) != n:
        raise ValueError(f"{len(words)} labels for {n} images; give one for each")
    return words


def _words(key: str, labels: NDArray[np.generic]) -> list[str]:
    if labels.ndim == 0:
        raise ValueError(
            f"{key} is a single value, expected one for each image; leave it out or give them all"
        )
    if labels.dtype.kind == "f":  # longdouble too, whose values are no floats of Python's
        labels = labels.astype(np.float64)
    if labels.dtype.kind in "mM" and np.isnat(labels).any():
        raise ValueError(f"{key} holds NaT, which labels nothing; leave these rows out or name them")
    flat = labels.reshape(len(labels), -1)
    if flat.shape[1] == 1:
        return [_word(key, value) for value in flat[:, 0].tolist()]
    if not _one_hot(flat):
        raise ValueError(
            f"{key} has the shape {labels.shape}; expected one label for each image, or one-hot rows; "
            "leave it out or save it so"
        )
    return [str(i) for i in flat.argmax(1).tolist()]


def _one_hot(rows: NDArray[np.generic]) -> bool:
    if rows.dtype.kind not in "biuf":
        return False
    numbers = rows.astype(np.float64)
    return bool(np.isin(numbers, (0, 1)).all() and (numbers.sum(1) == 1).all())


def _word(key: str, value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, float):
        if not np.isfinite(value):
            raise ValueError(f"{key} holds {value}, which labels nothing; leave these rows out or name them")
        if not value.is_integer():
            raise ValueError(
                f"{key} holds {value:g}: fractions are measurements, and no labels; leave {key} out"
            )
        if abs(value) >= 2**53:
            raise ValueError(
                f"{key} holds {value:g}, beyond what is counted exactly; number the classes from 0"
            )
        value = int(value)
    if isinstance(value, tuple | complex | dict):
        raise ValueError(
            f"{key} holds {type(value).__name__}s, expected names or whole numbers; save them so"
        )
    return printable(str(value))
