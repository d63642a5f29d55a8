"""What held-out images say as training goes on: the bound and posterior collapse, or the plain distortion."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from pushforward.core import Clock, Observation, Observer, Snapshot, to_float
from pushforward.diagnostics.latent_information import LatentInformation, latent_information
from pushforward.diagnostics.posterior_collapse import active_units, diagnose_posterior_collapse

INFORMED_BY = 500  # images, whose square the cost of I(x; z) grows with


class HeldOut(Observer):
    """Looks at images that training never sees. Abstract.

    images: uint8, held out of training. on_best: called when `metric` is the highest so far, with its
    value; the caller then keeps the model. cure: the command that a finding gives, where the observer knows
    none.
    """

    metric: ClassVar[str]

    def __init__(
        self,
        images: Tensor,
        *,
        every: int,
        best: float = -float("inf"),
        on_best: Callable[[Snapshot, float], None] = lambda snapshot, value: None,
        batch_size: int = 500,
        cure: str = "",
    ) -> None:
        self.images = images
        self.every = every
        self.best = best
        self.on_best = on_best
        self.batch_size = batch_size
        self.cure = cure

    def due(self, clock: Clock) -> bool:
        """Every `every` steps and at the end, but not at step 0."""
        last = clock.step == clock.steps
        return clock.step > 0 and (last or (self.every > 0 and clock.step % self.every == 0))

    def observe(self, snapshot: Snapshot) -> Observation:
        """Measure, and tell of the best."""
        torch.manual_seed(0)  # the same noise each time, so that changes are the model's
        with torch.no_grad():
            chunks = [to_float(c.to(snapshot.device)) for c in self.images.split(self.batch_size)]
            observation = self.measure(snapshot.algorithm, chunks)
        value = observation.metrics[self.metric]
        if math.isfinite(value) and value > self.best:
            self.best = value
            self.on_best(snapshot, value)
        return observation

    @abstractmethod
    def measure(self, model: Any, chunks: list[Tensor]) -> Observation:
        """`metric` and others, of images in chunks."""


class Validation(HeldOut):
    """The bound, with one sample an image, the active latent dimensions, and what z says of the image."""

    metric = "validation_elbo"

    def measure(self, model: Any, chunks: list[Tensor]) -> Observation:
        """Of a model with a likelihood and a posterior."""
        prepared = [model.likelihood.prepare(x) for x in chunks]
        bounds, mus, kls = [], [], []
        for x in prepared:
            mu, kl = model.divergence(x)
            bounds.append(model.log_weights(x, 1)[0])
            mus.append(mu)
            kls.append(kl)
        mu, kl = torch.cat(mus), torch.cat(kls)
        information = _information(model, prepared)
        finding = diagnose_posterior_collapse(mu, kl, command=self.cure, information=information)
        metrics = {
            self.metric: torch.cat(bounds).mean().item(),
            "kl": kl.sum(1).mean().item(),
            "active_units": float(active_units(mu).sum()),
        }
        if information is not None:
            metrics["information"] = information.information
        return Observation(metrics=metrics, findings=() if finding is None else (finding,))


def _information(model: Any, prepared: list[Tensor]) -> LatentInformation | None:
    """What Gaussian codes say of at most 500 images; None for other codes, or a single image."""
    chosen = torch.cat(prepared)[:INFORMED_BY]
    if not hasattr(model, "posterior") or len(chosen) < 2:
        return None
    return latent_information(*model.posterior(chosen))


class DistortionValidation(HeldOut):
    """ln p(x|z) at an autoencoder's own code: what it has in place of a bound."""

    metric = "validation_log_px_given_z"

    def measure(self, model: Any, chunks: list[Tensor]) -> Observation:
        """Of a model with a distortion."""
        distortion = torch.cat([model.distortion(x) for x in chunks])
        return Observation(metrics={self.metric: -distortion.mean().item()})
