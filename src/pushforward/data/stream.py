"""An endless, exactly resumable stream of training batches from data sets in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

from pushforward.core import Batch, to_float
from pushforward.data.dataset import Dataset
from pushforward.errors import UserError
from pushforward.streams import option_of


class Stream:
    """Draws batches: a `core.Draw`.

    A name's rows are an endless chain of shuffles of its data set; epoch e's shuffle follows from
    (seed, name, e) alone, so a position says all there is to resume. A draw takes the next
    `n * world` rows and hands this process its contiguous share; positions count rows over all
    processes. The images lie on `device` as bytes. The global random streams are not touched.

    batch_size: images a draw, over all processes. weights: of the rows of a name, not negative, of any sum:
    an epoch then has row i ⌊n w_i / Σ w⌋ or ⌈n w_i / Σ w⌉ times, n w_i / Σ w on average; equal weights are
    a shuffle. Raises UserError where `world` does not divide the batch, or the weights do not fit.
    """

    def __init__(
        self,
        sources: Mapping[str, Dataset],
        *,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        device: torch.device | str = "cpu",
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        if batch_size < 1 or batch_size % world:
            raise UserError(
                f"`batch_size` {batch_size}: expected a positive multiple of the {world} processes, "
                f"such as {max(1, batch_size // world) * world}"
            )
        for name, source in sources.items():
            if not len(source):
                raise UserError(f"{option_of('data', name)}: no images; give a source with at least one")
        self._sources = {name: source.to(device) for name, source in sources.items()}
        self._device, self._seed, self._rank, self._world = torch.device(device), seed, rank, world
        self._share = batch_size // world
        self._shares = {name: _shares(name, w, len(sources[name])) for name, w in (weights or {}).items()}
        self._positions = dict.fromkeys(self._sources, 0)
        self._epochs: dict[str, tuple[int, Tensor]] = {}  # name -> the shuffle in use, on the device

    def __call__(self, name: str = "data", n: int | None = None) -> Batch:
        """The next batch of `name`. n: this process's share of it; default `batch_size // world`."""
        source = self._source(name)
        n = self._share if n is None else n
        position = self._positions[name]
        rows = self._rows(name, position + self._rank * n, n)
        self._positions[name] = position + n * self._world
        label = None if source.labels is None else source.labels.index_select(0, rows)
        return Batch(to_float(source.x.index_select(0, rows)), label, rows)

    @property
    def images(self) -> int:
        """Images drawn so far, over all names and processes."""
        return sum(self._positions.values())

    def state(self) -> dict[str, int]:
        """{name: rows drawn so far over all processes}; JSON-able, and all that a resume needs."""
        return dict(self._positions)

    def restore(self, state: Mapping[str, int]) -> None:
        """Continue where a stream over the same data sets and seed stood when it gave `state`."""
        if set(state) != set(self._positions):
            raise UserError(
                f"--resume: the checkpoint drew from {sorted(state)}, this run has "
                f"{sorted(self._positions)}; resume with the data of the run's config.yaml"
            )
        self._positions = dict(state)

    def rows_of(self, name: str, position: int, n: int) -> Tensor:
        """The rows that the draw of `n` images from `position` on was: int64, n, on the CPU."""
        size = len(self._source(name))
        epochs = range(position // size, (position + max(n, 1) - 1) // size + 1)
        chain = torch.cat([self._shuffle(name, epoch) for epoch in epochs])
        return chain[position - epochs.start * size :][:n]

    def _source(self, name: str) -> Dataset:
        if name not in self._sources:
            raise UserError(f"draw: there is no data called '{name}'; this run has {sorted(self._sources)}")
        return self._sources[name]

    def _rows(self, name: str, start: int, n: int) -> Tensor:
        size = len(self._sources[name])
        pieces: list[Tensor] = []
        while n > 0:  # more than one piece where the draw runs into the next epoch
            epoch, offset = divmod(start, size)
            if name not in self._epochs or self._epochs[name][0] != epoch:
                self._epochs[name] = epoch, _sent(self._shuffle(name, epoch), self._device)
            pieces.append(self._epochs[name][1][offset : offset + n])
            start, n = start + len(pieces[-1]), n - len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _shuffle(self, name: str, epoch: int) -> Tensor:
        key = hashlib.blake2b(repr((self._seed, name, epoch)).encode(), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(key, "big") >> 1)
        order = torch.randperm(len(self._sources[name]), generator=generator)
        if name not in self._shares:
            return order
        return _systematic(self._shares[name], generator)[order]


def _sent(order: Tensor, device: torch.device) -> Tensor:
    """On the device. A GPU is not waited for, as it would be by a copy from memory that is not pinned."""
    if device.type != "cuda":
        return order.to(device)
    return order.pin_memory().to(device, non_blocking=True)


def _shares(name: str, weights: Tensor, n: int) -> Tensor:
    """Weights as shares that sum to 1, in double on the CPU."""
    w = weights.detach().to("cpu", torch.float64)
    if w.shape != (n,) or not bool((w >= 0).all()) or not 0 < float(w.sum()) < float("inf"):
        raise UserError(
            f"weights: of '{name}', shape {tuple(weights.shape)}; expected {n} finite numbers of at least 0, "
            "not all 0"
        )
    return w / w.sum()


def _systematic(shares: Tensor, generator: torch.Generator) -> Tensor:
    """n rows, ascending: those under the teeth of a comb of n teeth, laid at random over the shares."""
    n = len(shares)
    teeth = (torch.arange(n) + torch.rand(1, generator=generator, dtype=torch.float64)) / n
    rows = torch.searchsorted(shares.cumsum(0), teeth, right=True)
    return rows.clamp(max=int(shares.nonzero().max()))  # the sum of the shares is 1 but for rounding
