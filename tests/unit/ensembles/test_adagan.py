"""The boosting loop, on components whose learning is known: each falls for the heaviest cluster alone."""

import pytest
import torch
from torch import nn

from pushforward.core import Algorithm, Player
from pushforward.data import Dataset
from pushforward.ensembles.adagan import AdaGANHyperparameters, boost, component_seed, derived_seed
from pushforward.ensembles.mixture import MixtureModel
from pushforward.ensembles.weighting import Weighting
from pushforward.errors import UserError

SIZES = (100, 60, 40)
CLUSTER = torch.arange(3).repeat_interleave(torch.tensor(SIZES))
DATA = Dataset.of(
    torch.randn(200, 2, generator=torch.Generator().manual_seed(0)) + 20 * CLUSTER[:, None].float()
)


class Collapsed(Algorithm):
    """Samples one cluster."""

    def __init__(self, cluster=0):
        super().__init__()
        self.register_buffer("cluster", torch.tensor(cluster))

    def players(self):
        return {"none": Player(module=nn.Identity())}

    def step(self, draw):
        yield from ()

    def sample(self, n):
        return torch.randn(n, 2) + 20 * self.cluster


def heaviest(index, weighting):
    w = torch.full((200,), 1 / 200, dtype=torch.float64) if weighting.weights is None else weighting.weights
    return Collapsed(int(torch.bincount(CLUSTER, weights=w).argmax()))


def run(train=heaviest, components=3, **options):
    mixture = MixtureModel([Collapsed() for _ in range(components)])
    hyper = AdaGANHyperparameters(
        components=components, classifier_steps=80, classifier_hidden=(16,), classifier_lr=3e-2
    )
    stages = list(boost(mixture, DATA, hyper, train=train, batch_size=50, seed=0, **options))
    return mixture, stages


def test_components_that_collapse_cover_every_cluster_together():
    mixture, stages = run()
    assert [int(c.cluster) for c in mixture.components] == [0, 1, 2]
    assert [stage.beta for stage in stages] == [1, 1 / 2, 1 / 3]
    assert stages[0].weighting.weights is None
    # The second learns from what the first misses and nothing else, so of the 100 others.
    of_cluster = torch.bincount(CLUSTER, weights=stages[1].weighting.weights)
    assert of_cluster[0] < 0.05
    assert 0.4 < stages[1].weighting.effective < 0.6


def test_without_weights_they_all_fall_for_the_same():
    mixture, _ = run(remember=lambda index, compute: Weighting())
    assert [int(c.cluster) for c in mixture.components] == [0, 0, 0]


def test_what_is_remembered_is_not_computed_again():
    kept = {}

    def remember(index, compute):
        if index not in kept:
            kept[index] = compute()
        return kept[index]

    _, first = run(remember=remember)

    def never():
        raise AssertionError("computed again")

    _, again = run(remember=lambda index, compute: kept.get(index) or never())
    for a, b in zip(first[1:], again[1:], strict=True):
        assert torch.equal(a.weighting.weights, b.weighting.weights)


def test_the_weights_follow_from_the_seed():
    (_, a), (_, b) = run(), run()
    assert torch.equal(a[2].weighting.weights, b[2].weighting.weights)


def test_the_first_component_has_the_seed_of_a_plain_run_and_no_two_have_the_same():
    assert component_seed(5, 0) == 5
    seeds = {component_seed(seed, i) for seed in range(20) for i in range(20)}
    seeds |= {derived_seed(seed, "classifier", i) for seed in range(20) for i in range(1, 20)}
    assert len(seeds) == 20 * 20 + 20 * 19
    assert all(0 <= seed < 2**62 for seed in seeds)


def test_no_components_are_refused():
    with pytest.raises(UserError, match="`components`: 0"):
        AdaGANHyperparameters(components=0).check()
