"""ADA: geometric and colour changes of real and generated images, as often as the critic needs them.

T. Karras, M. Aittala, J. Hellsten, S. Laine, J. Lehtinen and T. Aila, *Training Generative Adversarial
Networks with Limited Data*, NeurIPS 2020, appendix B: the transforms "bgc" (pixel blitting, geometry,
colour), each applied with probability p, in one resampling.

Deviations from the paper:
1. Bilinear resampling with reflection at the edges; theirs filters by wavelets, at twice the resolution.
2. Grey images have brightness, contrast and the luma flip; alpha keeps its values.
3. Image-space filtering and corruptions are left out, as in the authors' default.
4. Quarter turns are left out of images that are not square.
5. For a loss of pairs r_t is E sign(D(x) - D(G(z))), since its scores have no zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from pushforward.core import Clock
from pushforward.views.adaptive import Adaptive
from pushforward.views.transforms import KINDS, Transform

# Standard deviations of the paper, in powers of two where the draw is a factor; shifts in shares of a side.
SHIFT, SCALE, ASPECT, FRACTION = 0.125, 0.2, 0.2, 0.125
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.5, 1.0


class ADA(Adaptive):
    """Images in [-1, 1], each changed by draws of its own; those that no draw meant stay as they are."""

    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        """x changed, differentiably."""
        return self.colours(self.geometry(x))

    @property
    def leaks_as(self) -> Sequence[Transform]:
        """Quarter turns, which are seen best."""
        return KINDS["rotation"]

    def geometry(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Flip, turn, shift and scale, in one resampling."""
        h, w = x.shape[2:]
        matrix, moved = self.affine(x)
        # In pixels, from where each pixel of the result is taken; the grid of torch goes from -1 to 1.
        to_pixels = torch.stack([x.new_full((), w / 2), x.new_full((), h / 2)])
        linear = matrix[:, :2, :2] * to_pixels[None, None, :] / to_pixels[None, :, None]
        offset = matrix[:, :2, 2:] / to_pixels[None, :, None]
        grid = F.affine_grid(torch.cat([linear, offset], 2), list(x.shape), align_corners=False)
        warped = F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
        return torch.where(moved[:, None, None, None], warped, x)

    def affine(self, x: Tensor) -> tuple[Float[Tensor, "b 3 3"], Tensor]:
        """(the inverse map of each image in pixels from its middle, whether there is any)."""
        b, (h, w) = len(x), x.shape[2:]
        total = torch.eye(3, device=x.device, dtype=x.dtype).expand(b, 3, 3)
        moved = torch.zeros(b, dtype=torch.bool, device=x.device)
        one = x.new_ones(b)
        half = 1 - (1 - self.p).sqrt()  # of each of two turns, so that one of them happens with p
        flip = 1 - 2 * (_uniform(x) < 0.5).to(x)
        quarter = (_uniform(x) * (4 if h == w else 2)).floor() * (math.pi / 2 if h == w else math.pi)
        shift = [((2 * _uniform(x) - 1) * SHIFT * side).round() for side in (w, h)]
        scale, aspect = torch.exp2(SCALE * _normal(x)), torch.exp2(ASPECT * _normal(x))
        fraction = [FRACTION * side * _normal(x) for side in (w, h)]
        turns = [(2 * _uniform(x) - 1) * math.pi for _ in range(2)]
        for matrix, p in (
            (_scaled(flip, one), self.p),
            (_turned(quarter), self.p),
            (_shifted(*shift), self.p),
            (_scaled(scale, scale), self.p),
            (_turned(turns[0]), half),
            (_scaled(aspect, 1 / aspect), self.p),
            (_turned(turns[1]), half),
            (_shifted(*fraction), self.p),
        ):
            chosen = self.drawn(x, p)
            total = torch.where(chosen[:, None, None], total @ matrix, total)
            moved = moved | chosen
        return total, moved

    def colours(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Brightness, contrast and luma flip; of colour images also hue and saturation."""
        alpha = x.shape[1] in (2, 4)
        c, rest = (x[:, :-1], x[:, -1:]) if alpha else (x, x[:, :0])
        b, k = len(x), c.shape[1]
        eye = torch.eye(k, device=x.device, dtype=x.dtype)
        grey = torch.full((k, k), 1 / k, device=x.device, dtype=x.dtype)  # onto the axis of luma
        matrix, offset = eye.expand(b, k, k), x.new_zeros(b, k, 1)
        chosen = self.drawn(x)[:, None, None]
        changed = chosen
        offset = torch.where(chosen, offset + BRIGHTNESS * _normal(x)[:, None, None], offset)
        steps = [
            torch.exp2(CONTRAST * _normal(x)[:, None, None]) * eye,
            eye - 2 * grey * (_uniform(x) < 0.5)[:, None, None],
        ]
        if k == 3:
            angle = (2 * _uniform(x)[:, None, None] - 1) * math.pi
            steps += [
                _hue(angle, eye, grey),
                grey + torch.exp2(SATURATION * _normal(x)[:, None, None]) * (eye - grey),
            ]
        for step in steps:
            chosen = self.drawn(x)[:, None, None]
            matrix = torch.where(chosen, step @ matrix, matrix)
            offset = torch.where(chosen, step @ offset, offset)
            changed = changed | chosen
        painted = (matrix @ c.flatten(2) + offset).view_as(c)
        c = torch.where(changed[:, :, :, None], painted, c)
        return torch.cat([c, rest], 1) if alpha else c


def _normal(x: Tensor) -> Float[Tensor, " b"]:
    return torch.randn(len(x), device=x.device, dtype=x.dtype)


def _uniform(x: Tensor) -> Float[Tensor, " b"]:
    return torch.rand(len(x), device=x.device, dtype=x.dtype)


def _matrix(rows: Sequence[Sequence[Tensor]]) -> Float[Tensor, "b 3 3"]:
    return torch.stack([torch.stack(list(row), 1) for row in rows], 1)


def _scaled(x: Tensor, y: Tensor) -> Float[Tensor, "b 3 3"]:
    none, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[1 / x, none, none], [none, 1 / y, none], [none, none, one]])


def _shifted(x: Tensor, y: Tensor) -> Float[Tensor, "b 3 3"]:
    none, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[one, none, -x], [none, one, -y], [none, none, one]])


def _turned(angle: Tensor) -> Float[Tensor, "b 3 3"]:
    none, one, c, s = torch.zeros_like(angle), torch.ones_like(angle), angle.cos(), angle.sin()
    return _matrix([[c, s, none], [-s, c, none], [none, none, one]])


def _hue(angle: Tensor, eye: Tensor, grey: Tensor) -> Float[Tensor, "b 3 3"]:
    """A turn about the axis of luma: Rodrigues' formula."""
    cross = eye.roll(1, 0) - eye.roll(-1, 0)
    return angle.cos() * eye + angle.sin() * cross / math.sqrt(3) + (1 - angle.cos()) * grey
