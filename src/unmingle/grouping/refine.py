"""What average linkage leaves to do: fragments join, misplaced faces move, mirrors merge, a given number is met."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from unmingle.errors import SettingsError
from unmingle.grouping.clusters import disjoint
from unmingle.grouping.constraints import CannotLinks, Constraints, roots
from unmingle.grouping.impostors import SINGLE, normal_through
from unmingle.grouping.index import find_nearest, similarity_blocks, spaced
from unmingle.grouping.linkage import ROUNDING, Linkage
from unmingle.grouping.threshold import LEAST_Z, PRIOR_CLUSTERS, chance_of_best, surest

if TYPE_CHECKING:
    from unmingle.grouping.clusters import Clusters
    from unmingle.grouping.threshold import FalseMergeThreshold
    from unmingle.records import F32, F64, I64, Bool

# Clusters that each cluster is compared with by its top quartile: its most similar ones for their sizes.
CANDIDATES = 5
# How alike good faces of one person are, in deviations of single strangers above these: the mean of six collections.
# So many further faces of a cluster weigh as much as the word that its faces are good.
OWN_Z = 5.6
PRIOR_FACES = 3
# A cluster of more faces than this is somebody; a smaller one may be a fragment.
FRAGMENT_FACES = 4
# Frames: who is away for longer may have gone.
LONGEST_GAP = 2 * FRAGMENT_FACES
# Faces of the smaller cluster for each frame that two clusters of one person may share by mistake.
FACES_A_MISTAKE = 200
# Fewer faces don't tell how alike a person's faces are.
LEAST_FACES = 5
# Share of the way from strangers to a person's own faces that another's faces have to cover.
OWN_SHARE = 0.9

# Fewer faces than this may be as little alike as a crowd by chance.
CROWD_FACES = 31
# Worse pictures of one person are no more alike than good ones of children who are strangers (`faces.quality`).
GOOD_QUALITY = 0.5
# A person has a core: of all pairs of its faces, more than this share are within one piece.
CORE_SHARE = 1 / 3
# Faces of a cluster, or clusters, that are looked at, evenly spread over all.
SAMPLE = 2000
# Of all pairs of clusters the less alike half are of strangers, and few of two people are among these.
LESS_ALIKE = (0.1, 0.5)


def join_fragments(clusters: Clusters, threshold: FalseMergeThreshold, *, smaller: float = np.inf) -> None:
    """Top-quartile linkage: merge two appearances of one person, front and side, which are alike where they meet.

    smaller: how many faces the smaller of the two may have.
    """
    pairs_m2, z_m = _judged(clusters, threshold, _candidates(clusters, threshold, clusters.alive))
    while True:
        first, second = pairs_m2.T
        a, b = clusters.size_n[first], clusters.size_n[second]
        accepted = threshold.accepts(z_m, a, b, clusters=clusters.count)
        passes = np.flatnonzero(accepted & (np.minimum(a, b) <= smaller))
        order = passes[np.lexsort((second[passes], first[passes], -z_m[passes]))]
        order = order[disjoint(first[order], second[order], len(clusters.size_n))]
        if not len(order):
            return
        kept, gone = first[order], second[order]
        clusters.merge(kept, gone, how="best quarter")
        changed = np.zeros(len(clusters.size_n), np.bool_)
        changed[kept] = changed[gone] = True
        stale = changed[pairs_m2].any(axis=1)
        touched = clusters.slot_n[pairs_m2[stale]]
        touched = touched[(touched[:, 0] != touched[:, 1]) & ~clusters.links.pairs(*touched.T)]
        fresh = np.concatenate([touched, _candidates(clusters, threshold, kept)])
        more_m2, more_z = _judged(clusters, threshold, np.unique(np.sort(fresh, axis=1), axis=0))
        pairs_m2, z_m = np.concatenate([pairs_m2[~stale], more_m2]), np.concatenate([z_m[~stale], more_z])


def join_likely(clusters: Clusters, threshold: FalseMergeThreshold) -> None:
    """Join further fragments where poor pictures leave people in pieces, for as long as few of them are strangers.

    Of poor pictures hardly a pair is as alike as good ones have to be. But how alike clusters and their nearest are
    tells how many of these are strangers, and from where on they are few: a share no larger than what pictures hide
    of people, so that good ones stay as they are.
    """
    from scipy.special import ndtr

    several = np.flatnonzero(clusters.size_n > 1)
    if not len(several):
        return
    share_c = _own_shares(clusters, several, threshold)
    hidden = 1 - float(np.average(share_c, weights=clusters.size_n[several]))
    before = 0
    while hidden > 0 and clusters.count != before:
        before, (z_c, chance_c) = clusters.count, _nearest(clusters, threshold)
        likely = surest(chance_c, hidden)
        # At even odds a pair says nothing for itself.
        least = float(z_c[likely[chance_c[likely] <= 1 / 2]].min(initial=np.inf))
        expected = (before - 1) * float(ndtr(-least))
        if expected > threshold.expected:
            join_fragments(clusters, replace(threshold, expected=expected), smaller=FRAGMENT_FACES)


def _nearest(clusters: Clusters, threshold: FalseMergeThreshold) -> tuple[F64, F64]:
    """(c,), (c,) of clusters spread over all, the nearest's score, and the chance that strangers' best is as high."""
    slots, size_n = clusters.alive, clusters.size_n
    sample = spaced(len(slots), SAMPLE)
    of, nearest, some = slots[sample], [], []
    # From a crowd, everybody else is further away.
    usual = clusters.excess(slots, slots) <= threshold.curve.deviation(SINGLE, SINGLE)
    for block, similarity_rc in similarity_blocks(clusters.mean_nd[of], clusters.mean_nd[slots], cells=1 << 21):
        row = of[block, None]
        z_rc = threshold.standard(similarity_rc - clusters.excess(row, slots), size_n[row], size_n[slots])
        z_rc[(row == slots) | clusters.links.block(of[block], slots)] = -np.inf
        nearest.append(z_rc.max(axis=1))
        some.append(z_rc[usual[sample][block]][:, sample[usual[sample]]])
    z_c, z_m = np.concatenate(nearest), np.concatenate(some, axis=None)
    z_m = z_m[z_m > -np.inf]
    if not len(z_m):
        return z_c, np.ones(len(z_c))
    # How alike strangers are in such pictures; few clusters can't tell, and it is as the card says.
    known = usual.sum() / (usual.sum() + PRIOR_CLUSTERS)
    mean, deviation = normal_through(z_m, LESS_ALIKE)
    return z_c, chance_of_best((z_c - known * mean) / (known * deviation + 1 - known), clusters.count - 1)


def _judged(clusters: Clusters, threshold: FalseMergeThreshold, pairs_m2: I64) -> tuple[I64, F64]:
    """The pairs that are worth remembering, and their scores."""
    first, second = pairs_m2.T
    a, b = clusters.size_n[first], clusters.size_n[second]
    excess = clusters.excess(first, second)
    z_m = np.maximum(
        threshold.standard(clusters.similarity(first, second) - excess, a, b),
        threshold.quartile_standard(clusters.top_quartile(first, second) - excess, a, b),
    )
    # Poor faces are less alike, of one person and of two. A single one doesn't tell whether it is poor.
    share = np.sqrt(_shown(clusters, first, threshold) * _shown(clusters, second, threshold))
    share[np.minimum(a, b) == 1] = 1
    z_m = threshold.sharpened(z_m, a, b, share)
    # What lies far below any threshold is judged again when one of the two changes.
    return pairs_m2[z_m >= LEAST_Z], z_m[z_m >= LEAST_Z]


def _shown(clusters: Clusters, slot_m: I64, threshold: FalseMergeThreshold) -> F64:
    """(m,) the share of what good faces show of people that those of clusters show, by how alike they are."""
    others, share_m = clusters.size_n[slot_m] - 1, np.clip(_own_shares(clusters, slot_m, threshold), 0, 1)
    shown_m: F64 = (others * share_m + PRIOR_FACES) / (others + PRIOR_FACES)
    return shown_m


def _own_shares(clusters: Clusters, slot_m: I64, threshold: FalseMergeThreshold) -> F64:
    """(m,) how alike a cluster's own faces are, as a share of what good faces of one person are."""
    usual = OWN_Z * threshold.curve.deviation(SINGLE, SINGLE)
    # Where it is crowded they may be children who are strangers, and good.
    alike_m = _own_cosines(clusters, slot_m) - threshold.curve.mean + clusters.excess(slot_m, slot_m)
    share_m: F64 = alike_m / usual
    return share_m


def _candidates(clusters: Clusters, threshold: FalseMergeThreshold, of: I64) -> I64:
    """(m, 2) the best few pairs of each of these by average, not both single."""
    size_n, mean_nd = clusters.size_n, clusters.mean_nd
    several = np.flatnonzero(size_n > 1)
    if not len(several) or not len(of):
        return np.zeros((0, 2), np.int64)
    found = find_nearest(mean_nd[of], mean_nd[several], 3 * CANDIDATES + 1)  # itself among them
    row = np.repeat(of[:, None], found.index_qk.shape[1], 1)
    column = several[found.index_qk]
    z = threshold.standard(found.similarity_qk - clusters.excess(row, column), size_n[row], size_n[column])
    barred = clusters.links.pairs(row.ravel(), column.ravel()).reshape(row.shape)
    z[(found.index_qk < 0) | (column == row) | barred] = -np.inf
    best = np.argsort(-z, axis=1, kind="stable")[:, :CANDIDATES]
    good = np.take_along_axis(z, best, 1) >= LEAST_Z
    pairs = np.stack([np.take_along_axis(side, best, 1)[good] for side in (row, column)], axis=1)
    return np.unique(np.sort(pairs, axis=1), axis=0)


def part_crowds(clusters: Clusters, threshold: FalseMergeThreshold, quality_n: F32) -> None:
    """Take large clusters apart that are alike strangers, too few for `local_excess` to tell.

    Good pictures of one person are as alike as single faces have to be, or most of them are, or they are not because
    some are less like all others. In a crowd everybody is about as alike, and it matters which two faces it is. It is
    linked again with its pieces as strangers. quality_n: see `faces.quality`; nothing is parted where that is low.
    """
    strict = replace(threshold, scale=1.0, singly=True)
    while True:
        excess_n, crowds = clusters.face_excess_n.copy(), []
        for slot in _little_alike(clusters, strict).tolist():
            face = clusters.faces(np.array([slot]))
            if quality_n[face].mean() < GOOD_QUALITY:
                continue
            excess = _strangers_cosine(clusters, face, strict) - threshold.curve.mean
            # By more than rounding: who was said to be one comes back the same.
            if excess - excess_n[face].mean() > ROUNDING:
                excess_n[face] = np.maximum(excess_n[face], excess)
                crowds.append((slot, face))
        if not crowds:
            return
        clusters.dissolve(np.array([slot for slot, _ in crowds]))
        clusters.face_excess_n = excess_n
        for _, face in crowds:
            part = _part(clusters, face)
            join_fragments(part.run(threshold), threshold)
            kept, gone, _, _ = part.clusters.history()
            clusters.merge_in_turn(face[kept], face[gone], how="average")


def large_people(clusters: Clusters, threshold: FalseMergeThreshold) -> I64:
    """(n,) the slot of each face in a large cluster that is one person, of whom a recording tells; -1 for others.

    Its frames soon follow each other, as those of different people who are alike don't, and it is no crowd, see
    `part_crowds`. By its vectors alone a crowd in good and poor pictures may be taken for one person in such.
    """
    strict, seen_k2 = replace(threshold, scale=1.0, singly=True), clusters.constraints.seen_k2
    frames, recording = clusters.constraints.recordings()
    people = []
    for slot in np.flatnonzero(clusters.size_n >= CROWD_FACES).tolist():
        there = np.searchsorted(frames, np.unique(seen_k2[clusters.slot_n[seen_k2[:, 0]] == slot, 1]))
        follows = (np.diff(recording[there]) == 0) & (np.diff(frames[there]) <= LONGEST_GAP)
        if np.count_nonzero(follows) >= CROWD_FACES:
            people.append(slot)
    crowds = [
        slot
        for slot in np.intersect1d(people, _little_alike(clusters, strict)).tolist()
        if _strangers_cosine(clusters, clusters.faces(np.array([slot])), strict) > -np.inf
    ]
    return np.where(np.isin(clusters.slot_n, np.setdiff1d(people, crowds)), clusters.slot_n, -1)


def _little_alike(clusters: Clusters, strict: FalseMergeThreshold) -> I64:
    """Large clusters whose faces are less alike than single ones have to be."""
    slots = np.flatnonzero(clusters.size_n >= CROWD_FACES)
    alike = _own_cosines(clusters, slots) - clusters.excess(slots, slots)
    size = clusters.size_n[slots]
    return slots[~strict.passes(alike.astype(np.float32), size, size, clusters=clusters.count)]


def _part(clusters: Clusters, face_f: I64) -> Linkage:
    """Some faces, to be linked by themselves with as many rivals as all have."""
    place_n = np.full(len(clusters.slot_n), -1)
    place_n[face_f] = np.arange(len(face_f))
    # What ties two of them may be a face that is not among them.
    root_f = roots(clusters.constraints.same_m2, len(place_n))[face_f]
    order_f = np.argsort(root_f, kind="stable")
    tied = np.flatnonzero(np.diff(root_f[order_f]) == 0)
    constraints = clusters.constraints.mapped(place_n, len(face_f))
    constraints = constraints.with_same(np.stack([order_f[tied], order_f[tied + 1]], axis=1))
    part = Linkage(clusters.vectors_nd[face_f], constraints)
    part.clusters.face_excess_n = clusters.face_excess_n[face_f]
    part.clusters.rivals = clusters.count / len(part.clusters.alive)
    return part


def _strangers_cosine(clusters: Clusters, face_f: I64, strict: FalseMergeThreshold) -> float:
    """The mean cosine between the pieces of a cluster, rising, if it has no core; -inf if it may be a person."""
    face_f = face_f[spaced(len(face_f), SAMPLE)]
    n, vectors_fd = len(face_f), clusters.vectors_nd[face_f].astype(np.float64)
    cosine_ff = vectors_fd @ vectors_fd.T
    apart_ff = ~np.eye(n, dtype=np.bool_)
    # Of two faces' cosine, what each adds to it (two-way analysis of variance), and what is left for the two.
    mean = cosine_ff.mean(where=apart_ff)
    own_f = (cosine_ff.sum(axis=1, where=apart_ff) - (n - 1) * mean) / (n - 2)
    rest_ff = cosine_ff - mean - own_f[:, None] - own_f
    rest = float(np.square(rest_ff).sum(where=apart_ff)) / (n * (n - 3))
    if 2 * (own_f.var(ddof=1) - rest / (n - 2)) > rest:
        return -np.inf
    piece_f = _part(clusters, face_f).run(strict).slot_n
    between_ff = piece_f[:, None] != piece_f
    if 1 - between_ff.mean(where=apart_ff) >= CORE_SHARE:
        return -np.inf
    return float(cosine_ff.mean(where=between_ff))


def _own_cosines(clusters: Clusters, slot_m: I64) -> F64:
    """(m,) the average cosine of all pairs of a cluster's faces, none with itself."""
    size = clusters.size_n[slot_m].astype(np.float64)
    length = np.einsum("md,md->m", clusters.mean_nd[slot_m], clusters.mean_nd[slot_m], dtype=np.float64)
    result: F64 = (length * size - 1) / np.maximum(size - 1, 1)
    return result


def reassign(clusters: Clusters, near_n: I64, threshold: FalseMergeThreshold) -> int:
    """Move faces that went to the wrong person while their own was still in pieces; how many moved.

    A face whose nearest, `Linkage.near_n`, is another person's moves if it scores higher with that person than with its
    own, by average and by top quartile. Both have more than `FRAGMENT_FACES` faces, those in doubt not counted.
    """
    slot_n = clusters.slot_n
    face = np.flatnonzero(near_n >= 0)
    near = near_n[face]
    several = np.minimum(clusters.size_n[slot_n[face]], clusters.size_n[slot_n[near]]) > FRAGMENT_FACES
    doubted = several & (slot_n[face] != slot_n[near])
    face, near = face[doubted], near[doubted]
    sure = np.setdiff1d(np.arange(len(near_n)), face)[::-1]
    rest_n = np.full(len(slot_n), -1, np.int64)
    rest_n[slot_n[sure]] = sure  # the first of each cluster, which is written last
    rest = rest_n[slot_n[face]]
    face, near, rest = face[rest >= 0], near[rest >= 0], rest[rest >= 0]
    if not len(face):
        return 0
    sure_only = clusters.copy()
    sure_only.take_out(face)
    other, own = sure_only.slot_n[near], sure_only.slot_n[rest]
    free = np.minimum(sure_only.size_n[other], sure_only.size_n[own]) > FRAGMENT_FACES
    free &= ~sure_only.links.pairs(face, other)
    face, near, other, own = face[free], near[free], other[free], own[free]
    to_other, to_own = (sure_only.scores(face, of, threshold) for of in (other, own))
    moves = (to_other[0] > to_own[0]) & (to_other[1] > to_own[1])
    if moves.any():
        clusters.take_out(face[moves])
        clusters.merge_in_turn(clusters.slot_n[near[moves]], face[moves], how="straggler")
    return int(moves.sum())


def merge_seen_together(clusters: Clusters, threshold: FalseMergeThreshold) -> tuple[int, int]:
    """Merge clusters that share frames but agree too strongly for two people: mirrors, posters, shared screens.

    Either they share very few frames, or they are as alike as each is in itself, which twins are not. Returns how many
    pairs were merged, and how many would pass but are kept apart by their frames.
    """
    constraints, merged = clusters.constraints, 0
    frames_only = Constraints(constraints.faces, seen_k2=constraints.seen_k2)
    while True:
        first, second, shared = CannotLinks(frames_only, clusters.slot_n).all_pairs()
        free = ~CannotLinks(constraints.without_frames(), clusters.slot_n).pairs(first, second)
        first, second, shared = first[free], second[free], shared[free]
        a, b = clusters.size_n[first], clusters.size_n[second]
        z_m = np.maximum(*clusters.scores(first, second, threshold))
        alike = threshold.accepts(z_m, a, b, clusters=clusters.count)
        first, second = first[alike], second[alike]
        strong = shared[alike] * FACES_A_MISTAKE <= np.minimum(a, b)[alike]
        strong |= _as_alike_as_their_own(clusters, first, second, strangers=threshold.curve.mean)
        kept_apart = int((~strong).sum())
        order = np.flatnonzero(strong)
        order = order[np.lexsort((second[order], first[order], -clusters.similarity(first, second)[order]))]
        order = order[disjoint(first[order], second[order], len(clusters.size_n))]
        if not len(order):
            return merged, kept_apart
        merged += len(order)
        clusters.merge(first[order], second[order], how="seen together")


def _as_alike_as_their_own(clusters: Clusters, first_m: I64, second_m: I64, *, strangers: float) -> Bool:
    """(m,) which pairs are about as much like each other as the more alike of the two is in itself."""
    own_m = np.maximum(
        *(
            np.where(clusters.size_n[of] < LEAST_FACES, -np.inf, _own_cosines(clusters, of))
            for of in (first_m, second_m)
        )
    )
    between = np.einsum("md,md->m", clusters.mean_nd[first_m], clusters.mean_nd[second_m], dtype=np.float64)
    alike: Bool = (own_m > strangers) & (between - strangers >= OWN_SHARE * (own_m - strangers))
    return alike


def make_people(clusters: Clusters, people: int) -> int:
    """Undo the least similar merges, or give all but the largest clusters to these, so that exactly so many are left.

    Returns how many leftovers had to go to a person whom they may not be.
    """
    check_people(people, len(clusters.slot_n))
    if clusters.count <= people:
        clusters.undo_least_similar(people)
        return 0
    slots, first = np.unique(clusters.slot_n, return_index=True)
    by_size = np.lexsort((first, -clusters.size_n[slots]))
    hosts, rest = slots[by_size[:people]], slots[by_size[people:][np.argsort(first[by_size[people:]])]]
    similarity_rh = clusters.mean_nd[rest] @ clusters.mean_nd[hosts].T
    similarity_rh /= np.linalg.norm(clusters.mean_nd[hosts], axis=1)
    most_similar_first = np.argsort(-similarity_rh.max(axis=1), kind="stable")
    rest, similarity_rh = rest[most_similar_first], similarity_rh[most_similar_first]
    host, broken = _choose(similarity_rh, clusters, hosts, rest)
    while len(rest):
        now = disjoint(host, rest, len(clusters.size_n))
        clusters.merge(host[now], rest[now], how="number given")
        host, rest = np.delete(host, now), np.delete(rest, now)
    return broken


def _choose(similarity_rh: F32, clusters: Clusters, hosts: I64, rest: I64) -> tuple[I64, int]:
    """The host of each leftover, and how many went to one whom they may not be."""
    chosen = similarity_rh.argmax(axis=1)
    links = CannotLinks(clusters.constraints, clusters.slot_n)
    if not links:
        return hosts[chosen], 0
    broken = 0
    for row in range(len(rest)):
        barred = links.block(rest[row : row + 1], hosts)[0]
        broken += bool(barred.all())
        if not barred.all():
            chosen[row] = np.where(barred, -np.inf, similarity_rh[row]).argmax()
        links.merge(hosts[chosen[row : row + 1]], rest[row : row + 1])
    return hosts[chosen], broken


def check_people(people: int, n: int) -> None:
    """SettingsError unless `people` clusters can be made of n faces."""
    if not 1 <= people <= n:
        mend = f"Give a number from 1 to {n}, or leave it out to find the number." if n else "Add pictures first."
        raise SettingsError(f"{people} people can't be made of {n} faces.", mend)
