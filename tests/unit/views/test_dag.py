"""DAG: the sum of eq. 16 and 17 written out, its gradient, what it costs, and what is drawn."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from pushforward.core import Algorithm, Batch, Clock
from pushforward.methods import recipe_class
from pushforward.views import Look, ViewedCritic
from pushforward.views.transformed import Transformed
from pushforward.views.transforms import KINDS
from tests.runs import assert_same, trainer, weights

B = 8
SHAPE = (1, 8, 8)
LAMBDA = 0.7
DCGAN = {"network": "dcgan", "width": 4}
RESIDUAL = {"network": "residual", "width": 4}
MLP = {"network": "mlp", "hidden": (16,)}


def model(method: str, shape=SHAPE, **options) -> Algorithm:
    torch.manual_seed(0)
    options = {"latent_dim": 3, "augment": "dag", **MLP, **options}
    options |= {"dag_weight": LAMBDA} if options["augment"].startswith("dag") else {}
    made = recipe_class(method)(**options).build(shape)
    made.clock = Clock(step=0, steps=10)
    return made


def batch(dtype=torch.float32, shape=SHAPE) -> Batch:
    x = torch.rand(B, *shape, generator=torch.Generator().manual_seed(1)).to(dtype) * 2 - 1
    return Batch(x, None, torch.arange(B))


def updates(algorithm: Algorithm, given: Batch) -> list:
    """Those of one step, each answered as one process does, without any move."""
    steps, found = algorithm.step(lambda: given), []
    update = next(steps)
    while True:
        found.append(update)
        try:
            update = steps.send(update.answer())
        except StopIteration:
            return found


def by_hand(critic: ViewedCritic) -> list:
    """(weight, T_k, D_k) for k = 1, ..., K, from the network's parts."""
    transforms = KINDS["rotation"]
    heads = [view.head for view in critic.views][1:]
    first = (1.0, lambda x: x, critic.network)
    trunk = critic.network.trunk
    share = LAMBDA / len(transforms)
    others = [(share, t, lambda x, h=h: h(trunk(x))) for t, h in zip(transforms, heads, strict=True)]
    return [first, *others]


def slope(scores: Tensor, x: Tensor) -> Tensor:
    return torch.autograd.grad(scores.sum(), x, create_graph=True)[0].flatten(1)


def seeded_codes(algorithm: Algorithm) -> Tensor:
    return algorithm.sample_prior(B)


def critics_loss(method: str, algorithm: Algorithm, x: Tensor) -> float:
    """Eq. 16: V(D, G) + λ/(K - 1) Σ_k V(D_k, G), each with the method's penalties, by the same draws."""
    fake = algorithm.generator(seeded_codes(algorithm)).detach()
    total = 0.0
    for weight, transform, score in by_hand(algorithm.critic):
        a, b = transform(x).detach().requires_grad_(), transform(fake).detach().requires_grad_()
        match method:
            case "gan":
                value = softplus(-score(a)).mean() + softplus(score(b)).mean()
            case "wgan-gp":
                t = torch.rand(B, 1, 1, 1, dtype=x.dtype)
                middle = (b + t * (a - b)).detach().requires_grad_()
                norm = slope(score(middle), middle).square().sum(1).sqrt()
                value = score(b).mean() - score(a).mean() + 10 * (norm - 1).square().mean()
            case _:
                penalties = sum(slope(score(y), y).square().sum(1).mean() for y in (a, b))
                value = softplus(score(b) - score(a)).mean() + 0.5 * penalties
        total = total + weight * value
    return total


def generators_loss(method: str, algorithm: Algorithm, x: Tensor, z: Tensor) -> Tensor:
    """Eq. 17."""
    total, fake = 0.0, algorithm.generator(z)
    for weight, transform, score in by_hand(algorithm.critic):
        scores = score(transform(fake))
        match method:
            case "gan":
                value = softplus(-scores).mean()
            case "wgan-gp":
                value = -scores.mean()
            case _:
                value = softplus(score(transform(x)).detach() - scores).mean()
        total = total + weight * value
    return total


LOSSES = ("gan", "wgan-gp", "r3gan")


@pytest.mark.parametrize("method", LOSSES)
@pytest.mark.parametrize("networks", [MLP, DCGAN, RESIDUAL], ids=["mlp", "dcgan", "residual"])
def test_losses_are_the_sums_of_the_paper(method, networks):
    shape = (1, 16, 16) if networks is DCGAN else SHAPE
    algorithm = model(method, shape, n_critic=1, generator_norm="none", **networks).double()
    given = batch(torch.float64, shape)
    assert len(algorithm.critic.views) == 4
    torch.manual_seed(5)
    of_critic, of_generator = updates(algorithm, given)
    torch.manual_seed(5)
    expected = critics_loss(method, algorithm, given.x)
    z = seeded_codes(algorithm)
    assert of_critic.losses["critic"].item() == pytest.approx(expected.item(), rel=1e-10)
    wanted = generators_loss(method, algorithm, given.x, z)
    assert of_generator.losses["generator"].item() == pytest.approx(wanted.item(), rel=1e-10)


@pytest.mark.parametrize("method", LOSSES)
def test_the_generators_terms_have_a_gradient_that_agrees_with_differences(method):
    """In the authors' code the fakes of its WGAN-GP are detached there, and the terms teach nothing."""
    algorithm = model(method, n_critic=1, slope=0.2).double()
    given = batch(torch.float64)
    weight = next(p for p in algorithm.generator.parameters() if p.ndim > 1)
    z = seeded_codes(algorithm)

    def loss(dag: float) -> Tensor:
        for view in list(algorithm.critic.views)[1:]:
            view.weight_generator = dag
        algorithm.sample_prior = lambda n: z
        torch.manual_seed(3)
        return updates(algorithm, given)[-1].losses["generator"]

    (whole,), (plain,) = (torch.autograd.grad(loss(dag), weight) for dag in (1.0, 0.0))
    assert (whole - plain).norm() > 1e-3 * plain.norm()
    direction = torch.randn_like(weight)
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            weight.add_(direction, alpha=sign * 1e-6)
        ends.append(loss(1.0).item())
        with torch.no_grad():
            weight.sub_(direction, alpha=sign * 1e-6)
    assert (ends[0] - ends[1]) / 2e-6 == pytest.approx((whole * direction).sum().item(), rel=1e-5)


@pytest.mark.parametrize(("method", "passes"), [("gan", 2), ("wgan-gp", 3), ("r3gan", 3)])
@pytest.mark.parametrize("augment", ["none", "dag"])
def test_transforms_share_every_pass_of_the_trunk(method, passes, augment):
    """As many passes as without them: of both sides, of the penalty's points, and for the generator."""
    algorithm = model(method, n_critic=1, augment=augment)
    calls = []
    algorithm.critic.network.trunk.register_forward_hook(lambda *_: calls.append(1))
    updates(algorithm, batch())
    assert len(calls) == passes


def test_batch_norm_has_a_pass_for_each_side_of_each_view():
    shape = (1, 16, 16)
    algorithm = model("gan", shape, **DCGAN, critic_norm="batch")
    calls = []
    algorithm.critic.network.trunk.register_forward_hook(lambda *_: calls.append(1))
    updates(algorithm, batch(shape=shape))
    assert len(calls) == 2 * 4 + 4


def test_one_head_may_judge_all():
    single, several = (model("gan", augment=augment).critic for augment in ("dag-single", "dag"))
    assert all(view.head is None for view in single.views)
    heads = [view.head for view in several.views][1:]
    assert len({id(head) for head in heads}) == 3
    assert len({head.weight.sum().item() for head in heads}) == 3


def test_spectral_norm_is_that_of_every_head():
    critic = model("gan", critic_norm="spectral").critic
    assert all(nn.utils.parametrize.is_parametrized(view.head) for view in list(critic.views)[1:])


def of_one_step(critic: ViewedCritic, x: Tensor, y: Tensor, step: int) -> float:
    looks = critic(x, y, Clock(step=step))
    values = (a.square().mean() - b.mean() for a, b in map(Look.pair, looks))
    return sum(look.weight_critic * value for look, value in zip(looks, values, strict=True)).item()


@pytest.mark.parametrize("drawn", [1, 2])
def test_heads_that_are_drawn_are_weighed_for_all(drawn):
    """Each is as frequent as the others: the mean over steps is the loss by all heads, within its error."""
    all_heads, some = model("gan").critic, model("gan", dag_heads_per_step=drawn).critic
    x, y = batch().x, batch().x.flip(0) * 0.5
    with torch.no_grad():
        for view in list(all_heads.views)[1:]:
            view.head.weight.mul_(20)
        some.load_state_dict(all_heads.state_dict())
        values = torch.tensor([of_one_step(some, x, y, step) for step in range(1500)])
        whole = of_one_step(all_heads, x, y, 0)
    assert values.std() > 0
    assert abs(values.mean() - whole) < 4 * values.std() / math.sqrt(len(values))
    assert len(some(x, y, Clock())) == 1 + drawn


def test_a_share_of_the_batch_is_unbiased():
    """The first rows of all orders of a batch average to the batch."""
    transform = KINDS["rotation"][0]
    x, network = batch().x, nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    view = Transformed(transform, weight=1.0, share=0.5)
    rows = [view(x.roll(i, 0), Clock()) for i in range(B)]
    assert all(len(y) == B // 2 for y in rows)
    mean = torch.stack([network(y).mean() for y in rows]).mean()
    assert mean.item() == pytest.approx(network(transform(x)).mean().item(), abs=1e-6)


@pytest.mark.parametrize("method", ["gan", "wgan-gp", "r3gan"])
@pytest.mark.parametrize("given", [{"dag_heads_per_step": 1}, {"dag_share": 0.5}], ids=["heads", "share"])
def test_a_resumed_run_with_drawn_heads_is_bit_identical(method, given, tmp_path):
    options = {"augment": "dag", **given}
    whole = trainer(tmp_path / "whole", method, steps=8, options=options)
    whole.start()
    whole.run()
    cut = trainer(tmp_path / "cut", method, steps=8, options=options)
    cut.start()
    for _ in range(6):
        cut.one_step()
        if cut.clock.step == 4:
            cut.save()
    torch.randn(100)
    again = trainer(tmp_path / "cut", method, steps=8, options=options)
    again.resume()
    assert again.clock.step == 4
    again.run()
    assert_same(weights(whole.algorithm), weights(again.algorithm))


@pytest.mark.parametrize("method", ["wgan", "wgan-gp"])
def test_the_distance_is_that_of_the_data_alone(method):
    algorithm = model(method, n_critic=1)
    given = batch()
    torch.manual_seed(2)
    with torch.no_grad():
        fake = algorithm.sample(B)
        scores = [algorithm.critic.network(x).mean() for x in (given.x, fake)]
    torch.manual_seed(2)
    update = updates(algorithm, given)[0]
    assert update.info["distance"].item() == pytest.approx((scores[0] - scores[1]).item(), abs=1e-6)


def test_invertible_transforms_leave_the_optimum():
    """By enumeration: T moves the masses of p and q alike, and the best D_k at T(x) is the best D at x."""
    torch.manual_seed(0)
    p, q = torch.rand(16).softmax(0), torch.rand(16).softmax(0)
    for transform in KINDS["rotation"] + KINDS["fliprot"]:
        where = transform(torch.arange(16.0).reshape(1, 1, 4, 4)).flatten().long()
        moved_p, moved_q = p[where], q[where]
        assert torch.equal((moved_p / (moved_p + moved_q)), (p / (p + q))[where])
