"""The bound of a conditional VAE against a linear Gaussian one, whose ln p(x|y) is known in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pushforward.algorithms.conditional_vae import ConditionalVAE
from pushforward.algorithms.vae import VAEHyperparameters
from pushforward.core import Clock, Snapshot, to_float
from pushforward.data import Dataset
from pushforward.distributions import Gaussian
from pushforward.distributions.labels import Labels
from pushforward.errors import UserError
from pushforward.evaluation import Evaluation, evaluate
from pushforward.models.by_class import by_class
from pushforward.models.model import Model
from pushforward.objectives.annealing import Annealing
from pushforward.observers.choice import validation_for
from pushforward.observers.validation import Validation
from tests.unit.gaussian_model import SHAPE, SIGMA, ExactEncoder, log_density, pictures, weight

NAMES = ("cat", "dog")


def means() -> Tensor:
    """m_y, a column for each class."""
    return torch.randn(64, 2, generator=torch.Generator().manual_seed(3))


class Encoder(nn.Module):
    """p(z|x, y), which is that of x - m_y without a class; the second channel is m_y."""

    def forward(self, x: Tensor) -> Tensor:
        return ExactEncoder()(x[:, :1] - x[:, 1:])


@pytest.fixture(scope="module")
def model() -> Model:
    """p(x|z, y) = N(Wz + m_y, σ²), with the exact posterior, so that every bound is ln p(x|y) itself."""
    decoder = nn.Sequential(nn.Linear(5, 64, bias=False), nn.Unflatten(1, SHAPE))
    decoder[0].weight.data = torch.cat([weight(), means()], 1)
    vae = ConditionalVAE(
        encoder=Encoder(),
        decoder=decoder,
        likelihood=Gaussian(sigma=SIGMA),
        hyper=VAEHyperparameters(latent_dim=3),
        labels=Labels([0.25, 0.75]),
        size=SHAPE[1:],
    )
    vae.plane[0].weight.data, vae.plane[0].bias.data = means(), torch.zeros(64)
    classes = {"names": list(NAMES), "shares": [0.25, 0.75]}
    return Model(vae.eval(), {"method": "vae", "shape": list(SHAPE), "step": 7, "classes": classes})


IMAGES, LABELS = pictures(), torch.arange(40) % 3 % 2


def measured(model: Model, labels: Tensor | None, classes: tuple[str, ...] | None, **how) -> Evaluation:
    return evaluate(model, Dataset.of(IMAGES, labels, classes=classes), cheap_only=True, **how)


def exact(labels: Tensor) -> float:
    shift = means()[:, labels].T.unflatten(1, SHAPE)
    return log_density(to_float(IMAGES) - shift).mean().item()


@pytest.mark.parametrize("likelihood", ["iwae", "ais"])
def test_with_the_exact_posterior_the_bounds_are_the_likelihood_of_the_true_class(model, likelihood):
    annealing = Annealing(temperatures=3, chains=2, pilot_chains=1, leapfrog=1)
    result = measured(model, LABELS, NAMES, k=5, likelihood=likelihood, annealing=annealing)
    for name in ("elbo", "iwae-5" if likelihood == "iwae" else "ais-3"):
        assert result.find(name).value == pytest.approx(exact(LABELS), rel=1e-5)
    assert exact(1 - LABELS) != pytest.approx(exact(LABELS), rel=1e-2)
    of_class = {m.name for m in result.metrics if m.unit.endswith(" by class")}
    assert of_class == {"elbo", name, "bits/dimension"}


def test_draws_from_the_prior_are_of_the_true_class(model):
    """Far too low for these, and lower still where a class is wrong."""
    found = [measured(model, y, NAMES, k=200, likelihood="prior") for y in (LABELS, 1 - LABELS)]
    right, wrong = (result.find("prior-200").value for result in found)
    assert wrong < right < exact(LABELS)


def test_classes_are_known_by_name(model):
    """Other data may count them in another order, or have some that the model was never told."""
    turned = measured(model, 1 - LABELS, NAMES[::-1], k=5)
    assert turned.find("elbo").value == pytest.approx(exact(LABELS), rel=1e-5)
    for labels, classes, why in ((LABELS, ("cat", "cow"), "'cow'"), (None, None, "no labels")):
        result = measured(model, labels, classes, k=5)
        assert result.find("elbo") is None
        (reason,) = (skipped.reason for skipped in result.skipped if skipped.name == "elbo")
        assert why in reason


def test_the_model_of_a_class_encodes_and_reconstructs_as_told(model):
    """With E[z|x, y] in closed form; of a whole set each class in turn, in the order of the rows."""
    data = Dataset.of(IMAGES, LABELS, classes=NAMES)
    coded = by_class(model, data, lambda m, x: m.encode(x))
    for i in range(len(IMAGES)):
        x = to_float(IMAGES[i : i + 1]) - means()[:, LABELS[i]].view(1, *SHAPE)
        expected = ExactEncoder()(x)[:, :3]
        torch.testing.assert_close(coded[i : i + 1], expected, atol=1e-5, rtol=1e-4)
    cats = model.given("cat")
    z = cats.encode(IMAGES[:5])
    decoded = (z @ weight().T + means()[:, 0]).clamp(-1, 1)
    torch.testing.assert_close(cats.decode(z).flatten(1), decoded, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(cats.reconstruct(IMAGES[:5]), cats.decode(z))
    assert cats.likelihood(IMAGES[:5], k=3).value.mean() == pytest.approx(
        log_density(to_float(IMAGES[:5]) - means()[:, 0].view(1, *SHAPE)).mean().item(), rel=1e-5
    )
    assert cats.classes == ()
    with pytest.raises(UserError, match="`label`: 'cow'"):
        model.given("cow")


def test_validation_bounds_each_image_given_its_class(model, tmp_path):
    snapshot = Snapshot(model.algorithm, Clock(step=1), tmp_path, torch.device("cpu"))
    for labels in (LABELS, 1 - LABELS):
        data = Dataset.of(IMAGES, labels, classes=NAMES)
        seen = Validation(data, every=1, batch_size=7).observe(snapshot).metrics
        assert seen["validation_elbo"] == pytest.approx(exact(labels), rel=1e-5)
    assert validation_for(model.algorithm) is Validation
    assert model.algorithm.selector.metric == "validation_elbo"
