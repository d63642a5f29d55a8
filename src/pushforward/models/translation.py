"""Images of one domain as another's, whole or in tiles: `Model.translate`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.abilities import Translates
from pushforward.core import to_float
from pushforward.data.memory import available_bytes
from pushforward.errors import UserError, did_you_mean
from pushforward.networks.statistics import statistics_of
from pushforward.randomness import aside

if TYPE_CHECKING:
    from pushforward.models.model import Model

SMALLEST_TILE = 64  # pixels a side
PROBE = 64  # pixels a side of the image that tells how much memory a pixel takes
GRAIN = 16  # tiles begin at its multiples: a network that halves up to four times sees one grid in all
OVERLAP = 4  # a tile shares one part in so many of its side with the next, rounded up to the grain


def translated(
    model: Model, x: Tensor, to: str, *, tile: int | None = None, seed: int = 0
) -> Float[Tensor, "n c h w"]:
    """Images as those of the domain `to`: see `Model.translate`."""
    algorithm = model.ability(Translates)
    x = _checked(model, x, to, algorithm.smallest_side)
    check_tile(tile)
    h, w = x.shape[2:]
    cut = tile is not None and max(h, w) > tile
    if cut and not algorithm.smallest_side:
        raise UserError(f"`tile`: {tile}, but this model takes images of {h}x{w} alone; leave it out")
    side = tile if tile is not None and cut else max(h, w)
    area = min(h, side) * min(w, side)
    own = model.shapes[source_of(model, to)]
    at_once = max(1, model.batch_size * own[1] * own[2] // area)  # as many pixels as of its own size

    def f(part: Tensor) -> Tensor:
        return algorithm.translate(part.to(model.device), to).cpu()

    with aside(seed), torch.no_grad():
        if at_once == 1 and algorithm.smallest_side and area > PROBE**2:
            _require_room(model, f, x.shape[1], (min(h, side), min(w, side)))
        parts = x.split(at_once)
        return torch.cat([_tiled(model, f, part, side) if cut else f(part) for part in parts])


def source_of(model: Model, to: str) -> str:
    """The domain that is translated to this one. Raises UserError where the model translates to no such."""
    into = model.ability(Translates).into
    if to not in into:
        known = f"one of {', '.join(into)}" if len(into) > 1 else f"{into[0]}, the one that it translates to"
        raise UserError(f"`to`: '{to}'{did_you_mean(to, into)}; expected {known}")
    return next(name for name in model.shapes if name != to)


def check_tile(tile: int | None) -> None:
    """Raise UserError for tiles that are too small to overlap."""
    if tile is not None and tile < SMALLEST_TILE:
        raise UserError(f"`tile`: {tile}; expected at least {SMALLEST_TILE} pixels, or leave it out")


def _require_room(model: Model, f: Callable[[Tensor], Tensor], channels: int, size: tuple[int, int]) -> None:
    """Raise UserError where an image, or a tile, would fill the memory: the system would end the process."""
    have = available_bytes() if model.device.type == "cpu" else None
    if have is None:
        return
    need = math.prod(size) * bytes_a_pixel(model.algorithm, f, channels)
    if need > have:
        raise UserError(
            f"x: images of {size[0]}x{size[1]} need about {need / 2**30:.1f} GiB, and {have / 2**30:.1f} GiB "
            "are free; give a smaller `tile`, such as `tile` 512, or smaller images"
        )


def bytes_a_pixel(algorithm: nn.Module, f: Callable[[Tensor], Tensor], channels: int) -> float:
    """Memory that f takes for a pixel of its input, told by a small image: twice what its widest layer reads
    and writes. The CycleGAN of default width was measured to take 960 to 1,000 bytes; this gives 1,125.
    """
    widest = 0

    def look(module: nn.Module, given: tuple[Any, ...], out: Any) -> None:
        nonlocal widest
        seen = [t for t in (*given, out) if isinstance(t, Tensor)]
        widest = max(widest, sum(t.numel() * t.element_size() for t in seen))

    hooks = [
        m.register_forward_hook(look) for m in algorithm.modules() if not any(True for _ in m.children())
    ]
    try:
        f(torch.zeros(1, channels, PROBE, PROBE))
    finally:
        for hook in hooks:
            hook.remove()
    return 2 * widest / PROBE**2


def _checked(model: Model, x: Tensor, to: str, smallest: int) -> Tensor:
    """The images as floats. Raises UserError where the method cannot take them."""
    own = model.shapes[source_of(model, to)]
    if len(own) != 3:
        raise UserError(f"`to`: '{to}', but this is a model of {model.kind.many}; it translates no images")
    sides = "h, w" if smallest else f"{own[1]}, {own[2]}"
    fits = x.ndim == 4 and x.shape[1] == own[0] and (smallest or tuple(x.shape[2:]) == own[1:])
    if not fits:
        raise UserError(f"x: shape {tuple(x.shape)}; expected (n, {own[0]}, {sides})")
    if len(x) == 0:
        raise UserError("x: no images; expected at least one")
    if min(x.shape[2:]) < smallest:
        raise UserError(
            f"x: images of {x.shape[2]}x{x.shape[3]}; expected sides of at least {smallest} pixels"
        )
    return to_float(x) if x.dtype == torch.uint8 else x.float()


def _tiled(model: Model, f: Callable[[Tensor], Tensor], x: Tensor, tile: int) -> Tensor:
    """f in tiles, whose instance norms go by the whole image, reduced to the area of a tile.

    Sides of the reduced image are at least 64 pixels, so that of a long one is larger.

    Each tile by its own statistics would come out in colours of its own.
    """
    h, w = x.shape[2:]
    factor = min(1.0, tile / math.sqrt(h * w))
    size = [min(side, max(SMALLEST_TILE, round(factor * side))) for side in (h, w)]
    reduced = x if factor == 1 else F.interpolate(x, size, mode="bilinear", antialias=True)
    with statistics_of(model.algorithm, lambda: f(reduced)):
        return in_tiles(f, x, tile)


def in_tiles(
    f: Callable[[Tensor], Tensor], x: Float[Tensor, "n c h w"], tile: int
) -> Float[Tensor, "n d h w"]:
    """f of the images, tile by tile, of so many pixels a side at most; f keeps the size of what it is given.

    Neighbours share a quarter of their side. Of that the outer quarter of a tile, whose surroundings it did
    not see, is dropped, and the inner half fades from one to the other. So f in tiles is f of the whole where
    a pixel of f depends on no pixel further away than a sixteenth of a tile.
    """
    tile = tile // GRAIN * GRAIN
    overlap = -(-tile // (OVERLAP * GRAIN)) * GRAIN
    h, w = x.shape[2:]
    total, weights = x.new_zeros(()), x.new_zeros(h, w)
    for top in _starts(h, tile, overlap):
        for left in _starts(w, tile, overlap):
            place = (slice(top, min(top + tile, h)), slice(left, min(left + tile, w)))
            made = f(x[(..., *place)])
            weight = _fade(place[0], h, overlap)[:, None] * _fade(place[1], w, overlap)
            if not total.ndim:
                total = made.new_zeros(len(x), made.shape[1], h, w)
            total[(..., *place)] += made * weight
            weights[place] += weight
    return total / weights


def _starts(side: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along a side. All are whole but the last, which ends with the side."""
    if side <= tile:
        return [0]
    last = -(-(side - tile) // GRAIN) * GRAIN
    return [*range(0, last, tile - overlap), last]


def _fade(place: slice, side: int, overlap: int) -> Float[Tensor, " t"]:
    """The weight of each pixel of a tile along a side: 1, and towards its neighbours down to 0."""
    position = torch.arange(place.start, place.stop) + 0.5
    from_edge = torch.full_like(position, float(overlap))
    if place.start > 0:
        from_edge = torch.minimum(from_edge, position - place.start)
    if place.stop < side:
        from_edge = torch.minimum(from_edge, place.stop - position)
    return ((from_edge - overlap / 4) / (overlap / 2)).clamp(0, 1)
