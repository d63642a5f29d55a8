"""The `pushforward` command. One file a command; importing this package does not import torch."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from pushforward import __version__
from pushforward.cli.terminal import output_was_lost, protect
from pushforward.errors import Diverged, RunFailed, Stopped, UserError, as_options, did_you_mean
from pushforward.text import printable

COMMANDS = {
    "train": "train a method on images, or continue a run",
    "sample": "draw new images from a trained model",
    "reconstruct": "encode and decode images",
    "translate": "pictures of one domain as another's",
    "traverse": "walk along latent dimensions",
    "evaluate": "measure a trained model on held-out images",
    "report": "write one HTML page about a run",
    "experiment": "rerun a claim or a paper's table",
    "data": "list, look at and fetch data sets",
}
OUT_OF_MEMORY = (
    "out of memory; what was saved stays. Lower `batch_size`, `image_size`, `width` or `hidden` of a "
    "training, or `n`, `k` or `limit` of what looks at a model"
)
HELP = """usage: pushforward COMMAND [OPTIONS]

Train, understand and repair deep generative models.

commands:
{commands}

first steps:
  pushforward train vae                     learn from 5,000 embedded digits
  pushforward train vae --data my-photos    or from a folder, zip or .npz of yours
  pushforward sample runs/vae-mnist5k       draw new images
  pushforward COMMAND --help                options of a command

--debug after any command shows the traceback of an error; --version prints the version.
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and exit with its status: 0, 1 failed, 2 a mistake, 3 diverged, 130/143 stopped."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    if debug:
        words.remove("--debug")
    warnings.formatwarning = _note  # type: ignore[assignment]
    protect()
    status = 0
    try:
        _dispatch(words)
        sys.stdout.flush()
        _refuse_lost_output(words)
    except (UserError, RunFailed, Diverged, Stopped, KeyboardInterrupt, OSError) as error:
        if debug:
            raise
        status = _explain(error)
    except (MemoryError, RuntimeError) as error:
        if debug or not _out_of_memory(error):
            raise
        status = _explain(RunFailed(OUT_OF_MEMORY))
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from pushforward.training.distributed import leave

        leave(status)
    if status:
        raise SystemExit(status)


def _dispatch(words: list[str]) -> None:
    if not words or words[0] in ("-h", "--help", "help"):
        listing = "\n".join(f"  {name:<12} {summary}" for name, summary in COMMANDS.items())
        print(HELP.format(commands=listing), end="")
        return
    if words[0] == "--version":
        print(f"pushforward {__version__}")
        return
    if words[0] not in COMMANDS:
        raise UserError(
            f"COMMAND: there is no command '{words[0]}'{did_you_mean(words[0], COMMANDS)}. "
            f"Known: {', '.join(COMMANDS)}"
        )
    importlib.import_module(f"pushforward.cli.{words[0]}").run(words[1:])


def _out_of_memory(error: Exception) -> bool:
    """Of the main memory or of an accelerator's; told by its words, since torch is not imported."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in said or "can't allocate memory" in said


def _refuse_lost_output(words: list[str]) -> None:
    """Fail where the answer of a command could not be written. A run is no answer: it lies in its folder."""
    lost = output_was_lost()
    if lost is not None and words[:1] != ["train"]:
        raise RunFailed(f"the output could not be written ({getattr(lost, 'strerror', None) or lost})")


def _note(message: Warning | str, *where: Any) -> str:
    """A warning in one line, without the place in our sources that gave it."""
    return f"note: {as_options(_line(message))}\n"


def _line(message: object) -> str:
    """On one line, with nothing that a terminal would obey."""
    return printable(" ".join(str(message).split()))


def _explain(error: BaseException) -> int:
    """Print one line and return the exit status."""
    if isinstance(error, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return 130
    if isinstance(error, Stopped):
        print(_line(error), file=sys.stderr)
        return 128 + error.signal_number
    if isinstance(error, Diverged):
        print(f"diverged: {as_options(_line(error))}", file=sys.stderr)
        return 3
    if isinstance(error, OSError) and error.filename:  # without its number, which tells nobody anything
        error = OSError(f"{error.filename}: {error.strerror}; mend that, or name another place")
    print(f"error: {as_options(_line(error))}", file=sys.stderr)
    return 2 if isinstance(error, UserError) else 1
