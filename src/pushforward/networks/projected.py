"""A critic that sees images through a frozen network: at four scales, mixed at random, with a head for each.

A. Sauer, K. Chitta, J. Müller and A. Geiger, *Projected GANs Converge Faster*, NeurIPS 2021, section 3 and
appendix C: EfficientNet-Lite0 after its stages at 1/4, 1/8, 1/16 and 1/32 of the image; *cross-channel
mixing* by a random 1 x 1 convolution for each scale; *cross-scale mixing* from the coarsest up: add, a random
1 x 1 convolution, twice as large; then 4, 3, 2 and 1 strided convolutions, and one map of logits for each
scale.

Deviations from the paper:
1. Images are taken at their own size; the paper brings all to 224 pixels.
2. Below 128 pixels a head has fewer strides, so that its last map is still 4 pixels wide where the scale has
   as many; a head that would have none has a 3 x 3 convolution.
3. No BatchNorm in the heads: scores of a batch would depend on each other, and no penalty could be had.
4. The class joins by a projection on each scale's averaged features (Miyato & Koyama 2018); the authors' code
   multiplies its embedding onto the logits' features.
5. The random 1 x 1 convolution comes before the interpolation, which is the same map for a quarter of the
   work.
6. Random weights are N(0, 1/inputs), half the variance of the paper's: no rectifier follows, and no BatchNorm
   would undo the larger scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pushforward.networks.conv import pyramid
from pushforward.networks.critic import Critic
from pushforward.networks.efficientnet import STAGES, EfficientNetLite
from pushforward.networks.layers import he_init_, rectifier
from pushforward.randomness import aside

TAPS = (1, 2, 4, 6)  # stages of lite0, whose maps are at 1/4, 1/8, 1/16 and 1/32
MIXED = (64, 128, 256, 512)  # channels after cross-channel mixing
PROJECTED = (64, 64, 128, 256)  # and after cross-scale mixing, at 1/2, 1/4, 1/8 and 1/16
LEAST_SIDE = 32  # pixels: below, the coarsest map would be less than one
LAST = 4  # pixels of the window that a logit sees of a head's last map
SLOPE = 0.2
MapShape = tuple[int, int, int]


class Projection(nn.Module):
    """(b, pack · c, h, w) in [-1, 1] to the mixed maps of four scales, side by side: (b, features).

    Nothing of it is trained. The random mixing is in `state_dict()`. The frozen network is not: it is loaded
    where it is first needed, so that a model whose critic nobody asks does without. load: gives it. size:
    pixels that the shorter side of images is brought to; None for their own. pack: images side by side.
    """

    channels_0: Tensor

    def __init__(
        self,
        shape: MapShape,
        load: Callable[[], EfficientNetLite],
        *,
        size: int | None = None,
        pack: int = 1,
    ) -> None:
        super().__init__()
        self.colours, *own = shape
        scale = 1.0 if size is None else size / min(own)
        self.size = (round(own[0] * scale), round(own[1] * scale))
        self.enlarged = self.size != tuple(own)
        self.pack = pack
        self.load = load
        self.network: EfficientNetLite | None = None
        for i, stage in enumerate(TAPS):
            coarser = MIXED[i]
            self.register_buffer(f"channels_{i}", _random_mixing(STAGES[stage][-1], coarser))
            self.register_buffer(f"scales_{i}", _random_mixing(coarser, PROJECTED[i]))

    @property
    def maps(self) -> list[MapShape]:
        """Channels, height and width of what `mixed` gives, from the finest scale."""
        sizes = pyramid(*self.size, base=1)[1 : len(TAPS) + 1]
        return [(c, *size) for c, size in zip(PROJECTED, sizes, strict=True)]

    def ready(self) -> EfficientNetLite:
        """The frozen network, loaded if it is not yet. Raises UserError where its weights are absent."""
        if self.network is None:
            like = self.channels_0
            with aside(0), torch.inference_mode(False):
                network = self.load()
            del network.head, network.classifier  # no map of theirs is taken
            self.network = _as_constants(network).to(like.device, like.dtype)
        return self.network

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b f"]:
        """Each map flattened as (h, w, c); of a pack, the channels of its images beside each other."""
        images = x.reshape(-1, self.colours, *x.shape[2:])
        rows = [m.unflatten(0, (len(x), self.pack)).permute(0, 3, 4, 1, 2) for m in self.mixed(images)]
        return torch.cat([m.reshape(len(x), -1) for m in rows], 1)

    def mixed(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b k i j"]]:
        """The maps of each scale, from the finest."""
        x = coloured(images)
        if self.enlarged:
            x = F.interpolate(x, self.size, mode="bilinear", align_corners=False)
        taps = self.ready().maps(x.contiguous(memory_format=torch.channels_last))
        mixed: list[Tensor] = []
        for i in reversed(range(len(TAPS))):
            y = F.conv2d(taps[TAPS[i]], getattr(self, f"channels_{i}"))
            y = F.conv2d(y if not mixed else y + mixed[-1], getattr(self, f"scales_{i}"))
            mixed.append(F.interpolate(y, self.maps[i][1:], mode="bilinear", align_corners=False))
        return mixed[::-1]


class Heads(nn.Module):
    """(b, features) or (b, features + codes) -> (b, logits): those of all scales side by side.

    maps: shapes of the scales, from the finest. width: channels after the first stride of the finest; they
    double with each further stride and each scale, up to 8 · width. classes: the last of the codes are a
    one-hot class of so many.
    """

    def __init__(self, maps: Sequence[MapShape], *, width: int = 64, classes: int = 0) -> None:
        super().__init__()
        self.shapes = list(maps)
        self.classes = classes
        bodies, logits, embeddings = [], [], []
        for i, shape in enumerate(maps):
            body, (channels, *size) = _body(shape, width, scale=i, most=len(maps) - i)
            bodies.append(body)
            logits.append(nn.Conv2d(channels, 1, (min(LAST, size[0]), min(LAST, size[1]))))
            embeddings += [nn.Linear(classes, channels, bias=False)] if classes else []
        self.bodies, self.logits = nn.ModuleList(bodies), nn.ModuleList(logits)
        self.embeddings = nn.ModuleList(embeddings)
        he_init_(self, SLOPE)

    def forward(self, x: Float[Tensor, "b f"]) -> Float[Tensor, "b n"]:
        """The logits, from the finest scale."""
        maps = self._bodies(x)
        scores = [logit(m).flatten(1) for logit, m in zip(self.logits, maps, strict=True)]
        if self.classes:
            y = x[:, -self.classes :]
            inner = [
                (e(y) * m.mean((2, 3))).sum(1, keepdim=True)
                for e, m in zip(self.embeddings, maps, strict=True)
            ]
            scores = [s + class_ for s, class_ in zip(scores, inner, strict=True)]
        return torch.cat(scores, 1)

    def by_class(self, features: Float[Tensor, "b f"]) -> Float[Tensor, "b k"]:
        """What each class adds to the mean of the logits."""
        every = torch.eye(self.classes, dtype=features.dtype, device=features.device)
        maps = self._bodies(features)
        counts = [logit(m).numel() for logit, m in zip(self.logits, maps, strict=True)]
        terms = zip(counts, self.embeddings, maps, strict=True)
        return torch.stack([n / sum(counts) * m.mean((2, 3)) @ e(every).T for n, e, m in terms]).sum(0)

    def _bodies(self, x: Float[Tensor, "b f"]) -> list[Tensor]:
        parts = x[:, : sum(map(math.prod, self.shapes))].split([math.prod(s) for s in self.shapes], 1)
        return [
            body(part.unflatten(1, (h, w, c)).permute(0, 3, 1, 2))
            for body, part, (c, h, w) in zip(self.bodies, parts, self.shapes, strict=True)
        ]


def projected_critic(projection: Projection, *, width: int = 64, classes: int = 0) -> Critic:
    """(b, pack · c, h, w) -> (b, logits). Only its heads are trained; they want `normalise_spectrum_`."""
    maps = [(projection.pack * c, h, w) for c, h, w in projection.maps]

    def heads() -> Heads:
        return Heads(maps, width=width, classes=classes)

    return Critic(projection, heads(), another=heads, prepare=projection.ready)


def coloured(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 h w"]:
    """Images in [-1, 1] in three channels, as `features` take them: what is transparent becomes white."""
    if images.shape[1] in (2, 4):
        images = 1 - (images[:, -1:] + 1) / 2 * (1 - images[:, :-1])
    return images.expand(-1, 3, -1, -1)


def _body(shape: MapShape, width: int, *, scale: int, most: int) -> tuple[nn.Sequential, MapShape]:
    """Strided convolutions, at most so many, while the shorter side stays 4 pixels; one without stride where
    there is room for none. And the shape of what comes out."""
    channels, h, w = shape
    layers: list[nn.Module] = []
    for stride in range(most):
        halves = min(h, w) // 2 >= LAST
        if stride and not halves:
            break
        outputs = min(8, 2 ** (scale + stride)) * width
        layers.append(
            nn.Conv2d(channels, outputs, 4, 2, padding=1)
            if halves
            else nn.Conv2d(channels, outputs, 3, padding=1)
        )
        layers.append(rectifier(SLOPE, penalised=True))
        channels, h, w = (outputs, h // 2, w // 2) if halves else (outputs, h, w)
        if not halves:
            break
    return nn.Sequential(*layers), (channels, h, w)


def _random_mixing(inputs: int, outputs: int) -> Tensor:
    """A 1 x 1 kernel that keeps the scale of its inputs."""
    return torch.randn(outputs, inputs, 1, 1) / math.sqrt(inputs)


def _as_constants(network: EfficientNetLite) -> EfficientNetLite:
    """Weights as buffers that go to other devices with the rest, and into no checkpoint or optimiser."""
    for module in list(network.modules()):
        for name, weight in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, weight.detach(), persistent=False)
    return network
