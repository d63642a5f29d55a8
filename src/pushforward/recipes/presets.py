"""Settings that were found once and frozen, by method and name. Torch-free.

`train METHOD --preset NAME` starts from them; options on the command line win. Those that name the sides of
images that they fit are taken by themselves where no option of the method is given: `--preset none` leaves
them out. How they were found, and what did not help, is on the page "Presets".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pushforward.errors import UserError, did_you_mean

NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Shared options and the method's own, and what they are for. sides: of images that it is taken for by
    itself, least and most pixels."""

    about: str
    train: Mapping[str, Any]
    options: Mapping[str, Any]
    sides: tuple[int, int] | None = None


def _images(method: str, sides: tuple[int, int], batch_size: int, **options: Any) -> tuple[Any, Preset]:
    name = f"{sides[1]}px"
    about = f"grey or colour images of {sides[0]} to {sides[1]} pixels"
    return (method, name), Preset(about=about, train={"batch_size": batch_size}, options=options, sides=sides)


SMALL, LARGE = (16, 32), (33, 64)
GAN: dict[str, Any] = {"network": "dcgan", "width": 24, "latent_dim": 64}
# fmt: off
PRESETS: dict[tuple[str, str], Preset] = dict((
    #        method     sides  batch
    _images("r3gan",    SMALL, 64, **GAN, lr=5e-4, gamma=0.5, generator_norm="batch"),
    _images("r3gan",    LARGE, 32, **GAN, lr=5e-4, gamma=2.0, generator_norm="batch"),
    _images("wgan-gp",  SMALL, 64, **GAN, lr=2e-4, n_critic=2, ema=0.999),
    _images("wgan-gp",  LARGE, 32, **GAN, lr=2e-4, n_critic=2, ema=0.999),
    _images("gan",      SMALL, 64, **GAN, lr=2e-4, critic_norm="batch", ema=0.999),
    _images("gan",      LARGE, 32, **GAN, lr=2e-4, critic_norm="batch", ema=0.999),
    _images("vae",      (29, 32), 64, network="conv", width=32, latent_dim=32, lr=1e-3),
    _images("vae",      LARGE, 64, network="conv", width=32, latent_dim=64, lr=1e-3),
))
# fmt: on
PRESETS["vae", "mnist"] = Preset(
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
)
PRESETS["r3gan", "fashion-mnist"] = Preset(
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
)
PRESETS["cut", "fastcut"] = Preset(
    about="FastCUT: cheaper, without the identity loss; Park et al. 2020",
    train={},
    options={"nce": 10.0, "identity_nce": 0.0},
)


def find_preset(method: str, name: str) -> Preset:
    """The preset of that method and name. Raises UserError with those that there are."""
    known = [n for m, n in PRESETS if m == method]
    if name not in known:
        have = ", ".join((*known, NONE))
        raise UserError(
            f"--preset: '{method}' has no preset '{name}'{did_you_mean(name, known)}; it has: {have}"
        )
    return PRESETS[method, name]


def with_preset(method: str, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """A config's content that starts from a preset: what it says itself wins."""
    preset = find_preset(method, name)
    train = {**preset.train, **content.get("train", {}), "preset": name}
    return {**content, "train": train, "options": {**preset.options, **content.get("options", {})}}


def preset_for(method: str, shape: Sequence[int]) -> str | None:
    """The name of the preset for data of this shape; None where there is none."""
    if len(shape) != 3:
        return None
    fits = (
        n
        for (m, n), p in PRESETS.items()
        if m == method
        and p.sides is not None
        and p.sides[0] <= min(shape[1:])
        and max(shape[1:]) <= p.sides[1]
    )
    return next(fits, None)
