"""Extractors by name, what they make of odd images, their cache, and who may judge whom."""

from __future__ import annotations

import os

import pytest
import torch
from torch import nn

from pushforward.data import Dataset
from pushforward.errors import UserError
from pushforward.features import cache as cache_module
from pushforward.features import (
    cached_features,
    classifier_features,
    find_extractor,
    judge,
    train_classifier,
)
from pushforward.features.extractor import brought_in

GREY = (1, 28, 28)


def images(n: int, *shape: int) -> torch.Tensor:
    return torch.randint(0, 256, (n, *shape), dtype=torch.uint8)


@pytest.mark.parametrize("name", ["efficientnet-lite0@32", "random-conv", "pixels"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 9, 14), (3, 28, 28), (4, 40, 20)])
def test_every_kind_of_image_gets_a_vector(name, shape):
    extractor = find_extractor(name, shape)
    x = images(5, *shape)
    features = extractor(x)
    assert features.shape == (5, extractor.dimensions)
    assert features.dtype == torch.float32
    torch.testing.assert_close(extractor(x[3:]), features[3:], rtol=1e-3, atol=1e-4)


def test_the_name_has_the_size_and_the_fingerprint_all_of_it():
    small, large = (find_extractor(f"efficientnet-lite0@{n}", GREY) for n in (32, 64))
    assert (small.name, small.family) == ("efficientnet-lite0@32", "efficientnet-lite0")
    marks = {small.fingerprint, large.fingerprint, find_extractor("random-conv", GREY).fingerprint}
    assert len(marks) == 3
    assert find_extractor("efficientnet-lite0@32", GREY).fingerprint == small.fingerprint


def test_what_is_transparent_is_white_and_grey_is_three_equal_colours():
    clear = torch.zeros(1, 4, 3, 3, dtype=torch.uint8)
    assert torch.equal(brought_in(clear, None, 3), torch.ones(1, 3, 3, 3))
    grey = images(2, 1, 3, 3)
    assert torch.equal(brought_in(grey, None, 3), brought_in(grey.expand(-1, 3, -1, -1), None, 3))


def test_shrinking_averages_over_what_it_leaves_out():
    checks = (torch.arange(64).view(8, 8) + torch.arange(8)[:, None]).remainder(2).mul(255).byte()
    small = brought_in(checks.expand(1, 1, 8, 8), 2, None)
    assert small.abs().max() < 0.05  # the mean of black and white, not either


@pytest.mark.parametrize(
    ("x", "got"),
    [
        (torch.zeros(1, 1, 8, 8), "float32"),
        (images(0, 1, 8, 8), r"\(0, 1, 8, 8\)"),
        (images(1, 5, 8, 8), "5, 8"),
    ],
)
def test_other_tensors_are_refused(x, got):
    with pytest.raises(UserError, match=f"`images`: .*{got}"):
        find_extractor("pixels", GREY)(x)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("efficientnet-lit0", "perhaps you meant 'efficientnet-lite0'"),
        ("efficientnet-lite0@7", "a size from 32 to 512"),
        ("pixels@16", "known are"),
        ("inception", "inception=FILE"),
        ("dinov2=nowhere.pt", "no file nowhere.pt"),
    ],
)
def test_unknown_features_are_one_line(name, said):
    with pytest.raises(UserError, match=said):
        find_extractor(name, GREY)


class Inception(nn.Module):
    """As NVIDIA's file: uint8 in, `return_features`."""

    def forward(self, x: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        assert x.dtype == torch.uint8
        return x.float().mean((2, 3)) if return_features else x.float()


class Vector(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


def test_networks_of_ones_own_come_as_torchscript(tmp_path):
    torch.jit.script(Inception()).save(str(tmp_path / "inception.pt"))
    torch.jit.script(Vector()).save(str(tmp_path / "dino.pt"))
    (tmp_path / "text.pt").write_text("no network")
    x = images(3, 1, 8, 8)
    inception = find_extractor(f"inception={tmp_path}/inception.pt", GREY)
    torch.testing.assert_close(inception(x), x.float().mean((2, 3)).expand(3, 3))
    white = find_extractor(f"dinov2={tmp_path}/dino.pt", GREY)(
        torch.full((1, 1, 8, 8), 255, dtype=torch.uint8)
    )
    torch.testing.assert_close(white[0, 0], torch.tensor((1 - 0.485) / 0.229))
    with pytest.raises(UserError, match="is no TorchScript file"):
        find_extractor(f"inception={tmp_path}/text.pt", GREY)
    with pytest.raises(UserError, match="takes no such images"):
        find_extractor(f"inception={tmp_path}/dino.pt", GREY)


def test_the_first_features_that_a_model_has_not_seen_judge_it():
    assert judge(()) == ("efficientnet-lite0", "")
    name, why = judge(("efficientnet-lite0",))
    assert name == "efficientnet-lite1"
    assert why == "efficientnet-lite0: the model was trained with them"
    assert judge(("efficientnet-lite0",), first="efficientnet-lite0@32")[0] == "efficientnet-lite1"
    with pytest.raises(UserError, match="has seen all of them"):
        judge(("efficientnet-lite0", "efficientnet-lite1", "random-conv", "pixels"))


def test_real_features_are_computed_once(cache, monkeypatch):
    data, extractor = Dataset.of(images(6, *GREY)), find_extractor("random-conv", GREY)
    first = cached_features(extractor, data)
    (path,) = (cache / "features").iterdir()
    calls = []
    monkeypatch.setattr(type(extractor), "__call__", lambda self, x: calls.append(1) or first)
    assert torch.equal(cached_features(extractor, data), first)
    assert not calls
    path.write_bytes(path.read_bytes()[:-9])  # damaged: made anew
    assert torch.equal(cached_features(extractor, data), first)
    assert calls == [1]
    cached_features(extractor, data.subset([0, 1]))
    assert len(calls) == 2


def test_the_cache_forgets_what_was_not_used_for_longest(cache, monkeypatch):
    extractor = find_extractor("pixels", GREY)
    sets = [Dataset.of(images(4, *GREY)) for _ in range(3)]
    for i, data in enumerate(sets):
        cached_features(extractor, data)
        for path in (cache / "features").iterdir():
            os.utime(path, (i, i)) if path.stat().st_mtime > 100 else None
    size = next((cache / "features").iterdir()).stat().st_size
    monkeypatch.setattr(cache_module, "MOST_BYTES", 2 * size + 9)
    cached_features(extractor, sets[0])  # used now, so the second is the oldest
    cached_features(extractor, Dataset.of(images(4, *GREY)))
    left = [path.stat().st_mtime for path in (cache / "features").iterdir()]
    assert len(left) == 2
    assert min(left) > 100


def test_a_cache_that_cannot_be_written_is_no_error(cache):
    cache.write_text("a file where the folder should be")
    features = cached_features(find_extractor("pixels", GREY), Dataset.of(images(2, *GREY)))
    assert features.shape == (2, 256)


def test_a_classifier_gives_features_and_refuses_what_has_no_classes():
    x = torch.cat([torch.zeros(40, 1, 12, 8), torch.full((40, 1, 12, 8), 255.0)]).byte()
    data = Dataset.of(x, torch.arange(80) // 40)
    classifier = train_classifier(data, seed=0, epochs=6)
    assert classifier.accuracy == 1.0
    features = classifier_features(classifier, 1, data.fingerprint)
    assert features(x).shape == (80, features.dimensions)
    for odd, said in ((Dataset.of(x), "without labels"), (data.subset(range(40)), "of 1 classes")):
        with pytest.raises(UserError, match=said):
            train_classifier(odd, seed=0)


@pytest.mark.parametrize("name", ["efficientnet-lite0@32", "random-conv", "pixels"])
def test_asking_for_features_leaves_the_random_stream_alone(name):
    torch.manual_seed(3)
    expected = torch.randn(2)
    torch.manual_seed(3)
    find_extractor(name, GREY)
    assert torch.equal(torch.randn(2), expected)
