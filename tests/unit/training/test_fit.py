"""Training in memory: what it reports, leaves behind and refuses; the same weights as the loop's."""

from __future__ import annotations

import pytest
import torch

from pushforward import fit
from pushforward.data import Dataset, Stream
from pushforward.errors import Diverged
from pushforward.training.fit import fitting
from tests.runs import assert_same, build, small_images, trainer, weights


def stream(images: Dataset | None = None, *, batch_size: int = 5, seed: int = 0, **kwargs) -> Stream:
    return Stream({"data": images or small_images()}, batch_size=batch_size, seed=seed, **kwargs)


def test_it_reports_the_mean_over_the_last_tenth():
    algorithm = build("beta-vae", beta=None, delta=None, capacity=10.0)
    end = fit(algorithm, stream(), 40)
    assert not algorithm.training
    assert end["capacity"] == pytest.approx(10 * (36 + 37 + 38 + 39) / 4 / 40)
    assert algorithm.clock.step == 40


def test_it_follows_the_seed_of_its_stream():
    def loss(seed: int) -> float:
        torch.manual_seed(0)
        return fit(build("ae"), stream(seed=seed), 3)["loss/ae"]

    assert loss(0) == loss(0) != loss(1)


def test_on_weighted_data_it_sees_what_has_weight():
    rows = torch.zeros(37)
    rows[5] = 1.0
    alone = fit(build("ae"), stream(small_images().subset([5]), batch_size=3), 4)
    assert fit(build("ae"), stream(batch_size=3, weights={"data": rows}), 4) == pytest.approx(alone)


@pytest.mark.parametrize("method", ["vae", "wgan-gp", "gan, views"])
def test_it_ends_with_the_weights_that_the_loop_publishes(method, tmp_path):
    """Averaged ones included: "gan, views" has them."""
    published = {}
    looped = trainer(tmp_path, method, steps=6)
    looped.run()
    with looped._published():
        published = weights(looped.algorithm)
    algorithm = build(method)
    fit(algorithm, stream(batch_size=6), 6)
    assert_same(weights(algorithm), published)


def test_between_two_steps_the_caller_may_look():
    algorithm = build("ae")
    steps = [algorithm.clock.step for _ in fitting(algorithm, stream(), 3)]
    assert steps == [1, 2, 3]


def test_weights_that_became_nan_are_refused():
    algorithm = build("ae", lr=1e38)
    with pytest.raises(Diverged, match="NaN or infinite"):
        fit(algorithm, stream(), 20)
