"""Small algorithms whose state is the point: a moving average over batches, a pool of past samples."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pushforward.core import Algorithm, Draw, Player, Steps, Update

PIXELS = 64  # of tests.runs.SHAPE


class Centred(Algorithm):
    """Least squares on pixels less their moving average: the mean image, which `share` averages."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(PIXELS, 1)
        self.register_buffer("mean", torch.zeros(PIXELS))

    def players(self) -> dict[str, Player]:
        return {"net": Player(module=self.net)}

    def step(self, draw: Draw) -> Steps:
        x = draw().x.flatten(1)
        loss = (self.net(x - self.mean) - x.square().mean(1, keepdim=True)).square().mean()
        answer = yield Update({"net": loss}, {"loss": loss}, share={"mean": self.statistic(x)})
        self.mean.lerp_(self.learned(answer, x), 0.1)

    def statistic(self, x: Tensor) -> Tensor:
        return x.mean(0)

    def learned(self, answer, x: Tensor) -> Tensor:
        return answer["mean"]


class Careless(Centred):
    """The same, by one process's own batch: what no algorithm may do."""

    def learned(self, answer, x: Tensor) -> Tensor:
        return self.statistic(x)


class Pooled(Algorithm):
    """A generator that is led away from samples of the past, which each process keeps for itself.

    As in CycleGAN's pool: a new sample takes the place of an old one, or does not, by a coin.
    """

    local = ("pool",)
    training_only = ("pool", "seen")
    pool: Tensor
    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(4, PIXELS)
        self.register_buffer("pool", torch.zeros(5, PIXELS))
        self.register_buffer("seen", torch.zeros(()))
        self.pooling = nn.Linear(4, 1)  # whose name only begins as the pool's does

    def players(self) -> dict[str, Player]:
        return {"net": Player(module=nn.ModuleList([self.net, self.pooling]), ema=0.9)}

    def step(self, draw: Draw) -> Steps:
        x = draw().x.flatten(1)
        z = torch.randn(len(x), 4)
        made = self.net(z)
        away = (made[:, None] - self.pool).square().mean()
        loss = (made - x).square().mean() - 0.1 * away + self.pooling(z).square().mean()
        yield Update({"net": loss})
        self.seen += 1
        places = torch.randint(0, len(self.pool), (len(x),))
        kept = torch.rand(len(x)) < 0.5
        self.pool[places[kept]] = made.detach()[kept]

    def sample(self, n: int) -> Tensor:
        return self.net(torch.randn(n, 4)).view(n, 1, 8, 8)
