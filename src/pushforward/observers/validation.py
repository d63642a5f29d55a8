"""What held-out images say as training goes on: the bound and posterior collapse, or the plain distortion."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import torch
from torch import Tensor

from pushforward.abilities import HasBound, HasDistortion, HasGaussianPosterior, HasPosterior, offers
from pushforward.core import Algorithm, Clock, Finding, Observation, Observer, Snapshot, to_float
from pushforward.diagnostics.latent_information import LatentInformation, latent_information
from pushforward.diagnostics.overfitting import diagnose_overfitting
from pushforward.diagnostics.posterior_collapse import active_units, diagnose_posterior_collapse
from pushforward.files import read_metrics
from pushforward.run_folder import RunFolder

SETTLED = 0.25  # of the run: before that, nothing is a finding yet
INFORMED_BY = 500  # images, whose square the cost of I(x; z) grows with


class HeldOut(Observer):
    """Looks at images that training never sees. Abstract.

    images: uint8, held out of training. cure: the command of a finding, where the observer knows none.
    """

    name = "validation"
    watched: str
    """The metric that says how good the model is."""

    def __init__(
        self,
        images: Tensor,
        *,
        every: int,
        batch_size: int = 500,
        cure: str = "",
    ) -> None:
        self.x = images
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
            chunks = [to_float(c.to(snapshot.device)) for c in self.x.split(self.batch_size)]
            seen = self.measure(snapshot.algorithm, chunks)
        if snapshot.clock.done < SETTLED:
            return replace(seen, findings=())
        finding = self._overfitting(snapshot, seen.metrics[self.watched])
        return seen if finding is None else replace(seen, findings=(*seen.findings, finding))

    def _overfitting(self, snapshot: Snapshot, now: float) -> Finding | None:
        """From what was logged before, which a resume cuts back to its step."""
        key, step = f"metric/{self.watched}", snapshot.clock.step
        rows = read_metrics(RunFolder(snapshot.folder).metrics)
        earlier = [(r["step"], r[key]) for r in rows if r.get(key) is not None and r["step"] < step]
        steps, values = zip(*earlier, (step, now), strict=True)
        return diagnose_overfitting(steps, values, what=self.watched.replace("_", " "))

    @abstractmethod
    def measure(self, model: Algorithm, chunks: list[Tensor]) -> Observation:
        """Metrics and findings, of images in chunks, float in [-1, 1]."""


class Validation(HeldOut):
    """The bound, with one sample an image, the active latent dimensions, and what z says of the image."""

    name = "validation"
    watched = "validation_elbo"

    def measure(self, model: Algorithm, chunks: list[Tensor]) -> Observation:
        """Of a model with a bound and a posterior."""
        assert offers(model, HasBound)
        assert offers(model, HasPosterior)
        prepared = [model.likelihood.prepare(x) for x in chunks]
        bounds, mus, kls = [], [], []
        for x in prepared:
            mu, kl = model.divergence(x)
            bounds.append(model.log_weights(x, 1)[0])
            mus.append(mu.flatten(1))  # codes may have the shape of an image
            kls.append(kl.flatten(1))
        mu, kl = torch.cat(mus), torch.cat(kls)
        information = _information(model, prepared)
        finding = diagnose_posterior_collapse(mu, kl, command=self.cure, information=information)
        metrics = {
            "validation_elbo": torch.cat(bounds).mean().item(),
            "kl": kl.sum(1).mean().item(),
            "active_units": float(active_units(mu).sum()),
        }
        if information is not None:
            metrics["information"] = information.information
        return Observation(metrics=metrics, findings=() if finding is None else (finding,))


def _information(model: Algorithm, prepared: list[Tensor]) -> LatentInformation | None:
    """What Gaussian codes say of at most 500 images; None for other codes, or a single image."""
    chosen = torch.cat(prepared)[:INFORMED_BY]
    if not offers(model, HasGaussianPosterior) or len(chosen) < 2:
        return None
    return latent_information(*model.posterior(chosen))


class DistortionValidation(HeldOut):
    """ln p(x|z) at an autoencoder's own code: what it has in place of a bound."""

    name = "validation"
    watched = "validation_log_px_given_z"

    def measure(self, model: Algorithm, chunks: list[Tensor]) -> Observation:
        """Of a model with a distortion."""
        assert offers(model, HasDistortion)
        distortion = torch.cat([model.distortion(x) for x in chunks])
        return Observation(metrics={"validation_log_px_given_z": -distortion.mean().item()})
