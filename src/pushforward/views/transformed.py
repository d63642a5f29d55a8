"""DAG: each transform of the data, judged by a head of its own.

N.-T. Tran, V.-H. Tran, N.-B. Nguyen, T.-K. Nguyen and N.-M. Cheung, *On Data Augmentation for GAN Training*,
IEEE Transactions on Image Processing 2021, eq. 16 and 17: V(D, G) + λ/(K - 1) Σ_k V(D_k, G), where V(D_k, G)
compares T_k(x) with T_k(G(z)) by a head D_k, and all heads share all other layers. Where T_k is invertible
the divergence between T_k(x) and T_k(G(z)) is that between x and G(z), so each term has the same optimum.

Deviations from the paper:
1. One pass of the shared layers over all transforms together; the authors' code has a pass for each.
2. The mean is over the K - 1 transforms, as in the formula; the authors' code divides by K.
3. One λ for critic and generator by default, as in the experiments.
4. In a step only some transforms may be shown, weighed for all, and each to a share of the batch: both leave
   the expected loss as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from pushforward.core import Clock
from pushforward.errors import UserError
from pushforward.views.transforms import Transform
from pushforward.views.view import View


class Transformed(View):
    """T(x) for one transform. weight: of its loss. share: of the rows of a batch, the first ones."""

    def __init__(
        self, transform: Transform, *, weight: float, share: float = 1.0, head: nn.Module | None = None
    ) -> None:
        super().__init__(weight_critic=weight, weight_generator=weight, head=head)
        self.transform, self.share = transform, share

    @property
    def leaks_as(self) -> Sequence[Transform]:
        """The transform."""
        return (self.transform,)

    def forward(self, x: Tensor, clock: Clock) -> Tensor:
        """T of the first rows, which are as random as any."""
        return self.transform(x[: math.ceil(self.share * len(x))])

    def check_batch(self, n: int) -> None:
        """Raise UserError where its share of a batch is less than two rows."""
        if self.share < 1 and math.ceil(self.share * n) < 2:
            raise UserError(
                f"`dag_share`: {self.share} of {n} rows, the batch of a process, is one; expected two or "
                "more; take a larger `batch_size` or share"
            )
