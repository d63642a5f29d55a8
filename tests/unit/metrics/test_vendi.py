"""The Vendi score at its limits, and both of its forms."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.errors import UserError
from pushforward.metrics.vendi import vendi


@pytest.mark.parametrize("q", [0.0, 0.5, 1.0, 2.0, math.inf])
def test_it_counts_orthogonal_kinds_and_not_copies(q):
    kinds = torch.eye(6)[:4]
    assert vendi(kinds, q=q) == pytest.approx(4)
    assert vendi(kinds.repeat(5, 1), q=q) == pytest.approx(4)
    assert vendi(torch.ones(8, 3), q=q) == pytest.approx(1)
    assert vendi(7 * kinds, q=q) == pytest.approx(4)  # the length of a row says nothing


def test_more_rows_than_features_and_fewer_are_the_definition():
    for n, d in ((12, 5), (5, 12)):
        x = torch.nn.functional.normalize(torch.randn(n, d).double(), dim=1)
        p = torch.linalg.eigvalsh(x @ x.T / n).clamp(min=0)
        assert vendi(x) == pytest.approx(math.exp(torch.special.entr(p).sum().item()), rel=1e-9)
        assert vendi(x, q=2.0) == pytest.approx(1 / p.square().sum().item(), rel=1e-9)


def test_uneven_kinds_count_less_the_higher_the_order():
    x = torch.cat([torch.eye(3)[:1].repeat(8, 1), torch.eye(3)[1:]])
    scores = [vendi(x, q=q) for q in (0.0, 1.0, 2.0, math.inf)]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] == pytest.approx(10 / 8)


def test_bad_input_is_one_line():
    with pytest.raises(UserError, match="`q`: -1"):
        vendi(torch.randn(5, 2), q=-1.0)
    with pytest.raises(UserError, match="at least 2 rows"):
        vendi(torch.randn(1, 2))
