"""What the diagnoses of a run said last, in `findings.json`."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pushforward.core import Finding, Observer
from pushforward.files import write_durably
from pushforward.reading import Damaged, read_json


class FindingsFile:
    """Keeps what each observer found when it last looked: a disease that went away is not kept.

    tell: called when a finding of that name appears for the first time in this process. rerun: the
    command that repeats the run; it is put before a cure that is only an option, so that a finding's
    command can be typed as it stands.
    """

    def __init__(
        self, path: Path, *, tell: Callable[[Finding], None] = lambda finding: None, rerun: str = ""
    ) -> None:
        self.path = path
        self.tell = tell
        self.rerun = rerun
        self._told: set[str] = set()

    def update(self, observer: Observer, findings: Sequence[Finding]) -> None:
        """Replace what this observer had found."""
        findings = [self._whole(replace(f, name=observer.prefix + f.name)) for f in findings]
        known = _read(self.path)
        before = dict(known)
        known.pop(type(observer).__name__, None)  # as files of version 0.1.0 call it
        known.pop(observer.name, None)
        if findings:
            known[observer.name] = [asdict(f) for f in findings]
        if known != before:
            self.write(known)
        for finding in findings:
            if finding.name not in self._told:
                self._told.add(finding.name)
                self.tell(finding)

    def write(self, known: Mapping[str, Any]) -> None:
        """Put these in place, by observer; no file where there are none."""
        if known:
            write_durably(self.path, json.dumps(dict(sorted(known.items())), indent=1).encode())
        else:
            self.path.unlink(missing_ok=True)

    def read(self) -> dict[str, Any]:
        """What `write` takes."""
        return _read(self.path)

    def _whole(self, finding: Finding) -> Finding:
        if self.rerun and finding.command.startswith("--"):
            return replace(finding, command=f"{self.rerun} {finding.command}")
        return finding


def read_findings(path: Path) -> list[Finding]:
    """The findings of a run; none where there is no file."""
    return [Finding(**f) for findings in _read(path).values() for f in findings]


def _read(path: Path) -> dict[str, list[dict[str, Any]]]:
    """What is there; nothing, with a note, where the file is damaged: the next look writes it anew."""
    if not path.exists():
        return {}
    try:
        content: dict[str, list[dict[str, Any]]] = read_json(path, "Findings")
    except Damaged as error:
        warnings.warn(f"{error}; it is left out", stacklevel=2)
        return {}
    return content
