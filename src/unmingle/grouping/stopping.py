"""When to stop merging: a bar that follows how many strangers there are.

Source: our own prototype (a linkage with an expected number of false merges). The average cosine of two strangers'
clusters is near normal. With the means and the sizes known, the chance that strangers reach a similarity follows; with
N other clusters the most similar of N strangers has to be beaten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from unmingle.grouping.neighbours import similarity_blocks

if TYPE_CHECKING:
    from unmingle.grouping.impostors import ImpostorCurve
    from unmingle.records import F32, F64, I64, Bool

# Mean of the upper quarter of a standard normal variable: its density at the upper quartile, over a quarter.
QUARTER = 1.2711
# How much more the best quarter varies between pairs of strangers than their average does.
QUARTER_SPREAD = 1.04
# Sizes of partners for which the lowest bar is looked for, and room for rounding below it.
PARTNERS = np.unique(np.round(1.25 ** np.arange(0, 80)).astype(np.int64))
FLOOR_SLACK = 1e-5


class StopRule(Protocol):
    """Says which pairs of clusters may be merged."""

    def __call__(self, similarity_m: F32, first_m: I64, second_m: I64, *, clusters: int) -> Bool:
        """A (m,) mask of the pairs that may be merged.

        Args:
            similarity_m: (m,) average cosine of each pair.
            first_m: (m,) faces in the one cluster of each pair.
            second_m: (m,) faces in the other.
            clusters: how many clusters there are at this moment.
        """
        ...

    def floor(self, size_m: I64, *, clusters: int) -> F64:
        """(m,) what a cluster of so many faces has to reach with any other, whatever its size, or less than that."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatBar:
    """Merge at `bar` and above (average cosine), whatever the sizes."""

    bar: float

    def __call__(self, similarity_m: F32, first_m: I64, second_m: I64, *, clusters: int) -> Bool:
        """See StopRule."""
        return similarity_m >= self.bar

    def floor(self, size_m: I64, *, clusters: int) -> F64:
        """See StopRule."""
        return np.full(len(size_m), self.bar)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoBar:
    """Merge all that may be merged."""

    def __call__(self, similarity_m: F32, first_m: I64, second_m: I64, *, clusters: int) -> Bool:
        """See StopRule."""
        return np.ones(len(similarity_m), np.bool_)

    def floor(self, size_m: I64, *, clusters: int) -> F64:
        """See StopRule."""
        return np.full(len(size_m), -np.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseMergeBar:
    """Merge while strangers are unlikely to be so similar, given how many of them there are.

    A pair passes when the chance that two strangers' clusters of its sizes reach its similarity is below
    expected / (N · min(a, b)), with N other clusters. The bar falls by itself as clusters grow (averages of many faces
    vary less) and as rivals vanish; the size of the smaller one guards large clusters: large fragments of one person
    are rare, and merging them wrongly costs most.
    """

    curve: ImpostorCurve
    expected: float  # merges with a stranger that each cluster may expect; GroupingSettings.expected_false_merges
    scale: float = 1.0  # how much wider strangers spread in this collection than on the model card

    def __call__(self, similarity_m: F32, first_m: I64, second_m: I64, *, clusters: int) -> Bool:
        """See StopRule."""
        z = self.standard(similarity_m, first_m, second_m)
        passes: Bool = z >= self.bar(np.minimum(first_m, second_m), clusters=clusters)
        return passes

    def floor(self, size_m: I64, *, clusters: int) -> F64:
        """See StopRule.

        Between two sizes of a partner the bar is at least that of the smaller one, at the deviation of the larger one,
        so a grid of sizes gives a bound for all.
        """
        sizes, index = np.unique(size_m, return_inverse=True)
        smaller, larger = PARTNERS[:-1, None], PARTNERS[1:, None]
        z = self.bar(np.minimum(sizes, smaller), clusters=clusters)
        least: F64 = (z * self.scale * self.curve.deviation(sizes, larger)).min(axis=0)
        return self.curve.mean + least[index] - FLOOR_SLACK

    def standard(self, similarity_m: F32, first_m: I64, second_m: I64) -> F64:
        """How many standard deviations above strangers each pair is."""
        z: F64 = (similarity_m - self.curve.mean) / (self.scale * self.curve.deviation(first_m, second_m))
        return z

    def quarter_standard(self, quarter_m: F64, first_m: I64, second_m: I64) -> F64:
        """As `standard`, for the mean of the most similar quarter of pairs.

        The best quarter of independent normal values lies 1.271 standard deviations above their average.
        """
        expected = self.curve.mean + QUARTER * self.curve.spread(first_m, second_m)
        z: F64 = (quarter_m - expected) / (QUARTER_SPREAD * self.scale * self.curve.deviation(first_m, second_m))
        return z

    def bar(self, smaller_m: I64, *, clusters: int) -> F64:
        """The standard deviations to reach, for pairs whose smaller cluster has so many faces."""
        from scipy.special import ndtri

        bar: F64 = -ndtri(self.expected / (max(1, clusters - 1) * smaller_m))
        return bar

    def cosine(self, first: int, second: int, *, clusters: int) -> float:
        """The average cosine that clusters of these sizes have to reach."""
        a, b = np.array([first]), np.array([second])
        z = self.bar(np.minimum(a, b), clusters=clusters)
        return float((self.curve.mean + z * self.scale * self.curve.deviation(a, b))[0])


# Clusters with fewer faces than this say nothing about how far strangers spread: they may be fragments or mistakes.
LEAST_FACES = 3
# So many clusters weigh as much as the model card's word that the scale is 1.
PRIOR_CLUSTERS = 20
# So many clusters, evenly spread, are enough to tell: twelve million pairs.
MOST_CLUSTERS = 5000
# Pairs further out than this are no strangers but one person in two parts, and may not stretch the scale.
OUTLIER_Z = 3.0


def collection_scale(mean_cd: F32, size_c: I64, curve: ImpostorCurve) -> float:
    """How much wider strangers spread in this collection than the curve says: 1 is as on the model card.

    Siblings, one camera or one light make strangers more alike. After a first clustering its people are strangers to
    each other; the upper half of their standardised similarities has a mean square of 1 if the curve holds here.

    Args:
        mean_cd: (c, d) float32, mean of the unit vectors of each cluster.
        size_c: (c,) faces of each.
        curve: of the model.

    Returns:
        The factor on all standard deviations, drawn to 1 where there are few clusters.
    """
    large = np.flatnonzero(size_c >= LEAST_FACES)
    large = large[np.arange(min(len(large), MOST_CLUSTERS)) * len(large) // max(1, min(len(large), MOST_CLUSTERS))]
    mean_ld, size_l = mean_cd[large], size_c[large]
    card = FalseMergeBar(curve=curve, expected=0.5)
    total, count = 0.0, 0
    for block, similarity_rl in similarity_blocks(mean_ld, mean_ld, cells=1 << 21):
        z_rl = card.standard(similarity_rl, size_l[block, None], size_l[None])
        z_rl[np.arange(len(z_rl)), np.arange(block.start, block.stop)] = 0  # itself
        above = z_rl[z_rl > 0]
        total += float(np.square(np.minimum(above, OUTLIER_Z)).sum())
        count += len(above)
    spread = total / count if count else 1.0
    m = len(size_l)
    return float(np.sqrt((PRIOR_CLUSTERS + m * spread) / (PRIOR_CLUSTERS + m)))
