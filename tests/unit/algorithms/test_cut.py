"""CUT: its whole objective by hand and by finite differences, what moves, and which patches are compared."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

import pushforward
from pushforward.algorithms.cut import Heads, choose_places
from pushforward.core import Batch
from pushforward.errors import UserError
from pushforward.recipes.cut import CUTRecipe
from pushforward.recipes.presets import find_preset
from pushforward.training.distributed import GlobalNoise, World
from tests.differences import assert_slope
from tests.runs import build

X = {
    name: torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(i), dtype=torch.float64).tanh()
    for i, name in enumerate("ab")
}


def wide(kind: str = "cut", **options):
    """In double, with weights so large that no difference is lost in rounding."""
    model = build(kind, **options).double()
    torch.manual_seed(1)
    for p in model.parameters():
        p.data = 0.3 * torch.randn_like(p)
    return model


def updates(model):
    """The losses of a step, by player, and what the generator's update reports."""
    torch.manual_seed(2)  # whatever the views draw, and the patches
    step = model.step(lambda name, n=None: Batch(X[name], None, torch.arange(2)))
    critic = next(step)
    both = step.send(critic.answer())
    with pytest.raises(StopIteration):
        step.send(both.answer())
    return critic, both


def nce_by_hand(model, x) -> float:
    """All patches, image by image and depth by depth."""
    terms = []
    for depth, head in enumerate(model.heads.by_depth):
        for row in x.split(1):
            q, k = (
                head(maps[depth][0].flatten(1).T)
                for maps in (model.generator.features(model.generator(row)), model.generator.features(row))
            )
            q, k = (v / v.norm(dim=1, keepdim=True) for v in (q, k))
            terms.append(cross_entropy(q @ k.T / 0.07, torch.arange(len(k))).item())
    return sum(terms) / len(terms)


@pytest.mark.parametrize(
    ("options", "lambda_x", "lambda_y"),
    [
        ({}, 1, 1),
        ({"nce": 3.0, "identity_nce": 0.5}, 3, 0.5),
        (find_preset("cut", "fastcut").options, 10, 0),
    ],
)
def test_a_step_by_hand(options, lambda_x, lambda_y):
    model = wide(patches=256, blocks=5, **options)
    assert len(model.heads.by_depth) == 5
    critic, both = updates(model)
    fake = model.generator(X["a"])
    real_scores, fake_scores = model.critic.network(X["b"]), model.critic.network(fake)
    expected = (real_scores - 1).square().mean() / 2 + fake_scores.square().mean() / 2
    assert critic.losses["critic"].item() == pytest.approx(expected.item(), rel=1e-9)
    whole = (fake_scores - 1).square().mean().item()
    whole += lambda_x * nce_by_hand(model, X["a"]) + lambda_y * nce_by_hand(model, X["b"])
    assert both.losses["generator"].item() == pytest.approx(whole, rel=1e-6)
    assert ("identity_nce" in both.info) == bool(lambda_y)


def test_heads_and_generator_move_together_and_the_critic_alone():
    critic, both = updates(wide())
    assert critic.losses.keys() == {"critic"}
    assert both.losses.keys() == {"generator", "heads"}
    assert both.losses["generator"] is both.losses["heads"]


@pytest.mark.parametrize("kind", ["cut", "cut, dag", "cut, ada"])
@pytest.mark.parametrize("player", ["generator", "heads", "critic"])
def test_each_gradient_is_that_of_finite_differences(kind, player):
    """Of the objective in which keys are held, as the gradient takes them."""
    model = wide(kind)
    held = []

    def loss():
        compared = model._compared

        def with_held(made, keys):
            pairs = compared(made, keys)
            held[:] = held or [k for _, k in pairs]
            return [(q, k) for (q, _), k in zip(pairs, held, strict=True)]

        model._compared = with_held
        try:
            found = updates(model)
        finally:
            del model._compared
        return next(u.losses[player] for u in found if player in u.losses)

    assert_slope(loss, model.players()[player].parameters())


def test_keys_get_no_gradient():
    model = wide()
    made, keys = model.generator.with_features(X["a"])
    for query, key in model._compared(made, keys):
        assert query.requires_grad
        assert not key.requires_grad


def test_an_image_that_is_kept_costs_least():
    """Where the translation is the input, each query is its own key."""
    model = wide(patches=256)
    pairs = model._compared(X["a"], model.generator.features(X["a"]))
    for query, key in pairs:
        assert torch.allclose(query, key)
        assert torch.allclose(query.norm(dim=2), torch.ones((), dtype=torch.float64))


def test_places_differ_within_an_image_and_cover_the_map_evenly():
    torch.manual_seed(0)
    n, size, images = 9, 16, 4000
    (places,) = choose_places([torch.zeros(images, 1, 4, 4)], n)
    assert (places.sort(1).values.diff() > 0).all()
    counts, expected = places.flatten().bincount(minlength=size), n * images / size
    spread = n / size * (1 - n / size) * images  # of each count: a draw without replacement
    assert ((counts - expected).square() / spread).mean() < 2.6  # χ² of 15 degrees over 15, 99.9 %


def test_all_places_are_taken_where_there_are_no_more():
    maps = [torch.zeros(2, 1, 3, 3), torch.zeros(2, 1, 4, 4)]
    all_of_them, some = choose_places(maps, 9)
    assert all_of_them is None
    assert some is not None
    assert some.shape == (2, 9)


def test_two_processes_choose_for_their_images_what_one_would():
    torch.manual_seed(0)
    (whole,) = choose_places([torch.zeros(6, 1, 4, 4)], 5)
    for rank in range(2):
        torch.manual_seed(0)
        with GlobalNoise(World(rank=rank, size=2)):
            (own,) = choose_places([torch.zeros(3, 1, 4, 4)], 5)
        assert torch.equal(own, whole[3 * rank : 3 * rank + 3])


def test_a_head_looks_at_the_chosen_places():
    heads = Heads([2], 4)
    x = torch.randn(2, 2, 3, 3)
    (every,) = heads([x], [None])
    places = torch.tensor([[8, 0], [4, 5]])
    (some,) = heads([x], [places])
    for row in range(2):
        assert torch.allclose(some[row], every[row, places[row]], atol=1e-6)


def test_a_published_model_has_no_heads_of_training_and_translates_one_way(tmp_path):
    folder = pushforward.train(
        "cut",
        data_of={"a": "digits", "b": "mnist5k"},
        run=str(tmp_path / "run"),
        options={"width": 2, "blocks": 1, "critic_width": 2, "head_width": 4},
        image_size=16,
        limit=60,
        steps=2,
        batch_size=4,
    )
    model = pushforward.load(folder)
    x = torch.zeros(2, 1, 16, 24)
    assert torch.equal(model.algorithm.translate(x), model.algorithm.translate(x, "b"))
    for to in ("a", "c"):
        with pytest.raises(UserError, match=rf"`to`: '{to}'; .* from a to b alone"):
            model.algorithm.translate(x, to)
    assert not hasattr(model.algorithm, "reconstruct")
    assert "heads" not in (folder / "model.safetensors").read_bytes()[:20000].decode("latin1")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"nce": -1.0}, "`nce`: -1"),
        ({"identity_nce": math.nan}, "`identity_nce`: nan"),
        ({"nce": 0.0, "identity_nce": 0.0}, "`nce`: 0, and `identity_nce`: 0"),
        ({"patches": 1}, "`patches`: 1; expected at least 2"),
        ({"head_width": 0}, "`head_width`: 0"),
        ({"temperature": 0.0}, "`temperature`: 0"),
        ({"beta1": 1.0}, "`beta1`: 1"),
        ({"blocks": -1}, "`blocks`: -1"),
    ],
)
def test_bad_options_are_refused(options, said):
    with pytest.raises(UserError, match=said):
        CUTRecipe(**options).build(a=(1, 16, 16), b=(1, 16, 16))
