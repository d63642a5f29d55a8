"""The model card of a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pushforward import __version__
from pushforward.config import RunConfig
from pushforward.data.kinds import Kind
from pushforward.files import read_metrics
from pushforward.methods import find_method
from pushforward.run_folder import RunFolder
from pushforward.runs.data import recorded
from pushforward.text import code_span, in_markdown


def model_card(folder: Path, config: RunConfig, *, call: str = "sample") -> str:
    """`README.md` of a run folder: what the model is, what it learned from, and how to use it.

    call: "sample", or what a method that cannot is shown doing with images x, such as "reconstruct(x)".
    """
    rows = read_metrics(RunFolder(folder).metrics)
    last = {k: v for row in rows for k, v in row.items() if isinstance(v, float) and "/" in k}
    figures = "\n".join(f"| `{k}` | {v:.4g} |" for k, v in last.items())
    data = recorded(config)
    first = next(iter(data.values()))
    usage = _usage(first["shape"], call)
    batch = Kind.of(first["shape"]).count(config.train.batch_size)
    marks = ", ".join(f"{told['train_fingerprint'][:16]}{_of(name, data)}" for name, told in data.items())
    ensemble = find_method(config.method).kind == "ensemble"
    each = f" for each of {config.options.components} components" if ensemble else ""
    return f"""# {in_markdown(folder.name)}

A `{config.method}` trained with pushforward {__version__} on
{_learned_from(config, data)}
{config.train.steps:,} steps of {batch}{each}, seed {config.train.seed}.

```python
import pushforward

model = pushforward.load({str(folder)!r})
{usage}
```

| last logged | value |
|---|---|
{figures}

Everything that was asked is in `config.yaml`; data fingerprint {marks}.
"""


def _learned_from(config: RunConfig, data: Mapping[str, Mapping[str, Any]]) -> str:
    """A line for each stream."""
    return "\n".join(
        f"{code_span(config.sources[name])}{_of(name, data)}: "
        f"{Kind.of(told['shape']).count(told['train_images'])} "
        f"of shape {told['shape']} (split: {told['split']}),"
        for name, told in data.items()
    )


def _of(name: str, data: Mapping[str, Any]) -> str:
    return f" (stream `{name}`)" if len(data) > 1 else ""


def _usage(shape: Sequence[int], call: str) -> str:
    """A line of Python that shows what the model can do."""
    name = Kind.of(shape).many
    n = "n" if call != "sample" else "16" if len(shape) == 3 else "1000"
    size = "c, h, w), in [-1, 1]" if len(shape) == 3 else f"{shape[0]}), in the data's units"
    call = f"sample({n}, seed=0)" if call == "sample" else call
    return f"{name} = model.{call}  # float, ({n}, {size}"
