"""PNGs inside the page: what the model draws, reconstructs and encodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor

from pushforward.abilities import Decodes, Encodes, Reconstructs, Samples, Translates
from pushforward.core import to_float
from pushforward.data import Dataset
from pushforward.evaluation import Evaluation, active
from pushforward.metrics.pixels import mean_squared_error
from pushforward.models.by_class import by_class, codes_by_class, needs_class, why_not_by_class
from pushforward.models.latents import Codes, codes, plane, traverse
from pushforward.models.model import Model
from pushforward.report import svg
from pushforward.report.copies import Neighbours, nearest_pairs
from pushforward.report.facts import Facts, affordable
from pushforward.report.film import Frame, film
from pushforward.report.inline import tiles
from pushforward.report.points import Cloud, cloud
from pushforward.report.words import number
from pushforward.runs.reopen import pick

GRID = 64
PAIRS = 12
ROWS = 10  # latent dimensions walked along
WALK = 9
MAP_POINTS = 1000
LONGEST_NAME = 12  # characters of a class that is named amid its points
PLANE_SIDE = 15


@dataclass(frozen=True)
class Pair:
    """An image above its reconstruction. error: MSE on intensities in [0, 1]."""

    uri: str
    error: float


@dataclass(frozen=True)
class Walk:
    """A row of images along one latent dimension. kl: nats, where the code has a distribution. label: the
    class, of a model that is told one."""

    dim: int
    kl: float | None
    uri: str
    label: str = ""


@dataclass(frozen=True)
class LatentMap:
    """Codes of held-out images in the plane. classes: name and colour; more: classes without a colour. told:
    whether the model was told the classes."""

    svg: str
    how: str
    n: int
    classes: tuple[tuple[str, str], ...]
    more: int
    told: bool = False


@dataclass(frozen=True)
class Bars:
    """KL per dimension. active: how many of `dims` are."""

    svg: str
    dims: int
    active: int


def sample_grid(model: Model) -> str | None:
    """New images, from the same latent draws as the pictures of training; a row a class, if it is told."""
    if not model.can(Samples):
        return None
    if not model.classes:
        return tiles(model.sample(GRID))
    rows = [model.sample(WALK, label=name) for name in model.classes[:ROWS]]
    return tiles(torch.cat(rows), columns=WALK)


def data_grid(images: UInt8[Tensor, "n c h w"]) -> str:
    """As many images that the model learned from."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return tiles(to_float(images[order[:GRID]]))


def pairs(model: Model, held_out: Dataset) -> list[Pair]:
    """Held-out images above their reconstructions, from the best to the worst of all that were looked at."""
    shown = held_out.subset(range(min(len(held_out), affordable(model, 500))))
    x = to_float(shown.x)
    if needs_class(model) and not why_not_by_class(model, shown):
        x_hat = by_class(model, shown, lambda m, of_class: m.reconstruct(of_class))
    elif model.can(Reconstructs):
        x_hat = model.reconstruct(x)
    else:
        return []
    errors = mean_squared_error(x, x_hat)
    order = errors.argsort()
    n = min(PAIRS, len(x))
    chosen = [int(order[round(i * (len(x) - 1) / max(1, n - 1))]) for i in range(n)]
    return [Pair(tiles(torch.stack([x[i], x_hat[i]]), columns=1), float(errors[i])) for i in chosen]


def walks(model: Model, found: Codes) -> list[Walk]:
    """What the most active latent dimensions change, from -3 to 3 deviations, the others in the middle."""
    if not model.can(Decodes):
        return []
    if needs_class(model):
        return _walks_by_class(model, found)
    dims = found.order[:ROWS]
    _, images = traverse(model, found, dims, steps=WALK)
    return [
        Walk(dim, None if found.kl is None else found.kl[dim], tiles(row, columns=WALK))
        for dim, row in zip(dims, images, strict=True)
    ]


def _walks_by_class(model: Model, found: Codes) -> list[Walk]:
    """What the most active dimension changes in each class, from the same codes."""
    dim = found.order[0]
    kl = None if found.kl is None else found.kl[dim]
    rows = ((name, traverse(model.given(name), found, [dim], steps=WALK)[1]) for name in model.classes[:ROWS])
    return [Walk(dim, kl, tiles(images[0], columns=WALK), name) for name, images in rows]


def _codes(model: Model, shown: Dataset) -> Codes | None:
    """Of images, given the class of each where the model is told it; None where it cannot encode them."""
    if len(shown) < 2:
        return None
    if needs_class(model):
        return None if why_not_by_class(model, shown) else codes_by_class(model, shown)
    return codes(model, shown.x) if model.can(Encodes) else None


def decoded_plane(model: Model, found: Codes) -> str | None:
    """Where the code has two dimensions: images decoded from the quantiles of the prior.

    Kingma & Welling 2014, figure 4. Codes without a prior are taken as normal, each with its own spread.
    """
    if not model.can(Decodes) or needs_class(model) or found.z.shape[1] != 2:
        return None
    quantiles = torch.linspace(0.02, 0.98, PLANE_SIDE)
    z = torch.special.ndtri(quantiles)
    second, first = torch.meshgrid(z.flip(0), z, indexing="ij")
    plane = found.centre + found.spread * torch.stack([first, second], -1).flatten(0, 1)
    return tiles(model.decode(plane), columns=PLANE_SIDE)


def kl_bars(evaluation: Evaluation) -> Bars | None:
    """KL per latent dimension, the largest first, active ones in colour."""
    kl = evaluation.detail.get("kl_per_dimension")
    if not kl or len(kl) < 2:
        return None
    moves = active(evaluation)
    order = sorted(range(len(kl)), key=lambda i: -kl[i])
    drawing = svg.bars(
        [kl[i] for i in order],
        [moves[i] for i in order],
        ylabel="KL, nats",
        label="KL from the prior of each latent dimension",
    )
    return Bars(drawing, len(kl), sum(moves))


def latent_map(found: Codes, shown: Dataset, *, told: bool = False) -> LatentMap | None:
    """Codes of the shown images in the plane, coloured by label where there are any. told: to the model."""
    z = found.z
    if z.shape[1] < 2 or len(z) < 3:
        return None
    if z.shape[1] == 2:
        points, axes, how = z, ["z0", "z1"], "both latent dimensions"
    else:
        points, share = plane(z)
        axes = [f"principal component {i + 1} ({s:.0%} of variance)" for i, s in enumerate(share)]
        how = f"the first two principal components of the {z.shape[1]} latent dimensions"
    labels = None if shown.labels is None else shown.labels.tolist()
    classes, colours = _palette(labels, shown.classes)
    drawing = svg.scatter(
        [(float(a), float(b)) for a, b in points],
        colours,
        xlabel=axes[0],
        ylabel=axes[1],
        label="Latent codes of held-out images in the plane",
        names=_amid(points, labels, shown.classes, len(classes)),
    )
    more = 0 if not classes or not shown.classes else len(shown.classes) - len(classes)
    return LatentMap(drawing, how, len(z), classes, more, told)


def _amid(
    points: Tensor, labels: Sequence[int] | None, classes: Sequence[str] | None, shown: int
) -> dict[str, tuple[float, float]]:
    """Short names of the classes that have a colour of their own, each at the median of its points."""
    if labels is None or classes is None or not 1 < shown <= len(svg.CLASSES):
        return {}
    found = {}
    for i, name in enumerate(classes[:shown]):
        own = points[[label == i for label in labels]]
        if len(own) and len(name) <= LONGEST_NAME:
            found[name] = tuple(own.median(0).values.tolist())
    return found


def _palette(
    labels: Sequence[int] | None, classes: Sequence[str] | None
) -> tuple[tuple[tuple[str, str], ...], list[str] | str]:
    """A colour for each of the first ten classes; one for all points where there are no labels."""
    if labels is None or not classes or len(classes) < 2:
        return (), svg.FIRST
    legend = tuple(zip(classes, svg.CLASSES, strict=False))
    return legend, [svg.CLASSES[i] if i < len(svg.CLASSES) else svg.OTHER for i in labels]


@dataclass(frozen=True)
class Pictures:
    """All that is shown of a model; what does not apply is None or empty."""

    film: list[Frame]
    samples: str | None = None
    data: str | None = None
    pairs: list[Pair] | None = None
    walks: list[Walk] | None = None
    plane: str | None = None
    bars: Bars | None = None
    map: LatentMap | None = None
    cloud: Cloud | None = None
    copies: Sequence[Neighbours] = ()
    rows: Sequence[str] = ()  # of the samples: their classes, of a model that is told them

    @property
    def error_range(self) -> str:
        """The errors of the pairs, in words."""
        if not self.pairs:
            return ""
        return f"{number(self.pairs[0].error)} to {number(self.pairs[-1].error)}"


def take(facts: Facts) -> Pictures:
    """Draw everything that this run allows."""
    model, data, evaluation = facts.model, facts.first, facts.evaluation
    if model is None:
        return Pictures(film(facts.folder, None))
    if len(model.shape) == 1:
        return _of_points(facts, model)
    samples = sample_grid(model)
    # A picture of this very model would show the same as the samples.
    frames = film(facts.folder, model.shape, but=model.about["step"] if samples else None)
    if data is None or evaluation is None:
        return Pictures(frames, samples)
    shown = pick(data.held_out, affordable(model, MAP_POINTS), 0)
    found = _codes(model, shown)
    return Pictures(
        frames,
        samples,
        data=data_grid(data.train.x),
        # What comes back from a translation is shown with it.
        pairs=[] if model.can(Translates) else pairs(model, data.held_out),
        walks=walks(model, found) if found else None,
        plane=decoded_plane(model, found) if found else None,
        bars=kl_bars(evaluation),
        map=latent_map(found, shown, told=needs_class(model)) if found else None,
        copies=nearest_pairs(model, data.train.x),
        rows=model.classes[:ROWS],
    )


def _of_points(facts: Facts, model: Model) -> Pictures:
    """What can be shown of a model of points."""
    frames = film(facts.folder, model.shape)
    if facts.first is None or facts.evaluation is None:
        return Pictures(frames)
    shown = pick(facts.first.held_out, affordable(model, MAP_POINTS), 0)
    found = codes(model, shown.x) if model.can(Encodes) and len(shown) > 1 else None
    return Pictures(
        frames,
        bars=kl_bars(facts.evaluation),
        map=latent_map(found, shown) if found else None,
        cloud=cloud(model, facts.first.held_out),
    )
