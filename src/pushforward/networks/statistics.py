"""Instance norm over less than the whole image: by the statistics of another look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def statistics_of(network: nn.Module, look: Callable[[], Any]) -> Iterator[None]:
    """While inside, instance norms take the mean and variance of each map that they saw in `look`.

    look: a pass of the network, with as many images as the passes to come, which may have other sizes. Norms
    that it does not reach stay as they are.
    """
    seen: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def keep(norm: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        variance, mean = torch.var_mean(given[0], (2, 3), correction=0, keepdim=True)
        seen[norm] = mean, variance

    def take(norm: nn.InstanceNorm2d, given: tuple[Tensor, ...], out: Tensor) -> Tensor:
        if norm not in seen:
            return out
        mean, variance = seen[norm]
        y = (given[0] - mean) * (variance + norm.eps).rsqrt()
        return y if norm.weight is None else y * norm.weight[:, None, None] + norm.bias[:, None, None]

    norms = [module for module in network.modules() if isinstance(module, nn.InstanceNorm2d)]
    with ExitStack() as hooks:
        for norm in norms:
            hooks.enter_context(_hooked(norm, keep))
        look()
    with ExitStack() as hooks:
        for norm in norms:
            hooks.enter_context(_hooked(norm, take))
        yield


@contextmanager
def _hooked(module: nn.Module, hook: Callable[..., Any]) -> Iterator[None]:
    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
