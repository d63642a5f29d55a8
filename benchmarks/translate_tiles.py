"""How much a translation in tiles differs from that of the whole picture, where instance norm sees the tile.

    python benchmarks/translate_tiles.py [--json] [--steps 450] [--tiles 64 128 256 512]

A small CycleGAN (width 16, 3 blocks) learns on crops of 64 pixels between the two photos of 427 × 640 pixels
that come with scikit-learn, one a domain. Then each photo is translated as a whole and in tiles. Differences
are in levels of 0 to 255: the mean, the 99th percentile and the greatest over pixels and channels. "own" is
the mean difference if each tile were normalised by itself, "apart" that of a whole translation of the photo
without its first 16 rows and columns, where both have a pixel. It takes about two minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor

import pushforward
from pushforward.core import to_float
from pushforward.models.model import Model
from pushforward.models.translation import in_tiles

SIDE, STEP, SHIFT = 64, 40, 16


def photos() -> dict[str, Tensor]:
    """One photo a domain: uint8, 1 C H W."""
    images = load_sample_images().images
    return {
        name: torch.tensor(image).permute(2, 0, 1)[None] for name, image in zip("ab", images, strict=True)
    }


def crops(photo: Tensor) -> np.ndarray:
    """N H W C."""
    found = photo[0].unfold(1, SIDE, STEP).unfold(2, SIDE, STEP)
    return found.permute(1, 2, 3, 4, 0).flatten(0, 1).numpy()


def trained(folder: Path, steps: int) -> Model:
    sources = {}
    for name, photo in photos().items():
        sources[name] = str(folder / f"{name}.npz")
        np.savez(sources[name], images=crops(photo))
    run = pushforward.train(
        "cyclegan",
        data_of=sources,
        run=str(folder / "run"),
        steps=steps,
        batch_size=1,
        options={"width": 16, "blocks": 3, "critic_width": 16},
    )
    return pushforward.load(run)


def difference(one: Tensor, other: Tensor) -> dict[str, float]:
    levels = (one - other) * 127.5
    size = levels.abs().flatten()
    return {
        "mean": float(size.mean()),
        "p99": float(size.quantile(0.99)),
        "greatest": float(size.max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--steps", type=int, default=450)
    parser.add_argument("--tiles", type=int, nargs="+", default=[64, 128, 256, 512])
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        model = trained(Path(folder), asked.steps)
    for to, source in (("b", "a"), ("a", "b")):
        x = photos()[source]
        whole = model.translate(x, to=to)
        shifted = model.translate(x[..., SHIFT:, SHIFT:], to=to)
        apart = difference(whole[..., SHIFT:, SHIFT:], shifted)["mean"]
        for tile in asked.tiles:
            found = difference(model.translate(x, to=to, tile=tile), whole)
            with torch.no_grad():
                alone = in_tiles(lambda part, to=to: model.algorithm.translate(part, to), to_float(x), tile)
            own = difference(alone, whole)["mean"]
            rows.append({"to": to, "tile": tile, **found, "own": own, "apart": apart})
    if asked.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print("  ".join(f"{k} {v:.1f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()
