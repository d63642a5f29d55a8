"""What a run was asked to do: options that every method shares, and their YAML. Torch-free."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from pushforward.errors import UserError, did_you_mean
from pushforward.methods import METHODS, find_method, migrate, recipe_class
from pushforward.reading import Damaged, read_text
from pushforward.streams import DATA, option_of, streams_of

MAX_CONFIG, MAX_DEPTH = 2**20, 20  # bytes, levels
# Options that hold a value for each name, and are given one at a time: --lr.PLAYER. Field -> option, name.
BY_NAME = {"data_of": ("data", "STREAM"), "test_of": ("test", "STREAM"), "lr_of": ("lr", "PLAYER")}


@dataclass(kw_only=True)
class TrainOptions:
    """Options that every `train METHOD` shares."""

    data: str | None = "mnist5k"
    """Images or points to learn from: a folder, a zip, an .npz, a folder of IDX files, or a name of `data
    list`."""
    test: str | None = None
    """Held-out images, as for --data. Default: the official split, else 10 % by content."""
    run: str | None = None
    """Run folder to create. Default: runs/METHOD-DATA, with a number if that is taken."""
    preset: str | None = None
    """Settings that were found once, by name; none for the plain defaults. Default: the one for images of
    this size, where the method has one and none of its own options is given."""
    steps: int | None = None
    """Training steps. Default: 5000, unless --minutes is given."""
    minutes: float | None = None
    """Train for about so long: turned into a number of steps once 30 of them have been timed."""
    batch_size: int = 100
    """Images a step, over all processes together."""
    seed: int = 0
    """Seed of every random choice."""
    init_from: str | None = None
    """Start with the weights of this run, of the same networks, instead of random ones."""
    image_size: int | None = None
    """Resize and crop to a square of this side, 8 to 256 pixels. Default: as they are, if all are alike."""
    channels: int | None = None
    """1 grey, 3 colour, 4 colour with alpha. Default: what the images have."""
    pixel_range: tuple[float, float] | None = None
    """The numbers that are black and white in the files. Default: told by type and range of all pixels."""
    standardize: Literal["auto", "yes", "no"] = "auto"
    """Points: show networks each number less its mean, over its standard deviation. auto does for data of
    yours, and not for the named sets, whose units are their papers'. Samples have the data's units."""
    limit: int | None = None
    """Learn from only so many of the training images."""
    limit_seed: int = 0
    """Which ones: seed of --limit."""
    validation: float | None = None
    """Share of the training data kept aside to choose the best checkpoint, if that is 10 or more. Default:
    0.05 where the method chooses one, else none."""
    checkpoint_every: int = 1000
    """Steps between checkpoints; 0 for only the first and the last."""
    sample_every: int | None = None
    """Steps between sample pictures. Default: an eighth of the run; 0 for none."""
    evaluate_every: int | None = None
    """Steps between looks at the quality of image samples, by which the best weights are kept; 0 for none.
    Default: of methods without a bound, as often as 5 % of the training time allows."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of the forward pass; bf16 is faster on GPUs and processors with matrix units (AMX) only."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    lr_of: dict[str, float] = field(default_factory=dict)
    """Learning rate of one player each, set by --lr.PLAYER."""
    data_of: dict[str, str] = field(default_factory=dict)
    """As --data, of one stream each, for a method that learns from several; set by --data.STREAM."""
    test_of: dict[str, str] = field(default_factory=dict)
    """As --test, of one stream each; set by --test.STREAM."""

    def check(self) -> None:
        """Raise UserError at the first value that cannot be."""
        at_least = {
            "steps": (self.steps, 1),
            "batch_size": (self.batch_size, 1),
            "checkpoint_every": (self.checkpoint_every, 0),
            "sample_every": (self.sample_every, 0),
            "evaluate_every": (self.evaluate_every, 0),
        }
        for name, (value, least) in at_least.items():
            if value is not None and value < least:
                raise UserError(f"`{name}`: {value}; expected at least {least}")
        self._check_most()
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise UserError(f"`minutes`: {self.minutes}; expected a positive number")
        if not 0 <= self.seed < 2**62:
            raise UserError(f"`seed`: {self.seed}; expected a whole number from 0 to 2^62")
        if self.standardize not in ("auto", "yes", "no"):
            raise UserError(f"`standardize`: {self.standardize}; expected auto, yes or no")
        if self.validation is not None and not 0 <= self.validation <= 0.5:
            raise UserError(f"`validation`: {self.validation}; expected a share from 0 to 0.5")
        for player, rate in self.lr_of.items():
            if not rate > 0:
                raise UserError(f"`lr.{player}`: {rate}; expected a positive number")

    def _check_most(self) -> None:
        at_most = {"steps": (self.steps, 10**12), "batch_size": (self.batch_size, 10**9)}
        for name, (value, most) in at_most.items():
            if value is not None and value > most:
                raise UserError(f"`{name}`: {value}; expected at most {most:,}")
        if self.run is not None and (len(self.run) > 3000 or max(map(len, self.run.split("/"))) > 250):
            raise UserError(f"`run`: a name of {len(self.run):,} characters; give a shorter one")


@dataclass(kw_only=True)
class RunConfig:
    """A method, the shared options, the method's own (a recipe), and where they came from."""

    method: str
    train: TrainOptions
    options: Any
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams of data that the method learns from; see `streams_of`."""
        return streams_of(self.options)

    @property
    def sources(self) -> dict[str, str]:
        """What each stream is read from, of those that were given."""
        given = self._by_stream(self.train.data, self.train.data_of)
        return {name: source for name, source in given.items() if source is not None}

    @property
    def tests(self) -> dict[str, str | None]:
        """What each stream's held-out part is read from; None where the source itself is split."""
        return self._by_stream(self.train.test, self.train.test_of)

    def _by_stream(self, plain: str | None, named: Mapping[str, str]) -> dict[str, str | None]:
        return {name: plain if name == DATA else named.get(name) for name in self.streams}

    def check(self) -> None:
        """Raise UserError at the first shared option that cannot be, or a stream without data."""
        self.train.check()
        for option, plain, named in (
            ("data", self.train.data, self.train.data_of),
            ("test", self.train.test, self.train.test_of),
        ):
            self._check_names(option, plain, named)
        for name in self.streams:
            if name not in self.sources:
                raise UserError(f"{option_of('data', name)}: not given; {self._learns_from()}")

    def _check_names(self, option: str, plain: str | None, named: Mapping[str, str]) -> None:
        if plain is not None and DATA not in self.streams:
            parts = " and ".join(f"train{name.upper()}" for name in self.streams)
            folder = f", or --data FOLDER with {parts} inside" if option == "data" else ""
            raise UserError(f"--{option}: {plain}, but for which stream? {self._learns_from()}{folder}")
        for name in named:
            if name == DATA or name not in self.streams:
                raise UserError(
                    f"--{option}.{name}: there is no such stream{did_you_mean(name, self.streams)}; "
                    f"{self._learns_from()}"
                )

    def _learns_from(self) -> str:
        asked = " ".join(f"{option_of('data', name)} X" for name in self.streams)
        return f"'{self.method}' learns from {' and '.join(self.streams)}: {asked}"

    def to_yaml(self) -> str:
        """The content of `config.yaml`."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        content = {
            "method": self.method,
            "train": dataclasses.asdict(self.train),
            "options": dataclasses.asdict(self.options),
        }
        if self.provenance:
            content["provenance"] = self.provenance
        return _plain(content)


def default_train(recipe: Any, **given: Any) -> TrainOptions:
    """The shared options as they are where nothing was asked, for a recipe or its class.

    A method without a stream called "data" has no data by default. A recipe may have its paper's defaults in
    `train_defaults`, such as a batch of one image.
    """
    own = {"data": None} if DATA not in streams_of(recipe) else {}
    return TrainOptions(**{**own, **getattr(recipe, "train_defaults", {}), **given})


def read_config(path: Path) -> RunConfig:
    """Read a YAML file as `train --print-config` prints it. Raises UserError naming the field at fault."""
    try:
        content = yaml.load(read_text(path, most=MAX_CONFIG), Loader=_Plain)
    except Damaged as error:
        raise UserError(f"--config: {error}") from error
    except RecursionError as error:
        raise UserError(f"--config: {path} is nested too deep; expected train and options") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"--config: {path} is not YAML ({' '.join(str(error).split())[:200]})") from error
    if not isinstance(content, Mapping):
        raise UserError(f"--config: {path} holds no mapping; expected method, train and options")
    return config_from(content, where=str(path))


class _Plain(yaml.SafeLoader):
    """YAML without aliases, by which a small file grows without end, and nested as deep as options are."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias (*name); write the value out")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.YAMLError(f"it is nested deeper than {MAX_DEPTH}")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def config_from(content: Mapping[str, Any], *, where: str) -> RunConfig:
    """Validate a plain mapping into a RunConfig."""
    _no_strangers(content, ("method", "train", "options", "provenance"), f"{where}: ")
    method = content.get("method")
    if not isinstance(method, str):
        raise UserError(f"{where}: method: {method!r}; expected one of {', '.join(METHODS)}")
    find_method(method)
    options = content.get("options") or {}
    if isinstance(options, Mapping):
        now, options = migrate(method, options)
        if now != method:
            warnings.warn(
                f"{where}: the method '{method}' with these options is called '{now}' now", stacklevel=2
            )
        method = now
    if not isinstance(content.get("provenance") or {}, Mapping):
        raise UserError(f"{where}: provenance: {content['provenance']!r}; expected a mapping")
    kind = recipe_class(method)
    train = content.get("train") or {}
    if isinstance(train, Mapping):
        usual = default_train(kind)
        train = {**{n: getattr(usual, n) for n in ("data", *getattr(kind, "train_defaults", ()))}, **train}
    return RunConfig(
        method=method,
        train=validated(TrainOptions, train, f"{where}: train."),
        options=validated(kind, options, f"{where}: options."),
        provenance=dict(content.get("provenance") or {}),
    )


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Field by field, where two nested mappings differ: "train.seed: 1 here, 0 there"."""
    lines = []
    for key in dict.fromkeys([*ours, *theirs]):
        a, b = ours.get(key, "(absent)"), theirs.get(key, "(absent)")
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            lines += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            lines.append(f"{prefix}{key}: {a} asked, {b} in the run")
    return lines


def validated(kind: type[Any], content: Mapping[str, Any], prefix: str) -> Any:
    """An options dataclass from a plain mapping. Raises UserError with `prefix` before the field at fault."""
    import pydantic

    if not isinstance(content, Mapping):
        raise UserError(f"{prefix.rstrip('.')}: {content!r}; expected a mapping of options")
    _no_strangers(content, [f.name for f in dataclasses.fields(kind)], prefix)
    try:
        return pydantic.TypeAdapter(kind).validate_python(dict(content))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field_name = ".".join(str(p) for p in first["loc"][:1])
        raise UserError(f"{prefix}{field_name}: {first['input']!r}; {first['msg']}") from None


def _no_strangers(content: Mapping[str, Any], known: Any, prefix: str) -> None:
    for key in content:
        if key not in known:
            raise UserError(f"{prefix}{key}: there is no such option{did_you_mean(str(key), known)}")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
