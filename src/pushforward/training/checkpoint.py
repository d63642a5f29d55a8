"""Checkpoints that survive a kill at any moment.

A checkpoint is a folder of safetensors and JSON with a manifest of checksums. It is written under a
temporary name, flushed to the disk and renamed; then the pointer moves; only then do older ones go. No
pickle is written or read.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from pushforward.errors import UserError
from pushforward.files import fsync, write_durably
from pushforward.reading import read_json
from pushforward.run_folder import checkpoints_in

KEEP = 2
_MANIFEST = "manifest.json"
_VALUES = "values.json"


@dataclass(frozen=True)
class Checkpoint:
    """What a resume needs: groups of tensors by name, and JSON-able values."""

    tensors: Mapping[str, Mapping[str, Tensor]]
    values: Mapping[str, Any]


def save_checkpoint(root: Path, step: int, checkpoint: Checkpoint, *, every: int = 0) -> Path:
    """Write root/step-NNNNNNN durably, point to it, and drop all but step 0 and the newest two.

    every: the steps between those that are due. Ones between (by time, at a signal) go with the next, so that
    what is kept does not depend on the clock on the wall.
    """
    root.mkdir(parents=True, exist_ok=True)
    final = root / f"step-{step:07d}"
    partial = root / f".partial-{final.name}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        for group, tensors in checkpoint.tensors.items():
            # Not save_file: its error on a full disk is no OSError.
            (partial / f"{group}.safetensors").write_bytes(save(_plain(tensors)))
        (partial / "values.json").write_text(json.dumps(checkpoint.values))
        manifest = {p.name: _sha256(p) for p in sorted(partial.iterdir())}
        (partial / _MANIFEST).write_text(json.dumps(manifest, indent=1))
        for p in partial.iterdir():
            fsync(p)
        fsync(partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if final.exists():  # taken back to this step by a resume: the content is the same
        shutil.rmtree(final)
    partial.rename(final)
    fsync(root)
    tidy(root, final, every=every)
    return final


def tidy(root: Path, newest: Path, *, every: int) -> None:
    """Point to the newest checkpoint and drop what is older than `save_checkpoint` keeps, and unfinished.

    A death between the two leaves it to the resume. Nothing is dropped while a newer one lies there that is
    damaged: it may still be looked into.
    """
    if newest != _folders(root)[-1]:
        return
    write_durably(root / "latest", newest.name.encode())
    _prune(root, keep=newest, every=every)


def newest_checkpoint(root: Path, *, schema: str = "Anything") -> tuple[Path, Checkpoint]:
    """The newest checkpoint whose checksums hold and whose values are as the schema says.

    Those that it leaves out are told in a warning. Raises UserError when there is none.
    """
    faults = []
    for folder in reversed(_folders(root)):
        try:
            checkpoint = read_checkpoint(folder, schema=schema)
        except Exception as error:  # safetensors' own error type is not public
            faults.append(f"{folder.name}: {' '.join(str(error).split())[:200]}")
            continue
        if faults:
            warnings.warn(f"left out {'; '.join(faults)}; going on from {folder.name}", stacklevel=2)
        return folder, checkpoint
    detail = "; ".join(faults) or "the folder holds none"
    raise UserError(
        f"--resume: no whole checkpoint in {root} ({detail}); start a new run with `pushforward train`"
    )


def read_checkpoint(folder: Path, *, schema: str = "Anything") -> Checkpoint:
    """Read and verify one checkpoint. Raises ValueError for content that does not match its manifest."""
    manifest: dict[str, str] = read_json(folder / _MANIFEST, "Manifest")
    if _VALUES not in manifest:
        raise ValueError(f"its manifest lacks {_VALUES}")
    for name, expected in manifest.items():
        if Path(name).name != name or _sha256(folder / name) != expected:
            raise ValueError(f"{name} does not match its checksum")
    tensors = {p.stem: load_file(p) for p in folder.glob("*.safetensors") if p.name in manifest}
    return Checkpoint(tensors, read_json(folder / _VALUES, schema))


def split_state(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A state_dict's tensors, and its JSON-able rest (`get_extra_state`)."""
    tensors = {k: v for k, v in state.items() if isinstance(v, Tensor)}
    return tensors, {k: v for k, v in state.items() if not isinstance(v, Tensor)}


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments and step counts as flat {parameter index/key: tensor}.

    Rates are no state: the clock sets them.
    """
    state = optimizer.state_dict()["state"]
    return {f"{i}/{k}": torch.as_tensor(v) for i, entries in state.items() for k, v in entries.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, flat: Mapping[str, Tensor]) -> None:
    """The inverse of `optimizer_state`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in flat.items():
        index, _, name = key.partition("/")
        state.setdefault(int(index), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # safetensors wants contiguous tensors that share no memory; tied weights do.
    return {k: t.detach().cpu().clone(memory_format=torch.contiguous_format) for k, t in tensors.items()}


def _folders(root: Path) -> list[Path]:
    """Checkpoints from the oldest to the newest; by number, since names grow longer."""
    return sorted(checkpoints_in(root), key=lambda p: int(p.name.removeprefix("step-")))


def _prune(root: Path, *, keep: Path, every: int) -> None:
    older = [p for p in _folders(root) if p not in (keep, root / "step-0000000")]
    due = [p for p in older if every == 0 or int(p.name.removeprefix("step-")) % every == 0]
    kept = due[len(due) - (KEEP - 1) :]
    for folder in older:
        if folder not in kept:
            _remove(folder)
    for leftover in root.glob(".partial-*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)


def _remove(folder: Path) -> None:
    """What cannot go costs room alone: the new checkpoint is safe."""
    try:
        shutil.rmtree(folder)
    except OSError as error:
        warnings.warn(f"{folder} could not be removed ({error.strerror or error})", stacklevel=2)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
