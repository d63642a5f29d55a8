"""Binary pixels."""

from __future__ import annotations

import warnings
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from pushforward.distributions.likelihood import Likelihood


class Bernoulli(Likelihood):
    """Binary pixels; the decoder's output is a logit, and -ln p(x|z) is binary cross-entropy.

    binarization: "dynamic" draws each pixel anew with its intensity as probability whenever the image
    is used (the protocol of Burda et al. 2016); "static" and "none" take images as they come: "static"
    expects a data set that was binarized once and rounds whatever is not, "none" evaluates the
    cross-entropy on grey pixels too, which is not a likelihood, and warns once.
    """

    def __init__(self, *, binarization: Literal["dynamic", "static", "none"] = "dynamic") -> None:
        super().__init__()
        self.binarization = binarization
        self._checked = False

    def prepare(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Binarize to {-1, 1} as the protocol says."""
        if self.binarization == "dynamic":
            return torch.bernoulli(x.add(1).mul_(0.5)).mul_(2).sub_(1)
        if self.binarization == "static":
            return x.ge(0).to(x.dtype).mul_(2).sub_(1)
        if not self._checked:
            self._checked = True
            if bool((x.abs() < 1).any()):
                warnings.warn(
                    "the Bernoulli likelihood was given grey pixels, for which cross-entropy is not a "
                    "likelihood: use --binarization dynamic (or static), or --likelihood gaussian or "
                    "continuous-bernoulli",
                    stacklevel=2,
                )
        return x

    def log_prob(self, decoded: Float[Tensor, "b c h w"], x: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """-(binary cross-entropy), summed over pixels."""
        target = x.add(1).mul_(0.5)
        cross_entropy = F.binary_cross_entropy_with_logits(decoded.float(), target, reduction="none")
        return -cross_entropy.flatten(1).sum(1)

    def mean(self, decoded: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Pixel probabilities, mapped to [-1, 1]."""
        return decoded.float().sigmoid().mul(2).sub(1)

    def sample(self, decoded: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Binary images in {-1, 1}."""
        return torch.bernoulli(decoded.float().sigmoid()).mul(2).sub(1)
