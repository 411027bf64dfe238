"""Single faces find their people: outliers, border faces, gaps of a recording, and new faces.

A face names the person that it scores highest with (`name_hosts`). Those who do are attached, the surest first, for as
long as few are expected to be wrong (`surest`). In a recording, whoever is there before and after has left a gap.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.errors import SettingsError
from unmingle.grouping.clusters import BLOCK, SAMPLE, top_quartile, unit_rows
from unmingle.grouping.confidence import FITTED, evidence, label_means, looseness, new_features, probability
from unmingle.grouping.impostors import SINGLE
from unmingle.grouping.index import find_nearest, spaced
from unmingle.grouping.refine import FRAGMENT_FACES, LONGEST_GAP
from unmingle.grouping.threshold import (
    LEAST_Z,
    FalseMergeThreshold,
    chance_of_best,
    cluster_excess,
    local_excess,
    standard_query,
    surest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from unmingle.grouping.clusters import Clusters
    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.records import F32, F64, I64, Bool

# People who are compared with each face one by one: the most similar ones by average.
CANDIDATES = 16
NEW_CANDIDATES = 8
# Expected share of wrong ones among the outliers that are attached.
MISTAKES = 0.1
# The standard normal counts as so many more people, or faces, where a scale of their own is measured.
PRIOR = 10


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """q clusters, mostly single faces, the person that each names, by slot, and their scores."""

    query_q: I64
    host_q: I64
    average_q: F64
    quartile_q: F64

    @property
    def best_q(self) -> F64:
        """Whichever says more."""
        best_q: F64 = np.maximum(self.average_q, self.quartile_q)
        return best_q

    def take(self, index: I64) -> Named:
        """Some of them, in that order."""
        return Named(self.query_q[index], self.host_q[index], self.average_q[index], self.quartile_q[index])


def name_hosts(
    clusters: Clusters, queries: I64, hosts: I64, threshold: FalseMergeThreshold, candidates: int = CANDIDATES
) -> Named:
    """The host that each query is most like, of those that it may be with, if there are any."""
    base = _base(clusters, hosts, threshold)
    found = find_nearest(standard_query(clusters.mean_nd[queries]), base, candidates).index_qk
    query_qk, host_qk, free_qk = np.repeat(queries[:, None], candidates, 1), hosts[found], found >= 0
    free_qk[free_qk] = ~clusters.links.pairs(query_qk[free_qk], host_qk[free_qk])
    average_qk, quartile_qk = np.full((2, *found.shape), -np.inf)
    average_qk[free_qk], quartile_qk[free_qk] = clusters.scores(query_qk[free_qk], host_qk[free_qk], threshold)
    at = np.maximum(average_qk, quartile_qk).argmax(axis=1)[:, None]
    host, average, quartile = (np.take_along_axis(of, at, 1)[:, 0] for of in (host_qk, average_qk, quartile_qk))
    return Named(queries, host, average, quartile).take(np.flatnonzero(average > -np.inf))


def attach_outliers(clusters: Clusters, threshold: FalseMergeThreshold) -> int:
    """Give single faces to people they look like, for as long as few are likely to be wrong; how many."""
    outliers, hosts = np.flatnonzero(clusters.size_n == 1), np.flatnonzero(clusters.size_n > FRAGMENT_FACES)
    if not len(outliers) or not len(hosts):
        return 0
    named = name_hosts(clusters, outliers, hosts, threshold)
    people = Cohort.of(_base(clusters, hosts, threshold))
    named = named.take(surest(outlier_chances(clusters, named, threshold, people), MISTAKES))
    return clusters.merge_in_turn(named.host_q, named.query_q, how="straggler")


def _base(clusters: Clusters, slots: I64, threshold: FalseMergeThreshold) -> F32:
    return threshold.standard_base(clusters.mean_nd[slots], clusters.size_n[slots])


def outlier_chances(clusters: Clusters, named: Named, threshold: FalseMergeThreshold, people: Cohort) -> F64:
    """(q,) the chance that the most similar stranger of all these people is as alike as the one who is named."""
    # A blurred face is a little like everybody, which must not count for anybody. Its average says nothing more here:
    # linkage has judged by that already.
    mean_q, spread_q = _among_people(clusters, people, named, threshold, left=0, least=0)
    return chance_of_best((named.quartile_q - mean_q) / spread_q, round(clusters.rivals * people.count))


def attach_border(clusters: Clusters, border: I64, people: I64, threshold: FalseMergeThreshold) -> None:
    """Give border faces (slots) to people (slots) they look like, where the evidence is strong.

    Blur and masks make a face like many others in the same state, and a few people a little like all of them. So it has
    to pass the usual threshold and, in its own scale and the person's, be one of those that are surely right.
    """
    if not len(border) or not len(people):
        return
    named = name_hosts(clusters, border, people, threshold)
    cohorts = Cohort.of(_base(clusters, people, threshold)), Cohort.of(standard_query(clusters.mean_nd[border]))
    p_q, passes = border_chances(clusters, named, threshold, *cohorts)
    taken = surest_of_families(p_q, clusters.size_n[named.host_q] == 1, threshold.expected)
    taken = taken[passes[taken]]
    named = named.take(taken[np.lexsort((named.query_q[taken], p_q[taken]))])
    clusters.merge_in_turn(named.host_q, named.query_q, how="straggler")


def border_chances(
    clusters: Clusters, named: Named, threshold: FalseMergeThreshold, people: Cohort, border: Cohort
) -> tuple[F64, Bool]:
    """As `outlier_chances`, in the face's own scale and the person's; and whether the usual threshold is passed."""
    rivals, size_n = round(clusters.rivals * people.count), clusters.size_n
    p_q = chance_of_best(_in_own_scale(clusters, border, people, named, threshold), max(1, rivals - 1))
    return p_q, threshold.accepts(named.best_q, size_n[named.query_q], size_n[named.host_q], clusters=rivals)


def surest_of_families(p_q: F64, of_one_q: Bool, share: float) -> I64:
    """As `surest`, apart for those that name a single face: far more of these are wrong (Efron 2008)."""
    families = [np.flatnonzero(family) for family in (of_one_q, ~of_one_q)]
    return np.concatenate([family[surest(p_q[family], share)] for family in families])


def _in_own_scale(
    clusters: Clusters, border: Cohort, people: Cohort, named: Named, threshold: FalseMergeThreshold
) -> F64:
    """(q,) scores among the face's own with other people, or the person's with other faces, whichever says less.

    The symmetric score normalisation of speaker recognition (Shum et al. 2010); neither may make the case easier.
    """
    query, host, z_q = named.query_q, named.host_q, named.average_q
    deviation_n = threshold.curve.deviation(SINGLE, np.maximum(1, clusters.size_n))
    # Several faces that are one vary less than a single one, of which most of the others are.
    ratio_q = threshold.curve.deviation(clusters.size_n[query], clusters.size_n[host]) / deviation_n[host]
    mean_q, spread_q = _among_people(clusters, people, named, threshold, left=1, least=1)
    in_faces_scale = (named.best_q - np.maximum(0, mean_q)) / spread_q
    _, who_q, claims = np.unique(host, return_inverse=True, return_counts=True)
    alone_q = z_q * ratio_q
    sum_q, square_q = (np.bincount(who_q, of).astype(np.float64)[who_q] for of in (alone_q, alone_q**2))
    hosts_qd, left_q = _base(clusters, host, threshold), claims[who_q].astype(np.float64)
    mean_q, spread_q = border.normal(hosts_qd, left_q, sum_q, square_q, least=1)
    in_persons_scale = (named.best_q - np.maximum(0, mean_q) / ratio_q) / spread_q
    return np.minimum(in_faces_scale, in_persons_scale)


def _among_people(
    clusters: Clusters, people: Cohort, named: Named, threshold: FalseMergeThreshold, *, left: int, least: float
) -> tuple[F64, F64]:
    """(q,) mean and deviation of the scores of each query with all people, or all but the `left` one that it names."""
    size_n = clusters.size_n
    usual = threshold.curve.deviation(SINGLE, size_n[named.host_q])
    ratio_q = threshold.curve.deviation(size_n[named.query_q], size_n[named.host_q]) / usual
    rows_qd = standard_query(clusters.mean_nd[named.query_q]) / ratio_q[:, None]
    z_q = left * named.average_q
    return people.normal(rows_qd, np.full(len(z_q), float(left)), z_q, z_q**2, least=least)


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Moments of rows: their number, sum, and sum of outer products."""

    count: int
    sum_d: F64
    square_dd: F64

    @classmethod
    def of(cls, rows_md: NDArray[Any]) -> Cohort:
        """Of (m, d) rows."""
        sum_d, square_dd = np.zeros(rows_md.shape[1]), np.zeros((rows_md.shape[1],) * 2)
        for start in range(0, len(rows_md), BLOCK):
            block = rows_md[start : start + BLOCK].astype(np.float64)
            sum_d += block.sum(axis=0)
            square_dd += block.T @ block
        return cls(len(rows_md), sum_d, square_dd)

    def normal(self, rows_qd: NDArray[Any], left_q: F64, sum_q: F64, square_q: F64, *, least: float) -> tuple[F64, F64]:
        """(q,) mean and deviation of the scores of each of these rows, which are its products with the cohort.

        left_q of them are left out, with the sum sum_q and the sum of squares square_q. The standard normal counts as a
        few scores. least: of the variance; with 1, a scale of its own can't raise a score.
        """
        rows = rows_qd.astype(np.float64)
        rest_q = self.count - left_q
        counted_q = np.maximum(1, rest_q)
        mean_q = (rows @ self.sum_d - sum_q) / counted_q
        parts = np.array_split(rows, 1 + len(rows) // BLOCK)
        squares = np.concatenate([np.einsum("qd,qd->q", part @ self.square_dd, part) for part in parts])
        variance_q = np.maximum(0, (squares - square_q) / counted_q - mean_q**2)
        weight_q = rest_q / (rest_q + PRIOR)
        return weight_q * mean_q, np.sqrt(np.maximum(least, 1 - weight_q + weight_q * variance_q))


def split_by_gaps(clusters: Clusters) -> None:
    """Take fragments apart whose faces fill the gaps of different people, unless they must be one person."""
    gaps = _Gaps(clusters)
    torn: list[int] = []
    for slot in gaps.fragments(np.flatnonzero(clusters.size_n > 1)) if gaps else ():
        faces = clusters.faces(np.array([slot]))
        people = [gaps.left_by(slot, [face]) for face in faces.tolist()]
        if all(people) and not set.intersection(*people) and clusters.single_n[faces].all():
            torn += faces.tolist()
    if torn:
        clusters.take_out(np.array(torn, np.int64))


def fill_gaps(
    clusters: Clusters, threshold: FalseMergeThreshold, slots: I64 | None = None, *, doubtful: Sequence[int] | I64 = ()
) -> int:
    """Give clusters (slots; None: all) to people who left a gap in their frames; how many faces.

    What fills a short gap is whoever is there before and after, however odd the face: people don't take each other's
    place for a few frames. What fills a longer one has to be like them, but is compared with nobody else: it may be a
    visitor, as somebody is who sits beside the others. So does what is perhaps no face, `doubtful`, where such comes
    about as often while nobody is missing.
    """
    gaps = _Gaps(clusters)
    if not gaps:
        return 0
    named: list[tuple[int, int]] = []
    pairs: list[tuple[int, int, int]] = []  # the last: how many left such a gap
    slots = clusters.alive if slots is None else slots
    few = set(gaps.fragments(slots))
    unsure = few.intersection(clusters.slot_n[np.asarray(doubtful, np.int64)].tolist())
    few -= unsure if gaps.often_nobody(unsure) else set()
    for slot in slots[~np.isin(slots, gaps.decided)].tolist():
        faces = clusters.faces(np.array([slot])).tolist()
        people = gaps.left_by(slot, faces) if slot in few else set()
        if len(people) == 1:
            named.append((people.pop(), slot))
        elif not people:
            people = gaps.left_by(slot, faces, short=False)
            pairs.extend((one, slot, len(people)) for one in people)
    host, slot = np.array(named, np.int64).reshape(-1, 2).T
    moved = clusters.merge_in_turn(host, slot, how="straggler")
    host, slot, others = np.array(pairs, np.int64).reshape(-1, 3).T
    z = np.maximum(*clusters.scores(slot, host, threshold))
    alike = z >= threshold.least_z(clusters.size_n[slot] * others, clusters=2)
    order = np.flatnonzero(alike & (clusters.size_n[slot] < clusters.size_n[host]))
    order = order[np.lexsort((host[order], slot[order], -z[order]))]
    order = order[np.unique(slot[order], return_index=True)[1]]
    return moved + clusters.merge_in_turn(host[order], slot[order], how="straggler")


class _Gaps:
    """Who is there in each frame of a recording; false for other collections."""

    def __init__(self, clusters: Clusters) -> None:
        constraints = clusters.constraints
        self.decided = clusters.slot_n[constraints.apart_k2[:, 0]]  # somebody said that these are people
        self._frames: defaultdict[int, set[int]] = defaultdict(set)  # of each face
        self._present: defaultdict[int, set[int]] = defaultdict(set)  # clusters in each frame
        self._when: defaultdict[int, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._size_n = clusters.size_n
        self._people = set(np.flatnonzero(clusters.size_n > FRAGMENT_FACES).tolist())
        self._in_order = constraints.in_order
        if self._in_order:
            for face, frame in constraints.seen_k2.tolist():
                self._frames[face].add(frame)
                self._present[frame].add(int(clusters.slot_n[face]))
            frames, recordings = constraints.recordings()
            self._recording = dict(zip(frames.tolist(), recordings.tolist(), strict=True))
            for frame, recording in self._recording.items():
                for one in self._present[frame] & self._people:
                    self._when[recording][one].append(frame)

    def __bool__(self) -> bool:
        return self._in_order

    def fragments(self, slots: I64) -> list[int]:
        """Those that are too small to be somebody for certain, and that nobody said are."""
        found: list[int] = slots[(self._size_n[slots] <= FRAGMENT_FACES) & ~np.isin(slots, self.decided)].tolist()
        return found

    def left_by(self, slot: int, faces: Iterable[int], *, short: bool = True) -> set[int]:
        """The people who are missing in all frames of these faces of a slot, and left a gap in most of them."""
        frames = set[int]().union(*(self._frames.get(face, ()) for face in faces))
        missing: Counter[int] = Counter()
        during = set[int]().union(*(self._present[frame] for frame in frames))
        for frame in frames:
            there = self._when[self._recording[frame]]
            missing.update(one for one in there.keys() - during - {slot} if self._gap(there[one], frame, short=short))
        return {one for one, times in missing.items() if 2 * times > len(frames)}

    def often_nobody(self, slots: set[int]) -> bool:
        """Whether, by how often these come elsewhere, too many of those in short gaps are expected to be nobody."""
        pairs = (pair for people in self._when.values() for there in people.values() for pair in pairwise(there))
        gaps = {at for one, other in pairs if other - one <= LONGEST_GAP + 1 for at in range(one + 1, other)}
        shown = {frame for frame, there in self._present.items() if there & slots}
        elsewhere = (len(shown - gaps) + 0.5) / max(1, len(self._present) - len(gaps))  # with the prior of Jeffreys
        return elsewhere * len(gaps) > MISTAKES * len(shown & gaps)

    def _gap(self, there: list[int], frame: int, *, short: bool) -> bool:
        """Whether somebody is there before and after a frame; short: soon, while half of the frames show a fragment."""
        after = bisect(there, frame)
        if not 0 < after < len(there):
            return False
        between = range(there[after - 1] + 1, there[after])
        if not short:
            return True
        filled = len(between) <= LONGEST_GAP and sum(bool(self._present[at] - self._people) for at in between)
        return 2 * filled >= len(between)


@dataclass(frozen=True, slots=True)
class Assigned:
    """What was found for one face."""

    label: int | None  # the person it belongs to; None: nobody here
    nearest: int | None  # the person it is most like, whether enough or not; None if there are no people
    similarity: float  # average cosine to the faces of `nearest`; NaN without
    probability: float  # that it is a face of `nearest`


class Assigner:
    """Tells whose face a new one is, as the clustering would judge a single face; labels below 0 are nobody."""

    def __init__(
        self, vectors_nd: F32, labels_n: I64, curve: ImpostorModel, *, scale: float = 1.0, expected: float = 0.02
    ) -> None:
        self._vectors_nd = vectors_nd
        self._label_c, (mean_cd, self._size_c) = np.unique(labels_n[labels_n >= 0]), label_means(vectors_nd, labels_n)
        self._mean_cd, self._excess_c = mean_cd, cluster_excess(mean_cd, self._size_c, curve)
        self.loose = looseness(vectors_nd, labels_n, mean_cd, self._size_c, self._excess_c, curve, scale=scale)
        self._order_n = np.argsort(labels_n, kind="stable")[np.count_nonzero(labels_n < 0) :]
        self._start_c = np.cumsum(self._size_c) - self._size_c
        self._threshold = FalseMergeThreshold(curve=curve, expected=expected, scale=scale)
        self._base_cd = self._threshold.standard_base(mean_cd, self._size_c)

    def assign_many(self, vectors_md: NDArray[Any]) -> list[Assigned]:
        """Whose face each of m is, by itself."""
        if np.ndim(vectors_md) != 2 or np.shape(vectors_md)[1] != self._vectors_nd.shape[1]:
            raise SettingsError(
                f"New vectors of shape {np.shape(vectors_md)} for people in {self._vectors_nd.shape[1]} dimensions.",
                "Give vectors of the same model, one row a face.",
            )
        unit_md = unit_rows(vectors_md)
        if not len(self._label_c):
            return [Assigned(None, None, np.nan, 0.0)] * len(unit_md)
        found = find_nearest(standard_query(unit_md), self._base_cd, NEW_CANDIDATES)
        index_mk, threshold, clusters = found.index_qk, self._threshold, len(self._label_c)
        excess_m = local_excess(unit_md, self._mean_cd, self._size_c, threshold.curve)
        excess_mk = (excess_m[:, None] + self._excess_c[index_mk]) / 2
        deviation_mk = threshold.scale * threshold.curve.deviation(SINGLE, self._size_c[index_mk])
        average_mk = found.similarity_qk - excess_mk / deviation_mk
        best_mk = average_mk.copy()
        for row, column in np.argwhere((average_mk >= LEAST_Z) & (self._size_c[index_mk] > 1)).tolist():
            quartile = self._quartile(unit_md[row], int(index_mk[row, column]), float(excess_mk[row, column]))
            best_mk[row, column] = max(best_mk[row, column], quartile)
        at_m = np.arange(len(unit_md)), best_mk.argmax(axis=1)
        index, average, best = index_mk[at_m], average_mk[at_m], best_mk[at_m]
        nearest = self._label_c[index].tolist()
        accepted = threshold.accepts(best, SINGLE, self._size_c[index], clusters=clusters)
        similarity = (threshold.curve.mean + found.similarity_qk[at_m] * deviation_mk[at_m]).tolist()
        # Of averages, as it was fitted.
        chance = probability(new_features(evidence(average, clusters), self.loose), FITTED["new"]).tolist()
        label = [one if enough else None for one, enough in zip(nearest, accepted, strict=True)]
        return list(map(Assigned, label, nearest, similarity, chance))

    def _quartile(self, unit_d: F32, cluster: int, excess: float) -> float:
        """The score of a face with a person by top quartile."""
        size = self._size_c[cluster : cluster + 1]
        faces = self._vectors_nd[self._order_n[self._start_c[cluster] + spaced(int(size[0]), SAMPLE)]]
        faces = faces / np.linalg.norm(faces, axis=1, keepdims=True)
        quartile = top_quartile(unit_d[None, None], faces[None]) - excess
        return float(self._threshold.quartile_standard(quartile, SINGLE, size)[0])
