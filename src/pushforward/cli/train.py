"""`pushforward train METHOD`: train a method, or continue a run with `--resume RUN`."""

from __future__ import annotations

import dataclasses
import os
import shlex
import warnings
from pathlib import Path
from typing import Annotated, Any

from pushforward.cli.by_name import Named, by_name, take
from pushforward.cli.options import parse
from pushforward.config import (
    BY_NAME,
    RunConfig,
    TrainOptions,
    config_from,
    default_train,
    differences,
    read_config,
)
from pushforward.errors import UserError
from pushforward.methods import METHODS, find_method, recipe_class, taken_over
from pushforward.recipes.presets import NONE
from pushforward.streams import DATA, streams_of
from pushforward.text import printable_lines

HELP = """usage: pushforward train METHOD [OPTIONS]
       pushforward train --config FILE.yaml [OPTIONS]
       pushforward train --resume RUN [--steps N | --minutes MORE] [--restart-schedule] [--data WHERE]

Train a method on images. It writes a run folder with the model, its samples, figures and a report.

methods:
{methods}

first steps:
  pushforward train vae                                  5,000 embedded digits, 5,000 steps
  pushforward train vae --data my-photos --image-size 64 --minutes 10
  pushforward train --resume runs/vae-mnist5k            after a crash, a kill or Ctrl-C

The options of a method: pushforward train METHOD --help
"""


def run(argv: list[str]) -> None:
    """Parse, train, report."""
    if not argv or argv[0] in ("-h", "--help"):
        listing = "\n".join(f"  {m.name:<14} {m.summary} ({m.paper})" for m in METHODS.values())
        print(HELP.format(methods=listing), end="")
        return
    argv, named = by_name(argv)
    argv, config_file = take(argv, "--config")
    argv, preset = take(argv, "--preset")
    argv, resumed = take(argv, "--resume")
    printing = "--print-config" in argv
    argv = [a for a in argv if a != "--print-config"]
    method = argv.pop(0) if argv and not argv[0].startswith("-") else None
    if resumed is None and "--restart-schedule" in argv:
        raise UserError("--restart-schedule: is about a run that goes on; give it with --resume RUN")
    if resumed is not None:
        _refuse_beside_resume({"--config": config_file, "--preset": preset, "--print-config": printing})
        _resume(Path(resumed), method, argv, named)
        return
    if preset is not None and preset != NONE:
        base: RunConfig | None = _preset(method, preset, config_file)
    else:
        base = None if config_file is None else read_config(Path(config_file))
    if base is not None:
        if base.provenance:  # the config of a run: the same again, in a folder of its own
            base.train.run = None
        base.provenance = {}
        if method not in (None, base.method):
            raise UserError(f"METHOD: '{method}', but {config_file} is about '{base.method}'; leave one out")
    elif method is None:
        raise UserError(f"METHOD: none given; expected one of {', '.join(METHODS)}, or --config FILE")
    config = _parse(method or base.method, argv, base, named)  # type: ignore[union-attr]
    config.train.preset = preset or config.train.preset
    if printing:
        print(config.to_yaml(), end="")
        return
    _train(config, given=None if base is not None else _given(argv, named))


def _preset(method: str | None, name: str, config_file: str | None) -> RunConfig:
    from pushforward.recipes.presets import with_preset

    if config_file is not None:
        raise UserError(
            "--preset: given with --config; take one of them, and add options on the command line"
        )
    if method is None:
        raise UserError(f"--preset: {name}, but of which method? `pushforward train METHOD --preset {name}`")
    find_method(method)
    return config_from(with_preset(method, name, {"method": method}), where=f"preset {name}")


def _given(argv: list[str], named: Named) -> set[str]:
    """The names of the options on a command line."""
    words = (word.partition("=")[0] for word in argv if word.startswith("--"))
    return {word.removeprefix("--").removeprefix("no-").replace("-", "_") for word in words} | set(named)


def _train(config: RunConfig, *, given: set[str] | None = None) -> None:
    from pushforward.cli.progress import TrainingDisplay
    from pushforward.run_folder import RunFolder
    from pushforward.runs import run as runs

    restarted = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    may_restart = int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0"))
    if may_restart and config.train.run is None:
        raise UserError("--run: not given; `torchrun --max-restarts` needs it to find the run again")
    with TrainingDisplay() as display:
        if restarted and RunFolder(Path(str(config.train.run))).config.exists():
            _refuse_another(config, Path(str(config.train.run)))
            folder = runs.resume(Path(str(config.train.run)), {}, display.progress)
        else:
            folder = runs.start(config, display.progress, given=given)
    _report(folder)


def _refuse_another(config: RunConfig, folder: Path) -> None:
    """A restart goes on with its own run only, not with one that was there before."""
    from pushforward.runs.data import read_run
    from pushforward.runs.identity import identity

    run = read_run(folder)
    if config.train.validation is None:
        config.train.validation = run.train.validation
    changed = differences(identity(config), identity(run))
    if changed:
        raise UserError(f"--run: {folder} holds another run ({'; '.join(changed)}); name another folder")


def _refuse_beside_resume(options: dict[str, Any]) -> None:
    for option, given in options.items():
        if given:
            raise UserError(f"--resume: takes no {option}; a run goes on with its own options")


def _resume(folder: Path, method: str | None, argv: list[str], named: Named) -> None:
    from pushforward.cli.progress import TrainingDisplay
    from pushforward.runs import run as runs
    from pushforward.runs.data import read_run
    from pushforward.runs.identity import RESUMABLE

    was = read_run(folder)
    if method not in (None, was.method):
        raise UserError(
            f"--resume: {folder} is a run of '{was.method}', not of '{method}'; leave the method out"
        )
    # Minutes are those to come, so that those of the start are not taken for them.
    was.train.minutes = None if was.train.steps is not None else was.train.minutes
    restart = "--restart-schedule" in argv
    argv = [word for word in argv if word != "--restart-schedule"]
    asked = _parse(was.method, argv, was, named)
    changes = {
        name: getattr(asked.train, name)
        for name in RESUMABLE
        if getattr(asked.train, name) != getattr(was.train, name)
    }
    allowed = dataclasses.replace(was, train=dataclasses.replace(was.train, **changes))
    others = differences(asked.to_dict(), allowed.to_dict())
    if others:
        raise UserError(
            f"--resume: takes only {', '.join('--' + n.replace('_', '-') for n in RESUMABLE)} "
            f"besides; {'; '.join(others)}"
        )
    with TrainingDisplay() as display:
        runs.resume(folder, changes, display.progress, restart_schedule=restart)
    _report(folder)


def _report(folder: Path) -> None:
    if int(os.environ.get("RANK", "0")):
        return
    from pushforward.report import write_report

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # training has said it already
        page = write_report(folder)
    print(printable_lines(f"model   {folder}\nreport  {page}\nnext    {_next(folder)}"))


def _next(folder: Path) -> str:
    """The command that shows what was learned."""
    from pushforward.abilities import Samples, Translates
    from pushforward.models.store import load

    model, run = load(folder), shlex.quote(str(folder))
    if model.can(Samples):
        return f"pushforward sample {run}"
    if model.can(Translates):
        return f"pushforward translate {run} IN OUT --to {model.ability(Translates).into[-1]}"
    return f"pushforward evaluate {run}"


def _refuse_moved(method: str, argv: list[str]) -> None:
    """Say where options went that this method had before."""
    for heir, moved in taken_over(method).items():
        options = {f"--{name.replace('_', '-')}" for name in moved}
        for word in argv:
            option = word.partition("=")[0]
            if option in options:
                raise UserError(
                    f"{option}: '{method}' has it no more; it is an option of '{heir}': "
                    f"`pushforward train {heir} ...`"
                )


def _parse(method: str, argv: list[str], base: RunConfig | None, named: Named) -> RunConfig:
    if method not in METHODS:
        find_method(method)
    _refuse_moved(method, argv)
    import tyro

    kind = recipe_class(method)
    fields: list[Any] = [
        ("options", Annotated[kind, tyro.conf.arg(name=method)]),
        ("train", Annotated[TrainOptions, tyro.conf.arg(name="every method")]),
    ]
    both = dataclasses.make_dataclass("Options", fields, kw_only=True)
    train, options = (base.train, base.options) if base else (default_train(kind), kind())
    summary = METHODS[method].summary
    # Without what is given by name: two mappings with one key would be options of one name.
    unnamed: dict[str, Any] = {field: {} for field in BY_NAME}
    parsed: Any = parse(
        both,
        argv,
        prog=f"train {method}",
        description=f"{summary[0].upper()}{summary[1:]} ({METHODS[method].paper}). "
        f"Also: --config FILE.yaml loads options, {_presets_told(method)}--print-config prints them, "
        f"--lr.PLAYER sets one player's rate{_streams_told(kind)}.",
        default=both(options=options, train=dataclasses.replace(train, **unnamed)),
    )
    # A folder of all streams on the command line takes the place of what a config gave each of them.
    replaced = ("data_of", "test_of") if parsed.train.data not in (None, train.data) else ()
    for field in BY_NAME:
        before = {} if field in replaced else getattr(train, field)
        setattr(parsed.train, field, {**before, **named.get(field, {})})
    _choose_length(parsed.train, train)
    provenance = base.provenance if base else {}
    return RunConfig(method=method, train=parsed.train, options=parsed.options, provenance=provenance)


def _choose_length(asked: TrainOptions, base: TrainOptions) -> None:
    """Minutes on the command line replace the steps of a config, and steps its minutes."""
    minutes, steps = asked.minutes != base.minutes, asked.steps != base.steps
    if minutes and steps and None not in (asked.minutes, asked.steps):
        raise UserError("--minutes: given with --steps; take one of them")
    if minutes:
        asked.steps = None
    elif steps:
        asked.minutes = None


def _presets_told(method: str) -> str:
    """The presets of a method, and how one is taken."""
    from pushforward.recipes.presets import PRESETS

    named = [f"--preset {name} ({preset.about})" for (m, name), preset in PRESETS.items() if m == method]
    return "".join(f"{preset} too, " for preset in named)


def _streams_told(kind: type[Any]) -> str:
    """Of a method that learns from several streams: how each is given its data."""
    streams = streams_of(kind)
    if streams == (DATA,):
        return ""
    return (
        f", --data.STREAM and --test.STREAM the data of one stream: {', '.join(streams)}; --data "
        f"takes a folder that holds {' and '.join('train' + name.upper() for name in streams)}"
    )
