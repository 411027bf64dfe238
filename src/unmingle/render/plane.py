"""Faces on a plane: those that are alike lie near each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from unmingle.records import F32, F64

LEAST = 8  # of fewer faces there is nothing to see on a map
STEPS = 500  # half of them pull neighbours together, and half spread them out; more moves hardly anything
PERPLEXITY = 30.0  # neighbours that each face wants to keep near; the method's usual choice


def plane(vectors_nd: F32) -> F64:
    """Lay faces out in two dimensions by t-SNE (van der Maaten and Hinton, 2008), the same each time.

    Args:
        vectors_nd: (n, d) float32 unit vectors; n at least 8.

    Returns:
        (n, 2) float64 from 0 to 1.
    """
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(vectors_nd) - 1) / 3)
    # Distances of unit vectors fall as their cosine rises, so the plain ones will do, which are found faster.
    tsne = TSNE(perplexity=perplexity, init=_start(vectors_nd), random_state=0, max_iter=STEPS)
    at_n2: F64 = tsne.fit_transform(vectors_nd).astype(np.float64)
    low, high = at_n2.min(axis=0), at_n2.max(axis=0)
    # One scale for both axes, so that near stays near whichever way.
    spread = max(float((high - low).max()), 1e-12)
    placed: F64 = (at_n2 - (low + high) / 2) / spread + 0.5
    return placed


def _start(vectors_nd: F32) -> F32:
    """The two directions in which faces differ most; where all are alike, tiny steps apart."""
    centred = vectors_nd - vectors_nd.mean(axis=0)
    u, s, _ = np.linalg.svd(centred.T @ centred, hermitian=True)
    at_n2 = centred @ (u[:, :2] * np.sign(u[np.abs(u[:, :2]).argmax(axis=0), [0, 1]]))
    if s[0] < 1e-9:
        at_n2 = np.arange(2 * len(vectors_nd), dtype=np.float32).reshape(-1, 2) / len(vectors_nd)
    start: F32 = (1e-4 * at_n2 / max(float(at_n2[:, 0].std()), 1e-12)).astype(np.float32)
    return start
