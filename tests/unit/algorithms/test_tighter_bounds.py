"""PIWAE, CIWAE, DReG: expected gradients of a linear-Gaussian model by quadrature, each draw's by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pushforward.algorithms import latent
from pushforward.algorithms.dreg import DReG, DReGHyperparameters
from pushforward.algorithms.iwae import IWAE, IWAEHyperparameters
from pushforward.algorithms.latent import MultiSampleModel
from pushforward.algorithms.piwae import CIWAE, PIWAE, CIWAEHyperparameters, PIWAEHyperparameters
from pushforward.core import Batch, Update
from pushforward.distributions import Gaussian
from pushforward.errors import UserError
from pushforward.recipes.iwae import CIWAERecipe, DReGRecipe, PIWAERecipe

SIGMA = 0.7
X = torch.tensor([[0.9], [-1.3]], dtype=torch.float64)
# Encoder weights of μ and ln σ², their biases, decoder weight and bias.
WEIGHTS = torch.tensor([0.4, 0.1, 0.2, -0.9, 0.8, 0.3], dtype=torch.float64)
ENCODER, DECODER = slice(0, 4), slice(4, 6)
HYPER = {
    IWAE: IWAEHyperparameters,
    PIWAE: PIWAEHyperparameters,
    CIWAE: CIWAEHyperparameters,
    DReG: DReGHyperparameters,
}
NODES = 28  # of the quadrature, in each dimension
BETA = 0.3


def model(kind: type[MultiSampleModel], weights: Tensor = WEIGHTS, **options) -> MultiSampleModel:
    """x ~ N(a z + c, 0.7²), q(z|x) = N(μ, σ²) with μ and ln σ² linear in x; in double."""
    made = kind(
        encoder=nn.Linear(1, 2),
        decoder=nn.Linear(1, 1),
        likelihood=Gaussian(sigma=SIGMA, bounded=False),
        hyper=HYPER[kind](latent_dim=1, **options),
    )
    nn.utils.vector_to_parameters(weights, made.double().parameters())
    return made


def updated(made: MultiSampleModel, x: Tensor = X, seed: int | None = None) -> Update:
    if seed is not None:
        torch.manual_seed(seed)
    return next(made.step(lambda name="data", n=None: Batch(x, None, torch.arange(len(x)))))


def gradient(made: MultiSampleModel, update: Update) -> Tensor:
    """Of each player's loss by its own parameters, flat: the encoder's, then the decoder's."""
    found = []
    for name, module in (("encoder", made.encoder), ("decoder", made.decoder)):
        loss = update.losses[name if name in update.losses else "vae"]
        found += torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)
    return torch.cat([g.flatten() for g in found])


def nodes(k: int) -> tuple[Tensor, Tensor]:
    """Of ε ~ N(0, 1) in k dimensions: values (n, k), and weights (n,) that sum to 1."""
    one, w = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(NODES))
    grid = torch.cartesian_prod(*[one] * k).view(-1, k)
    weights = torch.cartesian_prod(*[w / w.sum()] * k).view(-1, k).prod(1)
    return grid, weights


def expected_gradient(made: MultiSampleModel, k: int, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """E of what a step has the players descend, over all draws of k samples; mean over the images."""
    total = torch.zeros(6, dtype=torch.float64)
    for epsilon, weight in zip(*nodes(k), strict=True):
        if weight < 1e-14:
            continue
        # Images share their draws here, which changes no mean.
        drawn = epsilon.repeat_interleave(len(X))[:, None]
        monkeypatch.setattr(torch, "randn_like", lambda like, drawn=drawn: drawn)
        total += weight * gradient(made, updated(made))
    monkeypatch.undo()
    return total


def log_weights(weights: Tensor, epsilon: Tensor, x: float) -> Tensor:
    """ln p(x|z) p(z)/q(z|x) by the formulas of Gaussians; epsilon: (n, k)."""
    wm, wv, bm, bv, a, c = weights.tolist()
    mu, log_var = wm * x + bm, wv * x + bv
    z = mu + math.exp(log_var / 2) * epsilon
    log_px = -0.5 * ((x - a * z - c) / SIGMA) ** 2 - math.log(SIGMA) - 0.5 * math.log(2 * math.pi)
    return log_px - 0.5 * z**2 + 0.5 * epsilon**2 + 0.5 * log_var


def bound(weights: Tensor, k: int) -> float:
    """L_k by quadrature, the mean over the images."""
    epsilon, node_weights = nodes(k)
    values = [torch.logsumexp(log_weights(weights, epsilon, x), 1) - math.log(k) for x in X[:, 0].tolist()]
    return float(torch.stack(values).mean(0) @ node_weights)


def elbo(weights: Tensor) -> float:
    """In closed form: E ln p(x|z) - KL(q ‖ p)."""
    wm, wv, bm, bv, a, c = weights.tolist()
    total = 0.0
    for x in X[:, 0].tolist():
        mu, log_var = wm * x + bm, wv * x + bv
        error = (x - a * mu - c) ** 2 + a**2 * math.exp(log_var)
        log_px = -0.5 * error / SIGMA**2 - math.log(SIGMA) - 0.5 * math.log(2 * math.pi)
        total += log_px - 0.5 * (math.exp(log_var) + mu**2 - log_var - 1)
    return total / len(X)


def differences(function) -> Tensor:
    """The gradient of minus a function of the six weights, by central differences."""
    h = 1e-5
    steps = h * torch.eye(6, dtype=torch.float64)
    return torch.tensor([-(function(WEIGHTS + s) - function(WEIGHTS - s)) / (2 * h) for s in steps]).double()


def test_the_quadrature_knows_the_elbo():
    assert bound(WEIGHTS, 1) == pytest.approx(elbo(WEIGHTS), abs=1e-10)
    assert bound(WEIGHTS, 2) > elbo(WEIGHTS) + 0.01


def test_the_doubly_reparameterized_gradient_has_the_mean_of_the_bounds(monkeypatch):
    truth = differences(lambda w: bound(w, 2))
    found = expected_gradient(model(DReG, k=2), 2, monkeypatch)
    torch.testing.assert_close(found, truth, atol=2e-6, rtol=0)
    pathwise = expected_gradient(model(IWAE, k=2), 2, monkeypatch)
    torch.testing.assert_close(pathwise, truth, atol=1e-7, rtol=0)


def test_a_combination_descends_the_combination(monkeypatch):
    truth = differences(lambda w: BETA * elbo(w) + (1 - BETA) * bound(w, 2))
    found = expected_gradient(model(CIWAE, k=2, beta=BETA), 2, monkeypatch)
    torch.testing.assert_close(found, truth, atol=1e-7, rtol=0)


def test_a_partial_encoder_descends_the_elbo_and_its_decoder_the_bound(monkeypatch):
    found = expected_gradient(model(PIWAE, k=2, groups=2), 2, monkeypatch)
    torch.testing.assert_close(found[ENCODER], differences(elbo)[ENCODER], atol=1e-7, rtol=0)
    torch.testing.assert_close(found[DECODER], differences(lambda w: bound(w, 2))[DECODER], atol=1e-7, rtol=0)


def test_each_group_of_a_partial_encoder_has_its_own_bound():
    """(1/M) Σ_m Σ_l w̃_ml ∇ ln w_ml with w̃ normalised in the group, from the same draws."""
    made = model(PIWAE, k=6, groups=2)
    update = updated(made, seed=3)
    ours = gradient(made, update)

    torch.manual_seed(3)
    epsilon = torch.randn(6 * len(X), 1, dtype=torch.float64).view(6, len(X))
    weights = WEIGHTS.clone().requires_grad_()
    wm, wv, bm, bv, a, c = weights
    x = X[:, 0]
    mu, log_var = wm * x + bm, wv * x + bv
    z = mu + torch.exp(log_var / 2) * epsilon
    log_w = -0.5 * ((x - a * z - c) / SIGMA) ** 2 - 0.5 * z**2 + 0.5 * epsilon**2 + 0.5 * log_var
    whole = log_w.detach().softmax(0)
    grouped = torch.cat([part.detach().softmax(0) / 2 for part in log_w.split(3)])
    (encoder,) = torch.autograd.grad(-(grouped * log_w).sum(0).mean(), weights, retain_graph=True)
    (decoder,) = torch.autograd.grad(-(whole * log_w).sum(0).mean(), weights)
    torch.testing.assert_close(ours[ENCODER], encoder[ENCODER])
    torch.testing.assert_close(ours[DECODER], decoder[DECODER])
    assert not torch.allclose(encoder[ENCODER], decoder[ENCODER], rtol=0.01)


def test_of_the_same_draws_the_ends_are_the_iwae_and_the_elbo():
    iwae = model(IWAE, k=4)
    update = updated(iwae, seed=1)
    whole = gradient(iwae, update)
    for other in (model(CIWAE, k=4, beta=0.0), model(PIWAE, k=4, groups=1)):
        theirs = updated(other, seed=1)
        assert all(torch.equal(loss, update.losses["vae"]) for loss in theirs.losses.values())
        torch.testing.assert_close(gradient(other, theirs), whole)
        assert theirs.info == update.info

    for other in (model(CIWAE, k=4, beta=1.0), model(PIWAE, k=4, groups=4)):
        theirs = updated(other, seed=1)
        mean = theirs.losses["encoder" if "encoder" in theirs.losses else "vae"]
        torch.testing.assert_close(-mean.detach(), update.info["elbo"])


def test_the_decoder_and_the_values_are_those_of_the_iwae():
    iwae, dreg = model(IWAE, k=4), model(DReG, k=4)
    one, two = updated(iwae, seed=1), updated(dreg, seed=1)
    torch.testing.assert_close(gradient(dreg, two)[DECODER], gradient(iwae, one)[DECODER])
    for loss in two.losses.values():
        torch.testing.assert_close(loss, one.losses["vae"])
    assert not torch.allclose(gradient(dreg, two)[ENCODER], gradient(iwae, one)[ENCODER], rtol=0.1)


def test_at_the_posterior_the_doubly_reparameterized_gradient_is_nothing_at_every_draw():
    a, c = WEIGHTS[DECODER].tolist()
    variance = 1 / (1 + a**2 / SIGMA**2)
    slope = variance * a / SIGMA**2
    exact = torch.tensor([slope, 0.0, -slope * c, math.log(variance), a, c], dtype=torch.float64)
    dreg, iwae = model(DReG, exact, k=5), model(IWAE, exact, k=5)
    torch.testing.assert_close(gradient(dreg, updated(dreg, seed=1))[ENCODER], torch.zeros(4).double())
    assert gradient(iwae, updated(iwae, seed=1))[ENCODER].abs().max() > 0.1


def test_a_weight_that_is_nothing_beside_the_others_passes_no_gradient(monkeypatch):
    """Else it would make denormal numbers of a whole decoder's gradient, over which a CPU takes long."""
    log_w = torch.tensor([[0.0], [-20.0], [-60.0], [-95.0]], requires_grad=True)
    monkeypatch.setattr(latent, "gaussian_log_weights", lambda *args, **kwargs: 1 * log_w)
    made = model(IWAE, k=4)
    updated(made, X[:1]).losses["vae"].backward()
    assert log_w.grad[:, 0].tolist() == [-1.0, pytest.approx(-math.exp(-20), rel=1e-5), 0.0, 0.0]


def test_a_learned_sigma_moves_with_the_decoder():
    for recipe in (PIWAERecipe(k=4, groups=2, latent_dim=2), DReGRecipe(latent_dim=2)):
        made = recipe.build((1, 2, 2))
        players = made.players()
        assert any(p is made.likelihood.log_sigma for p in players["decoder"].parameters())
        assert sum(len(p.parameters()) for p in players.values()) == len(list(made.parameters()))


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (PIWAERecipe(k=6, groups=4), "`groups`: 4; expected a divisor of `k`, which is 6: one of 1, 2, 3, 6"),
        (PIWAERecipe(groups=0), "`groups`: 0; expected a divisor"),
        (PIWAERecipe(k=0, groups=1), "`k`: 0; expected at least 1"),
        (CIWAERecipe(beta=1.5), r"`beta`: 1.5; expected a weight from 0 \(the IWAE\) to 1"),
        (CIWAERecipe(beta=float("nan")), "`beta`: nan; expected"),
        (DReGRecipe(k=-1), "`k`: -1; expected at least 1"),
        (DReGRecipe(sigma="optimal"), r"`sigma`: optimal; .*expected 'learned' or a number"),
    ],
)
def test_what_cannot_be_is_refused(recipe, message):
    with pytest.raises(UserError, match=message):
        recipe.build((1, 2, 2))
