"""Settings that were found once and frozen, by method and name. Torch-free.

`train METHOD --preset NAME` starts from them; options on the command line win.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pushforward.errors import UserError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Shared options and the method's own, and what they are for."""

    about: str
    train: dict[str, Any]
    options: dict[str, Any]


PRESETS = {
    ("vae", "mnist"): Preset(
        about="dynamically binarized MNIST, 20 minutes on 2 cores",
        train={"batch_size": 128, "minutes": 20.0, "validation": 0.02},
        options={
            "likelihood": "bernoulli",
            "binarization": "dynamic",
            "network": "mlp",
            "hidden": [500, 500],
            "latent_dim": 40,
            "lr": 1e-3,
            "lr_schedule": "cosine",
        },
    ),
    ("r3gan", "fashion-mnist"): Preset(
        about="clothes of 32 x 32 pixels that can be told apart, within 20 minutes on a CPU",
        train={"data": "fashion-mnist", "image_size": 32, "batch_size": 64, "steps": 6000},
        options={
            "network": "dcgan",
            "width": 24,
            "latent_dim": 64,
            "generator_norm": "batch",
            "lr": 5e-4,
            "gamma": 0.5,
            "ema": 0.995,
        },
    ),
}


def find_preset(method: str, name: str) -> Preset:
    """The preset of that method and name. Raises UserError with those that there are."""
    known = [n for m, n in PRESETS if m == method]
    if name not in known:
        have = ", ".join(known) or "none"
        raise UserError(
            f"--preset: '{method}' has no preset '{name}'{did_you_mean(name, known)}; it has: {have}"
        )
    return PRESETS[method, name]
