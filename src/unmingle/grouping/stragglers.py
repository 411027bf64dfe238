"""A second, careful pass: single faces and small fragments find the people they belong to, where the evidence allows.

Profiles, blur and odd light leave a person with small fragments that no bar for everybody would let in. Two sorts of
evidence are heard; a face for which neither speaks stays alone.

By looks. Each single face names the person it is most like, by the most similar quarter of pairs, and how much more
than the others. In a collection where nearly every single face is a stranger (a long tail of passers-by) even the best
of thousands means little; where most belong to somebody (a meeting) a fair resemblance is enough. The collection tells
which it is: the share of strangers among the single faces is estimated (Storey 2002), and faces are taken in for as
long as the expected share of mistakes among them stays below `MISTAKES` (Benjamini and Hochberg 1995). Fragments of
two faces or more are not asked: what is left of them after joining is nearly always a person, and hypotheses with
another share of strangers spoil the estimate for both (Efron 2008).

By vacancy. In a recording, somebody who is there in the frame before and in the frame after, but not in this one, has
left a place, and an unknown face in just this frame fills it, even one that was read so badly that it looks like
nobody. A visitor does not fit who is seen in two frames on end: the frames beside theirs are their own. Two bad faces
of different people may be more like each other than like their own; where each fills a place, and they are different
people's places, they are taken apart first.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping import neighbours
from unmingle.grouping.constraints import CannotLinks, Constraints
from unmingle.grouping.fragments import best_quarters
from unmingle.grouping.neighbours import nearest
from unmingle.grouping.snapshot import Snapshot
from unmingle.grouping.tree import HOW_GIVEN, HOW_STRAGGLER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.grouping.stopping import FalseMergeBar
    from unmingle.grouping.tree import Tree
    from unmingle.records import F32, F64, I64

# A person that a fragment may go to has more faces than this; a fragment that fills a vacant place has at most so many.
MOST_FACES = 4
# Expected share of wrong ones among the single faces taken in by looks.
MISTAKES = 0.1
# People to whom each fragment is compared pair by pair: its most similar ones by average.
HOSTS = 5
# The standard normal counts as so many more people when a fragment's similarity to people in general is measured.
PRIOR_HOSTS = 10
# Most p-values of strangers lie above this; of fragments that belong to somebody nearly none.
STOREY = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class _Claims:
    """m fragments and the person each names. fragment_m, host_m: clusters. p_m: chance that a stranger is as alike."""

    fragment_m: I64
    host_m: I64
    p_m: F64


def attach_by_looks(vectors_nd: F32, tree: Tree, *, bar: FalseMergeBar, constraints: Constraints) -> tuple[Tree, int]:
    """Give single faces to the people they look like, for as long as few of them are likely to be wrong.

    Args:
        vectors_nd: (n, d) float32 unit vectors, in canonical order.
        tree: what linkage and joining made of them.
        bar: their stop rule.
        constraints: who never comes together.

    Returns:
        The tree with the further merges, and how many faces found their people.
    """
    clusters = Snapshot.of(vectors_nd, tree)
    claims = _claims(vectors_nd, clusters, bar, CannotLinks(constraints, clusters.slot_n))
    if claims is None:
        return tree, 0
    m = len(claims.p_m)
    strangers = min(1.0, (1 + np.count_nonzero(claims.p_m > STOREY)) / (m * (1 - STOREY)))
    order = np.lexsort((claims.fragment_m, claims.p_m))
    expected_share = strangers * m * claims.p_m[order] / np.arange(1, m + 1)
    few = np.flatnonzero(expected_share <= MISTAKES)
    taken = order[: few[-1] + 1] if len(few) else order[:0]
    return _attach(tree, clusters, claims.fragment_m[taken], claims.host_m[taken], constraints)


def _claims(vectors_nd: F32, clusters: Snapshot, bar: FalseMergeBar, links: CannotLinks) -> _Claims | None:
    """Which person each single face names; None if there are no single faces or no people."""
    fragments = np.flatnonzero(clusters.size_c == 1)
    hosts = np.flatnonzero(clusters.size_c > MOST_FACES)
    if not len(fragments) or not len(hosts):
        return None
    column_fh = _nearest_hosts(clusters, fragments, hosts, links)
    some = column_fh[:, 0] >= 0
    fragments, column_fh = fragments[some], column_fh[some]
    if not len(fragments):
        return None
    there = column_fh >= 0
    row = np.repeat(fragments[:, None], column_fh.shape[1], 1)
    host = hosts[column_fh]
    quarter_z = np.full(host.shape, -np.inf)
    pairs = np.stack([row[there], host[there]], axis=1)
    size = clusters.size_c
    z = bar.quarter_standard(best_quarters(vectors_nd, clusters, pairs), size[pairs[:, 0]], size[pairs[:, 1]])
    quarter_z[there] = z
    best = quarter_z.argmax(axis=1)
    at = np.arange(len(fragments))
    mean, deviation = _people_in_general(clusters, fragments, hosts, bar)
    own_z = (quarter_z[at, best] - mean) / deviation
    from scipy.special import log_ndtr

    # The chance that the best of all people who may be named is so alike by chance.
    p = -np.expm1(len(hosts) * log_ndtr(own_z))
    return _Claims(fragments, host[at, best], p)


def _nearest_hosts(clusters: Snapshot, fragments: I64, hosts: I64, links: CannotLinks) -> I64:
    """(f, HOSTS) the people most like each fragment by average, by position; -1 where there are no more."""
    forbidden = (lambda row, column: links.block(fragments[row], hosts[column])) if links else None
    base = clusters.mean_cd[hosts]
    if len(hosts) * len(fragments) <= neighbours.EXACT_ROWS**2:
        found = nearest(clusters.mean_cd[fragments], base, HOSTS, forbidden=forbidden)
        return found.index_qk
    from unmingle.grouping.cells import Cells

    cells = Cells(base)
    found = cells.nearest(clusters.mean_cd[fragments], base, cells.of(base), HOSTS)
    index = found.index_qk
    if links:
        out = links.pairs(np.repeat(fragments, HOSTS), hosts[index.ravel()]).reshape(index.shape)
        index[out] = -1
        order = np.argsort(index < 0, axis=1, kind="stable")
        index = np.take_along_axis(index, order, 1)
    return index


def _people_in_general(clusters: Snapshot, fragments: I64, hosts: I64, bar: FalseMergeBar) -> tuple[F64, F64]:
    """Mean and deviation of each fragment's similarity to people, in standard deviations of strangers.

    A blurred face is a little like everybody, which must not count for anybody.
    """
    mean_d = clusters.mean_cd[hosts].mean(axis=0, dtype=np.float64)
    spread_dd = np.cov(clusters.mean_cd[hosts], rowvar=False, bias=True).astype(np.float64)
    vectors = clusters.mean_cd[fragments].astype(np.float64)
    typical = np.full(len(fragments), int(np.median(clusters.size_c[hosts])))
    size = clusters.size_c[fragments]
    unit = bar.scale * bar.curve.deviation(size, typical)
    mean = (vectors @ mean_d - bar.curve.mean) / unit
    variance = np.einsum("fd,de,fe->f", vectors, spread_dd, vectors, optimize=True) / unit**2
    weight = len(hosts) / (len(hosts) + PRIOR_HOSTS)
    return weight * mean, np.sqrt(1 - weight + weight * variance)


def _attach(tree: Tree, clusters: Snapshot, fragments: I64, hosts: I64, constraints: Constraints) -> tuple[Tree, int]:
    """The tree after each fragment has joined its host in turn, unless one before it stands against it."""
    links = CannotLinks(constraints, clusters.slot_n)
    node, size = clusters.node_c.copy(), clusters.size_c.copy()
    total = {int(h): clusters.mean_cd[h].astype(np.float64) * size[h] for h in hosts.tolist()}
    steps: list[tuple[int, int, float, int]] = []
    faces = 0
    for fragment, host in zip(fragments.tolist(), hosts.tolist(), strict=True):
        if links and links.block(np.array([fragment]), np.array([host]))[0, 0]:
            continue
        links.merge(np.array([host]), np.array([fragment]))
        mean = clusters.mean_cd[fragment].astype(np.float64)
        similarity = float(total[host] @ mean / size[host])
        total[host] += mean * size[fragment]
        size[host] += size[fragment]
        faces += int(size[fragment])
        steps.append((int(node[host]), int(node[fragment]), similarity, int(size[host])))
        node[host] = tree.leaves + len(tree.first_m) + len(steps) - 1
    if not steps:
        return tree, 0
    first, second, level, grown = (np.array(column) for column in zip(*steps, strict=True))
    return tree.grown(first, second, level, grown, how=HOW_STRAGGLER), faces


def attach_by_vacancy(vectors_nd: F32, tree: Tree, *, constraints: Constraints) -> tuple[Tree, int]:
    """Give fragments to people who are there just before and just after, but not in the fragment's own frames.

    The person has to be the only one whose place is vacant.

    Args and returns: see `attach_by_looks`.
    """
    if not constraints.in_order:
        return tree, 0
    clusters = Snapshot.of(vectors_nd, tree)
    there = _There.of(clusters, constraints)
    chosen = {
        slot: there.vacant(slot, clusters.faces(slot, most=MOST_FACES).tolist())
        for slot in np.flatnonzero(clusters.size_c <= MOST_FACES).tolist()
    }
    claims = [(slot, places[0]) for slot, places in chosen.items() if len(places) == 1]
    first, second = (np.array([claim[side] for claim in claims], np.int64) for side in (0, 1))
    return _attach(tree, clusters, first, second, constraints)


def part_by_vacancy(vectors_nd: F32, tree: Tree, *, constraints: Constraints) -> Tree:
    """Take fragments apart whose faces fill the places of different people: no one place could be that of all.

    Nothing that must be one person, nor one picture that is there twice, is taken apart.

    Args and returns: see `attach_by_looks`.
    """
    if not constraints.in_order:
        return tree
    clusters = Snapshot.of(vectors_nd, tree)
    there = _There.of(clusters, constraints)
    given = tree.how_m == HOW_GIVEN
    parts = np.concatenate([tree.first_m[given], tree.second_m[given]])
    torn: list[int] = []
    for slot in np.flatnonzero((clusters.size_c > 1) & (clusters.size_c <= MOST_FACES)).tolist():
        faces = clusters.faces(slot, most=MOST_FACES).tolist()
        places = [set(there.vacant(slot, [face])) for face in faces]
        if all(places) and not set.intersection(*places) and not np.isin(faces, parts).any():
            torn += faces
    return tree.without(np.array(torn, np.int64)) if torn else tree


@dataclass(frozen=True, slots=True)
class _There:
    """Who is there in each frame.

    frames: of each face that was seen in one. present: the clusters in a frame. people: those of more than `MOST_FACES`
    faces.
    """

    frames: dict[int, set[int]]
    present: dict[int, set[int]]
    people: set[int]

    @classmethod
    def of(cls, clusters: Snapshot, constraints: Constraints) -> _There:
        frames: defaultdict[int, set[int]] = defaultdict(set)
        present: defaultdict[int, set[int]] = defaultdict(set)
        for face, frame in constraints.seen_k2.tolist():
            frames[face].add(frame)
            present[frame].add(int(clusters.slot_n[face]))
        return cls(dict(frames), dict(present), set(np.flatnonzero(clusters.size_c > MOST_FACES).tolist()))

    def vacant(self, slot: int, faces: Sequence[int]) -> list[int]:
        """The people who left their place in the frames of a fragment's faces: there before and after most, in none."""
        nobody: set[int] = set()
        frames = nobody.union(*(self.frames.get(face, nobody) for face in faces))
        beside = [self.present.get(frame - 1, nobody) & self.present.get(frame + 1, nobody) for frame in frames]
        during = nobody.union(*(self.present[frame] for frame in frames))
        vacant = (nobody.union(*beside) & self.people) - during - {slot}
        return sorted(one for one in vacant if 2 * sum(one in there for there in beside) > len(frames))
