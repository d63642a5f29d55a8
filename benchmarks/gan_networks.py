"""The networks of the raced loops, written out: DCGAN's, a toy's, and those of a well-known script."""

from __future__ import annotations

from typing import Literal

from torch import nn

Method = Literal["gan", "wgan-gp", "r3gan", "toy", "script"]
LATENT, WIDTH = 128, 64


def generator(method: Method) -> nn.Sequential:
    """(b, 128) -> (b, 1, 32, 32), or (b, 2) for the toy."""
    if method == "toy":
        layers = [nn.Linear(LATENT, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2)]
        return nn.Sequential(*layers)
    if method == "script":
        return _script_generator()
    plain = method == "r3gan"  # whose generator has no normalisation, and LeakyReLU

    def stage(channels: int) -> list[nn.Module]:
        return [nn.LeakyReLU(0.2)] if plain else [nn.BatchNorm2d(channels), nn.ReLU()]

    def double(inputs: int, outputs: int, bias: bool = plain) -> nn.Module:
        return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=bias)

    w = WIDTH
    return nn.Sequential(
        *(nn.Linear(LATENT, 4 * w * 16, bias=plain), nn.Unflatten(1, (4 * w, 4, 4))),
        *(*stage(4 * w), double(4 * w, 2 * w), *stage(2 * w), double(2 * w, w), *stage(w)),
        *(double(w, 1, bias=True), nn.Tanh()),
    )


def critic(method: Method, *, batch_norm: bool = False) -> nn.Sequential:
    """The input of the generator's output -> (b, 1) logits."""
    act = nn.LeakyReLU(0.2)
    if method == "toy":
        return nn.Sequential(nn.Linear(2, 128), act, nn.Linear(128, 128), act, nn.Linear(128, 1))
    if method == "script":
        return _script_critic()

    def half(inputs: int, outputs: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=not batch_norm)
        return [convolution, *([nn.BatchNorm2d(outputs)] if batch_norm else []), act]

    w = WIDTH
    layers = [nn.Conv2d(1, w, 4, 2, 1), act, *half(w, 2 * w), *half(2 * w, 4 * w)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * w * 16, 1))


def _script_generator() -> nn.Sequential:
    def double(inputs: int, outputs: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, 3, 1, 1)
        return [nn.Upsample(scale_factor=2), convolution, nn.BatchNorm2d(outputs, 0.8), nn.LeakyReLU(0.2)]

    return nn.Sequential(
        *(nn.Linear(LATENT, 128 * 64), nn.Unflatten(1, (128, 8, 8)), nn.BatchNorm2d(128)),
        *(*double(128, 128), *double(128, 64), nn.Conv2d(64, 1, 3, 1, 1), nn.Tanh()),
    )


def _script_critic() -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 16), (16, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.LeakyReLU(0.2), nn.Dropout2d(0.25)]
        layers += [nn.BatchNorm2d(outputs, 0.8)] if inputs > 1 else []
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 4, 1))
