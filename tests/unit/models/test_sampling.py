"""Drawing from a model in parts, from a narrowed prior, and along a walk."""

from __future__ import annotations

import io
import math

import pytest
import torch
from PIL import Image
from torch import nn

from pushforward.errors import UserError
from pushforward.models.model import Model
from pushforward.models.sampling import GaussianPrior, in_parts, slerp, walk
from pushforward.randomness import aside
from tests.runs import METHOD_NAMES, build


def model(method: str = "vae") -> Model:
    algorithm = build(method).eval()
    return Model(algorithm, {"method": method, "shape": list(SHAPES.get(method, (1, 8, 8))), "step": 0})


SHAPES = {"gan, batch": (1, 16, 16)}
# Without a Gaussian prior of codes that they decode.
WITHOUT = {"ae", "vq-vae", "vq-vae, conv", "discrete-vae", "discrete-vae, annealed"}
WITHOUT |= {f"discrete-vae, {estimator}" for estimator in ("nvil", "relax", "vimco")}
WITHOUT |= {f"{method}{more}" for method in ("cyclegan", "cut") for more in ("", ", dag", ", ada")}


class Shifted(nn.Module):
    """z ~ N(2, 9) in each of three dimensions, and x = z."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def sample_prior(self, n):
        return 2 + 3 * torch.randn(n, 3)

    def prior_moments(self):
        return torch.full((3,), 2.0), torch.full((3,), 3.0)

    def decode(self, z):
        return z

    def sample(self, n):
        return self.decode(self.sample_prior(n))


def shifted() -> Model:
    return Model(Shifted(), {"method": "shifted", "shape": [3], "step": 0})


def test_parts_are_the_samples_whatever_is_drawn_between_them():
    m, parts = model(), []
    before = torch.get_rng_state()
    for part in m.sample_parts(150, seed=3):
        parts.append(part)
        torch.rand(7)
    assert [len(part) for part in parts] == [64, 64, 22]
    torch.set_rng_state(before)
    assert torch.equal(torch.cat(parts), m.sample(150, seed=3))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(m.sample(5, seed=3), torch.cat(parts)[:5])
    assert not torch.equal(m.sample(5, seed=4), torch.cat(parts)[:5])


def test_parts_go_on_with_one_stream_of_the_seed():
    drawn = torch.cat(list(in_parts(lambda n: torch.randn(n, 2), 128, seed=5)))
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.cat([torch.randn(64, 2), torch.randn(64, 2)]))


def test_a_part_is_drawn_when_it_is_asked_for():
    asked = []
    parts = in_parts(lambda n: asked.append(n) or torch.zeros(n, 1), 10**9, seed=0)
    assert asked == []
    next(parts)
    assert asked == [64]


def test_what_cannot_be_is_refused_before_a_part_is_asked_for():
    with pytest.raises(UserError, match="n: 0"):
        model().sample_parts(0)
    with pytest.raises(UserError, match="has no prior to sample from"):
        model("ae").sample_parts(3)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_a_factor_of_1_narrows_no_prior(method):
    m = model(method)
    if method in WITHOUT:
        for ask in (lambda: m.sample(2, truncation=1.0), lambda: m.interpolate((1, 2))):
            with pytest.raises(UserError, match="no Gaussian prior of codes that it decodes; leave it out"):
                ask()
    else:
        assert torch.equal(m.sample(2, truncation=1.0), m.sample(2))


def test_codes_are_scaled_towards_the_mean_of_the_prior():
    whole, narrow = shifted().sample(4000), shifted().sample(4000, truncation=0.25)
    assert torch.allclose(narrow - 2, (whole - 2) / 4, atol=1e-6)
    assert narrow.mean().item() == pytest.approx(2, abs=0.05)
    assert narrow.std().item() == pytest.approx(0.75, rel=0.03)


@pytest.mark.parametrize("factor", [0.0, -0.5, 1.001, math.nan, math.inf])
def test_a_factor_that_does_not_narrow_is_refused(factor):
    with pytest.raises(UserError, match=r"`truncation`: .*above 0, at most 1"):
        model().sample(2, truncation=factor)
    with pytest.raises(UserError, match=r"`truncation`: .*above 0, at most 1"):
        model().interpolate((1, 2), truncation=factor)


def test_a_fitted_mixture_is_not_narrowed():
    codes = torch.distributions.Normal(torch.zeros(3), torch.ones(3))
    with pytest.raises(UserError, match="not of the prior"):
        model().sample_parts(2, codes=codes, truncation=0.5)


T = torch.linspace(0, 1, 7)


def test_slerp_goes_along_the_arc_at_constant_speed():
    a, b = torch.tensor([2.0, 0, 0]), torch.tensor([0, 2.0, 0])
    angle = T.double() * math.pi / 2
    arc = torch.stack([2 * angle.cos(), 2 * angle.sin(), torch.zeros(7).double()], 1)
    assert torch.allclose(slerp(a, b, T), arc, atol=1e-12)


def test_slerp_ends_where_it_is_told_to_whatever_the_lengths():
    a, b = torch.randn(5), 3 * torch.randn(5)
    ends = slerp(a, b, T)[[0, -1]]
    assert torch.allclose(ends, torch.stack([a, b]).double(), atol=1e-12)
    assert torch.allclose(slerp(a, b, T), slerp(b, a, 1 - T), atol=1e-6)  # t is of single precision


@pytest.mark.parametrize("factor", [1.0, 2.5, -1.0, 0.0])
def test_slerp_between_parallel_vectors_is_the_line(factor):
    a = torch.tensor([0.6, -0.8])
    expected = torch.outer(1 + T.double() * (factor - 1), a.double())
    expected = torch.outer(((1 - T) * math.pi / 2).sin().double(), a.double()) if factor == 0 else expected
    assert torch.allclose(slerp(a, factor * a, T), expected, atol=1e-6)


@pytest.mark.parametrize("truncation", [None, 0.5])
def test_a_walk_goes_from_one_seeds_first_sample_to_anothers(truncation):
    m = model("gan")
    images = m.interpolate((3, 4), 5, truncation=truncation)
    assert images.shape == (5, 1, 8, 8)
    for end, seed in ((images[0], 3), (images[-1], 4)):
        assert torch.allclose(end, m.sample(1, seed=seed, truncation=truncation)[0], atol=1e-5)
    with pytest.raises(UserError, match="n: 1; expected at least 2"):
        m.interpolate((3, 4), 1)


def test_a_walk_is_around_the_mean_of_the_prior():
    m = shifted()
    codes = m.interpolate((1, 2), 3) - 2
    a, b = codes[0], codes[2]
    cosine = a @ b / (a.norm() * b.norm())
    assert torch.allclose(codes[1], (a + b) / (2 + 2 * cosine).sqrt(), atol=1e-5)  # t = ½ in closed form


def test_the_prior_is_told_from_discrete_codes():
    assert GaussianPrior.of(model("discrete-vae, gaussian rloo"), "x").mean.tolist() == [0, 0, 0]


def test_a_notebook_sees_samples():
    m = model()
    assert m.show(6, columns=3).size == (3 * (8 + 2) * 7 + 14, 2 * (8 + 2) * 7 + 14)  # 8 pixels 7 times
    with Image.open(io.BytesIO(m._repr_png_())) as picture:
        assert picture.size == m.show().size
    assert model("ae")._repr_png_() is None
    assert shifted().show(20).size == (576, 576)
    assert list(m.show(6).getdata()) != list(m.show(6, truncation=0.1).getdata())


def test_a_walk_of_a_conditional_model_keeps_its_classes():
    """z goes along the arc; classes go along the line, so a class that both ends have stays what it is."""
    m = model("gan, conditional")
    prior = GaussianPrior.of(m, "test")
    ends = {}
    for seed in range(40):
        with aside(seed), torch.no_grad():
            ends.setdefault(int(prior.labels.split(prior.codes(64))[1][0].argmax()), []).append(seed)
    (a, b), other = ends[0][:2], ends[1][0]
    z, y = prior.labels.split(walk(m, (a, b), 5))
    assert torch.equal(y, torch.tensor([[1.0, 0.0]]).expand(5, 2))
    assert torch.allclose(z, slerp(z[0], z[-1], torch.linspace(0, 1, 5)).float(), atol=1e-5)
    _, y = prior.labels.split(walk(m, (a, other), 5))
    assert torch.allclose(y[:, 1], torch.linspace(0, 1, 5))
    assert torch.allclose(y.sum(1), torch.ones(5))
