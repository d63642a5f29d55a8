"""Labels of an npz, of any type, and the order of classes."""

from __future__ import annotations

import numpy as np
import pytest

from pushforward.data.labels import label_words
from pushforward.data.rows import class_order


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.array([b"cat", b"dog"]), ["cat", "dog"]),
        (np.array([0.0, 10.0]), ["0", "10"]),
        (np.array([True, False]), ["True", "False"]),
        (np.array([[3], [1]]), ["3", "1"]),
        (np.eye(3)[[2, 0]], ["2", "0"]),
        (np.eye(3, dtype=bool)[[2, 0]], ["2", "0"]),
        (np.array(["a\ud800", "b\x1b[2J"]), ["a\\ud800", "b\\x1b[2J"]),
        (np.array([b"caf\xe9", b"x"]), ["caf\\xe9", "x"]),
    ],
)
def test_every_kind_of_label_is_a_word(labels, words):
    assert label_words({"y": labels}, 2) == words


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.array(3), "y is a single value"),
        (np.zeros((2, 3)), "one-hot rows"),
        (np.array([[1, 1, 0], [0, 0, 1]]), "one-hot rows"),
        (np.array([0, np.nan]), "y holds nan"),
        (np.array([0, np.inf]), "y holds inf"),
        (np.array([0.5, 1]), "holds 0.5: fractions"),
        (np.array([1j, 2]), "y holds complexs"),
        (np.zeros(2, dtype=[("a", int)]), "y holds tuples"),
        (np.arange(3), "3 labels for 2 images"),
    ],
)
def test_what_labels_nothing_is_refused(labels, told):
    with pytest.raises(ValueError, match=told):
        label_words({"y": labels}, 2)


def test_classes_are_in_natural_order():
    assert class_order(["s10", "s2", "s1", "S1"]) == ("S1", "s1", "s2", "s10")
    assert class_order(["b", "10", "9", "a", "01", "1"]) == ("01", "1", "9", "10", "a", "b")
    assert class_order(["2b", "10a", "2a"]) == ("2a", "2b", "10a")
