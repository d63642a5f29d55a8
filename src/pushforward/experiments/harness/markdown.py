"""A page section from a result's JSON, for the documentation to include when it is built. Torch-free."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


def render_markdown(
    result: str | Path | Mapping[str, Any], *, heading: int = 2, results: str = "results"
) -> str:
    """A MyST section: the claim, its checks, its picture, every row folded away, and how to rerun it.

    result: the path of a docs/results/NAME.json, its text, or the parsed object. heading: level of the title.
    results: the folder of pictures as seen from the page. What does not hold is shown as missed, in bold.
    Raises KeyError where a key is missing.
    """
    data = _parsed(result)
    parts = [
        f"{'#' * heading} {data['title']}",
        data["about"].strip(),
        f"{'#' * (heading + 1)} Checks",
        _checks(data["checks"]),
    ]
    if data["plot"]:
        parts.append(f"![{_cell(data['title'])}]({results}/{data['plot']})")
    parts += [
        f"{'#' * (heading + 1)} Figures",
        f"<details><summary>All {len(data['rows'])} rows</summary>",
        _rows(data["rows"]),
        "</details>",
        _provenance(data),
    ]
    return "\n\n".join(parts) + "\n"


def render_index(results: Mapping[str, str | Path | Mapping[str, Any]], *, folder: str) -> str:
    """A table of results by name: what is claimed, whether it holds, and the minutes that it took.

    folder: of their pages, as seen from this one. Raises KeyError where a key is missing.
    """
    lines = ["| experiment | claim | verdict | minutes | budget |", "|---|---|---|---|---|"]
    for name, result in results.items():
        data = _parsed(result)
        minutes = max(1, round(data["seconds"] / 60))
        lines.append(
            f"| [`{name}`]({folder}/{name}.md) | {_cell(data['title'])} | {overall(data['checks'])} "
            f"| {minutes:,} | {data['budget']} |"
        )
    return "\n".join(lines) + "\n"


def overall(checks: Sequence[Mapping[str, Any]]) -> str:
    """Of all its claims: `holds`, how many are `missed`, or `FAILS`."""
    bad = [verdict(check) for check in checks if not check["holds"]]
    if not bad:
        return "holds" if checks else "–"
    return "**FAILS**" if "FAILS" in bad else f"{len(bad)} of {len(checks)} missed"


def render_summary(result: str | Path | Mapping[str, Any]) -> str:
    """The picture, the checks and how to rerun it, for a page that explains it: no heading, no rows.

    result: as for `render_markdown`. Raises KeyError where a key is missing.
    """
    data = _parsed(result)
    shown = f"results/{data['plot']}"  # linked to itself, since a page is narrower than a wide picture
    picture = [f"[![{_cell(data['title'])}]({shown})]({shown})"] if data["plot"] else []
    return "\n\n".join([*picture, _checks(data["checks"]), _provenance(data)]) + "\n"


def _parsed(result: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(result, Mapping):
        return result
    text = result if isinstance(result, str) and result.lstrip().startswith("{") else Path(result).read_text()
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def number(value: float | None) -> str:
    """Four significant digits, or a dash."""
    return "–" if value is None else f"{value:.4g}"


def with_spread(row: Mapping[str, Any]) -> str:
    """`1.234 ± 0.01 (n = 3)`; without a spread for one seed."""
    spread = "" if row["spread"] is None else f" ± {row['spread']:.2g}"
    return f"{number(row['value'])}{spread} (n = {row['n']})"


def verdict(check: Mapping[str, Any]) -> str:
    """`holds`, or `missed`, or `FAILS` where it is required."""
    return "holds" if check["holds"] else "FAILS" if check["required"] else "missed"


def measured(check: Mapping[str, Any]) -> str:
    """The value and the side of the bound on which it has to be: `0.01 ≤ 0.1` is asked."""
    sense = {"<=": "≤", ">=": "≥"}[check["sense"]]
    return f"{number(check['value'])} (asked: {sense} {number(check['bound'])})"


def _checks(checks: Sequence[Mapping[str, Any]]) -> str:
    if not checks:
        return "None: the figures speak for themselves."
    lines = ["| claim | value | |", "|---|---|---|"]
    for check in checks:
        word = "holds" if check["holds"] else f"**{verdict(check)}**"
        lines.append(f"| {_cell(check['claim'])} | {measured(check)} | {word} |")
    return "\n".join(lines)


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    columns: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "method": lambda row: _cell(row["method"]),
        "setting": lambda row: _cell(row["setting"]),
        "figure": lambda row: _cell(row["figure"]),
        "value": with_spread,
        "unit": lambda row: _cell(row["unit"]),
    }
    if any(row["paper"] is not None for row in rows):
        columns["paper"] = lambda row: number(row["paper"])
        columns["from"] = lambda row: _cell(row["source"] or "")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    lines += [f"| {' | '.join(show(row) for show in columns.values())} |" for row in rows]
    kinds = sorted({row["spread_kind"] for row in rows if row["spread"] is not None})
    if kinds:
        lines.append(f"\n± is the {' or the '.join(_SPREADS[kind] for kind in kinds)} over n seeds.")
    return "\n".join(lines)


_SPREADS = {"sd": "standard deviation", "standard error": "standard error of the mean"}


def _provenance(data: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in data["versions"].items())
    commit = data["commit"] or "unknown"
    changed = " with uncommitted changes" if commit.endswith("+") else ""
    return (
        f"Source: {data['paper']}. Rerun: `{data['command']}` ({data['cells']} runs, "
        f"{data['seconds']:,.0f} s of compute). Measured at commit {commit.rstrip('+')[:12]}{changed} "
        f"on {' and '.join(data['hardware'])}; {versions}."
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
