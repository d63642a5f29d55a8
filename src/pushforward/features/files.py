"""Networks that the user has as a TorchScript file: Inception-v3, on which FID is defined, and DINOv2.

M. Heusel et al., *GANs trained by a two time-scale update rule*, NIPS 2017 (FID). The usual file is NVIDIA's
`inception-2015-12-05.pt`, which takes uint8 images, brings them to 299 × 299 itself, and gives 2,048
features. M. Oquab et al., *DINOv2: Learning Robust Visual Features without Supervision*, 2023: a traced
network that takes 224 × 224 images in ImageNet's normalisation and gives a vector.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from pushforward.errors import UserError
from pushforward.features.extractor import FeatureExtractor, brought_in

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
DINO_SIDE = 224


def file_features(family: str, path: Path, device: torch.device) -> FeatureExtractor:
    """ "inception" or "dinov2" from a TorchScript file. Raises UserError for a file that is none."""
    if not path.is_file():
        raise UserError(f"`features`: {family}: there is no file {path}; expected its weights as TorchScript")
    try:
        module = torch.jit.load(str(path), map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        line = str(error).strip().splitlines()[0]
        raise UserError(f"`features`: {family}: {path} is no TorchScript file ({line})") from error
    function = _inception(module) if family == "inception" else _dino(module)
    size = None if family == "inception" else DINO_SIDE
    try:
        with torch.inference_mode():
            probe = function(brought_in(torch.zeros(1, 3, 32, 32, dtype=torch.uint8, device=device), size, 3))
    except (RuntimeError, TypeError) as error:
        line = str(error).strip().splitlines()[-1]
        raise UserError(f"`features`: {family}: {path} takes no such images ({line})") from error
    if probe.ndim != 2:
        raise UserError(
            f"`features`: {family}: {path} gives {tuple(probe.shape)}; expected a vector an image"
        )
    return FeatureExtractor(
        name=family,
        family=family,
        size=size,
        colours=3,
        dimensions=probe.shape[1],
        weights=hashlib.sha256(path.read_bytes()).hexdigest(),
        function=function,
        device=device,
    )


def _inception(module: torch.jit.ScriptModule) -> Callable[[Tensor], Tensor]:
    def features(x: Tensor) -> Tensor:
        levels = x.add(1).mul(127.5).round().to(torch.uint8)
        vectors: Tensor = module(levels, return_features=True)
        return vectors

    return features


def _dino(module: torch.jit.ScriptModule) -> Callable[[Tensor], Tensor]:
    def features(x: Tensor) -> Tensor:
        mean, std = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in (MEAN, STD))
        vectors: Tensor = module((x.add(1).div(2) - mean) / std)
        return vectors

    return features
