"""When two clusters may be merged: a threshold that bounds the expected number of false merges.

The average cosine of two strangers' clusters is near normal. With its mean and deviation known (`impostors`), the
chance that strangers reach a similarity follows; with N other clusters the most similar of N has to be beaten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.index import similarity_blocks

if TYPE_CHECKING:
    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.records import F32, F64, I64, Bool

# Mean of the upper quarter of a standard normal variable: its density at the upper quartile, over a quarter.
QUARTILE = 1.2711
# How much more the top quartile varies between pairs of strangers than their average does.
QUARTILE_SPREAD = 1.04
# Below one standard deviation above strangers, not even the top quartile can tell.
LEAST_Z = 1.0
# Sizes of partners for which the lowest threshold is looked for, and room for rounding below it.
PARTNERS = np.unique(np.round(1.25 ** np.arange(0, 80)).astype(np.int64))
FLOOR_SLACK = 1e-5
# Clusters with fewer faces than this say nothing about how far strangers spread: they may be fragments or mistakes.
LEAST_FACES = 3
# So many clusters weigh as much as the model card's word that the scale is 1.
PRIOR_CLUSTERS = 20
# So many clusters, evenly spread, are enough to tell: twelve million pairs.
MOST_CLUSTERS = 5000
# Pairs further out than this are no strangers but one person in two parts, and may not stretch the scale.
OUTLIER_Z = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseMergeThreshold:
    """Merge while strangers are unlikely to be so similar, given how many of them there are.

    A pair passes when the chance that two strangers' clusters of its sizes reach its similarity is below
    expected / (N · min(a, b)), with N other clusters. The threshold falls by itself as clusters grow (averages of many
    faces vary less) and as rivals vanish; the size of the smaller one guards large clusters: large fragments of one
    person are rare, and merging them wrongly costs most.
    """

    curve: ImpostorModel
    expected: float  # merges with a stranger that each cluster may expect; GroupingSettings.expected_false_merges
    scale: float = 1.0  # how much wider strangers spread in this collection than on the model card

    def passes(self, similarity_m: F32, first_m: I64, second_m: I64, *, clusters: int) -> Bool:
        """Which pairs of clusters of these sizes are alike enough by average, with so many clusters at this moment."""
        z_m = self.standard(similarity_m, first_m, second_m)
        passes: Bool = z_m >= self.least_z(np.minimum(first_m, second_m), clusters=clusters)
        return passes

    def least_z(self, smaller_m: I64, *, clusters: int) -> F64:
        """The standard deviations to reach, for pairs whose smaller cluster has so many faces."""
        from scipy.special import ndtri

        least: F64 = -ndtri(self.expected / (max(1, clusters - 1) * smaller_m))
        return least

    def floor(self, size_m: I64, *, clusters: int) -> F64:
        """(m,) what a cluster of so many faces has to reach with any other, whatever its size, or less than that.

        Between two sizes of a partner the threshold is at least that of the smaller one, at the deviation of the larger
        one, so a grid of sizes gives a bound for all.
        """
        sizes, index = np.unique(size_m, return_inverse=True)
        smaller, larger = PARTNERS[:-1, None], PARTNERS[1:, None]
        z = self.least_z(np.minimum(sizes, smaller), clusters=clusters)
        least: F64 = (z * self.scale * self.curve.deviation(sizes, larger)).min(axis=0)
        return self.curve.mean + least[index] - FLOOR_SLACK

    def standard(self, similarity_m: F32, first_m: I64, second_m: I64) -> F64:
        """How many standard deviations above strangers each pair is."""
        z: F64 = (similarity_m - self.curve.mean) / (self.scale * self.curve.deviation(first_m, second_m))
        return z

    def quartile_standard(self, quartile_m: F64, first_m: I64, second_m: I64) -> F64:
        """As `standard`, for the mean of the most similar quarter of pairs.

        The top quartile of independent normal values lies 1.271 standard deviations above their average.
        """
        expected = self.curve.mean + QUARTILE * self.curve.spread(first_m, second_m)
        z: F64 = (quartile_m - expected) / (QUARTILE_SPREAD * self.scale * self.curve.deviation(first_m, second_m))
        return z

    def standard_base(self, mean_cd: F32, size_c: I64) -> F32:
        """(c, d + 1) rows whose product with a `standard_query` is `standard` for a single face and these clusters."""
        unit_c1 = self.scale * self.curve.deviation(np.ones_like(size_c), size_c)[:, None]
        last = np.full((len(mean_cd), 1), -self.curve.mean)
        base: F32 = (np.concatenate([mean_cd, last], axis=1) / unit_c1).astype(np.float32)
        return base

    def cosine(self, first: int, second: int, *, clusters: int) -> float:
        """The average cosine that clusters of these sizes have to reach."""
        a, b = np.array([first]), np.array([second])
        z = self.least_z(np.minimum(a, b), clusters=clusters)
        return float((self.curve.mean + z * self.scale * self.curve.deviation(a, b))[0])


def standard_query(vectors_qd: F32) -> F32:
    """(q, d + 1) see `FalseMergeThreshold.standard_base`."""
    return np.concatenate([vectors_qd, np.ones((len(vectors_qd), 1), np.float32)], axis=1)


def collection_scale(mean_cd: F32, size_c: I64, curve: ImpostorModel) -> float:
    """How much wider strangers spread in this collection than the model's card says: 1 is as there.

    Siblings, one camera or one light make strangers more alike. After a first clustering its people are strangers to
    each other; the upper half of their standardised similarities has a mean square of 1 if the card holds here. Drawn
    to 1 where there are few clusters.
    """
    large = np.flatnonzero(size_c >= LEAST_FACES)
    large = large[np.arange(min(len(large), MOST_CLUSTERS)) * len(large) // max(1, min(len(large), MOST_CLUSTERS))]
    mean_ld, size_l = mean_cd[large], size_c[large]
    card = FalseMergeThreshold(curve=curve, expected=0.5)
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
