"""A conditional model on data whose classes are known: it is told the class of each, by its name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Int64
from torch import Tensor

from pushforward.abilities import HasBound, HasBoundByClass
from pushforward.data import Dataset
from pushforward.errors import UserError
from pushforward.models.latents import Codes, divergence
from pushforward.models.model import Model
from pushforward.models.sampling import prior_moments


def why_not_by_class(model: Model, data: Dataset) -> str:
    """Why a model that is told classes cannot be told those of these data; "" where it can."""
    if data.labels is None or data.classes is None:
        return f"a conditional model is told the class of each {model.kind.name}, and these have no labels"
    strange = [data.classes[i] for i in data.labels.unique().tolist() if data.classes[i] not in model.classes]
    if not strange:
        return ""
    known = ", ".join(model.classes)
    return f"the data have the class '{strange[0]}', of which the model was not told; it knows {known}"


def own_labels(model: Model, data: Dataset, rows: slice = slice(None)) -> Int64[Tensor, " n"]:
    """The model's numbers of the classes of these rows, where `why_not_by_class` has nothing to say."""
    assert data.labels is not None
    assert data.classes is not None
    return torch.tensor([model.classes.index(data.classes[i]) for i in data.labels[rows].tolist()])


def given_classes(model: Model, data: Dataset, rows: slice) -> HasBound:
    """The model of these rows, in their order."""
    return model.ability(HasBoundByClass).given(own_labels(model, data, rows).to(model.device))


def needs_class(model: Model) -> bool:
    """Whether it must be told the class of what it is to encode."""
    return model.can(HasBoundByClass)


def by_class(model: Model, data: Dataset, f: Callable[[Model, Tensor], Tensor]) -> Tensor:
    """f of the model of each class and of its images, put together in the order of the data."""
    labels = own_labels(model, data)
    parts, places = [], []
    for index in labels.unique().tolist():
        chosen = (labels == index).nonzero().flatten()
        parts.append(f(model.given(model.classes[index]), data.x[chosen]))
        places.append(chosen)
    return torch.cat(parts)[torch.cat(places).argsort()]


def codes_by_class(model: Model, data: Dataset) -> Codes:
    """`latents.codes`, of each image given its class."""
    mu, kl = by_class(model, data, lambda m, x: torch.stack(divergence(m, x), 1)).unbind(1)
    centre, spread = prior_moments(model.given(model.classes[0]), mu.shape[1])
    return Codes(mu, kl.double().mean(0).tolist(), centre, spread)


def of_class(data: Dataset, label: str) -> Dataset:
    """Those of this class; all of them where none is said to be of it, as without labels."""
    if data.labels is None or data.classes is None or label not in data.classes:
        return data
    rows = (data.labels == data.classes.index(label)).nonzero().flatten()
    return data.subset(rows) if len(rows) else data


def require_labels(model: Model, data: Dataset) -> None:
    """Raise UserError where a model must be told classes, and the data do not tell them."""
    if needs_class(model) and (why := why_not_by_class(model, data)):
        raise UserError(f"`label`: not given, and {why}; give one of {', '.join(model.classes)}")
