"""What several transforms, each with a head of its own, do to a GAN's game: by enumeration and quadrature.

N.-T. Tran et al., *On Data Augmentation for GAN Training*, IEEE Transactions on Image Processing 2021,
section IV. `finite` has every image of a few pixels, `plane` mixtures in the plane, `checks` checks and
`picture` draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from pushforward.experiments.dag_theory import finite, plane
from pushforward.experiments.harness.experiment import Budget, Cell, Claim, Experiment, Figure, Results
from pushforward.methods import recipe_class
from pushforward.objectives.adversarial import nonsaturating_generator
from pushforward.recipes.augment import AugmentOptions
from pushforward.views.transforms import KINDS, Transform, transforms_of

INVERTIBLE, LOSSY = ("rotation", "flip", "fliprot"), ("translation", "crop")
SMALL, LARGE = 2, 3  # pixels a side; at 2 a crop and a shift of these shares are the identity
GAN, DAG, ALONE = "GAN", "DAG", "transforms' heads alone"
CLASSICAL, ALIKE, WEIGHED = "augmented data", "one head, alike", "one head, weighed"
GRADIENTS, NETWORKS = "gradients", "gradients, networks"
SHADOW, PLANE, TURNED = "first coordinate", "plane", "G makes turned data"
ABOUT = """\
Few images are augmented: turned, mirrored, cropped. Give these to a GAN as *data*, and it learns to make
turned images. DAG (Tran et al. 2020) shows the critic T_k(x) beside T_k(G(z)), with a head D_k for each
transform. So the generator is asked for data whose *transforms* look right. The claims of the paper:

- Where T is invertible it loses nothing: JS(T(p) ‖ T(q)) = JS(p ‖ q), and the best head says of T(x) what the
  best critic says of x. So each term of DAG's loss has the GAN's optimum, q = p.
- Where T is not, such as a crop, JS(T(p) ‖ T(q)) ≤ JS(p ‖ q): what is cut off cannot be compared.
- One head for all transforms (`--augment dag-single`) sees their *mixture*, which has JS ≤ that of the data.
  It cannot tell data from turned data at all, if all transforms weigh alike.

Two sorts of distributions make this exact. First, *every* black-and-white image of 2×2 or 3×3 pixels (16 or
512 of them), with random probabilities, under the library's own transforms. Divergences are sums, and the
optimum over all q is found to many digits. Second, mixtures of Gaussians in the plane, by quadrature.

A head's JS below the data's for an invertible T, an optimum of DAG away from p, or a term without a gradient
would refute it. What these numbers do *not* say: why DAG helps with few images. With the best critics an
invertible transform's gradient is the GAN's own, times λ. A trained critic is not the best one: what it gains
are the heads' shared layers, which learn from K times the images.
"""


def size(side: int) -> str:
    """The setting of all images of so many pixels a side."""
    return f"{side}×{side}"


def of_kind(kind: str, side: int) -> str:
    """The setting of a kind of transforms."""
    return f"{kind}, {size(side)}"


def named(side: int) -> dict[str, Transform]:
    """The transforms of all kinds that do something to so few pixels."""
    kinds = INVERTIBLE if side == SMALL else tuple(KINDS)
    return {t.name: t for t in transforms_of(kinds, (1, side, side))}


def cells(budget: Budget, seeds: Sequence[int]) -> list[Cell]:
    """The same for both budgets: random distributions for each seed, the plane once."""
    settings: list[tuple[str, str, Mapping[str, Any]]] = []
    for side in (SMALL, LARGE):
        settings += [(name, size(side), {"side": side}) for name in named(side)]
        for kind in KINDS if side == LARGE else INVERTIBLE:
            options = {"side": side, "kind": kind}
            settings += [(method, of_kind(kind, side), options) for method in (ALIKE, WEIGHED, GRADIENTS)]
        settings.append((ALIKE, f"{TURNED}, {size(side)}", {"side": side, "kind": "rotation", "turned": 1}))
        settings.append((f"optimum, {GAN}", size(side), {"side": side, "kind": "rotation"}))
    settings += [
        (f"optimum, {method}", of_kind(kind, side), {"side": side, "kind": kind})
        for side, kinds, methods in (
            (SMALL, INVERTIBLE, (DAG, ALONE, WEIGHED, ALIKE, CLASSICAL)),
            (LARGE, LOSSY, (DAG, ALONE, CLASSICAL)),
        )
        for kind in kinds
        for method in methods
    ]
    settings += [(NETWORKS, kind, {"kind": kind}) for kind in KINDS]
    once = [Cell(name, PLANE, seeds[0]) for name in (*plane.MAPS, SHADOW, ALIKE)]
    return [Cell(method, setting, seed, o) for method, setting, o in settings for seed in seeds] + once


def run(cell: Cell) -> dict[str, float]:
    """One comparison."""
    torch.manual_seed(cell.seed)
    if cell.setting == PLANE:
        return _in_the_plane(cell.method)
    if cell.method == NETWORKS:
        return _networks(cell.options["kind"])
    side, kind = cell.options["side"], cell.options.get("kind")
    x = finite.every_image(side)
    p, q = finite.positive(len(x), cell.seed)
    if kind is None:
        return _one_transform(named(side)[cell.method], x, p, q)
    game = finite.Game(transforms_of([kind], (1, side, side)), x)
    if cell.method.startswith("optimum"):
        return _optimum(cell.method.removeprefix("optimum, "), game, p, cell.seed)
    if cell.method == GRADIENTS:
        g = game.generator_gradients(p, q)
        cosines = torch.cosine_similarity(g, g[:1])[1:]
        over = g.norm(dim=1)[1:] / g[0].norm()
        return {"least cosine": float(cosines.min()), "least size": float(over.min())}
    if "turned" in cell.options:
        q = finite.pushed(p, game.index[1], game.kinds)[game.index[0]]
    before = float(finite.js(p, q))
    after = float(game.mixed(p, q, mixture_weights(cell.method, len(game.index))))
    return {"JS": before, "JS seen": after, "kept": after / before}


def mixture_weights(method: str, k: int) -> torch.Tensor:
    """How often one head sees each transform, the identity first: alike, or by `dag_weight` as in a run."""
    rest = 1.0 if method == ALIKE else AugmentOptions.dag_weight / (k - 1)
    weights = torch.tensor([1.0] + [rest] * (k - 1), dtype=torch.float64)
    return weights / weights.sum()


def losses(method: str, game: finite.Game, p: torch.Tensor) -> Any:
    """What the generator minimises over q at the best critics, in JS: a convex function of q."""
    k = len(game.index)
    weighed, alike = mixture_weights(WEIGHED, k), mixture_weights(ALIKE, k)
    return {
        GAN: lambda q: finite.js(p, q),
        DAG: lambda q: weighed @ game.apart(p, q),
        ALONE: lambda q: game.apart(p, q)[1:].mean(),
        WEIGHED: lambda q: game.mixed(p, q, weighed),
        ALIKE: lambda q: game.mixed(p, q, alike),
        CLASSICAL: lambda q: finite.js(alike @ game.seen(p), game.seen(q)[0]),
    }[method]


def _optimum(method: str, game: finite.Game, p: torch.Tensor, seed: int) -> dict[str, float]:
    loss = losses(method, game, p)
    q = finite.optimum(loss, len(p), seed)
    return {"loss left": float(loss(q)), "TV to the data": finite.tv(p, q), "JS": float(finite.js(p, q))}


def _one_transform(t: Transform, x: torch.Tensor, p: torch.Tensor, q: torch.Tensor) -> dict[str, float]:
    game = finite.Game([t], x)
    before, after = (float(v) for v in game.apart(p, q))
    best, head = game.critics(p, q)
    figures = {"JS": before, "JS seen": after, "kept": after / before}
    figures |= {"critics apart": float((best - head).abs().max()), "images left": len(game.index[1].unique())}
    if t.inverse is not None:
        figures["undone, off"] = float((t.inverse(t(x)) - x).abs().max())
    return figures


def _networks(kind: str) -> dict[str, float]:
    """The gradient of each term of an untrained GAN in the library's own code, over that of its first."""
    recipe = recipe_class("gan")(augment="dag", dag_transforms=(kind,), latent_dim=8, hidden=(32,))
    model = recipe.build((1, 8, 8))
    sizes = []
    weights = [*model.generator.parameters()]
    for look in model.judged(model.generate(64)):
        term = nonsaturating_generator(look.fake_scores)
        found = torch.autograd.grad(term, weights, retain_graph=True)
        sizes.append(float(torch.cat([g.flatten() for g in found]).norm()))
    return {"terms": len(sizes), "least size": min(sizes) / sizes[0]}


def _in_the_plane(method: str) -> dict[str, float]:
    p, q = plane.mixture(plane.P), plane.mixture(plane.Q)
    before = plane.js(p, q)
    figures = {"JS": before}
    if method == SHADOW:
        after = plane.js_of_shadow(p, q)
    elif method == ALIKE:
        after = plane.js(*(plane.mean_of([plane.pushed(d, m) for m in plane.QUARTERS]) for d in (p, q)))
    else:
        map_ = plane.MAPS[method]
        after = plane.js(plane.pushed(p, map_), plane.pushed(q, map_))
        points = 2 * torch.randn(2000, 2, dtype=torch.float64)
        figures["critics apart"] = plane.critic_off(p, q, map_, points)
    return figures | {"JS seen": after, "kept": after / before}


def claims(budget: Budget) -> list[Claim]:
    """What is checked."""
    # Not loaded while cells run, so that a claim or a picture can be worded anew without running them again.
    from pushforward.experiments.dag_theory.checks import all_claims

    return all_claims()


def plot(results: Results) -> Any:
    """The transforms of one image, what each leaves of JS, and where the generator ends."""
    from pushforward.experiments.dag_theory.picture import draw

    return draw(results)


EXPERIMENT = Experiment(
    name="dag-theory",
    title="A head for each transform leaves a GAN's optimum where it is; augmented data, or one head, do not",
    about=ABOUT,
    source="Tran et al. 2021, section IV",
    cells=cells,
    run=run,
    figures={
        "JS": Figure("nats"),
        "JS seen": Figure("nats"),
        "kept": Figure("of JS"),
        "critics apart": Figure(),
        "images left": Figure(),
        "undone, off": Figure(),
        "loss left": Figure("nats"),
        "TV to the data": Figure(),
        "least cosine": Figure(),
        "least size": Figure("of the first's"),
        "terms": Figure(),
    },
    claims=claims,
    plot=plot,
)
