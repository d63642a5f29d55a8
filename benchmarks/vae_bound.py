"""Held-out bound of a VAE beside pythae 0.1.2's, after the same wall time on the same layers and images.

    python benchmarks/vae_bound.py [--json] [--seconds 60] [--seeds 3] [--data mnist5k fashion-mnist]

All are the 784-512-16 MLP with a Bernoulli decoder, batch 100, Adam 1e-3, and keep the weights of the
best validation bound. pythae trains as its users do, on grey pixels. One
evaluator measures all, the IWAE-100 bound on the same dynamically binarized test images; pythae's weights
are put into our model for it. Its encoder never saw binary images, so the better of two readings is taken:
the encoder given the binary image, or the grey one, which are both valid proposals. They take turns.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import quick
import torch
from torch import Tensor
from vae_step import BATCH, HIDDEN, LATENT, pythae_trainer

from pushforward.algorithms.vae import VAE
from pushforward.core import to_float
from pushforward.data import Dataset, load_splits
from pushforward.data.dataset import split_validation
from pushforward.objectives.elbo import gaussian_log_prob, importance_weighted_bound, reparameterize
from pushforward.recipes.vae import VAERecipe

LIMIT = 1000  # test images, the same for all
CHECK_EVERY_S = 2.0


def bound(model: VAE, x: Tensor, *, grey_encoder: bool, k: int = 100) -> float:
    """Mean IWAE-k bound in nats on images binarized by a fixed seed; the encoder sees them binary or grey."""
    torch.manual_seed(0)
    binary = torch.bernoulli((x + 1) / 2) * 2 - 1
    values = []
    with torch.no_grad():
        for target, seen in zip(binary.split(50), (x if grey_encoder else binary).split(50), strict=True):
            mu, log_var = model.posterior(seen)
            mu, log_var, target_k = (t.repeat(k, *[1] * (t.ndim - 1)) for t in (mu, log_var, target))
            z = reparameterize(mu, log_var)
            zero = torch.zeros_like(mu)
            log_w = model.likelihood.log_prob(model.decoder(z), target_k)
            log_w = log_w + gaussian_log_prob(z, zero, zero) - gaussian_log_prob(z, mu, log_var)
            values.append(importance_weighted_bound(log_w.view(k, -1)))
    return torch.cat(values).mean().item()


def quick_bound(model: VAE, x: Tensor) -> float:
    return bound(model, x[:250], grey_encoder=False, k=1)


def train_ours(images: Dataset, validation: Tensor, seconds: float, seed: int) -> tuple[VAE, int]:
    """Train through the library's own loop; the time includes validation."""
    from pushforward.data import Stream
    from pushforward.training.loop import Trainer
    from pushforward.training.settings import LoopSettings

    torch.manual_seed(seed)
    model = fresh(images)
    with tempfile.TemporaryDirectory() as folder:
        stream = Stream({"data": images}, batch_size=BATCH, seed=seed)
        trainer = Trainer(model, stream, Path(folder), steps=10**9, settings=LoopSettings(seed=seed))

        def go(until: float) -> None:
            while time.perf_counter() < until:
                trainer.one_step()
            trainer.flush()

        best = keep_best(model, go, lambda: quick_bound(model, validation), seconds)
    model.load_state_dict(best)
    return model, trainer.clock.step


def train_pythae(images: Dataset, validation: Tensor, seconds: float, seed: int) -> tuple[VAE, int]:
    """Train through pythae's own trainer, an epoch at a time, and carry its best weights over."""
    torch.manual_seed(seed)
    steps = 0
    model = fresh(images)
    with tempfile.TemporaryDirectory() as folder:
        trainer = pythae_trainer(images, Path(folder))

        def go(until: float) -> None:
            nonlocal steps
            while time.perf_counter() < until:
                trainer.train_step(1)
                steps += -(-len(images) // BATCH)

        def score() -> float:
            carry_over(trainer.model, model)
            return max(quick_bound(model, validation), bound(model, validation[:250], grey_encoder=True, k=1))

        best = keep_best(model, go, score, seconds)
    model.load_state_dict(best)
    return model, steps


def keep_best(model: VAE, go: Any, score: Any, seconds: float) -> dict[str, Tensor]:
    """Alternate training and validation until the time is up; returns the best weights."""
    end = time.perf_counter() + seconds
    best, weights = -float("inf"), {k: v.clone() for k, v in model.state_dict().items()}
    while time.perf_counter() < end:
        go(min(end, time.perf_counter() + CHECK_EVERY_S))
        value = score()
        if value > best:
            best, weights = value, {k: v.clone() for k, v in model.state_dict().items()}
    return weights


def fresh(images: Dataset) -> VAE:
    return VAERecipe(likelihood="bernoulli", hidden=(HIDDEN,), latent_dim=LATENT).build(images.shape)


def carry_over(theirs: Any, model: VAE) -> None:
    """Copy pythae's weights into our VAE of the same layers."""
    enc, dec = theirs.encoder, theirs.decoder
    first = enc.hidden[0]
    with torch.no_grad():
        # It was trained on intensities in [0, 1], our encoder reads x = 2 u - 1.
        model.encoder[1].weight.copy_(first.weight / 2)
        model.encoder[1].bias.copy_(first.bias + first.weight.sum(1) / 2)
        model.decoder[0].weight.copy_(dec.layers[0].weight)
        model.decoder[0].bias.copy_(dec.layers[0].bias)
        model.encoder[3].weight.copy_(torch.cat([enc.mu.weight, enc.log_var.weight]))
        model.encoder[3].bias.copy_(torch.cat([enc.mu.bias, enc.log_var.bias]))
        model.decoder[2].weight.copy_(dec.layers[2].weight)
        model.decoder[2].bias.copy_(dec.layers[2].bias)


def check_carried(images: Dataset) -> None:
    """Both models give the same logits and posterior for the same weights."""
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = pythae_trainer(images, Path(folder)).model, fresh(images)
    carry_over(theirs, ours)
    u = images.x[:8].float() / 255
    with torch.no_grad():
        mu, log_var = ours.posterior(2 * u - 1)
        encoded = theirs.encoder(u)
        assert torch.allclose(mu, encoded.embedding, atol=1e-5)
        assert torch.allclose(log_var, encoded.log_covariance, atol=1e-5)
        decoded = theirs.decoder(mu).reconstruction
        assert torch.allclose(ours.decoder(mu).sigmoid(), decoded, atol=1e-5)


COMPETITORS = {"pushforward": train_ours, "pythae": train_pythae}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--seconds", type=float, default=60, help="training time of each run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", nargs="+", default=["mnist5k", "fashion-mnist"])
    args = quick.parse(parser, seconds=3.0, seeds=1, data=["mnist5k"])
    rows = []
    for data in args.data:
        splits = load_splits(data)
        images, validation = split_validation(splits.train, 0.05)
        assert validation is not None
        check_carried(images)
        x_validation, x_test = to_float(validation.x), to_float(splits.test.x[:LIMIT])
        for seed in range(args.seeds):
            for name, run in COMPETITORS.items():
                model, steps = run(images, x_validation, args.seconds, seed)
                readings = [bound(model, x_test, grey_encoder=False)]
                if name == "pythae":
                    readings.append(bound(model, x_test, grey_encoder=True))
                row = {"data": data, "method": name, "seed": seed, "steps": steps, "iwae100": max(readings)}
                rows.append(row)
                if not args.json:
                    print(row, flush=True)
    summary = {
        f"{d}/{m}": {
            "mean": statistics.mean(v),
            "sd": statistics.stdev(v) if len(v) > 1 else None,
        }
        for d in args.data
        for m in COMPETITORS
        for v in [[r["iwae100"] for r in rows if r["data"] == d and r["method"] == m]]
    }
    result = {"name": "vae_bound", "seconds": args.seconds, "summary": summary, "rows": rows}
    print(json.dumps(result | args.machine))


if __name__ == "__main__":
    main()
