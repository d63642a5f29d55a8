"""Networks from image to image, and critics of patches, for images of any size that they can halve.

The generator: J. Johnson et al., *Perceptual Losses for Real-Time Style Transfer and Super-Resolution*, ECCV
2016, as J.-Y. Zhu et al. 2017 (CycleGAN), section 4 and appendix 7.2, have it. The critic: P. Isola et al.,
*Image-to-Image Translation with Conditional Adversarial Networks*, CVPR 2017, appendix 6.1.2.

Deviations: 1. Convolutions before a normalisation have no bias, which it would take out again. 2. Sides that
4 does not divide are padded by reflection, and the result is cut to the size that came.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.errors import UserError
from pushforward.networks.critic import Critic
from pushforward.networks.layers import ChannelsLast, normal_init_

STRIDE = 4  # of the generator
SMALLEST = 8  # side that a generator takes: its innermost map needs two pixels to pad by reflection
BLOCKS = (0, 4)  # after which residual blocks an encoder is looked at
FIELDS = {1: 16, 2: 34, 3: 70}  # halvings of a critic -> side of the patch that a score is of


class TranslationBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), padded by reflection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *_convolution(channels, channels, 3), nn.ReLU(), *_convolution(channels, channels, 3)
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Of the same shape."""
        return x + self.branch(x)


class TranslationGenerator(nn.Module):
    """(b, c, h, w) -> (b, c, h, w) in (-1, 1): two halvings, residual blocks, two doublings.

    width: channels at the image's own size. blocks: at a quarter of it. Sides are at least 8 pixels.

    Its first layers are an encoder, whose depths are those of T. Park et al., *Contrastive Learning for
    Unpaired Image-to-Image Translation*, ECCV 2020, section 4 and appendix: the image itself, both halvings,
    and the first and the fifth block, of those that there are.
    """

    def __init__(self, channels: int, *, width: int = 64, blocks: int = 9) -> None:
        super().__init__()
        layers: list[nn.Module] = [ChannelsLast(), *_convolution(channels, width, 7), nn.ReLU()]
        for wide in (width, 2 * width):
            halve = nn.Conv2d(wide, 2 * wide, 3, stride=2, padding=1, bias=False)
            layers += [halve, nn.InstanceNorm2d(2 * wide), nn.ReLU()]
        layers += [TranslationBlock(4 * width) for _ in range(blocks)]
        for wide in (4 * width, 2 * width):
            double = nn.ConvTranspose2d(wide, wide // 2, 3, stride=2, padding=1, output_padding=1, bias=False)
            layers += [double, nn.InstanceNorm2d(wide // 2), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh()]
        self.layers = normal_init_(nn.Sequential(*layers))
        halvings = [i for i, layer in enumerate(layers) if getattr(layer, "stride", None) == (2, 2)][:2]
        residual = [i for i, layer in enumerate(layers) if isinstance(layer, TranslationBlock)]
        self.depths = [0, *halvings, *(residual[i] for i in BLOCKS if i < blocks)]
        self.feature_channels = [channels, 2 * width, 4 * width, *[4 * width] * (len(self.depths) - 3)]

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Of the same shape. Raises UserError for a side under 8 pixels."""
        made: Tensor = self.layers(_padded(x))
        return made[..., : x.shape[-2], : x.shape[-1]]

    def with_features(self, x: Float[Tensor, "b c h w"]) -> tuple[Tensor, list[Tensor]]:
        """What `forward` and `features` give, for the cost of `forward`."""
        found, inner = self._encode(x)
        made: Tensor = self.layers[self.depths[-1] + 1 :](inner)
        return made[..., : x.shape[-2], : x.shape[-1]], found

    def features(self, x: Float[Tensor, "b c h w"]) -> list[Tensor]:
        """The maps of the encoder at its depths, (b, feature_channels[i], h', w'); no later layer is run."""
        return self._encode(x)[0]

    def _encode(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        found: list[Tensor] = []
        inner = _padded(x)
        for i, layer in enumerate(self.layers[: self.depths[-1] + 1].children()):
            inner = layer(inner)
            if i in self.depths:
                found.append(inner)
        return found, inner


def patch_critic(shape: tuple[int, int, int], *, width: int = 64, halvings: int | None = None) -> Critic:
    """(b, c, h, w) -> (b, 1, h', w'): a score of each patch of 16, 34 or 70 pixels.

    halvings: 1, 2 or 3, which is what makes the patch; by default as many as the image has room for. Raises
    UserError for an image that is smaller than the patch.
    """
    channels, h, w = shape
    fitting = [n for n, field in FIELDS.items() if field <= min(h, w)]
    if not fitting:
        raise UserError(
            f"`data`: images of {h}x{w}, and the smallest critic looks at patches of {FIELDS[1]} pixels; "
            f"take larger images, or `image_size` {FIELDS[1]}"
        )
    depth = fitting[-1] if halvings is None else halvings
    if depth not in fitting:
        known = ", ".join(map(str, fitting))
        raise UserError(
            f"`halvings`: {depth}, for images of {h}x{w}; expected one of {known}, or leave it out"
        )
    layers: list[nn.Module] = [ChannelsLast(), nn.Conv2d(channels, width, 4, stride=2, padding=1)]
    wide = width
    for i in range(1, depth + 1):
        last, wide = wide, min(2 * wide, 8 * width)
        stride = 2 if i < depth else 1
        layers += [nn.LeakyReLU(0.2), nn.Conv2d(last, wide, 4, stride=stride, padding=1, bias=False)]
        layers += [nn.InstanceNorm2d(wide)]
    layers += [nn.LeakyReLU(0.2)]

    def head() -> nn.Module:
        return normal_init_(nn.Conv2d(wide, 1, 4, padding=1))

    return Critic(normal_init_(nn.Sequential(*layers)), head(), another=head)


def _padded(x: Tensor) -> Tensor:
    """To sides that the generator can halve. Raises UserError for one under 8 pixels."""
    h, w = x.shape[-2:]
    if min(h, w) < SMALLEST:
        raise UserError(f"x: images of {h}x{w}; expected sides of at least {SMALLEST} pixels")
    return F.pad(x, (0, -w % STRIDE, 0, -h % STRIDE), mode="reflect")


def _convolution(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    """Padded by reflection, and normalised."""
    pad = nn.ReflectionPad2d(kernel // 2)
    return [pad, nn.Conv2d(inputs, outputs, kernel, bias=False), nn.InstanceNorm2d(outputs)]
