"""When two clusters are merged: the one score of a pair, and the one rule that accepts it.

The average cosine of two strangers' clusters is near normal. From its mean and deviation (`impostors`) follows how
likely strangers are to be as similar; among N other clusters, the most similar of N has to be beaten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.index import similarity_blocks, spaced

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
PARTNERS = np.array(sorted({round(1.25**i) for i in range(80)}))
FLOOR_SLACK = 1e-5
# Clusters with fewer faces than this say nothing about how far strangers spread: they may be fragments or mistakes.
LEAST_FACES = 3
# So many clusters weigh as much as the model card's word that the scale is 1.
PRIOR_CLUSTERS = 20
# So many clusters, evenly spread, are enough to tell: twelve million pairs.
MOST_CLUSTERS = 5000
# Nearest clusters by which a place is known to be crowded. 20 to 50 do alike; more are wider than a small crowd is.
NEIGHBOURS = 20
# So many clusters weigh as much as the model card's word that no place is more crowded than others.
PRIOR_COHORT = 30
# Cosines computed at most to tell, past which fewer clusters stand for all.
EXCESS_CELLS = 1 << 31
# Clusters that are to be pure have to be as alike as among so many, else a crowd becomes one for being few: among 200
# it still does, among 2000 its pieces are too small to tell, and where people are as usual all do alike.
MANY_CLUSTERS = 1000
# Pairs further out than this are no strangers but one person in two parts, and may not stretch the scale.
OUTLIER_Z = 3.0
# Most p-values of strangers lie above this; of faces that belong to somebody nearly none.
STOREY = 0.5
# Scales that are told apart where strangers are less alike than the card says.
NARROWER = np.linspace(0.5, 1, 51)


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseMergeThreshold:
    """A pair is merged if the chance that strangers score as high is below expected / (N · min(a, b)).

    N is the number of other clusters, a and b are the sizes of the two. The smaller one counts, since large fragments
    of one person are rare, and merging them wrongly costs most. Scores are standard deviations above strangers.
    """

    curve: ImpostorModel
    expected: float  # merges with a stranger that each cluster may expect; GroupingSettings.expected_false_merges
    scale: float = 1.0  # how much wider strangers spread in this collection than on the model card
    singly: bool = False  # clusters of any size have to be as alike as single faces among many

    def standard(self, similarity_m: F32 | F64, first_m: I64, second_m: I64) -> F64:
        """(m,) scores of average cosines of clusters of these sizes."""
        z: F64 = (similarity_m - self.curve.mean) / (self.scale * self.curve.deviation(first_m, second_m))
        return z

    def quartile_standard(self, quartile_m: F64, first_m: I64, second_m: I64) -> F64:
        """(m,) scores of means of the most similar quarter of pairs."""
        expected = self.curve.mean + QUARTILE * self.curve.spread(first_m, second_m)
        z: F64 = (quartile_m - expected) / (QUARTILE_SPREAD * self.scale * self.curve.deviation(first_m, second_m))
        return z

    def sharpened(self, z_m: F64, first_m: I64, second_m: I64, share_m: F64) -> F64:
        """(m,) scores of pairs whose faces show such a share of what good faces show of people.

        Less of what strangers have in common is seen, too: `people` shrinks as the share does, and goes to `pairs`.
        """
        variance_m = self.curve.deviation(first_m, second_m) ** 2
        less_m = (1 - share_m) * self.curve.people * (1 - 1 / (first_m * second_m))
        sharpened_m: F64 = z_m * np.sqrt(variance_m / (variance_m - less_m))
        return sharpened_m

    def accepts(self, z_m: F64, first_m: I64, second_m: I64, *, clusters: int) -> Bool:
        """(m,) which pairs of these scores and sizes may be merged, with so many clusters at this moment."""
        accepted: Bool = z_m >= self.least_z(np.minimum(first_m, second_m), clusters=clusters)
        return accepted

    def passes(self, similarity_m: F32, first_m: I64, second_m: I64, *, clusters: int) -> Bool:
        """(m,) which pairs may be merged for their average cosine."""
        if self.singly:
            first_m = second_m = np.ones_like(first_m)
            clusters = max(clusters, MANY_CLUSTERS)
        return self.accepts(self.standard(similarity_m, first_m, second_m), first_m, second_m, clusters=clusters)

    def least_z(self, smaller_m: I64, *, clusters: int) -> F64:
        """(m,) the score to reach, for pairs whose smaller cluster has so many faces."""
        from scipy.special import ndtri

        least: F64 = -ndtri(self.expected / (max(1, clusters - 1) * smaller_m))
        return least

    def cosine(self, first: int, second: int, *, clusters: int) -> float:
        """The average cosine that clusters of these sizes have to reach."""
        a, b = np.array([first]), np.array([second])
        z = self.least_z(np.minimum(a, b), clusters=clusters)
        return float((self.curve.mean + z * self.scale * self.curve.deviation(a, b))[0])

    def floor(self, size_m: I64, *, clusters: int) -> F64:
        """(m,) a cosine that a cluster of so many faces has to reach with any other, whatever its size."""
        # Between two sizes of a partner it is at least that of the smaller one, at the deviation of the larger one.
        sizes, index = np.unique(size_m, return_inverse=True)
        smaller, larger = PARTNERS[:-1, None], PARTNERS[1:, None]
        z = self.least_z(np.minimum(sizes, smaller), clusters=clusters)
        least: F64 = (z * self.scale * self.curve.deviation(sizes, larger)).min(axis=0)
        return self.curve.mean + least[index] - FLOOR_SLACK

    def standard_base(self, mean_cd: F32, size_c: I64) -> F32:
        """(c, d + 1) rows whose product with a `standard_query` is `standard` for a single face and these clusters."""
        unit_c1 = self.scale * self.curve.deviation(np.ones_like(size_c), size_c)[:, None]
        last = np.full((len(mean_cd), 1), -self.curve.mean)
        base: F32 = (np.concatenate([mean_cd, last], axis=1) / unit_c1).astype(np.float32)
        return base


def standard_query(vectors_qd: F32) -> F32:
    """(q, d + 1) see `FalseMergeThreshold.standard_base`."""
    return np.concatenate([vectors_qd, np.ones((len(vectors_qd), 1), np.float32)], axis=1)


def local_excess(
    vectors_nd: F32,
    mean_cd: F32,
    size_c: I64,
    curve: ImpostorModel,
    *,
    faces: int = 1,
    person_c: I64 | None = None,
) -> F64:
    """(n,) how much more alike a face and its nearest strangers are than the model's card says, as a cosine; never < 0.

    If the card holds where a face lies, its nearest few of c people score as the largest of c normal values do. Among
    small children, say, they score higher (score normalisation with a cohort: Matejka et al. 2017). The clusters are to
    be pure rather than whole; of two faces or more, since single ones are often faces of somebody large.

    faces: of how many each vector is the mean. person_c: clusters with one number are one person, and count as one;
    None: nobody has two. Fewer than `PRIOR_CLUSTERS` people can't tell.
    """
    from scipy.special import ndtri

    told = np.count_nonzero(size_c > 1)
    if person_c is not None and told:
        order = np.argsort(person_c, kind="stable")
        first = np.flatnonzero(np.diff(person_c[order], prepend=-1))
        weight_c, sums_cd = size_c[order], mean_cd[order] * size_c[order, None].astype(np.float32)
        size_c = np.add.reduceat(weight_c, first)
        mean_cd = (np.add.reduceat(sums_cd, first) / size_c[:, None]).astype(np.float32)
    several = np.flatnonzero(size_c > 1)
    cohort = several[spaced(len(several), min(MOST_CLUSTERS, EXCESS_CELLS // max(1, len(vectors_nd))))]
    c = len(cohort)
    k = min(NEIGHBOURS, c // 3)
    excess_n = np.zeros(len(vectors_nd))
    if not k or c < PRIOR_CLUSTERS:
        return excess_n  # of a few people, somebody's own pieces may be the nearest
    # After its own person the next may be a part of it, too, that nobody knows to be one.
    usual = -float(ndtri((np.arange(k) + 1.5) / (c - 1)).mean())
    single = np.ones(1, np.int64)
    unit = float(curve.deviation(single, single)[0]) * told / (told + PRIOR_COHORT)
    deviation_c = curve.deviation(np.array([faces]), size_c[cohort]).astype(np.float32)
    mean_cd, stranger_c = mean_cd[cohort] / deviation_c[:, None], np.float32(curve.mean) / deviation_c
    for block, z_rc in similarity_blocks(vectors_nd, mean_cd, cells=1 << 20):
        z_rc -= stranger_c
        z_rc.partition(c - k - 2, axis=1)
        nearest_rk = np.sort(z_rc[:, c - k - 2 :], axis=1)[:, :k].astype(np.float64)
        excess_n[block] = np.maximum((nearest_rk.mean(axis=1) - usual) * unit, 0)
    return excess_n


def cluster_excess(mean_cd: F32, size_c: I64, curve: ImpostorModel, rows_m: I64 | None = None) -> F64:
    """(c,) as `local_excess`, for clusters among each other; 0 for others than rows_m."""
    excess_c = np.zeros(len(size_c))
    rows_m = np.arange(len(size_c)) if rows_m is None else rows_m
    for size in np.unique(size_c[rows_m]).tolist():
        rows = rows_m[size_c[rows_m] == size]
        excess_c[rows] = local_excess(mean_cd[rows], mean_cd, size_c, curve, faces=size)
    return excess_c


def collection_scale(
    mean_cd: F32, size_c: I64, curve: ImpostorModel, excess_c: F64 | None = None, *, tail: bool = False
) -> float:
    """How much wider strangers spread in this collection than the model's card says, from a first clustering.

    Siblings, one camera or one light make strangers more alike. The clusters are strangers to each other, and the upper
    half of their scores has a mean square of 1 if the card holds here. Where fewer than half are above 0, those may be
    pieces of one person: to more than 1 they stretch it only as far as the rest of the half, at 0, lets them. Drawn to
    1 where there are few clusters.
    excess_c: what is known of the place of each. tail: by what lies beyond `LEAST_Z`, and no more than 1. Two sorts of
    people are less alike across than within, which says nothing about those who are alike enough to be merged.
    """
    least = LEAST_Z if tail else 0.0
    large = np.flatnonzero(size_c >= LEAST_FACES)
    large = large[spaced(len(large), MOST_CLUSTERS)]
    mean_ld, size_l = mean_cd[large], size_c[large]
    card = FalseMergeThreshold(curve=curve, expected=0.5)
    total, count = 0.0, 0
    for block, similarity_rl in similarity_blocks(mean_ld, mean_ld, cells=1 << 21):
        beyond_rl = similarity_rl
        if excess_c is not None:
            beyond_rl = similarity_rl - ((excess_c[large[block], None] + excess_c[large]) / 2).astype(np.float32)
        z_rl = card.standard(beyond_rl, size_l[block, None], size_l[None])
        z_rl[np.arange(len(z_rl)), np.arange(block.start, block.stop)] = 0  # itself
        above = z_rl[z_rl > least]
        total += float(np.square(np.minimum(above, OUTLIER_Z)).sum())
        count += len(above)
    spread = total / count if count else 1.0
    if tail:  # where nothing lies beyond, it is as narrow as can be
        spread = float(np.interp(total / max(1, count), _square_beyond(least, NARROWER), NARROWER**2))
    elif spread > 1:
        spread = max(1.0, total / max(count, len(mean_ld) * (len(mean_ld) - 1) / 2))
    m = len(size_l)
    return float(np.sqrt((PRIOR_CLUSTERS + m * spread) / (PRIOR_CLUSTERS + m)))


def _square_beyond(least: float, deviation_m: F64) -> F64:
    """(m,) the mean square of what lies beyond `least` on normal curves around 0."""
    from scipy.special import ndtr

    z_m = least / deviation_m
    hazard_m = np.exp(-(z_m**2) / 2) / (np.sqrt(2 * np.pi) * ndtr(-z_m))
    square_m: F64 = deviation_m**2 + deviation_m * least * hazard_m
    return square_m


def surest(p_m: F64, share: float) -> I64:
    """The places, surest first, of which at most such a share is expected to be wrong (Benjamini and Hochberg 1995).

    p_m: the chance that a stranger is as alike.
    """
    m = len(p_m)
    # The share of strangers, as by Storey 2002.
    strangers = min(1.0, (1 + np.count_nonzero(p_m > STOREY)) / (max(1, m) * (1 - STOREY)))
    order, count = np.argsort(p_m, kind="stable"), np.arange(1, m + 1)
    few = np.flatnonzero(strangers * m * p_m[order] <= share * count)
    return order[: few[-1] + 1] if len(few) else order[:0]


def chance_of_best(z_m: F64, strangers: int) -> F64:
    """(m,) the chance that the best of so many strangers scores as high."""
    from scipy.special import log_ndtr

    chance: F64 = -np.expm1(strangers * log_ndtr(z_m))
    return chance
