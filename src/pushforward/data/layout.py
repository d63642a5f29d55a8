"""What the folders of a source mean: the official split, labels, or several domains. Torch-free.

A folder that looks like a part of a split is one: `train`, `valid`, `test`, and what others call them. Where
that does not account for every image, the source is refused with what was found, since the other reading
would train on held-out images without a word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pushforward.data.paths import Parts, labels_of
from pushforward.text import printable

Part = Literal["train", "val", "test"]
_WORDS: dict[str, Part] = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "eval", "evaluation"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "heldout"), "test"),
}
# Beside such a word these say nothing: training_set, test-images, train_data.
_FILLERS = {"set", "split", "data", "dataset", "images", "image", "imgs", "img", "photos", "folder", "full"}
# Folders between a split and its labels.
_CONTAINERS = {"images", "image", "imgs", "img", "data", "jpegimages", "leftimg8bit"}
_ANNOTATIONS = {
    *("annotations", "annotation", "masks", "mask", "labels", "label", "gt", "groundtruth", "ground_truth"),
    *("segmentation", "segmentations", "gtfine", "gtcoarse", "trimaps", "depth"),
}
# A folder of a thousand images by number: StyleGAN's 00001/img00001234.png, the FFHQ set's 01000/01234.png.
_SHARD = re.compile(r"\d{5}")
_SHARDED = re.compile(r"(?:img)?(\d{5,8})")


@dataclass(frozen=True)
class Role:
    """A folder's part in a split. stem: what else its name says. domain: "A" of trainA, or "".

    numbered: whether a number that is no year stands beside: 01-training, train_80.
    """

    part: Part
    stem: str = ""
    domain: str = ""
    numbered: bool = False

    @property
    def plain(self) -> bool:
        """Whether the name says nothing else."""
        return not self.stem and not self.numbered


@dataclass(frozen=True)
class Layout:
    """What the paths of images say.

    test: bool a row, the held-out ones, or None. how: the split in words. labels: one a row, or None.
    problem: why they cannot be read as they lie, or the empty string.
    """

    test: NDArray[np.bool_] | None = None
    how: str = ""
    labels: tuple[str, ...] | None = None
    problem: str = ""


def role_of(name: str) -> Role | None:
    """The part of a split that a folder of this name is ("train2017", "Test_Set", "trainA"), or None.

    A name whose other words say something has a `stem`, and is only meant as a part of a split beside another
    of the same stem.
    """
    domain = re.fullmatch(r"((?i:train|test|val|valid))(?:[-_. ]([A-Za-z])|([A-Z]|[ab]))", name)
    if domain:
        return Role(_WORDS[domain[1].lower()], "", (domain[2] or domain[3]).upper())
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    words = [part for word in words for part in _unglued(word)]
    parts = [_WORDS[word] for word in words if word in _WORDS]
    if len(parts) != 1 or re.search(r"[^\w\s.()-]", name):
        return None
    others = [w for w in words if w not in _WORDS and w not in _FILLERS]
    numbered = any(len(number) != 4 for number in re.findall(r"\d+", name))
    return Role(parts[0], " ".join(others), numbered=numbered)


def _unglued(word: str) -> tuple[str, ...]:
    """("train", "set") of "trainset"; other words as they are."""
    for start in _WORDS:
        if word.startswith(start) and word[len(start) :] in _FILLERS:
            return start, word[len(start) :]
    return (word,)


def domains_of(folder: Path) -> dict[str, dict[Part, Path]]:
    """The parts of each domain that a folder holds side by side: {"A": {"train": ...}} of trainA.

    Empty where it holds none, or is no folder.
    """
    found: dict[str, dict[Part, Path]] = {}
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in inside:
        role = role_of(path.name)
        if role is not None and role.domain and path.is_dir():
            found.setdefault(role.domain, {}).setdefault(role.part, path)
    return found


def layout_of(paths: Sequence[Parts], *, sharded: bool = False) -> Layout:
    """What the folders of these images mean; the paths are without folders that all share (`parts_of`).

    sharded: whether a dataset.json lies beside them, which makes folders of numbers the shards of StyleGAN.
    """
    tops = Counter(path[0] for path in paths if len(path) > 1)
    roles = _roles(tops)
    if roles:
        return _split_first(paths, tops, roles, sharded=sharded)
    if any(name.lower() in _CONTAINERS for name in tops) and any(n.lower() in _ANNOTATIONS for n in tops):
        return Layout(problem=_annotated(tops))
    for depth in range(1, max(map(len, paths), default=1)):
        inner = [path[depth] if len(path) > depth + 1 else "" for path in paths]
        roles = _roles(Counter(inner))
        if roles and len(tops) > 1:
            return _label_first(paths, inner, roles)
    return Layout(labels=_labels(paths, sharded=sharded))


def _roles(names: Counter[str]) -> dict[str, Role]:
    """The folders that are parts of a split: one with a stem of its own, only beside another of that stem."""
    found = {name: role for name in names if (role := role_of(name)) is not None}
    parts: dict[str, set[Part]] = {}
    for role in found.values():
        parts.setdefault(role.stem, set()).add(role.part)
    return {
        name: role
        for name, role in found.items()
        if role.plain or ("train" in parts[role.stem] and len(parts[role.stem]) > 1)
    }


def _split_first(
    paths: Sequence[Parts], tops: Counter[str], roles: dict[str, Role], *, sharded: bool
) -> Layout:
    strays = sum(len(path) == 1 for path in paths)
    domains = sorted({role.domain or role.stem for role in roles.values()})
    if len(domains) > 1:
        return Layout(problem=_two_domains(roles, domains))
    others = [name for name in tops if name not in roles]
    if others or strays:
        return Layout(problem=_mixture(tops, roles, others, strays))
    parts = {role.part for role in roles.values()}
    below = [_below(path) for path in paths]
    if parts == {"train"} or "train" not in parts:
        if len(roles) == 1:  # a single one was given by itself
            return Layout(labels=_labels(below, sharded=sharded))
        return Layout(problem=_no_split(tops, roles))
    test = np.array([roles[path[0]].part != "train" for path in paths])
    return Layout(test, _how(roles), _labels(below, sharded=sharded))


def _label_first(paths: Sequence[Parts], inner: list[str], roles: dict[str, Role]) -> Layout:
    """`cup/train/1.png`: the label is above the split."""
    parts = {role.part for role in roles.values()}
    outside = [path for path, name in zip(paths, inner, strict=True) if name not in roles]
    if outside:
        named = ", ".join(f"`{printable('/'.join(path))}`" for path in outside[:3])
        found = ", ".join(f"`{printable(name)}`" for name in roles)
        return Layout(
            problem=f"its folders hold the parts {found} of a split, and {len(outside)} images outside of "
            f"these ({named}{', …' if len(outside) > 3 else ''}); move these into a part, or away"
        )
    labels = labels_of(paths)
    if len(parts) == 1:
        return Layout(labels=labels)
    if "train" not in parts:
        return Layout(problem=_no_split(Counter(inner), roles))
    test = np.array([roles[name].part != "train" for name in inner])
    return Layout(test, _how(roles), labels)


def _below(path: Parts) -> Parts:
    """The path inside its part of a split, without folders that repeat its name or only contain: images/."""
    top, rest = path[0].lower(), path[1:]
    while len(rest) > 1 and (rest[0].lower() == top or rest[0].lower() in _CONTAINERS):
        rest = rest[1:]
    return rest


def _how(roles: dict[str, Role]) -> str:
    held = sorted(name for name, role in roles.items() if role.part != "train")
    return f"official: {', '.join(f'{printable(name)}/' for name in held)}"


def _labels(paths: Sequence[Parts], *, sharded: bool) -> tuple[str, ...] | None:
    """The folders, unless they are the shards of StyleGAN, which say nothing."""
    if all(len(path) > 1 and _SHARD.fullmatch(path[0]) for path in paths) and (
        sharded or all(map(_by_number, paths))
    ):
        return None
    return labels_of(paths)


def _by_number(path: Parts) -> bool:
    """Whether the folder is the thousand of the image's own number, as it is written or without its zeros."""
    stem = _SHARDED.fullmatch(path[-1].rpartition(".")[0])
    return stem is not None and int(path[0]) in (int(stem[1]) // 1000, int(stem[1]) // 1000 * 1000)


def _listed(names: Sequence[str], counts: Counter[str]) -> str:
    shown = ", ".join(f"`{printable(name)}` ({counts[name]:,})" for name in sorted(names)[:4])
    return shown + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _mixture(tops: Counter[str], roles: dict[str, Role], others: list[str], strays: int) -> str:
    beside = [_listed(others, tops)] if others else []
    if strays:
        beside.append(f"{strays:,} image{'s' * (strays > 1)} outside of any folder")
    train = next((name for name, role in roles.items() if role.part == "train"), next(iter(roles)))
    return (
        f"the folders {_listed(list(roles), tops)} look like parts of a split, but beside them are "
        f"{' and '.join(beside)}; move these away, rename the folders if they are labels, or name one part, "
        f"such as its folder `{printable(train)}`"
    )


def _no_split(tops: Counter[str], roles: dict[str, Role]) -> str:
    missing = "held out" if any(role.part == "train" for role in roles.values()) else "for training"
    return (
        f"the folders {_listed(list(roles), tops)} look like parts of a split, but none of them is {missing}"
        "; name one of them"
    )


def _two_domains(roles: dict[str, Role], domains: list[str]) -> str:
    held = {
        domain: [n for n, role in sorted(roles.items()) if (role.domain or role.stem) == domain]
        for domain in domains
    }
    found = " and ".join(
        f"{domain or 'one without a name'} ({', '.join(map(printable, names))})"
        for domain, names in held.items()
    )
    first = held[domains[0]]
    train = next((n for n in first if role_of(n).part == "train"), first[0])  # type: ignore[union-attr]
    return (
        f"it holds {len(domains)} domains, {found}, and a source is one; name the folder of one, such as its "
        f"`{printable(train)}`"
    )


def _annotated(tops: Counter[str]) -> str:
    return (
        f"the folders {_listed(list(tops), tops)} hold images and what was annotated on them, which are no "
        "classes; name the folder of the images"
    )
