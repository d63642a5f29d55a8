"""What the families of networks share: rectifiers, initial weights, normalisation of weights, counting."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrizations import spectral_norm

from pushforward.errors import UserError

Shape = tuple[int, ...]
AnyModule = TypeVar("AnyModule", bound=nn.Module)
Affine = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def rectifier(slope: float, *, penalised: bool = False) -> nn.Module:
    """x where x > 0, slope·x elsewhere: ReLU for 0, LeakyReLU above. Raises UserError outside [0, 1).

    penalised: see `LeakyReLU` of this module.
    """
    if not 0 <= slope < 1:
        raise UserError(
            f"slope: {slope}; expected at least 0 (ReLU) and less than 1, such as 0.2 (LeakyReLU)"
        )
    if penalised and slope:
        return LeakyReLU(slope)
    return nn.LeakyReLU(slope) if slope else nn.ReLU()


class LeakyReLU(nn.LeakyReLU):
    """nn.LeakyReLU for critics whose gradient is differentiated again, as gradient penalties do.

    Its second derivative is zero. torch's own hands zeros on to all layers below, which then work out their
    gradients from them; this one hands on nothing. It costs a little more where nothing is done twice.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Of any shape."""
        return _LeakyReLU.apply(x, self.negative_slope)


class _LeakyReLU(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, slope: float) -> Tensor:
        return F.leaky_relu(x, slope)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        x, ctx.slope = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return torch.ops.aten.leaky_relu_backward(gradient, x.detach(), ctx.slope, False), None


class ChannelsLast(nn.Module):
    """Lay the channels of a pixel beside each other in memory; the values stay. (b, c, h, w) -> the same.

    Convolutions keep the layout that they are given, and are faster in this one, except for strided ones
    whose gradient is differentiated again. Weights stay as they are: torch's fused Adam pairs a weight with
    its moments by their place in memory, so a checkpoint, which has no layout, would come back wrong.
    """

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """A copy."""
        # Not `contiguous(memory_format=...)`: that leaves grey images as they are, a layout of both kinds.
        return x.movedim(1, -1).clone(memory_format=torch.contiguous_format).movedim(-1, 1)


@torch.no_grad()
def he_init_(module: AnyModule, slope: float = 0.0) -> AnyModule:
    """Draw linear and convolutional weights so that a rectifier of this slope keeps the scale of its inputs.

    N(0, 2 / ((1 + slope²) · inputs of a unit)), biases 0. He et al. 2015, eq. 14. Inputs of a strided
    transposed convolution are those that reach one output. Before `normalise_spectrum_`.
    """
    for layer in module.modules():
        if isinstance(layer, Affine):
            nn.init.normal_(layer.weight, 0.0, math.sqrt(2 / (1 + slope**2) / _fan_in(layer)))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


def _fan_in(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> float:
    if isinstance(layer, nn.ConvTranspose2d):
        return layer.weight[:, 0].numel() / math.prod(layer.stride)
    return layer.weight[0].numel()


@torch.no_grad()
def normal_init_(module: AnyModule, std: float = 0.02) -> AnyModule:
    """Draw linear and convolutional weights from N(0, std²), set their biases to 0; the rest stays.

    DCGAN's and PacGAN's choice (Radford et al. 2016, section 4), with std 0.02. Before `normalise_spectrum_`.
    """
    for layer in module.modules():
        if isinstance(layer, Affine):
            nn.init.normal_(layer.weight, 0.0, std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


def normalise_spectrum_(module: AnyModule) -> AnyModule:
    """Divide every linear and convolutional weight by its largest singular value. Miyato et al. 2018.

    One power iteration a forward pass in training mode, none in eval mode; its vectors are buffers that
    are written in place, so `state_dict` holds them. Of a kernel (out, in, h, w) it is the singular value
    of the matrix (out, in·h·w), as in the paper, which is not the convolution's own norm.
    """
    for layer in list(module.modules()):
        if isinstance(layer, Affine):
            spectral_norm(layer)
    return module


def has_batch_norm(module: nn.Module) -> bool:
    """Whether an output depends on the other images of its batch while training."""
    return any(isinstance(layer, _BatchNorm) for layer in module.modules())


def freeze_first_(trunk: nn.Module, n: int) -> None:
    """Let the first n linear or convolutional layers keep their weights, and norms between them.

    S. Mo, M. Cho and J. Shin, *Freeze the Discriminator: a Simple Baseline for Fine-Tuning GANs*, 2020.
    Buffers go on: running statistics, which only an evaluation reads, and the power iterations of spectral
    norm. Raises UserError where there are fewer.
    """
    layers = [layer for layer in trunk.modules() if not isinstance(layer, nn.Sequential)]
    places = [i for i, layer in enumerate(layers) if isinstance(layer, Affine)]
    if n > len(places):
        raise UserError(f"`freeze_critic`: {n}; this critic has {len(places)} layers before its head")
    end = places[n] if n < len(places) else len(layers)
    for layer in layers[:end]:
        for parameter in layer.parameters(recurse=isinstance(layer, Affine)):
            parameter.requires_grad_(False)


def count_parameters(module: nn.Module) -> int:
    """Numbers that training moves."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
