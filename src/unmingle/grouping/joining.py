"""Poor faces look for their people: which of them are so like somebody that they may join.

Blur, masks and a handful of pixels make a face like many others in the same state: poor faces lean towards each other,
and a few people, often those whose own pictures are poor, are a little like all of them. So a poor face has to pass
three tests, where a new face (`grouping.assign`) has to pass one.

The usual bar. It names the person that it is most like, by the average over the person's faces or by the most similar
quarter of them, and must be as many standard deviations above strangers as any face that is compared with so many
people.

In its own scale. These standard deviations are measured again, once as the face's own among all other people, once as
the person's own among all other poor faces; neither may make the case easier, and the weaker result counts (symmetric
score normalisation of speaker recognition: Shum et al., "Unsupervised speaker adaptation based on the cosine similarity
for text-independent speaker verification", 2010).

In good company. With thousands of poor faces even a rare chance happens to somebody. Among those that join, the
expected share of wrong ones stays below what each person may expect in merges with strangers (Benjamini and Hochberg
1995; the share of faces that are strangers to everybody as Storey 2002 estimates it). So where nearly none of them
belongs to somebody, the bar rises by itself until nearly none joins.

In a recording place and time tell more than looks. There a poor face also goes where a track leads, and where it fills
the place of somebody who is there just before and just after (`grouping.tracks`, `grouping.stragglers`). So
does a founder who is alone, now that it is known who else is there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.constraints import CannotLinks
from unmingle.grouping.fragments import LEAST_Z, best_quarters
from unmingle.grouping.neighbours import NOBODY, nearest
from unmingle.grouping.snapshot import Snapshot, means
from unmingle.grouping.stragglers import attach_by_vacancy
from unmingle.grouping.tracks import join_by_tracks
from unmingle.grouping.tree import HOW_GIVEN, Tree

if TYPE_CHECKING:
    from unmingle.grouping.constraints import Constraints
    from unmingle.grouping.impostors import ImpostorCurve
    from unmingle.grouping.stopping import FalseMergeBar
    from unmingle.records import F32, F64, I64, Bool

# People who are judged face by face: the most similar ones by average.
CANDIDATES = 16
# Pairs of poor faces and people that are all compared, in about a minute; for more, an index finds the nearest.
EXACT_PAIRS = 1 << 34
# The standard normal counts as so many more people, or faces, where a scale of their own is measured.
PRIOR = 10
# Most p-values of strangers lie above this; of faces that belong to somebody nearly none.
STOREY = 0.5
# Rows whose squares are summed at a time.
BLOCK = 1 << 15


def join_people(
    vectors_md: F32, slot_m: I64, judged_m: Bool, people: int, *, bar: FalseMergeBar, constraints: Constraints
) -> tuple[I64, I64]:
    """Which poor faces join which person.

    Args:
        vectors_md: (m, d) float32 unit vectors, in canonical order.
        slot_m: (m,) whose each is: from 0 to people - 1 for faces of people, from there on for poor faces, which are
            one face, or several that must be one person. Every slot has a face that is judged.
        judged_m: (m,) whether a face is looked at; one that is not still counts where frames and decisions do.
        people: how many people there are, at least 1.
        bar: of the clustering that found them.
        constraints: of the m faces.

    Returns:
        The slots that join, surest first, and the person of each.
    """
    units = int(slot_m.max(initial=-1)) + 1 - people
    if units <= 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    clusters = _snapshot(vectors_md, np.where(judged_m, slot_m, -1), people + units)
    claims = _claims(vectors_md, clusters, people, bar, CannotLinks(constraints, slot_m))
    unit = _taken(claims, clusters.size_c, bar.expected)
    host_u = np.full(units, -1, np.int64)
    host_u[unit] = claims.host_u[unit]
    unit = unit[~_too_late(unit, host_u, slot_m - people, constraints)]
    return unit + people, claims.host_u[unit]


def join_in_recordings(
    vectors_md: F32, slot_m: I64, stays_p: Bool, *, curve: ImpostorCurve, constraints: Constraints
) -> tuple[I64, I64]:
    """Which poor faces go to which person since a track leads there, or they fill the place of somebody.

    Args:
        vectors_md: see `join_people`.
        slot_m: likewise; faces that have joined have the slot of their person.
        stays_p: (people,) who stays who they are; the others, founders who are alone, may go to somebody as well.
        curve: how similar strangers are.
        constraints: see `join_people`.

    Returns:
        The slots that go to another, those of people first, and the person that each goes to.
    """
    if not constraints.in_order:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    slot, row = np.unique(slot_m, return_index=True)
    group = int(constraints.apart_k2[:, 1].max(initial=-1)) + 1
    stays = row[: len(stays_p)][stays_p]
    different = np.stack([stays, np.full(len(stays), group)], axis=1)
    known = replace(constraints, apart_k2=np.concatenate([constraints.apart_k2, different]))
    tree, _ = join_by_tracks(vectors_md, _tree(slot_m), curve=curve, constraints=known)
    tree, _ = attach_by_vacancy(vectors_md, tree, constraints=known)
    node = tree.cut()[row]
    first_who_stays = np.argsort(~stays_p, kind="stable")
    made, first = np.unique(node[first_who_stays], return_index=True)
    at = np.minimum(np.searchsorted(made, node), len(made) - 1)
    person = first_who_stays[first[at]]
    goes = np.flatnonzero((made[at] == node) & (person != slot))
    return slot[goes], person[goes]


def _tree(slot_m: I64) -> Tree:
    """A tree that has made these clusters, in no particular order."""
    m = len(slot_m)
    order = np.argsort(slot_m, kind="stable")
    again = np.flatnonzero(slot_m[order[1:]] == slot_m[order[:-1]]) + 1  # places that go on with a cluster
    steps = np.arange(len(again))
    goes_on = np.append(False, np.diff(again) == 1)[: len(again)] & (steps > 0)
    first = np.where(goes_on, m + steps - 1, order[again - 1])
    start = np.searchsorted(slot_m[order], slot_m[order[again]])
    how = np.full(len(again), HOW_GIVEN, np.uint8)
    return Tree(m, first, order[again], np.zeros(len(again)), again - start + 1, how)


@dataclass(frozen=True, slots=True, eq=False)
class _Claims:
    """Of u poor faces: the person each names or -1, the chance that a stranger is as alike, whether the bar is passed.

    host_u: int64. p_u: float64. passes_u: bool.
    """

    host_u: I64
    p_u: F64
    passes_u: Bool


def _snapshot(vectors_md: F32, slot_m: I64, slots: int) -> Snapshot:
    """Clusters by their number; faces with a negative one are in none."""
    order = np.argsort(slot_m, kind="stable")[np.count_nonzero(slot_m < 0) :]
    size = np.bincount(slot_m[order], minlength=slots)
    start = np.cumsum(size) - size
    return Snapshot(np.arange(slots), slot_m, means(vectors_md, order, start, size), size, order, start)


def _claims(vectors_md: F32, clusters: Snapshot, people: int, bar: FalseMergeBar, links: CannotLinks) -> _Claims:
    size = clusters.size_c
    units = np.arange(people, len(size))
    host_uk, similarity_uk = _nearest_people(clusters, people, bar)
    unit_uk = np.repeat(units[:, None], host_uk.shape[1], 1)
    free_uk = host_uk >= 0
    if links:
        free_uk[free_uk] &= ~links.pairs(unit_uk[free_uk], host_uk[free_uk])
    z_uk = np.full(host_uk.shape, -np.inf)
    z_uk[free_uk] = bar.standard(similarity_uk[free_uk], size[unit_uk[free_uk]], size[host_uk[free_uk]])
    quarter_uk = z_uk.copy()
    near_uk = free_uk & (z_uk >= LEAST_Z) & (size[unit_uk] * size[host_uk] > 1)
    pairs = np.stack([unit_uk[near_uk], host_uk[near_uk]], axis=1)
    by_quarter = bar.quarter_standard(best_quarters(vectors_md, clusters, pairs), size[pairs[:, 0]], size[pairs[:, 1]])
    quarter_uk[near_uk] = np.maximum(z_uk[near_uk], by_quarter)
    named = quarter_uk.argmax(axis=1)[:, None]
    host, z, best = (np.take_along_axis(of, named, 1)[:, 0] for of in (host_uk, z_uk, quarter_uk))
    some = np.flatnonzero(best > -np.inf)
    host = np.where(best > -np.inf, host, -1)
    own_z = np.full(len(units), -np.inf)
    own_z[some] = _in_own_scale(clusters, people, bar, units[some], host[some], z[some], best[some])
    passes = best >= bar.bar(np.minimum(size[units], size[host]), clusters=people)
    from scipy.special import log_ndtr

    # The chance that the best of all strangers is so alike; one of the people is none, as in the usual bar.
    p = -np.expm1(max(1, people - 1) * log_ndtr(own_z))
    return _Claims(host, p, passes & (host >= 0))


def _nearest_people(clusters: Snapshot, people: int, bar: FalseMergeBar) -> tuple[I64, F32]:
    """(u, k) the people whom each poor face is most like by average, -1 for none, and the average cosines."""
    base_cd, queries, size = clusters.mean_cd[:people], clusters.mean_cd[people:], clusters.size_c
    if len(queries) * people > EXACT_PAIRS:
        from unmingle.grouping.cells import Cells

        cells = Cells(base_cd)
        found = cells.nearest(queries, base_cd, cells.of(base_cd), CANDIDATES)
        return found.index_qk, found.similarity_qk
    # One more dimension takes the mean off, so that the product is in standard deviations.
    unit_c = (bar.scale * bar.curve.deviation(np.ones(people, np.int64), size[:people])).astype(np.float32)
    base = np.concatenate([base_cd, np.full((people, 1), -bar.curve.mean, np.float32)], axis=1) / unit_c[:, None]
    one = np.ones((len(queries), 1), np.float32)
    found = nearest(np.concatenate([queries, one], axis=1), base.astype(np.float32), CANDIDATES)
    there = found.index_qk >= 0
    similarity = np.full(found.similarity_qk.shape, NOBODY, np.float32)
    similarity[there] = bar.curve.mean + found.similarity_qk[there] * unit_c[found.index_qk[there]]
    return found.index_qk, similarity


def _in_own_scale(
    clusters: Snapshot, people: int, bar: FalseMergeBar, unit_v: I64, host_v: I64, z_v: F64, best_v: F64
) -> F64:
    """(v,) how far above strangers in the scale of the face and of the person, whichever says less.

    Args:
        clusters: the people, then the poor faces.
        people: how many of them are people.
        bar: what z means.
        unit_v: poor faces.
        host_v: the person that each names.
        z_v: how far above strangers by average.
        best_v: the same by average or best quarter.
    """
    deviation_c = bar.curve.deviation(np.ones(1, np.int64), clusters.size_c)
    # Several faces that are one vary less than a single one, of which most of the others are.
    ratio_v = bar.curve.deviation(clusters.size_c[unit_v], clusters.size_c[host_v]) / deviation_c[host_v]
    query_vd = _extended(clusters.mean_cd[unit_v], 1.0) / ratio_v[:, None]
    by_people = _moments(clusters.mean_cd[:people], -bar.curve.mean, 1 / (bar.scale * deviation_c[:people]))
    mean_v, spread_v = _scale(by_people, query_vd, np.ones(len(unit_v)), z_v, z_v**2)
    in_faces_scale = (best_v - mean_v) / spread_v
    base_vd = _extended(clusters.mean_cd[host_v], -bar.curve.mean) / (bar.scale * deviation_c[host_v, None])
    by_faces = _moments(clusters.mean_cd[people:], 1.0, np.ones(len(clusters.size_c) - people))
    _, named_v, claims = np.unique(host_v, return_inverse=True, return_counts=True)
    single_v = z_v * ratio_v
    sum_v, square_v = (np.bincount(named_v, of_v).astype(np.float64)[named_v] for of_v in (single_v, single_v**2))
    mean_v, spread_v = _scale(by_faces, base_vd, claims[named_v].astype(np.float64), sum_v, square_v)
    return np.minimum(in_faces_scale, (best_v - mean_v / ratio_v) / spread_v)


def _extended(rows_xd: F32, last: float) -> F64:
    return np.concatenate([rows_xd, np.full((len(rows_xd), 1), last)], axis=1, dtype=np.float64)


def _moments(rows_xd: F32, last: float, weight_x: F64) -> tuple[int, F64, F64]:
    """How many rows, their sum, and the sum of their outer products, each row extended and weighted."""
    width = rows_xd.shape[1] + 1
    total_d, square_dd = np.zeros(width), np.zeros((width, width))
    for start in range(0, len(rows_xd), BLOCK):
        part = slice(start, start + BLOCK)
        block = _extended(rows_xd[part], last) * weight_x[part, None]
        total_d += block.sum(axis=0)
        square_dd += block.T @ block
    return len(rows_xd), total_d, square_dd


def _scale(others: tuple[int, F64, F64], rows_vd: F64, left_v: F64, sum_v: F64, square_v: F64) -> tuple[F64, F64]:
    """(v,) mean, 0 or more, and standard deviation, 1 or more, of each row's products with the others.

    Args:
        others: their moments.
        rows_vd: extended.
        left_v: how many of the others are left out, since they may be the same person.
        sum_v: the sum of their products.
        square_v: the sum of the squares of these.
    """
    count, total_d, square_dd = others
    rest_v = count - left_v
    counted_v = np.maximum(rest_v, 1)
    mean_v = (rows_vd @ total_d - sum_v) / counted_v
    square = np.empty(len(rows_vd))
    for start in range(0, len(rows_vd), BLOCK):
        part = slice(start, start + BLOCK)
        square[part] = np.einsum("vd,vd->v", rows_vd[part] @ square_dd, rows_vd[part])
    variance_v = (square - square_v) / counted_v - mean_v**2
    weight_v = rest_v / (rest_v + PRIOR)
    return np.maximum(0, weight_v * mean_v), np.sqrt(np.maximum(1, 1 - weight_v + weight_v * variance_v))


def _taken(claims: _Claims, size_c: I64, share: float) -> I64:
    """The faces that join, surest first: as many as keep the expected share of wrong ones within bounds.

    Those that name a single face, and those that name several, are two families: far more of the former are strangers,
    and either would spoil the estimate for the other (Efron 2008).
    """
    of_one = size_c[claims.host_u] == 1
    taken = np.concatenate([_likely(claims.p_u, np.flatnonzero(family), share) for family in (of_one, ~of_one)])
    taken = taken[claims.passes_u[taken]]
    surest_first: I64 = taken[np.lexsort((taken, claims.p_u[taken]))]
    return surest_first


def _likely(p_u: F64, family: I64, share: float) -> I64:
    """The members of a family of which at most such a share is expected to be wrong."""
    m = len(family)
    strangers = min(1.0, (1 + np.count_nonzero(p_u[family] > STOREY)) / (max(1, m) * (1 - STOREY)))
    order = family[np.argsort(p_u[family], kind="stable")]
    few = np.flatnonzero(strangers * m * p_u[order] / np.arange(1, m + 1) <= share)
    return order[: few[-1] + 1] if len(few) else order[:0]


def _too_late(unit_j: I64, host_u: I64, slot_m: I64, constraints: Constraints) -> Bool:
    """(j,) which faces, in this order, find that their person has taken in another with whom they can't be one.

    Args:
        unit_j: the faces that may join, surest first.
        host_u: the person of each of u faces, or -1.
        slot_m: whose each row is: of one of the u, or negative.
        constraints: of the m rows.
    """
    row = np.flatnonzero(slot_m >= 0)
    place_m = np.full(len(slot_m), -1, np.int64)
    place_m[row] = np.arange(len(row))
    links = CannotLinks(constraints.mapped(place_m, len(row)), slot_m[row])
    late_u = np.zeros(len(host_u), np.bool_)
    if links:
        first, second, _ = links.all_pairs()
        rival = (host_u[first] == host_u[second]) & (host_u[first] >= 0)
        rank_u = np.full(len(host_u), len(host_u))
        rank_u[unit_j] = np.arange(len(unit_j))
        pairs = np.stack([first[rival], second[rival]], axis=1)
        pairs = np.take_along_axis(pairs, np.argsort(rank_u[pairs], axis=1), 1)
        for sooner, later in pairs[np.lexsort((rank_u[pairs[:, 0]], rank_u[pairs[:, 1]]))].tolist():
            late_u[later] |= not late_u[sooner]
    return late_u[unit_j]
