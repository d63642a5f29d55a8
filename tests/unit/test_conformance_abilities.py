"""What every method must keep once it is trained: its abilities, from weights on disk to every command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import pushforward
import pushforward.core
from pushforward import abilities, methods
from pushforward.abilities import ABILITIES
from pushforward.cli import main
from pushforward.config import config_from, read_config
from pushforward.core import Batch, to_float
from pushforward.errors import UserError
from pushforward.methods import METHODS
from pushforward.models.model import Model
from pushforward.models.store import described, publish
from tests.runs import CLASSES, METHOD_NAMES, SHAPE, SHAPES, SMALL, VARIANTS, build, small_images, streams_for

N = 5


def is_float(x: Tensor, *shape: int) -> None:
    assert x.dtype == torch.float32
    assert x.shape == shape
    assert x.isfinite().all()


def codes(a, x: Tensor) -> Tensor:
    if hasattr(a, "tokens"):  # vectors of a codebook
        return a.codebook(a.tokens(x))
    return a.encode(x) if hasattr(a, "encode") else a.sample_prior(len(x))


def check_samples(a, x: Tensor) -> None:
    drawn = a.sample(N)
    is_float(drawn, N, *x.shape[1:])
    assert not drawn.requires_grad


def check_tokens(a, x: Tensor) -> None:
    tokens = a.tokens(x)
    assert (tokens.dtype, len(tokens)) == (torch.int64, N)
    assert 0 <= int(tokens.min()) <= int(tokens.max()) < a.vocabulary
    is_float(a.decode_tokens(tokens), *x.shape)


def check_bound(a, x: Tensor) -> None:
    is_float(a.log_weights(a.likelihood.prepare(x), 3), 3, N)


def check_posterior(a, x: Tensor) -> None:
    mean, kl = a.divergence(a.likelihood.prepare(x))
    is_float(mean, N, mean.shape[1])
    is_float(kl, *mean.shape)
    assert (kl > -1e-5).all()
    is_float(a.sample_posterior(x), *mean.shape)


def check_gaussian_posterior(a, x: Tensor) -> None:
    mu, log_var = a.posterior(a.likelihood.prepare(x))
    is_float(log_var, *mu.shape)


def check_bound_by_class(a, x: Tensor) -> None:
    given = a.given(torch.arange(N) % 2)
    for ability in (abilities.HasBound, abilities.HasGaussianPosterior):
        assert abilities.offers(given, ability)
    check_bound(given, x)
    check_posterior(given, x)
    check_gaussian_posterior(given, x)
    is_float(given.decoder(given.sample_prior(2 * N)), 2 * N, *given.decoder(given.sample_prior(N)).shape[1:])


def check_likelihood(a, x: Tensor) -> None:
    prepared = a.likelihood.prepare(x)
    if not hasattr(a, "encode") and not hasattr(a, "sample_prior"):
        return  # its codes are no vectors: `reconstruct` looks at its decoder
    is_float(a.likelihood.log_prob(a.decoder(codes(a, x)), prepared), N)


def check_moments(a, x: Tensor) -> None:
    mean, deviation = a.prior_moments()
    is_float(mean, codes(a, x).shape[1])
    is_float(deviation, *mean.shape)


def check_games(a, x: Tensor) -> None:
    games = a.games()
    assert games
    for game in games.values():
        assert isinstance(game, abilities.Game)
        assert game.player in a.players()
        z = game.inputs(lambda name="data", n=None: Batch(x, None, torch.arange(len(x))), N)
        is_float(game.generate(z), *x.shape)


def check_translations(a, x: Tensor) -> None:
    for to in a.into:
        is_float(a.translate(x, to), *x.shape)
        if a.smallest_side:
            smallest = torch.zeros(1, x.shape[1], a.smallest_side, a.smallest_side + 3)
            is_float(a.translate(smallest, to), *smallest.shape)
    for to in {"a", "b", "c"}.difference(a.into):
        with pytest.raises(UserError, match="`to`: "):
            a.translate(x, to)


CHECKS: dict[type, Callable[..., None]] = {
    abilities.Samples: check_samples,
    abilities.Encodes: lambda a, x: is_float(a.encode(x), N, a.encode(x).shape[1]),
    abilities.Decodes: lambda a, x: is_float(a.decode(codes(a, x)), *x.shape),
    abilities.Reconstructs: lambda a, x: is_float(a.reconstruct(x), *x.shape),
    abilities.Tokenizes: check_tokens,
    abilities.Translates: check_translations,
    abilities.HasLogProb: lambda a, x: is_float(a.log_prob(x), N),
    abilities.HasLikelihood: check_likelihood,
    abilities.HasBound: check_bound,
    abilities.HasBoundByClass: check_bound_by_class,
    abilities.HasPosterior: check_posterior,
    abilities.HasGaussianPosterior: check_gaussian_posterior,
    abilities.HasPrior: lambda a, x: is_float(a.sample_prior(N), N, a.sample_prior(1).shape[1]),
    abilities.HasPriorMoments: check_moments,
    abilities.HasDistortion: lambda a, x: is_float(a.distortion(x), N),
    abilities.Adversarial: check_games,
    abilities.PreparesData: lambda a, x: pytest.fail("a recipe prepares data, not an algorithm"),
}


def test_every_ability_is_checked():
    assert CHECKS.keys() == ABILITIES.keys()


def reloaded(kind: str, folder: Path, shape: tuple[int, ...]) -> tuple[Model, Model]:
    """A small model as it is built, and as it comes back from a folder."""
    algorithm = build(kind, shape).eval()
    method, small = VARIANTS.get(kind, (kind, SMALL.get(kind, {})))
    options = json.loads(json.dumps({k: list(v) if isinstance(v, tuple) else v for k, v in small.items()}))
    told = CLASSES if options.get("conditional") else None
    about = {
        "method": method,
        "options": options,
        **described(dict.fromkeys(streams_for(kind), shape), told),
        "step": 1,
    }
    publish(folder, algorithm, about)
    return Model(algorithm, about), pushforward.load(folder)


@pytest.mark.parametrize("points", [False, True], ids=["images", "points"])
@pytest.mark.parametrize("kind", METHOD_NAMES)
def test_abilities_have_their_shapes_before_and_after_the_disk(kind, points, tmp_path):
    shape = (2,) if points else SHAPES.get(kind, SHAPE)
    try:
        built, back = reloaded(kind, tmp_path, shape)
    except UserError as refused:
        assert points, refused  # an architecture or a likelihood of images, which says so in a line
        assert "\n" not in str(refused)
        return
    x = 0.3 * torch.randn(N, 2) if points else to_float(small_images(N, shape).x)
    offered = [ability for ability in ABILITIES if built.can(ability)]
    assert offered == [ability for ability in ABILITIES if back.can(ability)]
    assert offered, "a trained model that can do nothing"
    for ability in offered:
        with torch.no_grad():
            CHECKS[ability](back.algorithm, x)
    for state, other in zip(
        built.algorithm.state_dict().items(), back.algorithm.state_dict().items(), strict=True
    ):
        assert state[0] == other[0]
        assert state[0] in built.algorithm.declared("training_only") or torch.equal(state[1], other[1])


def train_small(method: str, folder: Path, **shared) -> Path:
    options = {k: list(v) if isinstance(v, tuple) else v for k, v in SMALL.get(method, {}).items()}
    if METHODS[method].kind == "ensemble":
        options = {"components": 2, "component_options": {"hidden": [8]}, "classifier_steps": 3}
    shared = {"steps": 4, "batch_size": 12, "sample_every": 2, **shared}
    if len(streams_for(method)) > 1:  # two sources, of a size that a critic of patches takes
        shared["data_of"] = {"a": shared.pop("data"), "b": "mnist5k"}
        shared |= {"image_size": 16}
    return pushforward.train(method, run=str(folder), options=options, **shared)


COMMANDS = (
    ["sample", "--n", "4"],
    ["sample", "--n", "4", "--from", "aggregate", "--components", "2"],
    ["reconstruct", "--n", "4"],
    ["traverse", "--steps", "3"],
    ["evaluate", "--k", "3", "--limit", "20", "--cheap", "--json"],
    ["report"],
)
ON_POINTS = tuple(words for words in COMMANDS if words[0] in ("sample", "evaluate", "report"))


def runs_or_refuses(words: list[str], capsys) -> bool:
    """Whether a command did its work; else it said in one line why it could not."""
    capsys.readouterr()
    try:
        main(words)
    except SystemExit as stop:
        said = capsys.readouterr().err.strip().splitlines()
        assert stop.code == 2, said
        assert [line for line in said if not line.startswith("note")] == said[-1:]
        assert said[-1].startswith("error: ")
        return False
    return True


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, str]:
    points = np.random.default_rng(0).normal(size=(80, 2)).astype(np.float32)
    path = tmp_path_factory.mktemp("points") / "points.npz"
    np.savez(path, points=points)
    return {"images": "digits", "points": str(path)}


@pytest.mark.parametrize("data", ["images", "points"])
@pytest.mark.parametrize("method", METHODS)
def test_every_command_runs_or_refuses_in_a_line(method, data, sources, tmp_path, capsys):
    if data == "points" and len(streams_for(method)) > 1:
        with pytest.raises(UserError, match=r"it holds points|points, and"):
            train_small(method, tmp_path / "run", data=sources[data], limit=60)
        return
    folder = train_small(method, tmp_path / "run", data=sources[data], limit=60, sample_every=0)
    did = {}
    for name, *words in COMMANDS if data == "images" else ON_POINTS:
        did[" ".join([name, *words])] = runs_or_refuses([name, str(folder), *words], capsys)
    assert did["report"]
    assert did["evaluate --k 3 --limit 20 --cheap --json"]
    model = pushforward.load(folder)
    assert did["sample --n 4"] == model.can(abilities.Samples)
    if data == "images":
        assert did["reconstruct --n 4"] == model.can(abilities.Reconstructs)
        picture = tmp_path / "picture.png"
        Image.fromarray(np.zeros((16, 16), np.uint8)).save(picture)
        words = ["translate", str(folder), str(picture), str(tmp_path / "out.png"), "--to", "b"]
        assert runs_or_refuses(words, capsys) == model.can(abilities.Translates)
        assert did["traverse --steps 3"] == (model.can(abilities.Encodes) and model.can(abilities.Decodes))
    assert (folder / "report.html").read_text().rstrip().endswith("</html>")
    again = config_from({"method": method, "options": {}, "train": {}}, where="empty")
    assert read_config(folder / "config.yaml").options.__class__ is again.options.__class__


class _Autoencoder(pushforward.core.Algorithm):
    """Codes of a kind of its own, for models that no command may stumble over."""

    def __init__(self, encode) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))
        self._encode = encode

    def players(self):
        return {"all": pushforward.core.Player(module=self)}

    def step(self, draw):
        yield pushforward.core.Update({"all": (self.scale - draw().x.mean()).square()})

    def encode(self, x):
        return self._encode(x)

    def reconstruct(self, x):
        return x * self.scale


STRANGE = {
    "integers": lambda x: (x.flatten(1)[:, :3] > 0).long(),
    "image-shaped": lambda x: x[:, :, ::4, ::4],
    "absent": None,
}


@pytest.mark.parametrize("codes", STRANGE)
def test_codes_that_are_no_vectors_train_report_and_traverse(codes, tmp_path, capsys, monkeypatch):
    from dataclasses import dataclass

    @dataclass(kw_only=True)
    class Recipe:
        def build(self, shape):
            algorithm = _Autoencoder(STRANGE[codes])
            if STRANGE[codes] is None:
                monkeypatch.setattr(_Autoencoder, "encode", None)
            return algorithm

    made = methods.Method("strange", "pushforward.recipes.ae:AERecipe", "codes of its own kind", "nobody")
    monkeypatch.setitem(METHODS, "strange", made)
    for module in ("pushforward.config", "pushforward.models.store", "pushforward.methods"):
        monkeypatch.setattr(f"{module}.recipe_class", lambda name: Recipe)
    monkeypatch.setattr("pushforward.methods.migrate", lambda method, options: (method, options))
    folder = train_small("strange", tmp_path / "run", data="digits", limit=60)
    model = pushforward.load(folder)
    assert not model.can(abilities.Encodes)
    assert not runs_or_refuses(["traverse", str(folder)], capsys)
    assert runs_or_refuses(["reconstruct", str(folder), "--n", "3"], capsys)
    assert runs_or_refuses(["evaluate", str(folder), "--cheap", "--limit", "20"], capsys)
    assert runs_or_refuses(["report", str(folder)], capsys)


@pytest.mark.parametrize("kind", METHOD_NAMES)
def test_fewer_samples_of_a_seed_are_the_first_of_more(kind, tmp_path):
    algorithm = build(kind).eval()
    if not abilities.offers(algorithm, abilities.Samples):
        return
    model = Model(algorithm, {"method": "x", "options": {}, "shape": list(SHAPES.get(kind, SHAPE))})
    many = model.sample(70, seed=3)
    for n in (1, 5, 64):
        assert torch.equal(model.sample(n, seed=3), many[:n])
