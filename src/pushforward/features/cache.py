"""Features of real images, kept between commands: they cost most of a measurement, and never change.

A file for each set of images and extractor, by the fingerprints of both. What does not fit into the cap
goes, the longest unused first. A cache that cannot be written is no error: the features are then computed
each time.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from pushforward.data import Dataset
from pushforward.data.fetch import cache_folder
from pushforward.features.extractor import FeatureExtractor
from pushforward.files import write_durably

MOST_BYTES = 2 * 2**30


def cached_features(extractor: FeatureExtractor, data: Dataset) -> Float[Tensor, "n d"]:
    """The features of each image of a data set, from the cache where they are there."""
    mark = hashlib.sha256(f"{data.fingerprint} {extractor.fingerprint}".encode()).hexdigest()
    path = cache_folder() / "features" / f"{mark}.safetensors"
    kept = _read(path, (len(data), extractor.dimensions))
    if kept is not None:
        with suppress(OSError):
            os.utime(path)  # used now
        return kept
    features = extractor(data.x)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, save({"features": features.contiguous()}))
        _make_room(path.parent)
    return features


def _read(path: Path, shape: tuple[int, int]) -> Tensor | None:
    """None for a file that is absent, damaged, or of another shape: it is then written anew."""
    try:
        features = load_file(path)["features"]
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    fits = tuple(features.shape) == shape and features.dtype == torch.float32
    return features if fits and bool(torch.isfinite(features).all()) else None


def _make_room(folder: Path) -> None:
    """Other processes may do the same at once."""
    files = []
    for path in folder.glob("*.safetensors"):
        with suppress(OSError):
            about = path.stat()
            files.append((about.st_mtime, about.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= MOST_BYTES:
            return
        with suppress(OSError):
            path.unlink()
            total -= size
