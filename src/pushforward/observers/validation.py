"""Held-out bound and posterior collapse, as training goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pushforward.core import Clock, Observation, Observer, Snapshot, to_float
from pushforward.diagnostics.posterior_collapse import active_units, diagnose_posterior_collapse


class Validation(Observer):
    """The bound on images that training never sees, and the number of active latent dimensions.

    images: uint8, held out of training. on_best: called when the bound is the best so far, with its
    value; the caller then keeps the model.
    """

    def __init__(
        self,
        images: Tensor,
        *,
        every: int,
        best: float = -float("inf"),
        on_best: Callable[[Snapshot, float], None] = lambda snapshot, value: None,
        batch_size: int = 500,
    ) -> None:
        self.images = images
        self.every = every
        self.best = best
        self.on_best = on_best
        self.batch_size = batch_size

    def due(self, clock: Clock) -> bool:
        """Every `every` steps and at the end, but not at step 0."""
        last = clock.step == clock.steps
        return clock.step > 0 and (last or (self.every > 0 and clock.step % self.every == 0))

    def observe(self, snapshot: Snapshot) -> Observation:
        """Measure the bound with one sample an image."""
        model: Any = snapshot.algorithm
        bounds, mus, kls = [], [], []
        torch.manual_seed(0)  # the same noise each time, so that changes are the model's
        with torch.no_grad():
            for chunk in self.images.split(self.batch_size):
                x = model.likelihood.prepare(to_float(chunk.to(snapshot.device)))
                mu, kl = model.divergence(x)
                bounds.append(model.log_weights(x, 1)[0])
                mus.append(mu)
                kls.append(kl)
        bound, mu, kl = torch.cat(bounds).mean().item(), torch.cat(mus), torch.cat(kls)
        if bound > self.best:
            self.best = bound
            self.on_best(snapshot, bound)
        finding = diagnose_posterior_collapse(mu, kl)
        return Observation(
            metrics={
                "validation_elbo": bound,
                "kl": kl.sum(1).mean().item(),
                "active_units": float(active_units(mu).sum()),
            },
            findings=() if finding is None else (finding,),
        )
