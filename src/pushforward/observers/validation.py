"""What held-out images say as training goes on: the bound and posterior collapse, or the plain distortion."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import torch
from torch import Tensor

from pushforward.abilities import (
    HasBound,
    HasBoundByClass,
    HasDistortion,
    HasGaussianPosterior,
    HasPosterior,
    offers,
)
from pushforward.core import Clock, Finding, Observation, Observer, Snapshot, to_float
from pushforward.data import Dataset
from pushforward.diagnostics.latent_information import LatentInformation, latent_information
from pushforward.diagnostics.overfitting import diagnose_overfitting
from pushforward.diagnostics.posterior_collapse import active_units, diagnose_posterior_collapse
from pushforward.files import read_metrics
from pushforward.run_folder import RunFolder

SETTLED = 0.25  # of the run: before that, nothing is a finding yet
Part = tuple[object, Tensor]  # what has the abilities, and images, float in [-1, 1]
INFORMED_BY = 500  # images, whose square the cost of I(x; z) grows with


class HeldOut(Observer):
    """Looks at data that training never sees. Abstract.

    data: held out of training; with labels for a model that is told classes. cure: the command of a finding,
    where the observer knows none.
    """

    name = "validation"
    watched: str
    """The metric that says how good the model is."""

    def __init__(
        self,
        data: Dataset,
        *,
        every: int,
        batch_size: int = 500,
        cure: str = "",
    ) -> None:
        self.data = data
        self.every = every
        self.batch_size = batch_size
        self.cure = cure

    def due(self, clock: Clock) -> bool:
        """Every `every` steps and at the end, but not at step 0."""
        last = clock.step == clock.steps
        return clock.step > 0 and (last or (self.every > 0 and clock.step % self.every == 0))

    def observe(self, snapshot: Snapshot) -> Observation:
        """Measure."""
        torch.manual_seed(0)  # the same noise each time, so that changes are the model's
        with torch.no_grad():
            seen = self.measure(self._parts(snapshot))
        if snapshot.clock.done < SETTLED:
            return replace(seen, findings=())
        finding = self._overfitting(snapshot, seen.metrics[self.watched])
        return seen if finding is None else replace(seen, findings=(*seen.findings, finding))

    def _parts(self, snapshot: Snapshot) -> list[Part]:
        model = snapshot.algorithm
        parts: list[Part] = []
        for rows in torch.arange(len(self.data)).split(self.batch_size):
            part = self.data.subset(rows)
            x = to_float(part.x.to(snapshot.device))
            if offers(model, HasBoundByClass):
                assert part.labels is not None
                parts.append((model.given(part.labels.to(snapshot.device)), x))
            else:
                parts.append((model, x))
        return parts

    def _overfitting(self, snapshot: Snapshot, now: float) -> Finding | None:
        """From what was logged before, which a resume cuts back to its step."""
        key, step = f"metric/{self.watched}", snapshot.clock.step
        rows = read_metrics(RunFolder(snapshot.folder).metrics)
        earlier = [(r["step"], r[key]) for r in rows if r.get(key) is not None and r["step"] < step]
        steps, values = zip(*earlier, (step, now), strict=True)
        return diagnose_overfitting(steps, values, what=self.watched.replace("_", " "))

    @abstractmethod
    def measure(self, parts: list[Part]) -> Observation:
        """Metrics and findings, of images in parts."""


class Validation(HeldOut):
    """The bound, with one sample an image, the active latent dimensions, and what z says of the image.

    Of a model that is told classes all of it is given the class of each image.
    """

    name = "validation"
    watched = "validation_elbo"

    def measure(self, parts: list[Part]) -> Observation:
        """Of a model with a bound and a posterior."""
        bounds, mus, kls = [], [], []
        prepared: list[Part] = []
        for model, stored in parts:
            assert offers(model, HasBound)
            assert offers(model, HasPosterior)
            x = model.likelihood.prepare(stored)
            mu, kl = model.divergence(x)
            bounds.append(model.log_weights(x, 1)[0])
            mus.append(mu.flatten(1))  # codes may have the shape of an image
            kls.append(kl.flatten(1))
            prepared.append((model, x))
        mu, kl = torch.cat(mus), torch.cat(kls)
        information = _information(prepared)
        finding = diagnose_posterior_collapse(mu, kl, command=self.cure, information=information)
        metrics = {
            "validation_elbo": torch.cat(bounds).mean().item(),
            "kl": kl.sum(1).mean().item(),
            "active_units": float(active_units(mu).sum()),
        }
        if information is not None:
            metrics["information"] = information.information
        return Observation(metrics=metrics, findings=() if finding is None else (finding,))


def _information(prepared: list[Part]) -> LatentInformation | None:
    """What Gaussian codes say of at most 500 images; None for other codes, or a single image."""
    codes: list[tuple[Tensor, Tensor]] = []
    for model, x in prepared:
        if not offers(model, HasGaussianPosterior):
            return None
        codes.append(model.posterior(x))
        if sum(len(mu) for mu, _ in codes) >= INFORMED_BY:
            break
    mu, log_var = (torch.cat(side)[:INFORMED_BY] for side in zip(*codes, strict=True))
    return latent_information(mu, log_var) if len(mu) > 1 else None


class DistortionValidation(HeldOut):
    """ln p(x|z) at an autoencoder's own code: what it has in place of a bound."""

    name = "validation"
    watched = "validation_log_px_given_z"

    def measure(self, parts: list[Part]) -> Observation:
        """Of a model with a distortion."""
        values = []
        for model, x in parts:
            assert offers(model, HasDistortion)
            values.append(model.distortion(x))
        return Observation(metrics={"validation_log_px_given_z": -torch.cat(values).mean().item()})
