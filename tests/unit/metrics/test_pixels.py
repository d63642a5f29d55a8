"""Pixel distances against values computed by hand."""

from __future__ import annotations

import torch

from pushforward.metrics.pixels import mean_squared_error


def test_black_and_white_are_one_apart_and_equal_images_nothing():
    black, white = torch.full((2, 1, 4, 4), -1.0), torch.full((2, 1, 4, 4), 1.0)
    assert mean_squared_error(black, white).tolist() == [1, 1]
    assert mean_squared_error(white, white).tolist() == [0, 0]


def test_it_is_the_mean_over_pixels_of_each_image():
    x, y = torch.zeros(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)
    y[1, 0, 0, 0] = 1.0  # half of the intensity range, in one pixel of four
    assert mean_squared_error(x, y).tolist() == [0, 0.25 / 4]
