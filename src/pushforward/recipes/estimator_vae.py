"""VAEs by latent and estimator: networks, code and control from options, and what does not go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pushforward.algorithms.codes import Code, make_code
from pushforward.algorithms.estimator_vae import EstimatorHyperparameters, EstimatorVAE
from pushforward.errors import UserError
from pushforward.networks.layers import Shape
from pushforward.networks.mlp import mlp, mlp_encoder
from pushforward.objectives.estimators import ESTIMATORS, RelaxControl, find_estimator
from pushforward.objectives.estimators.table import configurations
from pushforward.recipes.latent import LatentRecipe

BASELINE_UNITS = 100  # Mnih & Gregor 2014, section 4
CONTROL_UNITS = 200
ENUMERABLE = 1024  # images decoded for each one in the batch
# They decode more than draws of z, to which an optimal σ would be fitted too, or maximise another bound.
WITHOUT_OPTIMAL_SIGMA = ("muprop", "rebar", "relax", "measure-valued", "exact", "vimco")
# They take no more than the value of the decoder at each draw, all draws alike.
VALUES_ONLY = ("score-function", "nvil", "rloo")


@dataclass(kw_only=True)
class EstimatorVAERecipe(LatentRecipe, EstimatorHyperparameters):
    """Options of `train discrete-vae`."""

    @staticmethod
    def was_used(options: Mapping[str, Any]) -> bool:
        """Whether a config of `vae`, from when that had these options, was about more than the plain VAE."""
        return (
            options.get("latent", "gaussian") != "gaussian"
            or options.get("estimator") not in (None, "pathwise")
            or options.get("samples", 1) != 1
        )

    def build(self, shape: Shape) -> EstimatorVAE:
        """A freshly initialised VAE with this latent and estimator."""
        self.check()
        code = self._code()
        encoder, decoder, likelihood = self.parts(shape, codes=code.outputs, coordinates=code.coordinates)
        return EstimatorVAE(
            encoder=encoder,
            decoder=decoder,
            likelihood=likelihood,
            code=code,
            control=self._control(shape, code.coordinates),
            hyper=self,
        )

    def check(self) -> None:
        """The shared checks, and that latent, estimator and numbers go together."""
        super().check()
        self._check_numbers()
        self._check_decoder_samples()
        if self.latent == "gaussian" and self.prior == "learned":
            raise UserError("`prior`: learned, but a gaussian latent has N(0, 1); take `latent` bernoulli")
        if self.chosen_estimator == "vimco":
            self._check_vimco()
            return
        if self.k is not None:
            raise UserError(
                f"`k`: {self.k}, but {self.chosen_estimator} maximises no bound of k draws; "
                "take `estimator` vimco, or `samples` for more draws"
            )
        self._check_estimator(self.chosen_estimator)

    def _check_numbers(self) -> None:
        for name, least in (("samples", 1), ("categories", 2), ("temperature_every", 1)):
            if getattr(self, name) < least:
                raise UserError(f"{_flag(name)}: {getattr(self, name)}; expected at least {least}")
        for name in ("temperature", "temperature_floor"):
            if not getattr(self, name) > 0:
                raise UserError(
                    f"{_flag(name)}: {getattr(self, name)}; expected a number above 0, such as 0.5"
                )
        if not self.temperature_rate >= 0:
            raise UserError(f"`temperature_rate`: {self.temperature_rate}; expected 0 or more, such as 1e-4")
        if self.temperature < self.temperature_floor:
            raise UserError(
                f"`temperature`: {self.temperature}, under the floor; lower `temperature_floor` "
                f"(now {self.temperature_floor}) to {self.temperature} too"
            )

    def _check_decoder_samples(self) -> None:
        m, name = self.decoder_samples, self.chosen_estimator
        if m is None:
            return
        if name not in VALUES_ONLY:
            raise UserError(
                f"`decoder_samples`: {m}, but {name} needs the decoder's gradient at every draw; leave it "
                f"out, or take one of {', '.join(VALUES_ONLY)}"
            )
        if not 1 <= m <= self.samples:
            raise UserError(f"`decoder_samples`: {m}; expected from 1 to `samples`, which is {self.samples}")

    def _check_vimco(self) -> None:
        if self.samples != 1:
            raise UserError(f"`samples`: {self.samples}, but vimco draws `k` of them; leave `samples` out")
        if self.k is not None and self.k < 2:
            raise UserError(f"`k`: {self.k}; vimco compares draws with each other: expected at least 2")
        self._check_sigma("vimco")

    def _check_estimator(self, name: str) -> None:
        encoded = self._code()
        q = encoded.posterior(torch.zeros(1, encoded.outputs * encoded.coordinates))
        try:
            find_estimator(name).check(self.samples, q)
        except UserError as error:
            text = str(error).replace("dist: given", "given", 1).replace("samples: given", "`samples`", 1)
            if "`samples`" not in text and self.latent != "gaussian" and name == "pathwise":
                text += "; gumbel-softmax is the pathwise one of a relaxed z"
            raise UserError(f"`estimator` {name} with `latent` {self.latent}: {text}") from None
        if name == "exact" and configurations(q) > ENUMERABLE:
            others = [row.name for row in ESTIMATORS.values() if row.supports(q) and row.name != "exact"]
            raise UserError(
                f"`estimator` exact: {self.latent_dim} latents have {configurations(q)} values, all decoded "
                f"for each image; expected at most {ENUMERABLE:,}: lower `latent_dim`, or take one of "
                + ", ".join(others)
            )
        self._check_sigma(name)

    def _check_sigma(self, name: str) -> None:
        if self.likelihood != "gaussian" or self.sigma != "optimal":
            return
        if name in WITHOUT_OPTIMAL_SIGMA or self.decoder_samples is not None:
            why = name if name in WITHOUT_OPTIMAL_SIGMA else f"`decoder_samples` {self.decoder_samples}"
            raise UserError(
                f"`sigma`: optimal is fitted to the draws decoded together, and {why} decodes others too or "
                "weighs them: take `sigma` learned, or a number, or `likelihood` bernoulli"
            )

    def _code(self) -> Code:
        return make_code(self.latent, self.latent_dim, categories=self.categories, prior=self.prior)

    def _control(self, shape: Shape, coordinates: int) -> nn.Module | None:
        match self.chosen_estimator:
            case "nvil":
                return nn.Sequential(mlp_encoder(shape, (BASELINE_UNITS,), 1), nn.Flatten(0))
            case "rebar":
                return RelaxControl()
            case "relax":
                hidden = mlp([coordinates, CONTROL_UNITS, 1], activation=nn.Tanh)
                return RelaxControl(nn.Sequential(nn.Flatten(2), hidden, nn.Flatten(1)))
            case _:
                return None


def _flag(name: str) -> str:
    return f"`{name}`"
