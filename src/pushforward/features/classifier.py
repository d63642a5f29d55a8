"""A small classifier of a labelled set: it names the class of a generated image, and it gives features."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pushforward.core import to_float
from pushforward.data import Dataset
from pushforward.errors import UserError
from pushforward.features.extractor import FeatureExtractor
from pushforward.randomness import aside

KEPT_ASIDE = 500  # images to measure the classifier on
EPOCHS, BATCH, HIDDEN = 8, 64, 128
LEAST = 20  # images to learn from and be measured on


@dataclass(frozen=True)
class Classifier:
    """Names a class. side: pixels that it takes. accuracy: on images that it did not learn from."""

    trunk: nn.Module
    head: nn.Module
    side: int
    accuracy: float

    def __call__(self, images: Float[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
        """The class of each image in [-1, 1], which is brought to the right size."""
        return self.logits(images).argmax(1)

    def logits(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Of each class."""
        with torch.no_grad():
            return torch.cat([self.head(part) for part in self.features(images).split(500)])

    def features(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 128"]:
        """What the last hidden layer makes of each image."""
        if tuple(images.shape[2:]) != (self.side, self.side):
            images = F.interpolate(images, (self.side, self.side), mode="bilinear", antialias=True)
        with torch.no_grad():
            return torch.cat([self.trunk(part) for part in images.split(500)])


def train_classifier(data: Dataset, *, seed: int, epochs: int = EPOCHS) -> Classifier:
    """A small convolutional network, trained on all but a few of the images, each shifted by a little.

    Raises UserError for images without labels, of one class, or fewer than 20.
    """
    if data.labels is None or int(data.labels.max()) < 1 or len(data) < LEAST:
        what = (
            "without labels"
            if data.labels is None
            else f"{len(data)} of {int(data.labels.max()) + 1} classes"
        )
        raise UserError(f"`data`: images {what}; expected at least {LEAST} of 2 classes, to tell them apart")
    side, kept = max(data.shape[1:]), min(KEPT_ASIDE, len(data) // 5)
    reach = side // 14
    with aside(seed), torch.enable_grad():
        order = torch.randperm(len(data))
        x, y = to_float(data.x[order]), data.labels[order]
        if x.shape[2] != x.shape[3]:
            x = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
        trunk, head = small_network(data.shape[0], side, int(y.max()) + 1)
        parameters = [*trunk.parameters(), *head.parameters()]
        steps = epochs * -(-(len(x) - kept) // BATCH)
        optimizer = torch.optim.Adam(parameters, lr=2e-3, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
        for _ in range(epochs):
            for rows in (kept + torch.randperm(len(x) - kept)).split(BATCH):
                if len(rows) < 2:
                    continue  # BatchNorm needs two
                shift = torch.randint(-reach, reach + 1, (2,)).tolist()
                loss = F.cross_entropy(head(trunk(x[rows].roll(shift, (2, 3)))), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        trunk.eval().requires_grad_(False)
        head.requires_grad_(False)
        right = (Classifier(trunk, head, side, 0.0)(x[:kept]) == y[:kept]).double().mean().item()
    return Classifier(trunk, head, side, right)


def classifier_features(classifier: Classifier, colours: int, learned_from: str) -> FeatureExtractor:
    """The classifier's last hidden layer as features. learned_from: the fingerprint of its data."""
    marks = b"".join(p.numpy().tobytes() for p in classifier.trunk.state_dict().values())
    return FeatureExtractor(
        name="classifier",
        family="classifier",
        size=classifier.side,
        colours=colours,
        dimensions=HIDDEN,
        weights=hashlib.sha256(learned_from.encode() + marks).hexdigest(),
        function=classifier.features,
    )


def small_network(channels: int, side: int, classes: int) -> tuple[nn.Module, nn.Module]:
    """(b, channels, side, side) -> (b, 128), and the head from there to the classes; not trained."""
    reduced = -(-side // 4)
    trunk = nn.Sequential(
        nn.Conv2d(channels, 16, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(32 * reduced * reduced, HIDDEN),
        nn.ReLU(),
    )
    return trunk, nn.Linear(HIDDEN, classes)
