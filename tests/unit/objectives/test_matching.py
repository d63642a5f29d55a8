"""Nearest matches against a search by hand, and what ε rejects."""

from __future__ import annotations

import torch

from pushforward.objectives.matching import nearest_matches, root_mean_squares


def test_distances_are_roots_of_mean_squares():
    x, y = torch.randn(5, 7), torch.randn(4, 7)
    expected = (x[:, None] - y).square().mean(-1).sqrt()
    torch.testing.assert_close(root_mean_squares(x, y), expected)


def test_matches_are_those_of_trying_every_sample():
    x, y = torch.randn(40, 3), torch.randn(60, 3)
    index, far, rejected = nearest_matches(root_mean_squares(x, y))
    for i, datum in enumerate(x):
        tried = [float((datum - sample).square().mean().sqrt()) for sample in y]
        assert int(index[i]) == min(range(60), key=tried.__getitem__)
        torch.testing.assert_close(float(far[i]), min(tried), rtol=1e-4, atol=1e-5)
    assert rejected == 0


def test_a_sample_near_any_datum_is_no_match_for_any():
    x = torch.tensor([[0.0], [1.0]])
    y = torch.tensor([[0.05], [0.4], [0.95], [3.0]])
    index, far, rejected = nearest_matches(root_mean_squares(x, y), 0.1)
    assert index.tolist() == [1, 1]  # the nearest to 1 that is left is at 0.4
    torch.testing.assert_close(far, torch.tensor([0.4, 0.6]))
    assert rejected == 0.5


def test_the_matches_left_are_those_of_trying_every_sample():
    x, y = torch.randn(30, 2), torch.randn(200, 2)
    index, _, rejected = nearest_matches(root_mean_squares(x, y), 0.2)
    distances = [[float((a - b).square().mean().sqrt()) for b in y] for a in x]
    left = [j for j in range(200) if min(row[j] for row in distances) >= 0.2]
    assert 0 < len(left) < 200
    assert abs(float(rejected) - (1 - len(left) / 200)) < 1e-6
    assert index.tolist() == [min(left, key=row.__getitem__) for row in distances]


def test_where_all_are_near_none_is_rejected():
    x = torch.zeros(1, 1)
    index, far, rejected = nearest_matches(root_mean_squares(x, torch.tensor([[0.02], [0.01]])), 1.0)
    assert index.tolist() == [1]
    assert far.isfinite().all()
    assert rejected == 0
