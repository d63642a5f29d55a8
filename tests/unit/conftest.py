"""One small finished run, shared by the tests that look at runs."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pushforward.runs.run import train

HOSTILE = "<b onclick=evil()>&amp;$x$"


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """120 small colour images in two folders, one with a hostile name, and one file that is damaged."""
    root = tmp_path_factory.mktemp("data") / "photos"
    generator = np.random.default_rng(0)
    for label in ("plain", HOSTILE):
        (root / label).mkdir(parents=True)
        for i in range(60):
            pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / label / f"{i}.png")
    (root / "plain" / "<img src=x onerror=evil()>.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    return root


@pytest.fixture(scope="session")
def finished_run(photos, tmp_path_factory):
    """A finished VAE of 20 steps on the photos, with 4 latent dimensions. Tests change no file of it."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    train(
        "vae",
        data=str(photos),
        run=str(folder),
        steps=20,
        batch_size=20,
        sample_every=5,
        validation=0.2,
        options={"latent_dim": 4, "hidden": (16,)},
    )
    (folder / "findings.json").unlink(missing_ok=True)  # what so short a run shows is no matter here
    return folder
