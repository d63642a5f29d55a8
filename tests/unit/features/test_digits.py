"""The modes of stacked digits: a classifier that never saw them, and what it makes of known samplers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pushforward.core import Algorithm, to_float
from pushforward.data import Dataset, Scan, load_dataset
from pushforward.data.arrays import Arrays
from pushforward.data.toys import stacked_digits
from pushforward.errors import UserError
from pushforward.evaluation import evaluate, stacked
from pushforward.features.classifier import Classifier
from pushforward.metrics.modes import perfect_kl
from pushforward.models.model import Model


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def halves(digits) -> tuple[Dataset, Dataset]:
    return digits.subset(range(0, len(digits), 2)), digits.subset(range(1, len(digits), 2))


@pytest.fixture(scope="module")
def classifier(halves) -> Classifier:
    return stacked.train_classifier(halves[0], seed=0, epochs=20)


def test_digits_that_were_seen_are_left_out(digits, halves):
    left = stacked.unseen(digits, halves[1])
    assert left.names == halves[0].names
    with pytest.raises(UserError, match="all of them"):
        stacked.unseen(halves[0], digits)


def test_the_classifier_knows_digits_that_it_never_saw(classifier, halves):
    right = (classifier(to_float(halves[1].x)) == halves[1].labels).double().mean().item()
    assert right > 0.9
    assert classifier.accuracy == pytest.approx(right, abs=0.06)


def test_it_is_the_same_from_the_same_seed_and_leaves_the_random_stream_alone(halves):
    torch.manual_seed(3)
    expected = torch.randn(2)
    torch.manual_seed(3)
    one, two = (stacked.train_classifier(halves[0], seed=1, epochs=1) for _ in range(2))
    assert torch.equal(torch.randn(2), expected)
    x = to_float(halves[1].x[:50])
    assert torch.equal(one.logits(x), two.logits(x))


def test_a_stack_is_read_red_green_blue_at_whatever_size(classifier, halves):
    source = halves[1]
    arrays = stacked_digits(
        Arrays(source.x[:, 0].numpy(), [str(i) for i in source.labels.tolist()]), train=300, test=10
    )
    words = torch.tensor([int(word) for word in arrays.labels])
    x = to_float(torch.from_numpy(np.ascontiguousarray(arrays.images.transpose(0, 3, 1, 2))))
    assert (stacked.triples(classifier, x) == words).double().mean() > 0.75
    larger = torch.nn.functional.interpolate(x, (16, 16), mode="bilinear")
    assert (stacked.triples(classifier, larger) == words).double().mean() > 0.6


def of_stacks(images):
    return Dataset.of(images, scan=Scan("stacked-mnist", len(images)))


class Stacks(Algorithm):
    """Real digits, stacked at random; of the given ones only."""

    def __init__(self, images, labels, kept):
        super().__init__()
        self.images = to_float(images[torch.isin(labels, torch.tensor(kept))])
        self.weight = nn.Parameter(torch.zeros(1))

    def players(self):
        return {}

    def step(self, draw):
        yield from ()

    def sample(self, n):
        return self.images[torch.randint(len(self.images), (n, 3))].squeeze(2)


# A digit that is misread once in a hundred times adds triples that nobody drew.
@pytest.mark.parametrize(
    ("kept", "least", "most", "kl"), [(range(10), 990, 1000, 0.0), ([3, 7], 8, 60, np.log(125))]
)
def test_stacks_are_counted(kept, least, most, kl, classifier, halves, monkeypatch):
    monkeypatch.setattr(stacked, "load_dataset", lambda name: halves[name == stacked.SOURCE])
    monkeypatch.setattr(stacked, "train_classifier", lambda digits, seed: classifier)
    algorithm = Stacks(halves[0].x, halves[0].labels, list(kept))  # which it learned, and knows well
    model = Model(algorithm, {"method": "gan", "shape": [3, 8, 8], "step": 1})
    images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    result = evaluate(model, of_stacks(images))
    assert least <= result.find("modes").value <= most
    assert result.find("modes").floor == pytest.approx(1000)
    assert result.find("reverse_kl").value == pytest.approx(kl, abs=0.25)
    assert result.find("reverse_kl").floor == perfect_kl(1000, 26_000) + perfect_kl(1000, 25_600)
    assert any("never saw the digits of stacked-mnist" in note for note in result.notes)
    assert evaluate(model, Dataset.of(images)).find("modes") is None


def test_without_the_digits_it_says_how_to_get_them(cache):
    model = Model(
        Stacks(torch.zeros(3, 1, 8, 8), torch.arange(3), [0]), {"method": "gan", "shape": [3, 8, 8]}
    )
    result = evaluate(model, of_stacks(torch.zeros(2, 3, 8, 8, dtype=torch.uint8)))
    reasons = {s.name: s.reason for s in result.skipped}
    assert "pushforward data fetch mnist10k" in reasons["modes"]
    assert reasons["modes"] == reasons["reverse_kl"]
