"""A disease lives here once: its measure, threshold, words and cure. Measurements in, findings out.

`exam` looks at a game without a schedule, and `cures` gives the command against what it finds.
`latent_information.latent_information` keeps its place: a module cannot lend its own name.
"""

from __future__ import annotations

from pushforward.diagnostics.critic import (
    diagnose_saturation,
    diagnose_slope,
    diagnose_vanishing,
    generator_gradient,
    lipschitz,
    saturation,
    separation,
)
from pushforward.diagnostics.dead_units import diagnose_dead_units, unit_activity, watched
from pushforward.diagnostics.latent_information import LatentInformation
from pushforward.diagnostics.mode_collapse import (
    Collapse,
    collapse_in_cells,
    collapse_in_modes,
    diagnose_mode_collapse,
)
from pushforward.diagnostics.oscillation import diagnose_oscillation
from pushforward.diagnostics.posterior_collapse import active_units, diagnose_posterior_collapse

__all__ = [
    "Collapse",
    "LatentInformation",
    "active_units",
    "collapse_in_cells",
    "collapse_in_modes",
    "diagnose_dead_units",
    "diagnose_mode_collapse",
    "diagnose_oscillation",
    "diagnose_posterior_collapse",
    "diagnose_saturation",
    "diagnose_slope",
    "diagnose_vanishing",
    "generator_gradient",
    "lipschitz",
    "saturation",
    "separation",
    "unit_activity",
    "watched",
]
