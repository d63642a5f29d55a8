"""Games that the diagnosis knows only by what they say of themselves."""

from __future__ import annotations

import json
import re
import shlex

import pytest
import torch
from torch import nn

import pushforward
from pushforward.abilities import Adversarial, offers
from pushforward.algorithms.adversarial import AdversarialModel
from pushforward.cli import main
from pushforward.cli.train import _parse
from pushforward.config import RunConfig, TrainOptions
from pushforward.core import Batch, Clock
from pushforward.data import Dataset
from pushforward.diagnostics.critic import diagnose_slope, diagnose_vanishing
from pushforward.diagnostics.cures import adversarial_cures
from pushforward.diagnostics.dead_units import LayerActivity, diagnose_dead_units
from pushforward.diagnostics.exam import Examiner, random_rows
from pushforward.diagnostics.games import diagnose
from pushforward.diagnostics.mode_collapse import Collapse, diagnose_mode_collapse
from pushforward.files import read_metrics
from pushforward.methods import recipe_class
from pushforward.objectives import adversarial as losses
from pushforward.observers.findings import read_findings
from pushforward.report import write_report
from pushforward.report.training import panels
from tests.games import PENALTY, OwnRecipe, TwoGames, registered
from tests.runs import ADVERSARIAL, VARIANTS, build
from tests.unit.observers.test_health import ring

METHODS_OF_POINTS = [
    name
    for name in ADVERSARIAL
    if name != "gan, batch" and "augment" not in VARIANTS.get(name, (name, {}))[1]
]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True, scope="module")
def toys():
    with registered():
        yield


# -- what a game says of its method ------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS_OF_POINTS)
def test_one_game_has_the_contracts_name_and_players(method):
    model = build(method, (2,)).eval()
    ((name, game),) = model.games().items()
    assert name == "game"
    assert model.players()[game.player].module is game.generator
    z = game.inputs(lambda name="data", n=None: pytest.fail("noise needs no data"), 12)
    samples = game.generate(z)
    real = torch.randn(12, 2)
    assert (samples.dtype, samples.shape) == (torch.float32, real.shape)
    look = game.look(real, samples, z, Clock())
    scores = game.realness_in(look)
    assert {len(s) for s in scores} == {12 // game.critic.at_once}
    assert game.realness(real, beside=real).shape == (12,)
    assert game.realness(real, z, beside=real).shape == (12,)


@pytest.mark.parametrize("method", METHODS_OF_POINTS)
def test_higher_is_more_real_whatever_the_method(method):
    """A critic that has learned to tell them apart scores real data higher, in a look and by itself."""
    torch.manual_seed(0)
    model = build(method, (2,), lr=1e-2)
    optimizer = torch.optim.Adam(model.critic.parameters(), lr=1e-2)
    game = model.games()["game"]
    for _ in range(150):
        real = torch.randn(24, 2) + 3
        draw = lambda name="data", n=None, x=real: Batch(x, torch.arange(24) % 2, torch.arange(24))  # noqa: E731
        update = next(model.step(draw))
        optimizer.zero_grad()
        torch.autograd.backward(update.losses["critic"], inputs=list(model.critic.parameters()))
        optimizer.step()
    z = model.sample_prior(24)
    fake = game.generate(z).detach()
    of_real, of_fake = game.realness_in(game.look(real, fake, z, Clock()))
    assert of_real.mean() > of_fake.mean()
    assert game.realness(real, beside=real).mean() > game.realness(fake, z, beside=real).mean()


CRITIC = {
    "gan": losses.minimax_critic,
    "lsgan": losses.least_squares_critic,
    "wgan": losses.wasserstein_critic,
    "wgan-gp": losses.wasserstein_critic,
    "r3gan": losses.relativistic_critic,
    "veegan": losses.minimax_critic,
    "unrolled": losses.minimax_critic,
    "sngan": losses.hinge_critic,
}


@pytest.mark.parametrize("method", list(CRITIC))
def test_the_threshold_is_where_a_critic_that_cannot_tell_puts_everything(method):
    """Of equal scores s of real and fake the loss is least there, or around it; else it knows no s."""
    threshold = build(method, (2,)).games()["game"].threshold
    scores = torch.arange(-3, 3.5, 0.5)
    losses = torch.stack([CRITIC[method](s[None], s[None]) for s in scores])
    least = scores[losses == losses.min()]
    assert least.median().item() == (0 if threshold is None else threshold)
    assert (len(least) == len(scores)) == (threshold is None)


def test_only_a_penalty_towards_1_is_one_on_the_slope():
    games = {name: build(name, (2,)).games()["game"] for name in METHODS_OF_POINTS}
    with_slope = {name.partition(",")[0] for name, game in games.items() if game.slope is not None}
    assert with_slope == {"wgan-gp"}
    one_sided = build("wgan-gp", (2,), penalty=3.0, one_sided=True).games()["game"].slope
    assert (one_sided.weight, one_sided.one_sided) == (3.0, True)


def test_a_one_sided_penalty_lets_the_critic_be_flat():
    assert diagnose_slope([0.1] * 3, weight=10.0) is not None
    assert diagnose_slope([0.1] * 3, weight=10.0, one_sided=True) is None
    assert diagnose_slope([9.0] * 3, weight=10.0, one_sided=True) is not None


# -- two games ---------------------------------------------------------------------------------------


def points() -> dict[str, Dataset]:
    torch.manual_seed(0)
    return {"a": ring(300), "b": Dataset.of(torch.randn(300, 3) + 1)}


def test_each_game_is_looked_at_by_its_own_data_critic_and_player():
    torch.manual_seed(0)
    model, data = TwoGames((2,), (3,)).eval(), points()
    exams = {name: Examiner(data, game=name, batch_size=8).look(model, Clock(), CPU) for name in "ab"}
    assert set(exams["a"].metrics) - set(exams["b"].metrics) == {
        "modes", "high_quality", "reverse_kl", "dead_units_1", "critic_saturation"
    }  # fmt: skip
    assert set(exams["b"].metrics) - set(exams["a"].metrics) == {"cells", "near_duplicates"}
    before = exams["a"].gradient
    model.judge_b.network.head.weight.data.mul_(5)
    again = {name: Examiner(data, game=name, batch_size=8).look(model, Clock(), CPU) for name in "ab"}
    assert again["a"].gradient == before
    assert again["b"].gradient > 2 * exams["b"].gradient
    assert again["b"].slope.mean == pytest.approx(5 * exams["b"].slope.mean, rel=1e-4)


def test_a_collapse_of_one_game_is_none_of_the_other():
    model, data = TwoGames((2,), (3,)).eval(), points()
    model.make_a[-1].weight.data.zero_()  # one point, whatever the noise
    found = {}
    for name in "ab":
        exam = Examiner(data, game=name, batch_size=8).look(model, Clock(), CPU)
        rows = [exam.row] * 3
        findings = diagnose(exam, lambda c, rows=rows: [r[c] for r in rows], data[exam.game.stream], cures={})
        found[name] = {f.name for f in findings}
    assert "mode-collapse-complete" in found["a"]
    assert "critic-saturated" not in found["b"]


@pytest.mark.parametrize("sizes", [(300, 300), (300, 120), (120, 300)])
def test_translations_that_are_perfect_repeat_nothing(sizes):
    """A generator that returns its input, between two sets of the same kind: as varied as the data."""
    torch.manual_seed(0)
    images = torch.randint(0, 256, (600, 1, 16, 16), dtype=torch.uint8)
    data = {"a": Dataset.of(images[: sizes[0]]), "b": Dataset.of(images[300 : 300 + sizes[1]])}
    model = build("cyclegan").eval()
    model.generator_a, model.generator_b = (nn.Conv2d(1, 1, 1, bias=False) for _ in "ab")
    for generator in (model.generator_a, model.generator_b):
        nn.init.ones_(generator.weight)
    for name in "ab":
        exam = Examiner(data, game=name, batch_size=8).look(model, Clock(), CPU)
        assert exam.metrics["near_duplicates"] < 0.05
        assert diagnose_mode_collapse(exam.collapse) is None


def test_draws_by_chance_differ_as_far_as_there_are_rows():
    draw = random_rows({"data": Dataset.of(torch.randn(50, 2))}, 8, CPU)
    assert len(set(draw(n=50).index.tolist())) == 50
    assert draw(n=120).index.bincount(minlength=50).tolist().count(2) == 30  # and 20 have a third
    assert len(draw().x) == 8


@pytest.mark.parametrize("method", ["gan", "cyclegan", "cut"])
def test_advice_names_no_option_that_the_run_lacks(method):
    has = vars(recipe_class(method)()).keys()
    ill = Collapse("partial", torch.tensor([9, 0]), (1,), 0.5, 0.0, 1.0, 1.0)
    dead = LayerActivity(slope=0.0, active=torch.zeros(4, dtype=torch.bool), inputs=500)
    found = [
        diagnose_mode_collapse(ill, options=has),
        diagnose_dead_units({"1": dead}, options=has),
        diagnose_vanishing([1.0, 1.0, 1e-9, 1e-9, 1e-9], [1.0] * 5, options=has),
    ]
    for finding in found:
        named = {word.split(".")[0] for word in re.findall("`([^`]+)`", finding.advice)}
        assert named <= {*has, "lr"}, finding


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "games"
    words = ["--data.a=ring", "--data.b=grid", "--steps=6", "--batch-size=8", "--checkpoint-every=2"]
    main(["train", "two-games", *words, "--sample-every=3", f"--run={folder}"])
    return folder


def test_two_games_are_trained_diagnosed_and_reported(run):
    assert (run / "DONE").exists()
    logged = {key for row in read_metrics(run / "metrics.jsonl") for key in row}
    assert {"loss/judge_a", "loss/make_b", "info/b/distance", "info/b/penalty"} <= logged
    for name in "ab":
        assert {f"metric/{name}/modes", f"metric/{name}/generator_gradient"} <= logged
        assert len(read_metrics(run / f"diagnosis-{name}.jsonl", "LookRow")) == 6
        assert len(list((run / "samples" / f"frames-{name}").glob("*.png"))) == 3
        assert (run / "samples" / f"animation-{name}.gif").is_file()
    assert "info/distance" not in logged
    assert not (run / "diagnosis.jsonl").exists()
    for finding in read_findings(run / "findings.json"):
        assert finding.name.partition("/")[0] in "ab"
        assert not finding.command.startswith("pushforward train r3gan")  # which learns from one stream
    page = write_report(run).read_text()
    for name in "ab":
        assert f"Modes found ({name})" in page
        assert f"On the critic's landscape: {name}" in page
        assert f"<h3>{name}: " in page  # its histogram over modes


def test_two_games_are_resumed_with_their_histories(run, tmp_path):
    words = ["--data.a=ring", "--data.b=grid", "--batch-size=8", "--checkpoint-every=2", "--sample-every=3"]
    cut = tmp_path / "cut"
    main(["train", "two-games", *words, "--steps=4", f"--run={cut}"])
    main(["train", "--resume", str(cut), "--steps", "6"])
    assert (cut / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
    for name in "ab":
        assert [r["step"] for r in read_metrics(cut / f"diagnosis-{name}.jsonl", "LookRow")] == list(
            range(1, 7)
        )


def test_figures_of_two_games_have_panels_of_their_own():
    figures = ("modes", "slope", "lipschitz", "dead_units_1", "dead_units_2")
    rows = [{"step": s, **{f"metric/{g}/{f}": 1.0 + s for g in "ab" for f in figures}} for s in range(4)]
    titles = {p.title: [s.name for s in p.series] for p in panels(rows)}
    assert titles == {
        **{f"Modes found ({g})": [""] for g in "ab"},
        **{f"Slope of the critic, between real and generated data ({g})": ["mean", "largest"] for g in "ab"},
        **{f"Dead units of the generator ({g})": ["layer 1", "layer 2"] for g in "ab"},
    }


# -- a recipe of its own -----------------------------------------------------------------------------


def test_a_gan_with_its_own_recipe_is_trained_and_diagnosed(tmp_path):
    folder = tmp_path / "run"
    main(["train", "own-gan", "--data=ring", "--steps=9", "--batch-size=8", f"--run={folder}", "--network=8"])
    assert (folder / "DONE").exists()
    assert "metric/critic_saturation" in read_metrics(folder / "metrics.jsonl")[-1]
    assert pushforward.load(folder).sample(3).shape == (3, 2)
    assert json.loads((folder / "findings.json").read_text())["health"]  # after nine steps it is no ring


@pytest.mark.parametrize(("method", "options"), [("own-gan", {"network": 8}), ("two-games", {})])
def test_cures_are_options_that_the_recipe_has_or_commands_that_build(method, options):
    config = RunConfig(
        method=method, train=TrainOptions(data="ring", steps=70), options=recipe_class(method)(**options)
    )
    cures = adversarial_cures(config, scale=0.5)
    assert cures["dead-units"] == cures["slope-not-held"] == ""
    if method == "own-gan":
        assert cures["mode-collapse"] == cures["critic-saturated"]
        words = shlex.split(cures["mode-collapse"])
        assert words[:3] == ["pushforward", "train", "r3gan"]
        cured = _parse("r3gan", words[3:], None, {})
        assert (cured.train.data, cured.train.steps, cured.options.network) == ("ring", 70, "auto")
    else:
        assert cures["mode-collapse"] == ""  # no other method learns from two streams
        assert cures["critic-saturated"] == "--noise 0.1"


def test_what_kind_of_module_a_model_is_does_not_matter():
    model = OwnRecipe().build((2,))
    assert isinstance(model, AdversarialModel)
    assert offers(model, Adversarial)
    assert not offers(nn.Linear(2, 2), Adversarial)
    assert TwoGames((2,), (2,)).games()["b"].slope.weight == PENALTY
