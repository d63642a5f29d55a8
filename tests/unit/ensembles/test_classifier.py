import pytest
import torch

from pushforward.data import Dataset
from pushforward.ensembles.classifier import ClassifierOptions, density_ratio, tell_apart
from pushforward.errors import UserError
from tests.runs import small_images

CPU = torch.device("cpu")


def points(n, d=1, seed=0):
    return Dataset.of(torch.randn(n, d, generator=torch.Generator().manual_seed(seed)))


def verdict(data, sample, seed=0, **options):
    small = {"classifier_steps": 100, "classifier_hidden": (32,), "classifier_lr": 1e-2, **options}
    return tell_apart(data, sample, ClassifierOptions(**small), batch_size=64, seed=seed, device=CPU)


def test_the_ratio_of_two_gaussians_is_found():
    """Real N(0, 1), model N(1, 1): ln P_model / P_data = x - 1/2."""
    data = points(4000)
    seen = verdict(data, lambda n: torch.randn(n, 1) + 1, classifier_steps=300)
    x = data.x[:, 0].double()
    middle = x.abs() < 1.5
    error = density_ratio(seen.logits).log() - (x - 0.5)
    assert error[middle].square().mean().sqrt() < 0.2
    assert abs(seen.accuracy - 0.6915) < 0.03  # Φ(1/2), the best there is


def test_a_mixture_that_is_the_data_cannot_be_told_apart():
    seen = verdict(points(2000, d=2), lambda n: torch.randn(n, 2))
    assert abs(seen.accuracy - 0.5) < 0.03
    assert density_ratio(seen.logits).log().abs().mean() < 0.3


def test_points_that_the_model_misses_have_a_ratio_near_nothing():
    x = torch.cat([torch.randn(500, 2), torch.randn(500, 2) + 20])
    seen = verdict(Dataset.of(x), lambda n: torch.randn(n, 2))
    ratio = density_ratio(seen.logits)
    assert ratio[500:].max() < 0.05
    assert 1 < ratio[:500].median() < 4  # twice as dense as the data there


def test_rows_are_scored_by_a_classifier_that_has_not_learned_them():
    """50 points in 50 dimensions, of the model's own distribution, are soon learned by heart."""
    data, sample = points(50, d=50), lambda n: torch.randn(n, 50)
    by_heart = verdict(data, sample, classifier_folds=1)
    unseen = verdict(data, sample, classifier_folds=2)
    assert (by_heart.logits > 0).double().mean() > 0.95
    assert (unseen.logits > 0).double().mean() < 0.8


def test_it_follows_from_the_seed_and_leaves_the_random_streams_alone():
    data, sample = points(60, d=2), lambda n: torch.randn(n, 2)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    first = verdict(data, sample, classifier_steps=5)
    assert torch.equal(torch.rand(4), expected)
    again, other = verdict(data, sample, classifier_steps=5), verdict(data, sample, 1, classifier_steps=5)
    assert torch.equal(first.logits, again.logits)
    assert first.accuracy == again.accuracy
    assert not torch.equal(first.logits, other.logits)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 20)])
def test_images_are_told_apart_from_black_ones(shape):
    data = small_images(30, shape)
    seen = verdict(data, lambda n: -torch.ones(n, *shape), classifier_steps=60, classifier_width=4)
    assert seen.logits.shape == (30,)
    assert seen.accuracy > 0.85


def test_a_coordinate_that_never_changes_does_no_harm():
    x = torch.cat([torch.randn(50, 1), torch.full((50, 1), 7.0)], 1)
    seen = verdict(Dataset.of(x), lambda n: torch.randn(n, 2), classifier_steps=5)
    assert torch.isfinite(seen.logits).all()


def test_mistakes():
    with pytest.raises(UserError, match="`classifier_folds`: 9; expected at most the 8 rows"):
        verdict(points(8), lambda n: torch.randn(n, 1), classifier_folds=9)
    for options, name in (
        ({"classifier_steps": 0}, "`classifier_steps`"),
        ({"classifier_folds": 0}, "`classifier_folds`"),
        ({"classifier_lr": 0.0}, "`classifier_lr`"),
        ({"classifier_hidden": (8, 0)}, "`classifier_hidden`"),
    ):
        with pytest.raises(UserError, match=name):
            ClassifierOptions(**options).check()
