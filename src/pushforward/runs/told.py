"""What is said of a source before anything is learned from it."""

from __future__ import annotations

import shlex
from collections import Counter

from pushforward.data import Splits
from pushforward.data.kinds import Kind
from pushforward.data.rows import NO_IMAGE

SHOWN = 3  # kinds of oddities; `data info` has all


def told(splits: Splits, *, train: int, batch_size: int = 0) -> list[str]:
    """How many rows train, which are held out, and what was skipped or converted.

    train: rows that are learned from; the others of the training part choose the best weights. batch_size: of
    a step.
    """
    scan, kind = splits.train.scan, Kind.of(splits.train.shape)
    aside = len(splits.train) - train
    chosen = f"{aside:,} set aside to choose the best weights, " if aside else ""
    lines = [
        f"data    {scan.source}: {kind.count(train)} to train on, {chosen}"
        f"{len(splits.test):,} held out ({splits.how})"
    ]
    skipped = Counter(skip.reason for skip in scan.skipped if skip.reason != NO_IMAGE)
    converted = Counter({what: n for what, n in scan.converted.items() if what != "resized"})
    oddities = [_counted("skipped", skipped), _counted("converted", converted)]
    if any(oddities):
        where = f"`pushforward data info {shlex.quote(scan.source)}` lists them"
        lines.append(f"        {', '.join(filter(None, oddities))}; {where}")
    if batch_size > train:
        lines.append(
            f"note    a batch of {batch_size:,} is more than these: each step shows {kind.one} about "
            f"{batch_size / train:.1f} times; --batch-size {train} shows each once"
        )
    return lines + [f"doubt   {doubt}" for doubt in scan.doubts]


def _counted(verb: str, counts: Counter[str]) -> str:
    if not counts:
        return ""
    kinds = ", ".join(f"{n:,} × {what}" for what, n in counts.most_common(SHOWN))
    more = ", …" if len(counts) > SHOWN else ""
    return f"{verb} {counts.total():,} ({kinds}{more})"
