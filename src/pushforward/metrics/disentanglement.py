"""Whether each dimension of a code answers to one factor of variation, and each factor to one dimension.

I. Higgins et al., *β-VAE*, ICLR 2017 (`beta_vae_score`); H. Kim and A. Mnih, *Disentangling by Factorising*,
ICML 2018 (`factor_vae_score`); R. T. Q. Chen et al., *Isolating Sources of Disentanglement in VAEs*,
NeurIPS 2018 (`mutual_information_gap`); C. Eastwood and C. K. I. Williams, *A Framework for the Quantitative
Evaluation of Disentangled Representations*, ICLR 2018 (`dci`); K. Hsu et al., *Disentanglement via Latent
Quantization*, NeurIPS 2023 (`info_mec`).

Codes are float, (n, d); factors (n, k), integers, or floats where a measure allows them, which then are
binned as codes are. Scores are from 0 to 1; higher is better, and random codes have more than 0 by chance.

Deviations from the papers:
1. Mutual information is that of a histogram, with bins of equal width from the least to the largest value.
   Of many rows it is biased upwards by about (bins - 1)(values - 1)/2n nats, and a single outlier can put all
   other rows into one bin. Chen et al. use the encoder's densities, Hsu et al. nearest neighbours.
2. The votes of Higgins' and Kim's scores are drawn, with replacement, from the given rows that share a
   value of a factor, so no grid is needed; accuracy is of votes that the classifier has not seen.
3. The votes and InfoMEC leave out codes that are constant, and those that `active` says are not: a mask (d,),
   such as KL of the dimension above 0.01 nats. Nothing else is pruned, so a code's unit never matters.
4. Importances of DCI are a random forest's, its informativeness the accuracy on held-out rows.
5. The explicitness of InfoMEC is by logistic regression on standardised codes, on rows that it was not fitted
   to. Hsu et al. give it quantised codes as one of n_v, and weigh classes alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pushforward.errors import UserError
from pushforward.metrics.factors import active_codes, binned, codes_and_factors, indexed, standardised

if TYPE_CHECKING:
    import numpy as np

BINS = 20
BATCH, VOTES = 64, 5000  # rows of a vote; votes to learn from, and as many to score
ITERATIONS = 1000  # of a logistic regression, at most
TREES = 20


@dataclass(frozen=True)
class DCI:
    """Disentanglement of codes, completeness of factors, and informativeness, which is an accuracy."""

    disentanglement: float
    completeness: float
    informativeness: float


@dataclass(frozen=True)
class InfoMEC:
    """Modularity of codes, explicitness and compactness of factors; the last two average over factors."""

    modularity: float
    explicitness: float
    compactness: float


def mutual_information(
    codes: Float[Tensor, "n d"], factors: Tensor, *, bins: int = BINS
) -> Float[Tensor, "d k"]:
    """I(code; factor) in nats, of each pair, from histograms. Raises UserError where a factor is constant."""
    z, v = codes_and_factors(codes, factors, bins)
    own, sizes = binned(z, bins), int(v.max()) + 1
    d, k = z.shape[1], v.shape[1]
    cells = (own[:, :, None] * sizes + v[:, None, :]) + torch.arange(d * k).view(d, k) * (bins * sizes)
    joint = torch.bincount(cells.flatten(), minlength=d * k * bins * sizes).view(d, k, bins, sizes)
    p = joint.double() / len(z)
    entropy = torch.special.entr
    found = entropy(p.sum(3)).sum(2) + entropy(p.sum(2)).sum(2) - entropy(p).sum((2, 3))
    return found.clamp(min=0)


def entropies(factors: Tensor, *, bins: int = BINS) -> Float[Tensor, " k"]:
    """H(factor) in nats of each factor, of the given rows."""
    v = indexed(factors, bins)
    shares = [torch.bincount(column).double() / len(v) for column in v.T]
    return torch.stack([torch.special.entr(p).sum() for p in shares])


def mutual_information_gap(codes: Float[Tensor, "n d"], factors: Tensor, *, bins: int = BINS) -> float:
    """MIG: mean over factors of (I of the best code - I of the second) / H(factor). Chen et al. 2018."""
    best = mutual_information(codes, factors, bins=bins).topk(2, dim=0).values
    return float(((best[0] - best[1]) / entropies(factors, bins=bins)).mean())


def factor_vae_score(
    codes: Float[Tensor, "n d"],
    factors: Tensor,
    *,
    votes: int = VOTES,
    active: Tensor | None = None,
    seed: int = 0,
) -> float:
    """Accuracy of a majority vote: which factor is fixed, by the code of the least variance. 1/k by chance.

    Codes are divided by their standard deviation over all rows. Kim and Mnih 2018, section 4. votes: to learn
    from, and as many to score. active: (d,) booleans, of the codes to look at; constant ones are left out.
    Raises UserError where no value of a factor is shared by two rows.
    """
    z, rows, which = _votes(codes, factors, active, 2 * votes, (1, BATCH), seed)
    rows = rows[:, 0]
    least = torch.cat([z[part].var(1).argmin(1) for part in rows.split(256)])
    table = torch.zeros(z.shape[1], factors.shape[1], dtype=torch.int64)
    table.index_put_((least[:votes], which[:votes]), torch.ones(votes, dtype=torch.int64), accumulate=True)
    return float((table.argmax(1)[least[votes:]] == which[votes:]).double().mean())


def beta_vae_score(
    codes: Float[Tensor, "n d"],
    factors: Tensor,
    *,
    votes: int = VOTES,
    active: Tensor | None = None,
    seed: int = 0,
) -> float:
    """Accuracy of a linear classifier: which factor pairs of rows share, by the mean of |z - z'|.

    It is 1/k by chance. Higgins et al. 2017. Rotated codes can score 1 too. Parameters and errors are those
    of `factor_vae_score`.
    """
    z, rows, which = _votes(codes, factors, active, 2 * votes, (BATCH, 2), seed)
    parts = [(z[p[:, :, 0]] - z[p[:, :, 1]]).abs().mean(1) for p in rows.split(256)]
    x, y = torch.cat(parts).numpy(), which.numpy()
    return float(_linear(x[:votes], y[:votes]).score(x[votes:], y[votes:]))


def dci(codes: Float[Tensor, "n d"], factors: Tensor, *, bins: int = BINS, seed: int = 0) -> DCI:
    """Disentanglement, completeness and informativeness, from a forest's importances of codes for factors.

    Rows are halved at random: one half to fit, one to score. Eastwood and Williams 2018, section 2. Codes
    weigh by their shares of all importances.
    """
    from sklearn.ensemble import RandomForestClassifier

    z, v = codes_and_factors(codes, factors, bins)
    z, _ = standardised(z)  # a tree takes entries less than 1e-7 apart for equal
    fitted, held_out = _halves(len(z), seed)
    importances, right = [], []
    for column in v.T:
        forest = RandomForestClassifier(TREES, max_features=None, random_state=seed).fit(
            z[fitted].numpy(), column[fitted].numpy()
        )
        importances.append(torch.from_numpy(forest.feature_importances_))
        right.append(float(forest.score(z[held_out].numpy(), column[held_out].numpy())))
    r = torch.stack(importances, 1)  # (d, k)
    weights = r.sum(1) / r.sum().clamp(min=1e-300)
    return DCI(
        disentanglement=float((weights * _peaked(r)).sum()),
        completeness=float(_peaked(r.T).mean()),
        informativeness=sum(right) / len(right),
    )


def info_mec(
    codes: Float[Tensor, "n d"],
    factors: Tensor,
    *,
    bins: int = BINS,
    active: Tensor | None = None,
    seed: int = 0,
) -> InfoMEC:
    """Modularity, explicitness and compactness, from I(code; factor) / H(factor). Hsu et al. 2023.

    Modularity: the share of a code's information that is about its best factor, less 1/k, over 1 - 1/k, mean
    over active codes. Compactness: the same of a factor over its codes. Explicitness: what a linear
    classifier of codes knows of a factor, in nats, over its entropy. active: as in `factor_vae_score`. Raises
    UserError for a single factor, or fewer than two active codes.
    """
    z, v = codes_and_factors(codes, factors, bins)
    if v.shape[1] < 2:
        raise UserError("`factors`: one; expected at least two, or modularity says nothing")
    z = active_codes(z, active)
    if z.shape[1] < 2:
        raise UserError(
            f"`codes`: one of {codes.shape[1]} is active; expected two, or compactness says nothing"
        )
    shares = mutual_information(z, v, bins=bins) / entropies(v)
    fitted, held_out = _halves(len(z), seed)
    explicit = [_known(z.numpy(), column.numpy(), fitted.numpy(), held_out.numpy()) for column in v.T]
    return InfoMEC(
        modularity=float(_ahead(shares).mean()),
        explicitness=sum(explicit) / len(explicit),
        compactness=float(_ahead(shares.T).mean()),
    )


def _ahead(shares: Float[Tensor, "r c"]) -> Float[Tensor, " r"]:
    """Of each row the share of its largest entry, so scaled that an even row is 0."""
    c = shares.shape[1]
    return ((shares.amax(1) / shares.sum(1).clamp(min=1e-300) - 1 / c) / (1 - 1 / c)).clamp(min=0)


def _peaked(r: Float[Tensor, "r c"]) -> Float[Tensor, " r"]:
    """1 less the entropy of each row, in units of that of an even one; 0 for a row of zeros."""
    total = r.sum(1, keepdim=True)
    p = torch.where(total > 0, r / total.clamp(min=1e-300), torch.full_like(r, 1 / r.shape[1]))
    return 1 - torch.special.entr(p).sum(1) / max(math.log(r.shape[1]), 1e-300)


def _known(x: np.ndarray, y: np.ndarray, fitted: np.ndarray, held_out: np.ndarray) -> float:
    """(H - cross-entropy) / H on held-out rows, in [0, 1]; H is that of the fitted rows' shares."""
    import numpy as np

    classes, own = np.unique(y[fitted], return_inverse=True)
    rows = held_out[np.isin(y[held_out], classes)]
    if len(classes) < 2 or not len(rows):
        return 0.0  # of values too rare to learn from
    place = np.searchsorted(classes, y[rows])
    blind = -np.log(np.bincount(own)[place] / len(own)).mean()
    told = _linear(x[fitted], y[fitted]).predict_log_proba(x[rows])
    return float(np.clip(1 + told[np.arange(len(rows)), place].mean() / max(blind, 1e-300), 0, 1))


def _linear(x: np.ndarray, y: np.ndarray) -> Any:
    """A logistic regression on standardised columns, hardly penalised."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=100.0, max_iter=ITERATIONS)).fit(x, y)


def _halves(n: int, seed: int) -> tuple[Tensor, Tensor]:
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    return order[: n // 2], order[n // 2 :]


def _votes(
    codes: Tensor,
    factors: Tensor,
    active: Tensor | None,
    votes: int,
    groups: tuple[int, int],
    seed: int,
) -> tuple[Float[Tensor, "n e"], Int64[Tensor, "v g b"], Int64[Tensor, " v"]]:
    """The active codes; for each vote so many groups of so many rows, which share a value of a factor in each
    group; and which factor that is."""
    if votes < 2:
        raise UserError(f"`votes`: {votes // 2}; expected at least 1")
    z, v = codes_and_factors(codes, factors, None)
    if v.shape[1] < 2:
        raise UserError("`factors`: one; expected at least two, or there is nothing to tell apart")
    return active_codes(z, active), *_sharing(v, votes, groups, seed)


def _sharing(v: Tensor, votes: int, groups: tuple[int, int], seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    which = torch.randint(v.shape[1], (votes,), generator=generator)
    rows = torch.empty(votes, *groups, dtype=torch.int64)
    for i, column in enumerate(v.T):
        counts = torch.bincount(column)
        shared = (counts[column] > 1).nonzero().flatten()
        if not len(shared):
            raise UserError(
                f"`factors`: no two rows share a value of factor {i}; give more rows, or leave it out"
            )
        mine = (which == i).nonzero().flatten()
        chosen = torch.randint(len(shared), (len(mine), groups[0], 1), generator=generator)
        value = column[shared[chosen]]
        starts = counts.cumsum(0) - counts
        draws = torch.rand(len(mine), *groups, dtype=torch.float64, generator=generator)
        rows[mine] = column.argsort()[(draws * counts[value]).long() + starts[value]]
    return rows, which
