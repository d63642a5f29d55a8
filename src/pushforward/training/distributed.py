"""Several processes that together take the steps of one.

Every process holds the same weights and the same random state. The data stream hands each its slice of
the global batch; noise is drawn for the global batch and sliced (`GlobalNoise`); gradients and reported
values are averaged. So for losses that are means over samples, n processes with 1/n of the batch each
equal one process but for rounding.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, NoReturn

import torch
import torch.distributed as dist
from torch import Tensor
from torch.overrides import TorchFunctionMode

from pushforward.errors import PeerLost, UserError

DEVICES = ("cpu", "cuda", "mps", "xpu")


@dataclass(frozen=True)
class World:
    """This process's place among the processes of a run."""

    rank: int = 0
    size: int = 1

    @property
    def main(self) -> bool:
        """Whether this process writes the run folder."""
        return self.rank == 0

    def mean_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Average gradients over processes, in one message a dtype."""
        if self.size == 1:
            return
        self._together([p.grad for p in parameters if p.grad is not None], self.mean_)

    def mean_reports(
        self, info: Mapping[str, Tensor], share: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """An update's scalars and its statistics, detached and averaged over processes.

        In one message a dtype, and without a synchronisation of the host. Scalars are averaged in float32,
        statistics in float32 at least, and come back in their own dtype.
        """
        scalars, statistics = ({k: v.detach() for k, v in values.items()} for values in (info, share))
        if self.size == 1 or not (scalars or statistics):
            return scalars, statistics
        flat = torch.stack([v.float() for v in scalars.values()]) if scalars else None
        wide = {k: _copied(v) for k, v in statistics.items()}
        self._together([*wide.values()] if flat is None else [flat, *wide.values()], self.mean_)
        shared = {k: v.to(statistics[k].dtype) for k, v in wide.items()}
        return ({} if flat is None else dict(zip(scalars, flat, strict=True))), shared

    def mean_(self, tensor: Tensor) -> None:
        """In-place mean over processes. Raises PeerLost if one has died."""
        _guarded(lambda: dist.all_reduce(tensor))
        tensor /= self.size

    def agree_(self, tensors: Sequence[Tensor]) -> None:
        """Give every process the values that these have in the main one, in one message a dtype."""
        if self.size > 1:
            self._together(tensors, lambda flat: _guarded(lambda: dist.broadcast(flat, src=0)))

    def _together(self, tensors: Sequence[Tensor], send: Callable[[Tensor], None]) -> None:
        """Change tensors in place by a function of flat ones, called once for each dtype."""
        by_dtype: dict[torch.dtype, list[Tensor]] = {}
        for tensor in tensors:
            by_dtype.setdefault(tensor.dtype, []).append(tensor)
        for alike in by_dtype.values():
            flat = torch.cat([t.reshape(-1) for t in alike])
            send(flat)
            for t, sent in zip(alike, flat.split([t.numel() for t in alike]), strict=True):
                t.copy_(sent.view(t.shape))

    def gather(self, value: Any) -> list[Any]:
        """In the main process every process's value, by rank; in the others nothing."""
        if self.size == 1:
            return [value]
        values: list[Any] | None = [None] * self.size if self.main else None
        _guarded(lambda: dist.gather_object(value, values))
        return values or []

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is up anywhere (a collective call and a synchronisation)."""
        if self.size == 1:
            return flag
        tensor = torch.tensor(float(flag), device=device)
        self.mean_(tensor)
        return bool(tensor > 0)

    def barrier(self) -> None:
        """Wait for the others."""
        if self.size > 1:
            _guarded(dist.barrier)

    def same(self, text: str) -> str:
        """The main process's text, in every process."""
        if self.size == 1:
            return text
        box = [text]
        _guarded(lambda: dist.broadcast_object_list(box))
        return box[0]

    def close(self) -> None:
        """Leave the process group."""
        from accelerate import PartialState

        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()
        PartialState._reset_state()  # it would answer the next run with this one's device and processes


def leave(status: int) -> NoReturn:
    """End this process at once, with what was printed.

    Threads of a process group may outlive its end, and abort the interpreter as it goes down: torchrun would
    then see signal 6 for a run that is done, or that says itself why it failed.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _copied(tensor: Tensor) -> Tensor:
    """A copy to write into, of float32 at least."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32), copy=True)


def _guarded(call: Callable[[], Any]) -> None:
    try:
        call()
    except RuntimeError as error:  # gloo and NCCL report a dead peer as plain runtime errors
        raise PeerLost(
            f"another process of this run is gone, so this one stops (rank {os.environ.get('RANK', '0')}): "
            "look for the first error above; start again with the same command and --resume RUN, "
            "or let `torchrun --max-restarts N` do it"
        ) from error


def join(device: str) -> tuple[World, torch.device]:
    """Join the processes that torchrun started, if it did, and choose this one's device.

    device: "auto", "cpu", "cuda", "cuda:1", "mps". Raises UserError for a device that is not there.
    """
    from accelerate import PartialState

    on_cpu = device == "cpu" or (device == "auto" and not _accelerator_available())
    if device not in ("auto", "cpu"):
        _check_device(device)
    state = PartialState(cpu=on_cpu, **_store_of_this_attempt())
    world = World(rank=state.process_index, size=state.num_processes)
    if on_cpu:
        return world, torch.device("cpu")
    chosen = state.device if device == "auto" or world.size > 1 else torch.device(device)
    if chosen.type == "cpu" and chosen.index:
        raise UserError(f"`device`: '{device}'; there is one cpu; expected cpu")
    if chosen.type == "cuda":
        if chosen.index is None:
            chosen = torch.device("cuda", torch.cuda.current_device())
        torch.cuda.set_device(chosen)  # whose random stream is the run's
    return world, chosen


def _store_of_this_attempt() -> dict[str, Any]:
    """Arguments of `init_process_group` under torchrun; none elsewhere.

    torchrun serves one store for all its restarts, and a process that finds the address of a dead one there
    connects to nobody or waits for ever. So each attempt gets keys of its own.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True" or dist.is_initialized():
        return {}
    store, rank, size = next(dist.rendezvous("env://"))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return {
        "store": dist.PrefixStore(f"attempt-{attempt}-{next(_JOINED)}", store),
        "rank": rank,
        "world_size": size,
    }


def _accelerator_available() -> bool:
    return torch.cuda.is_available() or torch.backends.mps.is_available()


def _check_device(device: str) -> None:
    if device.partition(":")[0] not in DEVICES:
        raise UserError(
            f"`device`: '{device}'; expected auto, {', '.join(DEVICES)}, or one with a number: cuda:1"
        )
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"`device`: '{device}' cannot be used here ({reason}); try `device` cpu") from error


_JOINED = count()
_FACTORIES = {torch.randn, torch.rand}
# ([low,] high, size) and (mean, std, size), with numbers.
_SIZED_LAST: set[Callable[..., Any]] = {torch.randint, torch.normal}
_LIKE = {torch.randn_like, torch.rand_like}
_OF_TENSORS = {
    torch.bernoulli,
    torch.normal,
    torch.multinomial,
    torch.poisson,
    Tensor.bernoulli,
    Tensor.multinomial,
}
_IN_PLACE = {
    Tensor.normal_,
    Tensor.uniform_,
    Tensor.exponential_,
    Tensor.log_normal_,
    Tensor.cauchy_,
    Tensor.geometric_,
}
_UNSUPPORTED = {
    torch.randint_like,
    Tensor.bernoulli_,
    Tensor.random_,
    torch._standard_gamma,
    torch._sample_dirichlet,
    torch.nn.functional.dropout,
}


class GlobalNoise(TorchFunctionMode):
    """Draws random tensors for the global batch and keeps this process's rows.

    The first dimension of what is drawn counts as the batch; a scalar is shared by all processes. With
    tensors of parameters (`torch.bernoulli(p)`) the parameters are gathered first, so the draw is the one
    that a single process makes. Random functions that cannot be treated so raise UserError.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in _FACTORIES:
            return self._factory(func, args, kwargs)
        if func in _SIZED_LAST and not any(isinstance(a, Tensor) for a in (*args, *kwargs.values())):
            *bounds, size = (*args, kwargs.pop("size")) if "size" in kwargs else args
            if len(size) == 0:
                return func(*bounds, size, **kwargs)
            return self._own(func(*bounds, (size[0] * self.world.size, *size[1:]), **kwargs))
        if func in _LIKE:
            args = args or (kwargs.pop("input"),)
            wide = self._widen(args[0])
            return self._own(func(wide, *args[1:], **kwargs))
        if func in _OF_TENSORS:
            gathered = [self._gather(a) if isinstance(a, Tensor) else a for a in args]
            return self._own(func(*gathered, **kwargs))
        if func in _IN_PLACE and args[0].ndim:
            wide = self._widen(args[0])
            return args[0].copy_(self._own(func(wide, *args[1:], **kwargs)))
        if func in _UNSUPPORTED:
            raise UserError(
                f"{func.__name__} cannot be drawn by several processes as by one; run one process"
            )
        return func(*args, **kwargs)

    def _factory(self, func: Callable[..., Tensor], args: Sequence[Any], kwargs: Any) -> Tensor:
        kwargs = dict(kwargs)
        size = kwargs.pop("size", None)
        if size is None:
            size = args[0] if len(args) == 1 and not isinstance(args[0], int) else args
        if len(size) == 0:
            return func(size, **kwargs)
        return self._own(func((size[0] * self.world.size, *size[1:]), **kwargs))

    def _widen(self, t: Tensor) -> Tensor:
        return t if t.ndim == 0 else t.new_empty((len(t) * self.world.size, *t.shape[1:]))

    def _own(self, t: Tensor) -> Tensor:
        return t if t.ndim == 0 else t.chunk(self.world.size)[self.world.rank]

    def _gather(self, t: Tensor) -> Tensor:
        if t.ndim == 0:
            return t
        wide = self._widen(t)
        own = t.detach().contiguous()
        _guarded(lambda: dist.all_gather_into_tensor(wide, own))
        return wide
