"""Instance noise.

C. K. Sønderby et al., *Amortised MAP Inference for Image Super-Resolution*, ICLR 2017, section 3.2;
M. Arjovsky and L. Bottou, *Towards Principled Methods for Training Generative Adversarial Networks*,
ICLR 2017, section 3: with noise on both sides their supports overlap, and the critic's gradient says
something.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pushforward.core import Clock
from pushforward.errors import UserError
from pushforward.views.view import View


class InstanceNoise(View):
    """Gaussian noise on real and generated data, which falls linearly to nothing.

    std: standard deviation at the start, in the data's units (images span 2). until: the share of the run
    after which there is none.
    """

    def __init__(self, std: float, *, until: float = 1.0) -> None:
        super().__init__()
        if not std > 0:
            raise UserError(f"`noise`: {std}; expected a positive standard deviation, such as 0.1")
        if not 0 < until <= 1:
            raise UserError(f"`noise_until`: {until}; expected a share of the run in (0, 1]")
        self.std, self.until = std, until

    def std_at(self, clock: Clock) -> float:
        """The standard deviation at this point of the run."""
        return self.std * max(0.0, 1 - clock.fraction / self.until)

    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        """x with fresh noise."""
        std = self.std_at(clock)
        return x if std == 0 else x + std * torch.randn_like(x)
