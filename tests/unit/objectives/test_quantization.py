"""Nearest codes against brute force, the codebook's step against the paper's recursion and k-means."""

from __future__ import annotations

import math

import pytest
import torch

from pushforward.objectives.quantization import (
    code_statistics,
    codebook_step,
    moments,
    nearest_codes,
    normal_codebook,
    perplexity,
    straight_through_copy,
)

N, K, D = 301, 17, 5


@pytest.fixture
def z() -> torch.Tensor:
    return 2 * torch.randn(N, D) + 1


@pytest.fixture
def codebook() -> torch.Tensor:
    return 2 * torch.randn(K, D) + 1


# -- codes ------------------------------------------------------------------------------------------


def test_the_nearest_are_those_of_brute_force(z, codebook):
    distances = (z.double()[:, None] - codebook.double()).square().sum(-1)
    assert torch.equal(nearest_codes(z, codebook), distances.argmin(1))


def test_of_equally_near_ones_the_first_is_taken():
    codebook = torch.tensor([[3.0], [-1.0], [1.0], [-1.0]])
    assert nearest_codes(torch.tensor([[0.0], [-2.0], [2.0]]), codebook).tolist() == [1, 1, 0]


def test_autocast_does_not_round_the_distances():
    """All codes within what bfloat16 holds apart: rounded, they could not be told apart."""
    codebook = 100 + 0.01 * torch.arange(50.0)[:, None]
    z = codebook + 0.001
    with torch.autocast("cpu", dtype=torch.bfloat16):
        codes = nearest_codes(z, codebook)
        shares, sums = code_statistics(z, codes, 50)
    assert codes.tolist() == list(range(50))
    assert torch.allclose(sums / shares[:, None], z)


def test_the_copy_has_the_vector_s_value_and_passes_its_gradient_to_the_encoding():
    z, z_q = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    copied = straight_through_copy(z, z_q)
    assert torch.allclose(copied, z_q)
    gradient = torch.randn(4, 3)
    by_z, by_z_q = torch.autograd.grad(copied, (z, z_q), gradient, allow_unused=True)
    assert torch.equal(by_z, gradient)
    assert by_z_q is None


# -- the codebook -----------------------------------------------------------------------------------


def test_statistics_are_counts_and_sums(z):
    codes = torch.randint(0, K, (N,))
    shares, sums = code_statistics(z, codes, K + 1)
    for k in range(K + 1):
        chosen = z[codes == k]
        assert float(shares[k]) == pytest.approx(len(chosen) / N)
        assert torch.allclose(sums[k], chosen.sum(0) / N, atol=1e-6)


def test_statistics_and_moments_of_a_batch_are_the_means_of_its_halves(z):
    z = z[:300]
    codes = torch.randint(0, K, (300,))
    parts = [code_statistics(z[i], codes[i], K) for i in (slice(150), slice(150, None))]
    for whole, *halves in zip(code_statistics(z, codes, K), *parts, strict=True):
        assert torch.allclose(whole, torch.stack(halves).mean(0), atol=1e-6)
    for whole, *halves in zip(moments(z), moments(z[:150]), moments(z[150:]), strict=True):
        assert torch.allclose(whole, torch.stack(halves).mean(0), atol=1e-5)


def test_a_step_without_memory_is_one_of_k_means(z, codebook):
    codes = nearest_codes(z, codebook)
    stepped = codebook_step(codebook, *code_statistics(z, codes, K))
    for k in range(K):
        chosen = z[codes == k]
        assert torch.allclose(stepped[k], chosen.mean(0) if len(chosen) else codebook[k], atol=1e-4)


def test_moving_averages_give_the_recursion_of_the_paper(codebook):
    """Counts and sums of appendix A.1 as they stand there, from 0, in double."""
    gamma = 0.9
    e, shares, sums = codebook, torch.zeros(K), torch.zeros(K, D)
    counts, totals = torch.zeros(K).double(), torch.zeros(K, D).double()
    for _ in range(8):
        z = torch.randn(N, D)
        codes = nearest_codes(z, e)
        share, total = code_statistics(z, codes, K)
        shares, sums = torch.lerp(share, shares, gamma), torch.lerp(total, sums, gamma)
        e = codebook_step(e, shares, sums)
        for k in range(K):
            chosen = z[codes == k].double()
            counts[k] = gamma * counts[k] + (1 - gamma) * len(chosen)
            totals[k] = gamma * totals[k] + (1 - gamma) * chosen.sum(0)
        used = counts > 0
        assert used.any()
        assert torch.allclose(e[used].double(), totals[used] / counts[used, None], atol=1e-4)


def test_a_code_that_nothing_chooses_stays_where_it_is_for_ever(codebook):
    shares, sums = torch.zeros(K), torch.zeros(K, D)
    shares[0], sums[0] = 1.0, torch.full((D,), 3.0)
    e = codebook
    for _ in range(400):  # until the averages of a code that was used once are 0, through all denormals
        shares, sums = 0.5 * shares, 0.5 * sums
        e = codebook_step(e, shares, sums)
    assert not shares.any()
    assert torch.equal(e[1:], codebook[1:])
    assert torch.allclose(e[0], torch.full((D,), 3.0), atol=1e-3)


# -- the first codebook -----------------------------------------------------------------------------


def test_the_first_codebook_has_the_moments_of_the_vectors():
    z = torch.randn(2000, 3) @ torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.5, 0.0], [0.3, 0.0, 0.1]]) + 4
    drawn = normal_codebook(torch.randn(200_000, 3), *moments(z))
    assert torch.allclose(drawn.mean(0), z.mean(0), atol=0.02)
    assert torch.allclose(drawn.T.cov(), z.T.cov(correction=0), atol=0.05)


def test_it_lies_in_the_plane_that_the_vectors_fill():
    plane = torch.randn(2, 30)
    z = torch.randn(500, 2) @ plane
    drawn = normal_codebook(torch.randn(64, 30), *moments(z))
    inside = drawn @ torch.linalg.pinv(plane) @ plane
    assert torch.allclose(drawn, inside, atol=2e-2)
    assert drawn.std() > 0.3


def test_it_changes_little_where_moments_do():
    """Also where directions are alike: several processes average to moments that are rounded otherwise."""
    noise, z = torch.randn(K, D), torch.randn(N, D)
    mean, second = moments(z)
    isotropic = torch.eye(D) + mean[:, None] * mean
    for c in (isotropic, second, torch.zeros(D, D) + mean[:, None] * mean):
        rounded = c + 1e-7 * torch.randn(D, D)
        assert torch.allclose(
            normal_codebook(noise, mean, c), normal_codebook(noise, mean, rounded), atol=4e-3
        )


# -- use --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([1.0, 1.0, 1.0, 1.0], 4.0),
        ([0.0, 7.0, 0.0, 0.0], 1.0),
        ([0.5, 0.5, 0.0, 0.0], 2.0),
        ([0.5, 0.25, 0.25], math.exp(1.5 * math.log(2))),
    ],
)
def test_perplexity_counts_codes(shares, expected):
    assert float(perplexity(torch.tensor(shares))) == pytest.approx(expected)
    assert float(perplexity(100 * torch.tensor([shares, shares]))[1]) == pytest.approx(expected)
