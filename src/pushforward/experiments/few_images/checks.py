"""What is checked of `few-images`, and which row is best over all."""

from __future__ import annotations

from statistics import mean, stdev

from pushforward.experiments.few_images.measure import KID, KID_ALIKE, KID_OTHER, LEAK, REAL
from pushforward.experiments.few_images.rows import DA, DAG, DAG_FLIP, NONE, ROWS
from pushforward.experiments.harness.experiment import Budget, Claim, Incomplete, Results

LEAKS = 3.0  # points


def settings_of(results: Results) -> list[str]:
    """Those of cells that finished, in their order. Raises Incomplete where there are none."""
    found = list(dict.fromkeys(cell.setting for cell in results.figures))
    if not found:
        raise Incomplete("no model was trained")
    return found


def labels_of(results: Results, setting: str) -> list[str]:
    """The rows of models that this setting has, in their order; not those that vary λ."""
    there = {cell.method for cell in results.figures if cell.setting == setting}
    return [label for label in ROWS if label in there]


def choice(results: Results) -> str:
    """The row whose rank is best in the mean over settings and over both judges, among rows that all have."""
    settings = settings_of(results)
    shared = [label for label in ROWS if all(label in labels_of(results, at) for at in settings)]
    ranks: dict[str, list[int]] = {label: [] for label in shared}
    for at in settings:
        for judge in (KID, KID_OTHER):
            order = sorted(shared, key=lambda label: results.mean(judge, label, at))
            for rank, label in enumerate(order):
                ranks[label].append(rank)
    if not shared:
        raise Incomplete("no row was run in every setting")
    return min(shared, key=lambda label: mean(ranks[label]))


def _ahead(results: Results, figure: str, better: str, worse: str, setting: str) -> float:
    """By how many spreads the one is below the other: the mean of their differences seed by seed, over the
    standard deviation of these. Both learn from the same images in a seed, and those differ between seeds."""
    pairs = zip(results.values(figure, better, setting), results.values(figure, worse, setting), strict=True)
    gains = [b - a for a, b in pairs]
    if not gains:
        raise Incomplete(f"'{figure}' of {better} and {worse} · {setting}: no cell has it")
    spread = stdev(gains) if len(gains) > 1 else 0.0
    return mean(gains) / (spread or 1.0)


def _behind_best(results: Results) -> float:
    """By how many spreads the choice is behind the best row, where it is most so."""
    chosen, behind = choice(results), [0.0]
    for at in settings_of(results):
        best = min(labels_of(results, at), key=lambda label: results.mean(KID, label, at))
        behind.append(_ahead(results, KID, best, chosen, at))
    return max(behind)


def _beats_none(figure: str, what: str) -> Claim:
    return Claim(
        f"DAG's turns: nearer (KID) than no remedy at equal {what} everywhere, in spreads",
        lambda r: min(_ahead(r, figure, DAG, NONE, at) for at in settings_of(r)),
        ">=",
        1.0,
        required=False,
    )


def claims(budget: Budget) -> list[Claim]:
    """Leaks, and whether a remedy helps; which one is best is what the experiment finds."""
    return [
        Claim(
            "control: real images are nearer than any samples everywhere, in 10⁻³",
            lambda r: min(
                r.mean(KID, label, at) - r.mean(KID, REAL, at)
                for at in settings_of(r)
                for label in labels_of(r, at)
            ),
            ">=",
            0.0,
        ),
        Claim(
            "DA leaks everywhere, by points",
            lambda r: min(r.mean(LEAK, DA, at) for at in settings_of(r)),
            ">=",
            LEAKS,
        ),
        Claim(
            "DAG's turns do not leak anywhere: points beyond real images",
            lambda r: max(r.mean(LEAK, DAG, at) for at in settings_of(r)),
            "<=",
            LEAKS,
            required=False,
        ),
        _beats_none(KID_ALIKE, "images"),
        _beats_none(KID, "minutes"),
        Claim(
            "DAG's flips: the same at equal minutes in the first setting alone, in spreads",
            lambda r: _ahead(r, KID, DAG_FLIP, NONE, settings_of(r)[0]),
            ">=",
            1.0,
            required=False,
        ),
        Claim(
            "the row of the best mean rank is within the spread of the best (KID) everywhere: spreads behind",
            _behind_best,
            "<=",
            1.0,
            required=False,
        ),
    ]
