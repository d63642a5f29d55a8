"""The features by name, and which of them judge a model: never those that it has seen in training."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from pathlib import Path

import torch

from pushforward.errors import UserError, did_you_mean
from pushforward.features.efficientnet import WEIGHTS, efficientnet_features
from pushforward.features.extractor import FeatureExtractor
from pushforward.features.files import file_features
from pushforward.features.plain import pixel_features, random_features
from pushforward.randomness import aside

JUDGES = ("efficientnet-lite0", "efficientnet-lite1", "random-conv", "pixels")  # the first one unseen judges
FROM_FILES = ("inception", "dinov2")
LEAST_SIDE, MOST_SIDE = 32, 512


def find_extractor(
    name: str, shape: tuple[int, ...], *, device: torch.device | str = "cpu"
) -> FeatureExtractor:
    """The features of that name, for images of this shape (channels, height, width).

    Whoever asks keeps their random stream: a network that is built draws its first weights from another.

    name: one of `JUDGES`, with "@SIZE" for another size of its input than the images' own default; or
    "inception=FILE", "dinov2=FILE" for weights that the user has. Raises UserError for others.
    """
    with aside(0):
        return _found(name, shape, torch.device(device))


def _found(name: str, shape: tuple[int, ...], device: torch.device) -> FeatureExtractor:
    family, _, file = name.partition("=")
    if family in FROM_FILES:
        if not file:
            raise UserError(
                f"`features`: {family} needs its weights, as a TorchScript file: {family}=FILE; without any, "
                f"take {JUDGES[0]}"
            )
        return file_features(family, Path(file), device)
    family, at, told = name.partition("@")
    if family not in JUDGES or (at and family == "pixels"):
        known = (*JUDGES, *(f"{f}=FILE" for f in FROM_FILES))
        raise UserError(f"`features`: '{name}'{did_you_mean(name, known)}; known are {', '.join(known)}")
    if family == "pixels":
        return pixel_features(shape, device)
    if at and not (told.isdecimal() and LEAST_SIDE <= int(told) <= MOST_SIDE):
        raise UserError(f"`features`: '{name}'; expected a size from {LEAST_SIDE} to {MOST_SIDE} after @")
    size = int(told) if at else default_size(shape)
    if family == "random-conv":
        return random_features(size if at else 32, device)
    return efficientnet_features(family.removeprefix("efficientnet-"), size, device)


def default_size(shape: tuple[int, ...]) -> int:
    """Pixels a side that learned features take of images of this shape. See `docs/metrics.md` for why."""
    side = max(shape[1:])
    return 96 if side <= 64 else 224


def judge(seen: Collection[str], *, first: str = JUDGES[0]) -> tuple[str, str]:
    """(features to judge a model by, why not the first ones or the empty string).

    seen: the families that the model's critic or loss has used, or "" for none.
    """
    order = (first, *(name for name in JUDGES if name != first))
    for name in order:
        if _family(name) not in seen and _present(_family(name)):
            return name, "; ".join(_reason(skipped, seen) for skipped in order[: order.index(name)])
    raise UserError(f"`features`: the model has seen all of them: {', '.join(seen)}; give others by name")


def _reason(name: str, seen: Collection[str]) -> str:
    return f"{name}: {'the model was trained with them' if _family(name) in seen else 'not installed'}"


def _family(name: str) -> str:
    return name.partition("@")[0].partition("=")[0]


def _present(family: str) -> bool:
    variant = family.removeprefix("efficientnet-")
    return variant not in WEIGHTS or importlib.util.find_spec(WEIGHTS[variant][0]) is not None
