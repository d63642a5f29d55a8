"""What every benchmark shares: a quick mode, and a word about the machine that it ran on."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from pushforward.experiments.harness.machine import cores, hardware

BUSY = 0.5  # processes of others that want to run, for each core


def parse(parser: argparse.ArgumentParser, **quick: Any) -> argparse.Namespace:
    """The arguments; with --quick those of a first look, within 2 minutes, in place of the usual ones."""
    told = ", ".join(f"--{name} {_words(value)}" for name, value in quick.items())
    parser.add_argument("--quick", action="store_true", help=f"a first look, within 2 minutes: {told}")
    args = parser.parse_args()
    if args.quick:
        vars(args).update(quick)
    load = os.getloadavg()[0]
    args.machine = {"hardware": hardware(), "load_before": round(load, 2), "quick": args.quick}
    busy = f"; busy (load {load:.1f} before the start): trust ratios of many rounds alone"
    print(f"machine  {hardware()}{busy if load > BUSY * cores() else ''}", file=sys.stderr)
    return args


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
