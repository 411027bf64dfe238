"""The number of people is given: keep the largest clusters, and give what is left over to the most similar of them.

Cutting a tree at a number of clusters spends that number on outliers: the last things to be merged are blurred, masked
or no faces at all. The largest clusters that the self-calibrating stop finds are people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmingle.errors import SettingsError
from unmingle.grouping.constraints import CannotLinks, Constraints
from unmingle.grouping.snapshot import Snapshot
from unmingle.grouping.tree import HOW_NUMBER

if TYPE_CHECKING:
    from unmingle.grouping.tree import Tree
    from unmingle.records import F32, I64


def with_people(
    vectors_nd: F32, tree: Tree, people: int, *, constraints: Constraints | None = None
) -> tuple[Tree, int]:
    """Cut or continue `tree` so that exactly `people` clusters are left.

    Too few clusters: the least similar merges are undone. Too many: the largest stay (of equal ones those that come
    first), and every other is merged into the one that it is most similar to, as they were before, most similar first.
    A leftover that may not be any of them still goes to the most similar: the number given is the stronger
    word, and mirrors and posters do break "two faces of one picture".

    Args:
        vectors_nd: (n, d) float32 unit vectors, in canonical order.
        tree: a finished clustering of them.
        people: how many clusters to leave, 1 to n.
        constraints: who may not come together.

    Returns:
        The tree, and the number of leftovers that had to go to a person whom they may not be.

    Raises:
        SettingsError: `people` is below 1 or above n.
    """
    check_people(people, tree.leaves)
    if tree.leaves - len(tree.first_m) <= people:
        return tree.by_similarity().first(tree.leaves - people), 0
    clusters = Snapshot.of(vectors_nd, tree)
    by_size = np.argsort(-clusters.size_c, kind="stable")
    hosts, rest = by_size[:people], np.sort(by_size[people:])
    similarity_rh = clusters.mean_cd[rest] @ clusters.mean_cd[hosts].T
    similarity_rh /= np.linalg.norm(clusters.mean_cd[hosts], axis=1)
    rest_order = np.argsort(-similarity_rh.max(axis=1), kind="stable")
    rest, similarity_rh = rest[rest_order], similarity_rh[rest_order]
    links = CannotLinks(constraints or Constraints(len(vectors_nd)), clusters.slot_n)
    host_r, broken = _choose(similarity_rh, links, hosts, rest)
    return _grow(tree, clusters, hosts[host_r], rest), broken


def _choose(similarity_rh: F32, links: CannotLinks, hosts: I64, rest: I64) -> tuple[I64, int]:
    """The host of each leftover, most similar leftovers first, and how many went to one whom they may not be."""
    chosen = similarity_rh.argmax(axis=1)
    if not links:
        return chosen, 0
    broken = 0
    for row in range(len(rest)):
        barred = links.block(rest[row : row + 1], hosts)[0]
        broken += bool(barred.all())
        if not barred.all():
            chosen[row] = np.where(barred, -np.inf, similarity_rh[row]).argmax()
        links.merge(hosts[chosen[row : row + 1]], rest[row : row + 1])
    return chosen, broken


def _grow(tree: Tree, clusters: Snapshot, host_r: I64, rest_r: I64) -> Tree:
    """The tree after each leftover has joined its host, one by one."""
    made = tree.leaves + len(tree.first_m)
    node = clusters.node_c.copy()
    total_cd = clusters.mean_cd.astype(np.float64) * clusters.size_c[:, None]
    size = clusters.size_c.copy()
    first, similarity, sizes = [], [], []
    for step, (host, leftover) in enumerate(zip(host_r, rest_r, strict=True)):
        first.append(node[host])
        similarity.append(total_cd[host] @ total_cd[leftover] / (size[host] * size[leftover]))
        total_cd[host] += total_cd[leftover]
        size[host] += size[leftover]
        sizes.append(size[host])
        node[host] = made + step
    return tree.grown(np.array(first), clusters.node_c[rest_r], np.array(similarity), np.array(sizes), how=HOW_NUMBER)


def check_people(people: int, n: int) -> None:
    """Raise SettingsError unless `people` clusters can be made of n faces."""
    if not 1 <= people <= n:
        mend = f"Give a number from 1 to {n}, or leave it out to find the number." if n else "Add pictures first."
        raise SettingsError(f"{people} people can't be made of {n} faces.", mend)
