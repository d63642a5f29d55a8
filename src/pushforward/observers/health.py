"""When to look at the health of adversarial training, and what its trends say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pushforward.core import Batch, Clock, Finding, Observation, Observer, Snapshot, to_float
from pushforward.data import Dataset
from pushforward.diagnostics import critic as judge
from pushforward.diagnostics.dead_units import LayerActivity, diagnose_dead_units, watched
from pushforward.diagnostics.exam import (
    CHUNK,
    IMAGES,
    POINTS,
    SCORED_IMAGES,
    SCORED_POINTS,
    CriticFigures,
    Reference,
    _dead,
    _figures,
    _packed,
    _scored,
    shuffled,
)
from pushforward.diagnostics.mode_collapse import Collapse, diagnose_mode_collapse
from pushforward.diagnostics.oscillation import diagnose_oscillation
from pushforward.observers.history import History
from pushforward.run_folder import RunFolder
from pushforward.streams import DATA

SETTLED = 0.25  # of the run: before it, few modes and an eager critic are how training begins


class AdversarialHealth(Observer):
    """Looks at a model with a generator and a critic, about twenty times a run; not at step 0.

    data: what it is trained on, with its modes where they are known. batch_size: of the training step that
    the generator's gradient is read from. remedies: a command for each finding, by the finding's name or its
    beginning. sigmoid: whether the generator's loss goes through a sigmoid of the score. streams: what a
    training step draws from, by name, where that is more than `data`.

    What findings about a trend need of earlier looks is in the run folder's `diagnosis.jsonl`; rows that a
    resume has undone are dropped.
    """

    name = "health"

    def __init__(
        self,
        data: Dataset,
        *,
        every: int,
        batch_size: int,
        remedies: Mapping[str, str] | None = None,
        sigmoid: bool = True,
        streams: Mapping[str, Dataset] | None = None,
    ) -> None:
        self.data = data
        self.streams = streams or {DATA: data}
        self.every = every
        self.batch_size = batch_size
        self.remedies = remedies or {}
        self.sigmoid = sigmoid
        self._points = data.x.ndim == 2
        self._reference: Reference | None = None
        self._real = data.x[shuffled(len(data), seed=1)[:SCORED_POINTS]]

    def due(self, clock: Clock) -> bool:
        """Every `every` steps and at the end, but not at step 0."""
        last = clock.step == clock.steps
        return clock.step > 0 and (last or (self.every > 0 and clock.step % self.every == 0))

    def observe(self, snapshot: Snapshot) -> Observation:
        """Measure, remember, and judge."""
        self._reference = self._reference or Reference(self.data, POINTS if self._points else IMAGES)
        torch.manual_seed(0)  # the same noise each time, so that changes are the model's
        model: Any = snapshot.algorithm
        with watched(model.generator) as layers:
            z, samples = self._samples(model)
        if not bool(torch.isfinite(samples).all()):
            return Observation()
        collapse, counts, metrics = self._reference.measure(samples)
        seen = self._critic(model, z, samples, snapshot.clock)
        gradient = judge.generator_gradient(model, self._draw(snapshot.device))
        metrics |= _dead(layers) | _figures(seen, gradient, sigmoid=self.sigmoid)
        history = History(RunFolder(snapshot.folder).diagnosis, snapshot.clock.step)
        history.add(
            modes=counts.tolist(),
            due=self._reference.due(int(counts.sum())),
            separation=seen.separation,
            saturation=seen.saturation,
            slope=None if seen.slope is None else seen.slope.mean,
            gradient=gradient,
        )
        if snapshot.clock.fraction < SETTLED:
            return Observation(metrics=metrics)
        found = [self._collapse(collapse), self._dead_units(layers), *self._trends(history, model)]
        return Observation(metrics=metrics, findings=[f for f in found if f is not None])

    # -- looking -----------------------------------------------------------------------------------

    @torch.no_grad()
    def _samples(self, model: Any) -> tuple[Tensor, Tensor]:
        z = model.sample_prior(POINTS if self._points else IMAGES)
        return z, torch.cat([model.decode(part) for part in z.split(POINTS if self._points else CHUNK)])

    def _critic(self, model: Any, z: Tensor, samples: Tensor, clock: Clock) -> CriticFigures:
        n = min(SCORED_POINTS if self._points else SCORED_IMAGES, len(self._real))
        n -= n % _packed(model)
        x = to_float(self._real[:n].to(z.device))
        with torch.no_grad():
            real_scores, fake_scores, look = _scored(model, x, samples[:n], z[:n], clock)
        slope = None if look is None else judge.lipschitz(look.critic, *look.seen())
        return CriticFigures(judge.separation(real_scores, fake_scores), judge.saturation(fake_scores), slope)

    def _draw(self, device: torch.device) -> Any:
        def draw(name: str = "data", n: int | None = None) -> Batch:
            data = self.streams[name]
            rows = torch.randint(len(data), (n or self.batch_size,))
            labels = data.labels
            return Batch(
                to_float(data.x[rows].to(device)),
                None if labels is None else labels[rows].to(device),
                rows,
            )

        return draw

    # -- judging -----------------------------------------------------------------------------------

    def _collapse(self, collapse: Collapse) -> Finding | None:
        names = self.data.classes if self.data.modes is not None else None
        return diagnose_mode_collapse(
            collapse, names=names or (), what=self._what, command=self._remedy("mode-collapse")
        )

    def _dead_units(self, layers: Mapping[str, LayerActivity]) -> Finding | None:
        named = {str(i): layer for i, layer in enumerate(layers.values(), 1)}
        return diagnose_dead_units(named, command=self._remedy("dead-units"))

    def _trends(self, history: History, model: Any) -> list[Finding | None]:
        separations = history.column("separation")
        found = [
            judge.diagnose_vanishing(
                history.column("gradient"), separations, command=self._remedy("vanishing-gradient")
            ),
            diagnose_oscillation(
                [torch.tensor(row) for row in history.column("modes")],
                what=self._what,
                command=self._remedy("mode-oscillation"),
            ),
        ]
        if self.sigmoid:
            remedy = self._remedy("critic-saturated")
            found.append(judge.diagnose_saturation(separations, history.column("saturation"), command=remedy))
        weight = getattr(model.hyper, "penalty", None)
        if weight is not None:
            slopes = history.column("slope")
            found.append(judge.diagnose_slope(slopes, weight=weight, command=self._remedy("slope-not-held")))
        return found

    def _remedy(self, finding: str) -> str:
        return self.remedies.get(finding, "")

    @property
    def _what(self) -> str:
        return "modes" if self.data.modes is not None else "cells of the real data"
