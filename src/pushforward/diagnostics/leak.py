"""Leaking augmentation: samples that look like transformed data, because the critic took such for real.

T. Karras et al., *Training Generative Adversarial Networks with Limited Data*, NeurIPS 2020, section 2.2,
calls it so; N.-T. Tran et al., *On Data Augmentation for GAN Training*, 2021, shows it of classical
augmentation. The measure is a classifier that learned to tell real images from transformed ones: the share of
samples that it calls transformed, beside the share of real images that it has not learned from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.core import Finding, to_float, to_uint8
from pushforward.data import Dataset
from pushforward.features.classifier import LEAST, Classifier, train_classifier
from pushforward.metrics.memorisation import Share, share_of
from pushforward.views.transforms import Transform
from pushforward.views.view import View

LEARNED_FROM = 1000  # images, each once as it is and once by each transform
MORE = 0.03  # of samples beyond real images, to be called a leak


@dataclass(frozen=True)
class LeakMeter:
    """classifier: class 0 is an image as it is, class k the k-th transform of one. real: of other images."""

    classifier: Classifier
    real: Share

    def __call__(self, images: Float[Tensor, "n c h w"]) -> Share:
        """The share of images in [-1, 1] that look transformed, with its 95 % interval."""
        return _share(self.classifier, images)


def shown_transforms(model: nn.Module) -> list[Transform]:
    """By what the samples of a model would show that its critic's views leaked; none without such views."""
    found = {t.name: t for m in model.modules() if isinstance(m, View) for t in m.leaks_as}
    return list(found.values())


def train_leak_meter(data: Dataset, transforms: Sequence[Transform], *, seed: int = 0) -> LeakMeter:
    """Learn from half of the images, at most 1,000, and take the rate of real images from the other half.

    data: training images; the generator has seen both halves, which is no matter here. Raises UserError for
    fewer than 20 images in a half.
    """
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[: 2 * LEARNED_FROM]
    learned, others = (data.x[rows] for rows in order.split(-(-len(order) // 2)))
    x = to_float(learned)
    versions = [x, *(transform(x) for transform in transforms)]
    labels = torch.arange(len(versions)).repeat_interleave(len(x))
    classifier = train_classifier(Dataset.of(to_uint8(torch.cat(versions)), labels), seed=seed)
    return LeakMeter(classifier, _share(classifier, to_float(others)))


def enough(data: Dataset) -> bool:
    """Whether there are images enough to learn from and to measure."""
    return len(data) >= 2 * LEAST


def diagnose_leak(made: Share, real: Share) -> Finding | None:
    """A finding where more samples look transformed than real images do, by 3 points and by the intervals."""
    if made.value - real.value < MORE or made.low <= real.high:
        return None
    return Finding(
        name="augmentation-leak",
        severity="warning",
        confidence=0.9,
        evidence=f"{made.value:.0%} of samples look like transformed images, of real ones {real.value:.0%}",
        advice="give each transform a critic's head of its own (`augment` dag), or transform real and "
        "generated images alike (`augment` diffaugment); where that is so already, weaken the transforms",
        headline="the generator makes transformed images",
    )


def _share(classifier: Classifier, images: Tensor) -> Share:
    return share_of(classifier(images) > 0)
