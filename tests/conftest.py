"""Shared fixtures: small image sets, cheap runs, shapes checked while testing."""

from __future__ import annotations

import os

# Before torch: tests run in parallel processes, one thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from jaxtyping import install_import_hook

# Signatures of the pure modules are checked against what the tests really pass.
install_import_hook(
    ["pushforward.objectives", "pushforward.metrics", "pushforward.diagnostics", "pushforward.distributions"],
    "beartype.beartype",
)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty user's cache folder."""
    monkeypatch.setenv("PUSHFORWARD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
