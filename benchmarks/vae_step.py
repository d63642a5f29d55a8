"""Time a VAE's training step against a bare PyTorch loop and against pythae 0.1.2, interleaved.

    python benchmarks/vae_step.py [--json] [--rounds 9] [--steps 100]

The model is the 784-512-16 MLP with a Bernoulli decoder, batches of 100, fp32, on mnist5k. "bare" is the
best loop that we could write by hand: logits, fused Adam, images converted once, the same dynamic
binarization. "pythae" is its own VAE and its own trainer's inner loop on the same layers and data.
Ratios are of times, ours over theirs, per round, as medians; under 1 is faster.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import quick
import torch
import torch.nn.functional as F

from pushforward.data import Dataset, Stream, load_splits
from pushforward.recipes.vae import VAERecipe
from pushforward.training.loop import Trainer
from pushforward.training.precision import Precision
from pushforward.training.settings import LoopSettings

BATCH, HIDDEN, LATENT = 100, 512, 16
Steps = Callable[[int], None]


def ours(images: Dataset, folder: Path, precision: Precision = "fp32") -> Steps:
    recipe = VAERecipe(likelihood="bernoulli", hidden=(HIDDEN,), latent_dim=LATENT)
    algorithm = recipe.build(images.shape)
    stream = Stream({"data": images}, batch_size=BATCH, seed=0)
    settings = LoopSettings(checkpoint_every=0, precision=precision)
    trainer = Trainer(algorithm, stream, folder, steps=10**9, settings=settings)

    def steps(n: int) -> None:
        for _ in range(n):
            trainer.one_step()
        trainer.flush()

    return steps


def bare(images: Dataset) -> Steps:
    data = images.x.flatten(1).float() / 255
    encoder = torch.nn.Sequential(
        torch.nn.Linear(784, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 2 * LATENT)
    )
    decoder = torch.nn.Sequential(
        torch.nn.Linear(LATENT, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 784)
    )
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3, fused=True)

    def batches() -> Iterator[torch.Tensor]:
        while True:
            for rows in torch.randperm(len(data)).split(BATCH):
                if len(rows) == BATCH:
                    yield data[rows]

    feed = batches()

    def steps(n: int) -> None:
        for _ in range(n):
            x = torch.bernoulli(next(feed))
            mu, log_var = encoder(x).chunk(2, 1)
            z = mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
            cross_entropy = F.binary_cross_entropy_with_logits(decoder(z), x, reduction="sum")
            kl = 0.5 * (log_var.exp() + mu.square() - log_var - 1).sum()
            adam.zero_grad(set_to_none=True)
            ((cross_entropy + kl) / BATCH).backward()
            adam.step()

    return steps


def pythae(images: Dataset, folder: Path) -> Steps:
    """pythae's VAE with our layers, through the train_step of its own trainer; whole epochs."""
    trainer = pythae_trainer(images, folder)
    per_epoch = -(-len(images) // BATCH)

    def steps(n: int) -> None:
        for _ in range(max(1, round(n / per_epoch))):
            trainer.train_step(1)

    steps.per_call = per_epoch  # type: ignore[attr-defined]
    return steps


def pythae_trainer(images: Dataset, folder: Path) -> Any:
    """A prepared pythae trainer, its progress bar silenced."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import ProgressBarCallback

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = torch.nn.Sequential(torch.nn.Linear(784, HIDDEN), torch.nn.ReLU())
            self.mu = torch.nn.Linear(HIDDEN, LATENT)
            self.log_var = torch.nn.Linear(HIDDEN, LATENT)

        def forward(self, x: torch.Tensor) -> ModelOutput:
            h = self.hidden(x.flatten(1))
            return ModelOutput(embedding=self.mu(h), log_covariance=self.log_var(h))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(
                torch.nn.Linear(LATENT, HIDDEN),
                torch.nn.ReLU(),
                torch.nn.Linear(HIDDEN, 784),
                torch.nn.Sigmoid(),
            )

        def forward(self, z: torch.Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.layers(z).view(-1, 1, 28, 28))

    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENT, reconstruction_loss="bce")
    model = VAE(config, encoder=Encoder(), decoder=Decoder())
    x = images.x.float() / 255
    training = BaseTrainerConfig(
        output_dir=str(folder),
        num_epochs=1,
        learning_rate=1e-3,
        per_device_train_batch_size=BATCH,
        no_cuda=True,
    )
    trainer = BaseTrainer(model, BaseDataset(x, torch.zeros(len(x))), training_config=training)
    trainer.prepare_training()
    handler = trainer.callback_handler
    handler.callbacks = [c for c in handler.callbacks if not isinstance(c, ProgressBarCallback)]
    return trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds of each competitor")
    parser.add_argument("--steps", type=int, default=100, help="steps a round")
    args = quick.parse(parser, rounds=3, steps=50)
    images = load_splits("mnist5k").train
    with tempfile.TemporaryDirectory() as temporary:
        competitors = {
            "pushforward": ours(images, Path(temporary)),
            "bare": bare(images),
            "pushforward-bf16": ours(images, Path(temporary), "bf16"),
            "pythae": pythae(images, Path(temporary)),
        }
        result = race(competitors, args.rounds, args.steps) | args.machine
    if args.json:
        print(json.dumps(result))
        return
    for row in result["rows"]:
        print(
            f"{row['method']:<16} {row['ms_per_step']:7.2f} ms/step {row['images_per_second']:9,.0f} images/s"
        )
    print("  ".join(f"{k} {v:.3f}" for k, v in result["ratios"].items()))


def race(competitors: dict[str, Steps], rounds: int, steps: int) -> dict:
    times: dict[str, list[float]] = {name: [] for name in competitors}
    for name in competitors:  # warm-up
        competitors[name](steps)
    for _ in range(rounds):
        for name, run in competitors.items():
            per_epoch = getattr(run, "per_call", None)
            done = steps if per_epoch is None else per_epoch * max(1, round(steps / per_epoch))
            start = time.perf_counter()
            run(steps)
            times[name].append((time.perf_counter() - start) / done)
    mine = times["pushforward"]
    fast = times["pushforward-bf16"]
    ratios = {
        f"vs_{name}": round(statistics.median(a / b for a, b in zip(mine, theirs, strict=True)), 4)
        for name, theirs in times.items()
        if not name.startswith("pushforward")
    }
    ratios["bf16_vs_pythae"] = round(
        statistics.median(a / b for a, b in zip(fast, times["pythae"], strict=True)), 4
    )
    rows = [
        {
            "method": name,
            "ms_per_step": round(1e3 * statistics.median(t), 4),
            "images_per_second": round(BATCH / statistics.median(t), 1),
        }
        for name, t in times.items()
    ]
    return {"name": "vae_step", "ratios": ratios, "rows": rows, "threads": torch.get_num_threads()}


if __name__ == "__main__":
    main()
