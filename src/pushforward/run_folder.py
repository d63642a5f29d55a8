"""The names of everything in a run folder, in one place. Torch-free.

What each file holds is a table in docs/design.md. Who writes or reads one asks for it here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """A run folder, which need not exist. Every property is a path."""

    path: Path

    @property
    def config(self) -> Path:
        """What was asked."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """A row for each logged step."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """A folder for each checkpoint, step-NNNNNNN."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """What `load` needs to know of the published weights."""
        return self.path / "model.json"

    @property
    def weights(self) -> Path:
        """The published weights."""
        return self.path / "model.safetensors"

    @property
    def best(self) -> RunFolder:
        """`model` and `weights` again, by the validation metric."""
        return RunFolder(self.path / "best")

    @property
    def samples(self) -> Path:
        """Pictures as training went on, step-NNNNNNN.png."""
        return self.path / "samples"

    @property
    def latest(self) -> Path:
        """The newest of these pictures, under a name that stays."""
        return self.samples / "latest.png"

    def frames(self, game: str = "") -> Path:
        """Frames of an animation of points in the plane. game: which, where a model has several."""
        return self.samples / f"frames{_of(game)}"

    def animation(self, game: str = "") -> Path:
        """Training as a moving picture."""
        return self.samples / f"animation{_of(game)}.gif"

    def diagnosis(self, game: str = "") -> Path:
        """What the diagnosis measured at each look."""
        return self.path / f"diagnosis{_of(game)}.jsonl"

    @property
    def diagnosed(self) -> list[str]:
        """The games that were looked at: "" is the only one of a model, which needs no name."""
        return sorted(path.stem.partition("-")[2] for path in self.path.glob("diagnosis*.jsonl"))

    @property
    def findings(self) -> Path:
        """What each diagnosis found when it last looked."""
        return self.path / "findings.json"

    @property
    def evaluation(self) -> Path:
        """What `evaluate` measured last."""
        return self.path / "evaluation.json"

    @property
    def mixture(self) -> Path:
        """Of an ensemble: how its components are mixed."""
        return self.path / "mixture.json"

    def component(self, index: int) -> RunFolder:
        """Of an ensemble: the run of one component."""
        return RunFolder(self.path / "components" / f"{index:02d}")

    @property
    def row_weights(self) -> Path:
        """Of a component: how its training rows are weighted."""
        return self.path / "weights.safetensors"

    @property
    def report(self) -> Path:
        """The HTML page."""
        return self.path / "report.html"

    @property
    def card(self) -> Path:
        """The model card."""
        return self.path / "README.md"

    @property
    def lock(self) -> Path:
        """Held while a process trains."""
        return self.path / "LOCK"

    @property
    def done(self) -> Path:
        """Present where the run is finished."""
        return self.path / "DONE"

    @property
    def finished(self) -> bool:
        """Whether the run is over."""
        return self.done.exists()

    @property
    def begun(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return bool(checkpoints_in(self.checkpoints))


def checkpoints_in(root: Path) -> list[Path]:
    """The folders step-NNNNNNN, and no others: not "step-0000100 (copy)"."""
    if not root.is_dir():
        return []
    return [path for path in root.iterdir() if re.fullmatch(r"step-\d+", path.name) and path.is_dir()]


def pictures_in(folder: Path) -> list[Path]:
    """The pictures step-NNNNNNN.png of a folder, in the order of their steps."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if re.fullmatch(r"step-\d+\.png", path.name)]
    return sorted(found, key=lambda path: int(path.stem.removeprefix("step-")))


def _of(game: str) -> str:
    return f"-{game}" if game else ""
