"""The methods that side_by_side.py compares: what each is called, how it is run, and with which settings.

The default is what a method's own documentation recommends. Where a method needs a bar between "same person" and "not"
and recommends none for these embeddings, it is the one that OpenCV documents for SFace: cosine 0.363, which is distance
1.128 between unit vectors. The grid is what the best setting is chosen from, with the labels.

The packages of Infomap (which FC-ES needs too) and Leiden are under the GPL: they are used here and nowhere else in the
project.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from unmingle.grouping.baselines import SFACE_COSINE, k_means

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from unmingle.records import F32

    Labels = NDArray[np.integer[Any]]
    Setting = dict[str, Any]

SFACE_DISTANCE = 1.128
SEED = 0
COSINES = (0.2, 0.25, 0.3, 0.33, 0.363, 0.4, 0.43, 0.46, 0.5, 0.55, 0.6)
NEIGHBOURS = 50  # as in published work on faces with Infomap and with learned graphs


@dataclass(frozen=True, slots=True)
class Competitor:
    """A way to group faces.

    run:     (n, d) unit vectors and a setting to (n,) labels, negative for a face that is alone.
    default: the setting of its documentation.
    grid:    settings to choose the best of; none where nothing is to be chosen.
    told:    whether a setting's "share" is of the true number of people; `run` then gets "people" instead.
    """

    run: Callable[[F32, Setting], Labels]
    default: Setting
    grid: tuple[Setting, ...] = ()
    told: Literal["nothing", "people"] = "nothing"


def product(**choices: tuple[Any, ...]) -> tuple[Setting, ...]:
    """Every combination of choices."""
    return tuple(dict(zip(choices, chosen, strict=True)) for chosen in itertools.product(*choices.values()))


def ours(vectors_nd: F32, setting: Setting) -> Labels:
    from unmingle.grouping.cluster import cluster_faces
    from unmingle.grouping.impostors import SFACE_CURVE
    from unmingle.settings import GroupingSettings

    return cluster_faces(vectors_nd, GroupingSettings(**setting), curve=SFACE_CURVE).labels


def k_means_told(vectors_nd: F32, setting: Setting) -> Labels:
    return k_means(vectors_nd, min(setting["people"], len(vectors_nd)), starts=setting["n_init"], seed=SEED)


def agglomerative(vectors_nd: F32, setting: Setting) -> Labels:
    from sklearn.cluster import AgglomerativeClustering

    method = AgglomerativeClustering(
        n_clusters=None, metric="cosine", linkage="average", distance_threshold=1 - setting["cosine"]
    )
    return method.fit_predict(vectors_nd)


def hdbscan(vectors_nd: F32, setting: Setting) -> Labels:
    """Euclidean distances between unit vectors, which order pairs as cosines do."""
    from sklearn.cluster import HDBSCAN

    return HDBSCAN(**setting, copy=True).fit_predict(vectors_nd)


def fast_hdbscan(vectors_nd: F32, setting: Setting) -> Labels:
    """Approximate as it comes, exact with `neighbours` None.

    With more than 30 dimensions it takes a graph of 15 nearest neighbours, in which unconnected parts are infinitely
    far apart; where people lie well apart that misleads its choice of clusters. Weights, even if all are one, make it
    exact.
    """
    from fast_hdbscan import HDBSCAN

    words = dict(setting)
    neighbours = words.pop("neighbours")
    weights_n = np.ones(len(vectors_nd), np.float32) if neighbours is None else None
    method = HDBSCAN(**words, knn_k=None if neighbours == "default" else neighbours)
    return method.fit_predict(vectors_nd, sample_weight=weights_n)


def finch(vectors_nd: F32, setting: Setting) -> Labels:
    """The partition of one level, 1 the finest; the coarsest where there are fewer."""
    from finch import FINCH

    levels_nl, _, _ = FINCH(vectors_nd, distance="cosine", verbose=False)
    return levels_nl[:, min(setting["level"], levels_nl.shape[1]) - 1]


def chinese_whispers(vectors_nd: F32, setting: Setting) -> Labels:
    """dlib's; its random order starts from a fixed seed."""
    import dlib

    descriptors = [dlib.vector(vector) for vector in vectors_nd.astype(np.float64)]
    return np.array(dlib.chinese_whispers_clustering(descriptors, setting["distance"]), np.int64)


def infomap(vectors_nd: F32, setting: Setting) -> Labels:
    """The map equation in two levels on the graph of nearest neighbours."""
    from infomap import Infomap

    links_m2, weights_m = neighbour_graph(vectors_nd, setting["neighbours"], setting["cosine"])
    method = Infomap(two_level=True, silent=True, no_file_output=True, seed=SEED + 1, num_trials=setting["trials"])
    method.add_nodes(range(len(vectors_nd)))
    method.add_links([(int(a), int(b), float(weight)) for (a, b), weight in zip(links_m2, weights_m, strict=True)])
    method.run()
    labels = np.full(len(vectors_nd), -1, np.int64)
    for node, module in method.get_modules().items():
        labels[node] = module
    return labels


def early_stopping(vectors_nd: F32, setting: Setting) -> Labels:
    """FC-ES without training (Liu and others 2024), written anew from its description.

    Two faces are one person as surely as a step from either lands on a neighbour that they share. From each face edges
    go to its neighbours, the nearest first, until the first that is too unsure; Infomap groups what they connect.
    """
    import faiss
    from infomap import Infomap
    from scipy.sparse import csr_array

    n, k = len(vectors_nd), min(setting["neighbours"], len(vectors_nd))
    index = faiss.IndexFlatIP(vectors_nd.shape[1])
    index.add(vectors_nd)
    cosine_nk, other_nk = index.search(vectors_nd, k)
    step_nk = np.exp((np.clip(cosine_nk, 0, 1) - 1) * 4)  # of the squared distance, at the published width of a half
    step_nk /= step_nk.sum(axis=1, keepdims=True)
    shape, starts, ends = (n, n), np.arange(n + 1) * k, other_nk.ravel()
    steps = csr_array((step_nk.ravel(), ends, starts), shape=shape)
    near = csr_array((np.ones(n * k, np.float32), ends, starts), shape=shape)
    shared = (steps @ near.T).tocsr()  # of each face's steps, those that land on a neighbour of the other
    row_nk = np.repeat(np.arange(n)[:, None], k, 1)
    sure_nk = np.asarray(shared[row_nk.ravel(), ends] + shared[ends, row_nk.ravel()]).reshape(n, k) / 2
    kept_nk = np.logical_and.accumulate((sure_nk >= setting["sure"]) | (other_nk == row_nk), axis=1)
    method = Infomap(two_level=True, directed=True, silent=True, no_file_output=True, seed=SEED + 1, num_trials=1)
    kept_nk &= other_nk != row_nk
    links = zip(row_nk[kept_nk].tolist(), other_nk[kept_nk].tolist(), sure_nk[kept_nk].tolist(), strict=True)
    method.add_links(list(links))
    labels = np.full(n, -1, np.int64)
    if kept_nk.any():
        method.run()
        for node, module in method.get_modules().items():
            labels[node] = module
    return labels


def leiden(vectors_nd: F32, setting: Setting) -> Labels:
    """Modularity, or the constant Potts model at a resolution, on the graph of nearest neighbours."""
    import igraph
    import leidenalg

    links_m2, weights_m = neighbour_graph(vectors_nd, setting["neighbours"], setting["cosine"])
    graph = igraph.Graph(n=len(vectors_nd), edges=links_m2.tolist())
    words: dict[str, Any] = {"weights": weights_m.tolist(), "seed": SEED}
    if "potts" in setting:
        kind, words["resolution_parameter"] = leidenalg.CPMVertexPartition, setting["potts"]
    else:
        kind = leidenalg.ModularityVertexPartition
    return np.array(leidenalg.find_partition(graph, kind, **words).membership, np.int64)


def neighbour_graph(vectors_nd: F32, neighbours: int, least: float) -> tuple[NDArray[np.int64], F32]:
    """Exact nearest neighbours by cosine, each pair once.

    Returns:
        (m, 2) rows, the smaller first, and (m,) cosines, all at least `least` and above 0.
    """
    import faiss

    index = faiss.IndexFlatIP(vectors_nd.shape[1])
    index.add(vectors_nd)
    cosine_nk, other_nk = index.search(vectors_nd, min(neighbours + 1, len(vectors_nd)))
    row_nk = np.broadcast_to(np.arange(len(vectors_nd))[:, None], other_nk.shape)
    keep_nk = (other_nk != row_nk) & (other_nk >= 0) & (cosine_nk >= least) & (cosine_nk > 0)
    pairs_m2 = np.sort(np.stack([row_nk[keep_nk], other_nk[keep_nk]], axis=1), axis=1)
    links_m2, first = np.unique(pairs_m2, axis=0, return_index=True)
    return links_m2, cosine_nk[keep_nk][first]


# Euclidean distances of unit vectors at the cosines of the other grids, and what dlib documents for its own descriptor.
DISTANCES = (0.5, 0.6, *(round(float(np.sqrt(2 - 2 * cosine)), 3) for cosine in COSINES if cosine != SFACE_COSINE))
DENSITY = product(
    min_cluster_size=(2, 3, 5, 10), min_samples=(None, 1, 2), cluster_selection_method=("eom", "leaf")
)  # fmt: skip
GRAPHS = product(neighbours=(20, NEIGHBOURS, 100), cosine=(0.0, 0.3, SFACE_COSINE, 0.4, 0.45, 0.5, 0.55))

COMPETITORS = {
    "unmingle": Competitor(ours, {}),
    "k-means, true k": Competitor(
        k_means_told,
        {"share": 1.0, "n_init": "auto"},
        (*product(share=(0.8, 1.0, 1.25, 1.5, 2.0), n_init=("auto",)), {"share": 1.0, "n_init": 10}),
        told="people",
    ),
    "average linkage": Competitor(agglomerative, {"cosine": SFACE_COSINE}, product(cosine=COSINES)),
    "HDBSCAN": Competitor(
        hdbscan, {"min_cluster_size": 5, "min_samples": None, "cluster_selection_method": "eom"}, DENSITY
    ),
    "fast_hdbscan": Competitor(
        fast_hdbscan,
        {"min_cluster_size": 5, "min_samples": None, "cluster_selection_method": "eom", "neighbours": "default"},
        (
            *({**density, "neighbours": None} for density in DENSITY),
            *({**density, "neighbours": 50} for density in DENSITY if density["min_samples"] is None),
        ),
    ),
    # It offers all its levels and recommends none: the finest is its own first partition.
    "FINCH": Competitor(finch, {"level": 1}, product(level=(1, 2, 3, 4, 5, 6))),
    "Chinese whispers": Competitor(chinese_whispers, {"distance": 0.5}, product(distance=(*DISTANCES, SFACE_DISTANCE))),
    "Chinese whispers, SFace's bar": Competitor(chinese_whispers, {"distance": SFACE_DISTANCE}),
    "Infomap": Competitor(
        infomap,
        {"neighbours": NEIGHBOURS, "cosine": SFACE_COSINE, "trials": 1},
        tuple({**graph, "trials": 1} for graph in GRAPHS),
    ),
    "FC-ES": Competitor(
        early_stopping,
        {"neighbours": 80, "sure": 0.22},
        product(neighbours=(20, 80), sure=(0.1, 0.15, 0.22, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)),
    ),
    "Leiden": Competitor(
        leiden,
        {"neighbours": NEIGHBOURS, "cosine": SFACE_COSINE},
        (*GRAPHS, *product(neighbours=(NEIGHBOURS,), cosine=(0.0, SFACE_COSINE), potts=(0.05, 0.1, 0.2, 0.3, 0.4))),
    ),
}
