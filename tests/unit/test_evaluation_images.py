"""Samples beside held-out images: copies, blur and missing classes are told, and who may judge is decided."""

from __future__ import annotations

import pytest
import torch

from pushforward.data import Dataset, load_dataset
from pushforward.errors import UserError
from pushforward.evaluation import evaluate, images
from pushforward.models.inversion import invert
from pushforward.models.model import Model
from tests.runs import build
from tests.stubs import Player

SHAPE = (1, 8, 8)


def model_of(rows: torch.Tensor, seen: tuple[str, ...] = ()) -> Model:
    player = Player(rows)
    player.features_seen = seen
    return Model(player, {"method": "player", "shape": list(SHAPE), "step": 1})


@pytest.fixture(scope="module")
def digits() -> tuple[Dataset, Dataset, Dataset]:
    """Training, held-out and fresh digits."""
    data = load_dataset("digits")
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
    return tuple(data.subset(order[i : i + 300]) for i in (0, 300, 600))


def told(digits, rows, **how) -> dict[str, float]:
    train, held_out, _ = digits
    result = evaluate(model_of(rows), held_out, train=train, samples=300, features="pixels", **how)
    return {m.name: m.value for m in result.metrics}


@pytest.fixture(scope="module")
def fresh(digits) -> dict[str, float]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PUSHFORWARD_CACHE", "/dev/null/none")
        return told(digits, digits[2].x)


def test_fresh_digits_score_as_the_floor(digits, fresh):
    train, held_out, made = digits
    result = evaluate(model_of(made.x), held_out, train=train, samples=300, features="pixels")
    for name in ("kid[pixels]", "mind[pixels]", "precision[pixels]", "authentic[pixels]"):
        metric = result.find(name)
        assert metric.features == "pixels"
        assert abs(metric.value - metric.floor) < max(0.2 * abs(metric.floor), 3 * (metric.ci95 or 0)), name
    assert result.find("class_entropy").value > 0.95
    assert result.find("sharpness").value == pytest.approx(result.find("sharpness").floor, rel=0.1)


def test_copies_are_told_where_distances_praise_them(digits, fresh):
    copies = told(digits, digits[0].x)
    assert copies["mind[pixels]"] < 2 * fresh["mind[pixels]"]
    assert copies["authentic[pixels]"] == 0
    assert copies["closer_to_train[pixels]"] > 0.95
    assert copies["fld[pixels]"] > fresh["fld[pixels]"] + 50
    assert copies["fld_gap[pixels]"] < -50


def test_blur_and_a_missing_class_are_told(digits, fresh):
    made = digits[2]
    blurred = torch.nn.functional.avg_pool2d(made.x.float(), 3, 1, 1).byte()
    blur = told(digits, blurred)
    assert blur["sharpness"] < 0.5 * fresh["sharpness"]
    assert blur["frechet[pixels]"] > 2 * fresh["frechet[pixels]"]
    few = told(digits, made.x[made.labels < 3])
    assert few["class_entropy"] < 0.7 < fresh["class_entropy"]
    assert few["class_kl"] > 0.5
    assert few["coverage[pixels]"] < 0.6 * fresh["coverage[pixels]"]


def test_a_model_is_not_judged_by_what_it_was_trained_on(digits, monkeypatch):
    train, held_out, made = digits
    monkeypatch.setattr(images, "MEASURES", ())
    seen = model_of(made.x, ("pixels", "efficientnet-lite0", "efficientnet-lite1"))
    result = evaluate(seen, held_out, train=train, samples=20, features="pixels")
    (note,) = [n for n in result.notes if "judged by" in n]
    assert note.startswith("judged by random-conv, not by pixels: the model was trained with them")


def test_too_few_images_are_skipped_by_name_and_bad_numbers_refused(digits):
    train, held_out, made = digits
    result = evaluate(
        model_of(made.x), held_out.subset(range(12)), train=train, samples=40, features="pixels"
    )
    reasons = {s.name: s.reason for s in result.skipped}
    assert "needs at least 20" in reasons["fld"]
    assert result.find("precision[pixels]") is not None
    with pytest.raises(UserError, match="`samples`: 3; expected at least 20"):
        evaluate(model_of(made.x), held_out, samples=3)
    with pytest.raises(UserError, match="`features`: 'nonsense'"):
        evaluate(model_of(made.x), held_out, samples=20, features="nonsense")


def test_without_labels_or_training_images_it_still_measures(digits):
    _, held_out, made = digits
    plain = Dataset.of(held_out.x)
    result = evaluate(model_of(made.x), plain, samples=40, features="pixels")
    assert {s.name for s in result.skipped} >= {"class_entropy", "class_kl", "fld", "authentic"}
    assert result.find("mind[pixels]") is not None


def test_a_code_is_found_for_what_the_model_can_make():
    """The images of its own codes are found again; noise is not."""
    torch.manual_seed(1)
    generator = build("gan", SHAPE, latent_dim=2, hidden=(16,))
    model = Model(generator, {"method": "gan", "shape": list(SHAPE), "step": 0})
    with torch.no_grad():
        own = model.sample(6)
    found = invert(model, own, seed=3)
    assert found.z.shape == (6, 2)
    assert found.error.max() < 1e-4
    noise = invert(model, torch.rand(6, *SHAPE) * 2 - 1, steps=20)
    assert noise.error.min() > 0.05
    torch.testing.assert_close(model.decode(found.z), own, atol=0.05, rtol=0)
    assert all(p.requires_grad for p in generator.parameters())
    assert torch.equal(invert(model, own, steps=5).z, invert(model, own, steps=5).z)
    with pytest.raises(UserError, match="`x`: shape"):
        invert(model, torch.zeros(2, 3, 8, 8))
    with pytest.raises(UserError, match="`starts`, `steps`: 0"):
        invert(model, own, starts=0)


def test_a_code_of_a_conditional_model_keeps_its_class():
    """A code between two classes would make more than the model makes of any."""
    torch.manual_seed(1)
    model = Model(build("gan, conditional"), {"method": "gan", "shape": list(SHAPE), "step": 0})
    with torch.no_grad():
        own = model.algorithm.sample(6)
    found = invert(model, own, seed=3, steps=20)
    y = model.algorithm.labels.split(found.z)[1]
    assert torch.equal(y, torch.nn.functional.one_hot(y.argmax(1), 2).float())


def test_the_start_that_is_kept_has_the_least_objective(monkeypatch):
    tries = iter([(0.1, 9.0), (0.5, 1.0), (0.3, 2.0)])

    def descend(decode, prior, x, *rest):
        error, objective = (torch.full((len(x),), value) for value in next(tries))
        return error[:, None].expand(-1, 2), error, objective

    monkeypatch.setattr("pushforward.models.inversion._descend", descend)
    generator = build("gan", SHAPE, latent_dim=2, hidden=(16,))
    model = Model(generator, {"method": "gan", "shape": list(SHAPE), "step": 0})
    found = invert(model, torch.zeros(3, *SHAPE), starts=3, prior_weight=1.0)
    assert found.error.tolist() == pytest.approx([0.5] * 3)
