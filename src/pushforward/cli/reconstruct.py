"""`pushforward reconstruct RUN`: images beside what the model makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from pushforward.cli.options import parse
from pushforward.cli.output import announce, at_least, check_seed, require_png, scale_for, write_picture

if TYPE_CHECKING:
    from torch import Tensor

    from pushforward.data import Dataset
    from pushforward.models.model import Model

DESCRIPTION = (
    "Encode and decode images, and show each original above its reconstruction. "
    "Example: pushforward reconstruct runs/vae-mnist5k --data my-digits"
)


@dataclass(kw_only=True)
class ReconstructOptions:
    """Which images, and where to put the picture."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run folder that `pushforward train` made, such as runs/vae-mnist5k."""
    data: str | None = None
    """Images to reconstruct: a folder, a zip, an .npz, or a name of `data list`. Default: the images that
    the run held out."""
    label: str | None = None
    """The class of all images, for a model that was trained with --conditional. Default: the labels that they
    have."""
    n: int = 16
    """How many images."""
    samples: int | None = None
    """Show the mean of so many decoded draws of the posterior, with its Monte Carlo standard error. Default:
    decode the posterior's mean."""
    seed: int = 0
    """Which images, and the method's own randomness; the same seed gives the same picture."""
    out: str | None = None
    """The picture to write, X.png. Default: RUN/reconstructions.png."""
    which: Literal["last", "best"] = "last"
    """The weights at the end of training, or those with the best validation metric."""
    columns: int = 8
    """Pairs a row of the picture."""
    scale: int | None = None
    """Enlarge the picture by this whole factor. Default: enough to see small images."""
    json: bool = False
    """Print the result as JSON, with the error of each image (MSE, intensities in [0, 1]) and, with
    --samples, the standard error of its mean (root of the mean square over pixels)."""


def run(argv: list[str]) -> None:
    """Parse, reconstruct, write."""
    options = parse(ReconstructOptions, argv, prog="reconstruct", description=DESCRIPTION)
    for name in ("n", "samples", "columns", "scale"):
        at_least(f"--{name}", getattr(options, name))
    check_seed(options.seed)
    require_png(options.out)
    from pushforward.abilities import Reconstructs
    from pushforward.core import to_float
    from pushforward.metrics.pixels import mean_squared_error
    from pushforward.models.by_class import needs_class
    from pushforward.pictures.tiles import pairs
    from pushforward.runs.reopen import images_for, open_run, pick, require, require_images

    config, model = open_run(options.run, which=options.which)
    require_images(model, "reconstruct")
    if options.label is not None:
        model = model.given(options.label)
    if not needs_class(model):
        require(model, Reconstructs)
    shown = images_for(config, model, data=options.data)
    images = pick(shown.data, options.n, options.seed)
    x = to_float(images.x)
    x_hat, standard_errors = _reconstructions(model, images, options)
    out = Path(options.out or options.run / "reconstructions.png")
    scale = scale_for(min(x.shape[2:]), options.scale)
    write_picture(pairs(x, x_hat, columns=options.columns, scale=scale), out)
    errors = mean_squared_error(x, x_hat)
    facts = {
        "run": str(options.run),
        "checkpoint": options.which,
        "step": model.about["step"],
        "data": options.data or config.sources[config.streams[0]],
        "split": shown.split,
        "n": len(x),
        "images": images.names,
        "errors": errors.tolist(),
        "samples": options.samples,
        "standard_errors": standard_errors,
        "notes": [shown.note] if shown.note else [],
        "out": str(out),
    }
    how = ""
    if standard_errors:
        mean = sum(standard_errors) / len(standard_errors)
        how = f", each the mean of {options.samples} draws, Monte Carlo standard error {mean:.4f}"
    elif options.samples:
        how = ", each of one draw"
    note = f"\nnote: {shown.note}" if shown.note else ""
    announce(
        facts,
        as_json=options.json,
        line=lambda: (
            f"{len(x)} images above their reconstructions{how}, mean error {errors.mean():.4f}  {out}{note}"
        ),
    )


def _reconstructions(
    model: Model, images: Dataset, options: ReconstructOptions
) -> tuple[Tensor, list[float] | None]:
    """The images, and the Monte Carlo standard error of each; None where there is none."""
    import torch

    from pushforward.models.by_class import by_class, needs_class, require_labels

    def each(model: Model, x: Tensor) -> Tensor:
        """Reconstructions, and behind them the errors of their means."""
        if options.samples is None:
            return model.reconstruct(x, seed=options.seed)[:, None]
        return torch.stack(model.mean_reconstruction(x, samples=options.samples, seed=options.seed), 1)

    require_labels(model, images)
    made = by_class(model, images, each) if needs_class(model) else each(model, images.x)
    if options.samples in (None, 1):
        return made[:, 0], None
    error = made[:, 1]
    return made[:, 0], (error.square().flatten(1).mean(1).sqrt() / 2).tolist()  # [-1, 1] is twice as wide
