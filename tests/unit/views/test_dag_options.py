"""DAG's options: what they go with, and what is refused in one line."""

from __future__ import annotations

import pytest
import torch

from pushforward.core import Clock
from pushforward.errors import UserError
from pushforward.methods import recipe_class
from pushforward.recipes.gan import GANRecipe
from pushforward.streams import Classes
from pushforward.views.transforms import KINDS
from tests.runs import trainer

B = 8
SHAPE = (1, 8, 8)
LOSSES = ("gan", "wgan-gp", "r3gan")


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("gan", {"pack": 2}),
        ("r3gan", {"pack": 2, "dag_heads_per_step": 1}),
        ("wgan-gp", {"pack": 2, "dag_transforms": ("fliprot", "crop", "translation")}),
        ("veegan", {}),
        ("veegan", {"dag_share": 0.5}),
        ("veegan", {"network": "dcgan", "width": 4}),
        ("unrolled", {"unroll": 2}),
        ("unrolled", {"unroll": 2, "dag_heads_per_step": 1}),
        ("unrolled", {"unroll": 2, "first_order": True, "dag_share": 0.5}),
        ("sngan", {"network": "residual", "width": 4}),
        ("gan", {"network": "maxout"}),
        ("lsgan", {"augment": "dag-single", "dag_heads_per_step": 2}),
    ],
)
def test_it_goes_with_every_method(method, options, tmp_path):
    made = {"network": "mlp", "hidden": (16,), "latent_dim": 3, "augment": "dag", **options}
    whole = trainer(tmp_path, method, steps=3, options=made)
    before = {k: v.clone() for k, v in whole.algorithm.critic.state_dict().items()}
    whole.start()
    whole.run()
    after = whole.algorithm.critic.state_dict()
    assert all(v.isfinite().all() for v in after.values())
    heads = [k for k in after if k.startswith("views.") and ".head." in k]
    assert (len(heads) == 0) == (made["augment"] == "dag-single")
    assert not heads or any(not torch.equal(before[k], after[k]) for k in heads)


@pytest.mark.parametrize("method", LOSSES)
def test_every_head_is_told_the_class(method, tmp_path):
    options = {"conditional": True, "augment": "dag", "dag_share": 0.5}
    run = trainer(tmp_path, method, steps=2, options=options)
    run.start()
    run.run()
    classes = Classes(("even", "odd"), (0.5, 0.5))
    recipe = recipe_class(method)(latent_dim=3, hidden=(16,), augment="dag", conditional=True)
    algorithm = recipe.build(SHAPE, classes)
    x = torch.rand(B, *SHAPE) * 2 - 1
    z = [algorithm.labels.beside(torch.randn(B, 3), torch.full((B,), k)) for k in (0, 1)]
    looks = [algorithm.critic(None, x, Clock(), codes=(codes, codes)) for codes in z]
    for a, b in zip(*looks, strict=True):
        assert not torch.allclose(a.fake_scores, b.fake_scores)


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        ({"augment": "dag"}, (2,), "`augment`: dag is of images, and `data` holds points"),
        ({"augment": "dag", "dag_heads_per_step": 4}, SHAPE, "`dag_heads_per_step`: 4, of 3 transforms"),
        ({"augment": "dag", "dag_heads_per_step": 0}, SHAPE, "`dag_heads_per_step`: 0, of 3 transforms"),
        ({"augment": "dag"}, (1, 8, 6), "`dag_transforms`: turn 90° needs square images, .* 8x6"),
        ({"augment": "dag", "dag_transforms": ()}, SHAPE, "`dag_transforms`: none"),
        ({"augment": "dag", "dag_transforms": ("rotate",)}, SHAPE, "`dag_transforms`: 'rotate'"),
        ({"augment": "dag", "dag_weight": 0.0}, SHAPE, "`dag_weight`: 0"),
        ({"augment": "dag", "dag_share": 1.5}, SHAPE, "`dag_share`: 1.5"),
        ({"augment": "dag", "dag_share": 0.5, "pack": 2}, SHAPE, "`dag_share`: 0.5, and `pack`: 2"),
        ({"augment": "dag", "noise": 0.1}, SHAPE, "`noise`: 0.1, and `augment`: dag"),
    ],
)
def test_what_cannot_be_is_one_line(options, shape, message):
    with pytest.raises(UserError, match=message) as caught:
        GANRecipe(**options).build(shape)
    assert "\n" not in str(caught.value)


def test_images_that_are_not_square_are_flipped():
    made = GANRecipe(augment="dag", dag_transforms=("flip",), network="mlp").build((1, 8, 6))
    assert [view.transform.name for view in list(made.critic.views)[1:]] == [t.name for t in KINDS["flip"]]


def test_a_share_of_one_row_is_refused():
    made = GANRecipe(augment="dag", dag_share=0.1, network="mlp").build(SHAPE)
    with pytest.raises(UserError, match=r"`dag_share`: 0.1 of 8 rows"):
        made.check_batch(B)
