"""From facts to the page: the headline, the sections that apply, and the template."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pushforward import __version__
from pushforward.errors import as_options
from pushforward.evaluation import Metric
from pushforward.evaluation.likelihood import BY_CLASS
from pushforward.methods import METHODS
from pushforward.report import adversarial, asked, codes, data, pictures, svg, training, translations, words
from pushforward.report.facts import Facts

SEEN = {  # of a GAN, whose losses say little
    "modes": ("modes found", ""),
    "high_quality": ("share of samples of high quality", ""),
    "cells": ("cells of the real data that hold samples", "of {k}"),
    "spread": ("spread of samples", "of real data's"),
    "near_duplicates": ("near-duplicates among samples", ""),
}
MOST_FIGURES = 4
TOLD = {
    "elbo": "evidence lower bound on ln p(x)",
    "bits/dimension": "bits per dimension",
    "kl": "KL of the code from the prior",
    "active_units": "active latent dimensions",
    "information": "what z tells of the image, I(x; z)",
    "information_upper": "what it tells at most",
    "aggregate_gap": "KL of all codes together from the prior",
    "effective_draws": "draws that count towards the bound",
    "monte_carlo_error": "Monte Carlo error of the bound",
    "reconstruction_error": "reconstruction error",
    "code_perplexity": "codes in use (perplexity)",
    "modes": "modes found",
    "high_quality": "samples of high quality",
    "reverse_kl": "reverse KL over modes",
    "sliced_wasserstein": "sliced Wasserstein distance to held-out points",
}
# What the headline shows where it was measured; the first four.
HEADLINE = (
    "modes",
    "high_quality",
    "reverse_kl",
    "sliced_wasserstein",
    "iwae",
    "bits/dimension",
    "active_units",
    "reconstruction_error",
    "code_perplexity",
    "elbo",
)


@dataclass(frozen=True)
class Figure:
    """One figure of the headline or a row of the table of measurements."""

    name: str
    label: str
    value: str
    interval: str
    unit: str
    better: str = ""


def render(facts: Facts) -> str:
    """The page of a run."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pushforward.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"number": words.number, "as_options": as_options, "initial": _initial}
    return environment.get_template("page.html").render(**context(facts))


def _initial(text: str) -> str:
    """HTML of a sentence's beginning, with parameters as options, which no line breaks."""
    safe = html.escape(as_options(text[:1].upper() + text[1:]))
    return re.sub(r"(--[a-z][\w.-]*)", r"<code>\1</code>", safe)


def context(facts: Facts) -> dict[str, Any]:
    """What the template shows."""
    config = facts.config
    method, kind = METHODS[config.method], data.kind(facts)
    return {
        "name": facts.folder.resolve().name,
        "method": config.method,
        "summary": method.summary.partition(":")[0],
        "paper": method.paper,
        "version": __version__,
        "status": status(facts),
        "finished": facts.finished,
        "resume": ""
        if facts.finished or facts.running
        else shlex.join(["pushforward", "train", "--resume", str(facts.folder.resolve())]),
        "kind": kind,
        "length": length(facts),
        "headline": headline(facts),
        "measured": [measured(m) for m in facts.evaluation.metrics] if facts.evaluation else [],
        "kept": [measured(m) for m in facts.kept],
        "not_measured": facts.evaluation.skipped if facts.evaluation else (),
        "measured_on": facts.evaluation.n if facts.evaluation else 0,
        "held_out": len(facts.first.held_out) if facts.first else 0,
        "best": facts.best,
        "weights_of": facts.model.about.get("step") if facts.model else None,
        "panels": training.panels(facts.rows, kind, facts.best),
        "line_colours": svg.LINES,
        "modes": adversarial.mode_bars(facts),
        "animations": adversarial.animations(facts),
        "pictures": pictures.take(facts),
        "translations": translations.take(facts),
        "codes": codes.what_codes_say(facts),
        "findings": facts.findings,
        "notes": facts.notes,
        "data": data.streams(facts),
        "sheets": data.sheets(facts),
        "choices": asked.choices(config),
        "yaml": config.to_yaml(),
        "command": asked.command(config, run=f"{facts.folder.resolve().name}-again"),
        "provenance": provenance(facts),
    }


def status(facts: Facts) -> str:
    """Whether the run is over, in words."""
    steps = facts.config.train.steps
    if facts.finished:
        return "finished"
    if steps and METHODS[facts.config.method].kind == "ensemble":
        steps *= facts.config.options.components
    where = f"step {facts.step:,}" + (f" of {steps:,}" if steps else "")
    return f"still training, at {where}" if facts.running else f"not finished: stopped at {where}"


def length(facts: Facts) -> str:
    """How long the training took, in words."""
    batch = data.kind(facts).count(facts.config.train.batch_size)
    if not facts.step:
        return f"in steps of {batch}"
    text = f"{words.plural(facts.step, 'step')} of {batch}"
    return f"{text} in {words.duration(facts.seconds)}" if facts.seconds else text


def headline(facts: Facts) -> list[Figure]:
    """The few figures that matter most: measured ones, else those of samples, else the last losses."""
    figures = []
    if facts.evaluation:
        for wanted in HEADLINE:
            figures += [measured(m) for m in facts.evaluation.metrics if m.name.split("-")[0] == wanted]
    if not figures:
        series, bars = training.collect(facts.rows), adversarial.mode_bars(facts)
        k = bars[0].k if bars else "20 at most"
        figures = [
            Figure(name, label, words.number(series[f"metric/{name}"].values[-1]), "", unit.format(k=k))
            for name, (label, unit) in SEEN.items()
            if f"metric/{name}" in series
        ]
    if not figures:
        figures = [
            Figure(key, key.partition("/")[2].replace("_", " "), words.number(s.values[-1]), "", "")
            for key, s in series.items()
        ]
    return figures[:MOST_FIGURES]


def measured(metric: Metric) -> Figure:
    """A metric as text."""
    value, interval = words.estimate(metric.value, metric.ci95)
    better = {True: "higher", False: "lower", None: ""}[metric.higher_is_better]
    if metric.floor is not None:
        better += f"{', ' if better else ''}at best {words.number(metric.floor)}"
    unit = metric.unit.removesuffix(BY_CLASS)
    label = _label(metric.name, "ln p(x|class)" if unit != metric.unit else "ln p(x)")
    return Figure(metric.name, label, value, interval, unit, better)


def _label(name: str, likelihood: str) -> str:
    if name.startswith("iwae-"):
        return f"importance-weighted bound on {likelihood}, {name.removeprefix('iwae-')} samples"
    return TOLD.get(name, name.replace("_", " ")).replace("ln p(x)", likelihood)


def _whence(told: Mapping[str, Any] | None) -> str:
    """The run that the first weights came from."""
    return f"{told['run']}, step {told['step']:,}, {told['weights'][:16]}" if told else ""


def provenance(facts: Facts) -> list[tuple[str, str]]:
    """Where the run came from: versions, commit, fingerprints."""
    config = facts.config
    known = config.provenance
    rows = [
        ("pushforward", known.get("pushforward")),
        ("commit", known.get("commit")),
        ("torch", known.get("torch")),
        ("Python", known.get("python")),
        ("seed", str(config.train.seed)),
        ("weights from", _whence(known.get("init_from"))),
        *data.fingerprints(facts),
    ]
    return [(name, str(value)) for name, value in rows if value]
