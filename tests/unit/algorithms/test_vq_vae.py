"""VQ-VAE: whose gradient goes where, a codebook that several processes share, codes as arrays of integers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pushforward.algorithms.vq_vae import VQVAE, VQVAEHyperparameters
from pushforward.core import Batch, Update
from pushforward.data import Stream, load_splits
from pushforward.distributions import Gaussian
from pushforward.errors import UserError
from pushforward.evaluation import evaluate
from pushforward.models.model import Model
from pushforward.objectives.quantization import moments, nearest_codes, perplexity
from pushforward.recipes.vq_vae import VQVAERecipe
from pushforward.training.fit import fit
from tests.runs import build, small_images, trainer

B, D, T, K = 24, 3, 2, 5
PLAIN = {"codebook_size": K, "latent_dim": D, "decay": 0.0}


def linear(**hyper: Any) -> VQVAE:
    """Encoder and decoder are one matrix each; -ln p(x|z) is half the squared error and a constant."""
    encoder = nn.Sequential(nn.Linear(4, D * T), nn.Unflatten(1, (D, T)))
    return VQVAE(
        encoder=encoder,
        decoder=nn.Sequential(nn.Flatten(), nn.Linear(D * T, 4)),
        likelihood=Gaussian(sigma=1.0, bounded=False),
        hyper=VQVAEHyperparameters(**{**PLAIN, **hyper}),
    )


def drawing(x: Tensor):
    return lambda name="data", n=None: Batch(x, None, torch.arange(len(x)))


def second_update(model: VQVAE, x: Tensor) -> Update:
    """The one that moves the networks; the first moves nobody, and begins the codebook."""
    steps = model.step(drawing(x))
    return steps.send(next(steps).answer())


def stepped(model: VQVAE, parts: list[Tensor]) -> VQVAE:
    """Copies of the model take a step on parts of a batch, with what they share averaged; the first copy."""
    copies = [build_like(model) for _ in parts]
    steps = [copy.step(drawing(x)) for copy, x in zip(copies, parts, strict=True)]
    updates = [next(s) for s in steps]
    while updates:
        answers = [update.answer() for update in updates]
        mean = {k: torch.stack([a[k] for a in answers]).mean(0) for k in answers[0]}
        updates = []
        for s in steps:
            try:
                updates.append(s.send(mean))
            except StopIteration:
                continue
    for copy in copies[1:]:
        assert torch.equal(copy.codebook.vectors, copies[0].codebook.vectors)
    return copies[0]


def build_like(model: VQVAE) -> VQVAE:
    copy = linear()
    copy.load_state_dict(model.state_dict())
    copy.clock = model.clock
    return copy


@pytest.fixture
def x() -> Tensor:
    return torch.randn(B, 4) + 1


# -- the gradient -----------------------------------------------------------------------------------


def test_the_gradient_is_that_of_the_paper(x):
    """At the encodings: the decoder's at the vectors that they chose, and 2β (z - e)."""
    model = linear(commitment=0.7)
    update = second_update(model, x)
    z = model.encoder(x)
    z_q = model.codebook(model.tokens(x)).requires_grad_()
    distortion = 0.5 * (x - model.decoder(z_q)).square().sum(1).mean()
    (by_z_q,) = torch.autograd.grad(distortion, z_q)
    at_z = by_z_q + 0.7 * 2 * (z - z_q).detach() / B  # of means over B images
    expected = torch.autograd.grad(z, list(model.encoder.parameters()), at_z)
    found = torch.autograd.grad(update.losses["vq-vae"], list(model.encoder.parameters()), retain_graph=True)
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, atol=1e-5)
    expected = torch.autograd.grad(
        0.5 * (x - model.decoder(z_q.detach())).square().sum(1).mean(), list(model.decoder.parameters())
    )
    found = torch.autograd.grad(update.losses["vq-vae"], list(model.decoder.parameters()))
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_the_loss_is_what_it_reports(x):
    model = linear()
    update = second_update(model, x)
    z_q = model.codebook(model.tokens(x))
    commitment = (model.encoder(x) - z_q).square().sum((1, 2)).mean()
    assert torch.allclose(update.info["commitment"], commitment)
    assert torch.allclose(update.info["reconstruction"], model.distortion(x).mean())
    assert torch.allclose(update.losses["vq-vae"], model.distortion(x).mean() + 0.25 * commitment)
    assert float(update.info["perplexity"]) == pytest.approx(K)  # of no code at all


def test_the_codebook_moves_by_no_gradient():
    model = linear()
    held = {id(p) for player in model.players().values() for p in player.parameters()}
    assert held == {id(p) for p in (*model.encoder.parameters(), *model.decoder.parameters())}
    assert not any(t.requires_grad for t in model.codebook.state_dict().values())


# -- the codebook -----------------------------------------------------------------------------------


def test_the_first_update_begins_the_codebook_and_moves_nobody(x):
    model = linear(codebook_size=4000)
    steps = model.step(drawing(x))
    first = next(steps)
    assert first.losses == {}
    steps.send(first.answer())
    z = model.encoder(x).detach().movedim(1, -1).flatten(0, 1)
    assert torch.allclose(model.codebook.vectors.mean(0), z.mean(0), atol=0.05)
    assert torch.allclose(model.codebook.vectors.T.cov(), z.T.cov(correction=0), atol=0.1)


def test_later_steps_leave_its_beginning_alone(x):
    model = linear()
    model.clock.step = 1
    assert next(model.step(drawing(x))).losses.keys() == {"vq-vae"}


def test_without_memory_a_step_is_one_of_k_means(x):
    """Of encodings that a frozen encoder gives."""
    model = stepped(linear(), [x])
    z = model.encoder(x).detach().movedim(1, -1).flatten(0, 1)
    before = model.codebook.vectors.clone()
    model.clock.step = 1
    after = stepped(model, [x]).codebook.vectors
    codes = nearest_codes(z, before)
    for k in range(K):
        chosen = z[codes == k]
        assert torch.allclose(after[k], chosen.mean(0) if len(chosen) else before[k], atol=1e-5)


@pytest.mark.parametrize("parts", [2, 3])
def test_several_processes_compute_what_one_would(x, parts):
    model = linear()
    one, several = model, model
    for step in range(3):
        one.clock.step = several.clock.step = step
        one, several = stepped(one, [x]), stepped(several, list(x.chunk(parts)))
        for name, value in one.codebook.state_dict().items():
            assert torch.allclose(value, several.codebook.state_dict()[name], atol=1e-5), name


def test_perplexity_is_of_the_moving_average(tmp_path):
    t = trainer(tmp_path, "vq-vae")
    t.start()
    t.run()
    shares = t.algorithm.codebook.shares
    assert float(shares.sum()) == pytest.approx(1 - 0.99**12, rel=1e-4)
    p = shares / shares.sum()
    expected = float(torch.exp(-(p * p.clamp(min=1e-30).log()).sum()))
    reported = t.stepper(t.draw)["info/perplexity"]
    assert float(reported) == pytest.approx(expected, rel=1e-4)


# -- codes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "options", "code"),
    [
        ((2,), {"codes": 3}, (3,)),
        ((1, 8, 8), {"codes": 4}, (4,)),
        ((3, 40, 28), {}, (10, 7)),
        ((1, 9, 13), {"network": "conv", "halvings": 1}, (5, 7)),
        ((1, 28, 28), {"network": "conv", "halvings": 3, "likelihood": "logistic-mixture"}, (4, 4)),
    ],
)
def test_codes_are_arrays_of_integers(shape, options, code):
    model = VQVAERecipe(latent_dim=4, hidden=(8,), width=4, codebook_size=6, **options).build(shape).eval()
    x = torch.randn(5, *shape).clamp(-1, 1)
    with torch.no_grad():
        tokens = model.tokens(x)
        assert tokens.dtype == torch.int64
        assert tokens.shape == (5, *code)
        assert 0 <= int(tokens.min()) <= int(tokens.max()) < model.vocabulary == 6
        assert torch.equal(model.decode_tokens(tokens), model.reconstruct(x))
        assert model.reconstruct(x).shape == x.shape
        assert model.distortion(x).shape == (5,)


def test_each_integer_changes_its_own_vector_alone():
    model = build("vq-vae").eval()
    tokens = torch.zeros(1, 2, dtype=torch.int64)
    other = torch.tensor([[0, 3]])
    before, after = model.codebook(tokens), model.codebook(other)
    assert torch.equal(before[:, :, 0], after[:, :, 0])
    assert torch.equal(after[0, :, 1], model.codebook.vectors[3])


@pytest.mark.parametrize("token", [-1, 7])
def test_integers_outside_of_the_codebook_are_refused(token):
    tokens = torch.tensor([[0, token]])
    with pytest.raises(UserError, match=r"`tokens`: from (-1 to 0|0 to 7); expected integers from 0 to 6"):
        build("vq-vae").decode_tokens(tokens)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"codebook_size": 1}, "`codebook_size`: 1; expected at least 2"),
        ({"codes": 0}, "`codes`: 0; expected at least 1"),
        ({"halvings": 0}, "`halvings`: 0; expected at least 1"),
        ({"commitment": 0.0}, "`commitment`: 0.0; expected a positive weight"),
        ({"decay": 1.0}, "`decay`: 1.0; expected from 0 to below 1"),
        ({"network": "conv", "halvings": 6}, r"`halvings`: 6, but images of 28x28 can be halved 5 times"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(options, said):
    with pytest.raises(UserError, match=said):
        VQVAERecipe(**options).build((1, 28, 28))


def test_it_tells_the_modes_of_a_ring_apart():
    """Eight modes, 64 codes, one integer a point: each mode gets codes of its own."""
    data = load_splits("ring", limit=4000).train
    model = VQVAERecipe(codes=1, codebook_size=64, latent_dim=16, hidden=(128,), lr=1e-3).build((2,))
    report = fit(model, Stream({"data": data}, batch_size=256, seed=0), 300)
    tokens = model.tokens(data.x)[:, 0]
    modes = data.labels
    assert modes is not None
    assert all(len(modes[tokens == token].unique()) == 1 for token in tokens.unique())
    assert len(tokens.unique()) >= 8
    assert report["perplexity"] >= 7
    assert (model.reconstruct(data.x) - data.x).square().sum(1).mean() < 0.01


def test_evaluation_tells_how_evenly_the_codebook_is_used():
    model = Model(build("vq-vae").eval(), {"method": "vq-vae", "shape": [1, 8, 8], "step": 0})
    data = small_images()
    evaluation = evaluate(model, data)
    use = next(m for m in evaluation.metrics if m.name == "code_perplexity")
    counts = torch.bincount(model.tokens(data.x).flatten(), minlength=7)
    assert evaluation.detail["code_counts"] == counts.tolist()
    assert use.unit == "of 7 codes"
    assert use.value == pytest.approx(float(perplexity(counts.float())))


def test_moments_of_encodings_are_those_of_the_first_batch(x):
    z = linear().encoder(x).movedim(1, -1).flatten(0, 1)
    mean, second = moments(z)
    assert torch.allclose(second - mean[:, None] * mean, z.T.cov(correction=0), atol=1e-5)
