"""One picture by itself, read as a source is: decoded, upright, composited, in the channels asked for."""

from __future__ import annotations

import warnings

from PIL import Image

from pushforward.data.decode import Decoded, Item, decode, formats
from pushforward.data.ranges import ALL, USUAL, Ambiguous, PixelRange, meaning
from pushforward.data.rows import Skip
from pushforward.text import printable


def read_picture(
    item: Item, *, channels: int, pixel_range: PixelRange | None = None
) -> Decoded | Skip | None:
    """The picture at its own size, or why it cannot be read; None for a file that is no image.

    pixel_range: the numbers of black and white. Where it is None, bytes are what they are, and what other
    pixels mean is told by this picture alone, where `scan` tells it by all of a source.
    """
    formats()
    given = {held: meaning(held, ALL, pixel_range) for held in USUAL} if pixel_range else USUAL
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow has to say of odd metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        found = decode(item, image_size=None, channels=channels, meanings=given)
        if not isinstance(found, Decoded) or found.held == "8-bit" or pixel_range is not None:
            return found
        try:
            own = meaning(found.held, found.extent)
        except Ambiguous as error:
            return Skip(printable(item.name), str(error), unreadable=True)
        if own != USUAL[found.held]:
            return decode(item, image_size=None, channels=channels, meanings={**USUAL, found.held: own})
    return found
