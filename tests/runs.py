"""Small data sets and trainers, for tests of the loop and of every algorithm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from pushforward.core import Algorithm
from pushforward.data import Dataset, Scan, Stream
from pushforward.methods import METHODS, recipe_class
from pushforward.randomness import seed_everything
from pushforward.recipes.adversarial import AdversarialRecipe
from pushforward.streams import Classes, streams_of
from pushforward.streams import build as built
from pushforward.training.distributed import World
from pushforward.training.loop import Trainer
from pushforward.training.settings import LoopSettings

# What makes a method small enough for a test. A new method without an entry is tested at its defaults.
TINY: dict[str, Any] = {"latent_dim": 3, "hidden": (16,)}
SMALL: dict[str, dict[str, Any]] = {
    "vae": TINY,
    "discrete-vae": TINY,
    "beta-vae": {**TINY, "delta": 2.0},  # the constraint that has a state
    "iwae": {**TINY, "k": 3},
    "piwae": {**TINY, "k": 4, "groups": 2},
    "ciwae": {**TINY, "k": 3},
    "dreg": {**TINY, "k": 3},
    "ae": TINY,
    "vq-vae": {**TINY, "codebook_size": 7, "codes": 2},
    **dict.fromkeys(("gan", "gan-minimax", "lsgan", "wgan", "wgan-gp", "sngan", "veegan", "r3gan"), TINY),
    "unrolled": {**TINY, "unroll": 2},
    "pacgan": {**TINY, "pack": 3},
    "flow-matching": {"hidden": (16,), "sampler_steps": 3},
    "rs-imle": {**TINY, "pool": 9, "batches_per_pool": 2},
    "cyclegan": {"width": 2, "blocks": 1, "critic_width": 2, "pool": 5},
    "cut": {"width": 2, "blocks": 1, "critic_width": 2, "head_width": 4, "patches": 9},
}
# Option sets under which a method is another algorithm: name -> method and options.
BITS: dict[str, Any] = {**TINY, "likelihood": "bernoulli", "latent": "bernoulli", "prior": "learned"}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "discrete-vae, annealed": (
        "discrete-vae",
        {**TINY, "latent": "categorical", "categories": 4, "temperature_rate": 0.1, "temperature_every": 3},
    ),
    "discrete-vae, nvil": ("discrete-vae", {**BITS, "estimator": "nvil", "samples": 2}),
    "discrete-vae, relax": ("discrete-vae", {**BITS, "estimator": "relax", "ema": 0.9}),
    "discrete-vae, vimco": ("discrete-vae", {**BITS, "estimator": "vimco", "k": 3}),
    "gan, views": (
        "gan",
        {**TINY, "noise": 0.5, "pack": 3, "critic_norm": "spectral", "ema": 0.9, "n_critic": 2},
    ),
    "gan, conditional": ("gan", {**TINY, "conditional": True, "critic_norm": "spectral"}),
    "wgan-gp, conditional": ("wgan-gp", {**TINY, "conditional": True}),
    "r3gan, conditional": ("r3gan", {**TINY, "conditional": True, "n_critic": 2}),
    "vae, conditional": ("vae", {**TINY, "conditional": True}),
    "gan, batch": ("gan", {"latent_dim": 3, "network": "dcgan", "width": 4, "critic_norm": "batch"}),
    "gan, ada": ("gan", {**TINY, "augment": "ada", "ada_images": 100}),
    "r3gan, apa": ("r3gan", {**TINY, "augment": "apa", "ada_images": 100}),
    "lsgan, diffaugment": ("lsgan", {**TINY, "augment": "diffaugment", "lecam": 0.3, "lecam_after": 2}),
    "wgan-gp, da": ("wgan-gp", {**TINY, "augment": "da", "pack": 3, "consistency": "bcr"}),
    "r3gan, dag": ("r3gan", {**TINY, "augment": "dag", "dag_heads_per_step": 1, "dag_share": 0.5}),
    "unrolled, first order": ("unrolled", {**TINY, "unroll": 2, "first_order": True}),
    "wgan-gp, one-sided": ("wgan-gp", {**TINY, "network": "maxout", "n_critic": 2, "one_sided": True}),
    "discrete-vae, gaussian rloo": (
        "discrete-vae",
        {**TINY, "latent": "gaussian", "estimator": "rloo", "samples": 3},
    ),
    "vq-vae, conv": ("vq-vae", {"network": "conv", "width": 4, "latent_dim": 3, "codebook_size": 7}),
    "rs-imle, projected": (
        "rs-imle",
        {
            "latent_dim": 3,
            "network": "dcgan",
            "width": 4,
            "generator_norm": "batch",
            "pool": 9,
            "projection": 5,
        },
    ),
    "cyclegan, dag": (
        "cyclegan",
        {
            **SMALL["cyclegan"],
            "augment": "dag",
            "dag_heads_per_step": 1,
            "lecam": 0.3,
            "lecam_after": 2,
            "ema": 0.9,
            "cycle": "mse",
        },
    ),
    "cyclegan, ada": ("cyclegan", {**SMALL["cyclegan"], "augment": "ada", "consistency": "bcr", "pool": 0}),
    "cut, dag": (
        "cut",
        {
            **SMALL["cut"],
            "augment": "dag",
            "dag_heads_per_step": 1,
            "lecam": 0.3,
            "lecam_after": 2,
            "ema": 0.9,
            "blocks": 5,
        },
    ),
    "cut, ada": (
        "cut",
        {**SMALL["cut"], "augment": "ada", "consistency": "bcr", "nce": 10.0, "identity_nce": 0.0},
    ),
    "flow-matching, unet": ("flow-matching", {"network": "unet", "width": 4, "sampler_steps": 3}),
}
METHOD_NAMES = [*(m.name for m in METHODS.values() if m.kind == "algorithm"), *VARIANTS]
ADVERSARIAL = [
    name
    for name in METHOD_NAMES
    if issubclass(recipe_class(VARIANTS.get(name, (name, {}))[0]), AdversarialRecipe)
]
SHAPE = (1, 8, 8)
CLASSES = Classes(("even", "odd"), (19 / 37, 18 / 37))  # of `small_images`
SHAPES = {
    "gan, batch": (1, 16, 16),  # with one halving a DCGAN critic would have no BatchNorm
    **{f"{method}{more}": (1, 16, 16) for method in ("cyclegan", "cut") for more in ("", ", dag", ", ada")},
}


def small_images(n: int = 37, shape: tuple[int, int, int] = SHAPE) -> Dataset:
    """Blurred blobs, labelled by which half they are in."""
    generator = torch.Generator().manual_seed(7)
    images = torch.randint(0, 256, (n, *shape), generator=generator, dtype=torch.uint8)
    return Dataset(
        x=images,
        labels=torch.arange(n) % 2,
        names=tuple(f"image {i}" for i in range(n)),
        classes=("even", "odd"),
        scan=Scan(source="test", found=n, skipped=(), converted={}, duplicates=0),
        fingerprint="test",
    )


def images_for(method: object) -> Dataset:
    """Small images of a size that the method or variant takes."""
    return small_images(shape=SHAPES.get(method, SHAPE) if isinstance(method, str) else SHAPE)


def streams_for(method: object) -> tuple[str, ...]:
    """The streams that the method or variant learns from."""
    if not isinstance(method, str):
        return streams_of(None)
    return streams_of(recipe_class(VARIANTS.get(method, (method, {}))[0]))


def sources_for(method: object) -> dict[str, Dataset]:
    """The same small images for each stream of the method or variant."""
    return dict.fromkeys(streams_for(method), images_for(method))


def build(method: str, shape: tuple[int, int, int] | None = None, **options: Any) -> Algorithm:
    """A freshly initialised small algorithm, from seed 0."""
    shape = shape or SHAPES.get(method, SHAPE)
    seed_everything(0)
    name, small = VARIANTS.get(method, (method, SMALL.get(method, {})))
    recipe = recipe_class(name)(**{**small, **options})
    return built(
        recipe,
        dict.fromkeys(streams_of(recipe), shape),
        CLASSES if getattr(recipe, "conditional", False) else None,
    )


def trainer(
    folder: Path,
    method: str | Callable[[], Algorithm] = "vae",
    *,
    steps: int = 12,
    batch_size: int = 6,
    images: Dataset | None = None,
    options: Mapping[str, Any] | None = None,
    world: World | None = None,
    **kwargs: Any,
) -> Trainer:
    """A trainer of a small algorithm on small data, whole and seeded; `start` it or `resume` it.

    options: of a method given by name, beside those that make it small.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"checkpoint_every": 4, "log_every": 3, **kwargs.pop("settings", {})}
    seed_everything(0)
    algorithm = build(method, **(options or {})) if isinstance(method, str) else method()
    world = world or World()
    sources = {"data": images} if images else sources_for(method)
    return Trainer(
        algorithm,
        Stream(sources, batch_size=batch_size, seed=0, rank=world.rank, world=world.size),
        folder,
        steps=steps,
        settings=LoopSettings(**settings),
        world=world,
        **kwargs,
    )


def weights(algorithm: Algorithm) -> dict[str, torch.Tensor]:
    """A copy of the whole state."""
    return {k: v.clone() for k, v in algorithm.state_dict().items() if isinstance(v, torch.Tensor)}


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    """Bit for bit."""
    assert a.keys() == b.keys()
    for key in a:
        assert torch.equal(a[key], b[key]), key
