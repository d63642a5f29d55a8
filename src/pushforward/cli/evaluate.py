"""`pushforward evaluate RUN`: measure a trained model on images or points that it did not learn from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from pushforward.cli.options import parse
from pushforward.cli.output import at_least, check_seed, writing
from pushforward.errors import UserError, as_options
from pushforward.run_folder import RunFolder
from pushforward.text import printable

if TYPE_CHECKING:
    from pushforward.config import RunConfig
    from pushforward.data import Dataset
    from pushforward.evaluation import Evaluation, Metric
    from pushforward.models.model import Model

DESCRIPTION = (
    "Measure a trained model on images or points that it did not learn from, and how sure each figure is. "
    "Example: pushforward evaluate runs/vae-mnist5k"
)

COSTLY_IMAGES = 100


@dataclass(kw_only=True)
class EvaluateOptions:
    """What to measure, on which images."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run folder that `pushforward train` made, such as runs/vae-mnist5k."""
    data: str | None = None
    """Images to measure on: a folder, a zip, an .npz, or a name of `data list`. Default: the run's own."""
    split: Literal["test", "train", "validation"] | None = None
    """Which part of the images. Default: the held-out ones of the run's own data, all of --data X."""
    likelihood: Literal["iwae", "ais", "prior"] = "iwae"
    """How ln p(x) is estimated: by importance samples from the encoder, by annealed importance sampling
    (tighter; tenths to several seconds an image), or by draws from the prior (to see how bad that is)."""
    k: int | None = None
    """Draws an image of iwae and prior; more tighten the bound and take longer. Default: 100, of prior
    10,000."""
    temperatures: int = 200
    """Of ais: steps from the encoder's Gaussian to the posterior; the gap falls about inversely with them."""
    chains: int = 8
    """Of ais: independent chains an image; the Monte Carlo error falls with their square root."""
    limit: int | None = None
    """Measure on only so many images, chosen by the seed. Default: all, but 100 with ais and prior, which
    are costly."""
    features: str | None = None
    """Of images: what distances are taken on. efficientnet-lite0, efficientnet-lite1, random-conv, pixels,
    with @SIZE for another input size, or inception=FILE, dinov2=FILE for TorchScript weights of yours.
    Default: the first that the model was not trained with."""
    samples: int = 5000
    """Of images: how many to draw; at most as many as were trained on."""
    cheap: bool = False
    """Leave out what takes longer than seconds: distances, classes, inversion."""
    which: Literal["last", "best"] = "last"
    """The weights at the end of training, or those with the best validation metric."""
    seed: int = 0
    """The same seed gives the same figures."""
    json: bool = False
    """Print the result as JSON."""


def run(argv: list[str]) -> None:
    """Parse, measure, print."""
    options = parse(EvaluateOptions, argv, prog="evaluate", description=DESCRIPTION)
    counts = {name: getattr(options, name) for name in ("k", "temperatures", "chains", "limit", "samples")}
    for name, value in counts.items():
        at_least(f"--{name}", value)
    check_seed(options.seed)
    from rich.console import Console

    from pushforward.evaluation import evaluate
    from pushforward.evaluation.kept import keep, weights_of
    from pushforward.models.marginal import DRAWS
    from pushforward.objectives.annealing import Annealing
    from pushforward.runs.reopen import images_for, open_run, pick

    config, model = open_run(options.run, which=options.which)
    with Console(stderr=True).status("reading the images and measuring"):
        shown = images_for(config, model, data=options.data, split=options.split)
        images = pick(shown.data, _limit(options), options.seed)
        train, missing = _learned_from(config, model)
        evaluation = evaluate(
            model,
            images,
            reference=shown.data,
            train=train,
            samples=options.samples,
            features=options.features,
            cheap_only=options.cheap,
            k=options.k,
            seed=options.seed,
            likelihood=options.likelihood,
            annealing=Annealing(temperatures=options.temperatures, chains=options.chains),
        )
    evaluation = _at_the_edge(evaluation)
    notes = [note for note in (shown.note, missing) if note]
    what = model.kind.many
    if options.limit is None and len(images) < len(shown.data):
        notes.append(
            f"{options.likelihood} is costly, so on {len(images)} of {len(shown.data):,} {what}; "
            "--limit for more"
        )
    content = {
        "run": str(options.run),
        "checkpoint": options.which,
        "step": model.about["step"],
        "weights": weights_of(options.run if options.which == "last" else RunFolder(options.run).best.path),
        "data": options.data or config.sources[config.streams[0]],
        "split": shown.split,
        "fingerprint": images.fingerprint,
        "seed": options.seed,
        "likelihood": options.likelihood,
        "k": None if options.likelihood == "ais" else options.k or DRAWS[options.likelihood],
        "temperatures": options.temperatures if options.likelihood == "ais" else None,
        **asdict(evaluation),
        "notes": [*notes, *evaluation.notes],
    }
    if options.which == "last" and options.data is None and options.split in (None, "test"):
        with writing(RunFolder(options.run).evaluation, "RUN"):
            keep(options.run, content)
    if options.json:
        print(json.dumps(content))
    else:
        _print(content, evaluation, what)


def _learned_from(config: RunConfig, model: Model) -> tuple[Dataset | None, str]:
    """The training images, to tell copies by; or why there are none."""
    from pushforward.runs.reopen import images_for

    try:
        return images_for(config, model, split="train").data, ""
    except UserError as error:
        return None, f"copies of training images cannot be told: {error}"


def _at_the_edge(evaluation: Evaluation) -> Evaluation:
    """The same, where parameters are spelled as this command's options."""
    skipped = tuple(replace(s, reason=as_options(s.reason)) for s in evaluation.skipped)
    return replace(evaluation, skipped=skipped, notes=tuple(map(as_options, evaluation.notes)))


def _limit(options: EvaluateOptions) -> int | None:
    if options.limit is None and options.likelihood != "iwae":
        return COSTLY_IMAGES
    return options.limit


def _print(content: dict[str, Any], evaluation: Evaluation, what: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    def shown(name: object) -> str:
        return escape(printable(str(name)))

    of = {"all": f"{what} of"}.get(content["split"], f"{content['split']} {what} of")
    table = Table(
        title=f"{shown(content['run'])}, {content['checkpoint']} weights (step {content['step']:,})",
        caption=f"{evaluation.n:,} {of} {shown(content['data'])}; ± is a 95 % confidence interval; real: "
        "what real data score in place of samples, or a perfect model does",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for name, side in (("metric", "left"), ("value", "right"), ("±", "right"), ("real", "right")):
        table.add_column(name, justify=side, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("better", no_wrap=True)
    table.add_column("unit")
    last = None
    for metric in evaluation.metrics:
        if metric.features != last and metric.features is not None:
            table.add_row(f"[italic]on {shown(metric.features)}[/]")
        last = metric.features
        table.add_row(*map(shown, _row(metric)))
    console = Console()
    console.print(table)
    for reason, names in _by_reason(evaluation).items():
        console.print(printable(f"not measured: {', '.join(names)}: {reason}"), highlight=False, markup=False)
    for note in content["notes"]:
        console.print(printable(f"note: {note}"), highlight=False, markup=False)


def _by_reason(evaluation: Evaluation) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for skipped in evaluation.skipped:
        reasons.setdefault(skipped.reason, []).append(skipped.name)
    return reasons


def _row(metric: Metric) -> tuple[str, ...]:
    """real: what real data score in place of samples, or a perfect model does."""
    better = {True: "higher", False: "lower", None: ""}[metric.higher_is_better]
    floor = "" if metric.floor is None else f"{metric.floor:.4g}"
    interval = "" if metric.ci95 is None else f"{metric.ci95:.2g}"
    name = metric.name.removesuffix(f"[{metric.features}]")
    return name, f"{metric.value:.5g}", interval, floor, better, metric.unit
