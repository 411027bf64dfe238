"""What pages show besides words: faces, how alike pairs of faces are, a map of the faces, bars and marks of an axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from unmingle.errors import PictureError
from unmingle.faces.align import show_thumbnail
from unmingle.grouping.index import similarity_blocks
from unmingle.html import address
from unmingle.render.drawing import encoded
from unmingle.sources.images import PictureFile, quiet_decoders, read_picture
from unmingle.store.result_tables import thumbnail_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from unmingle.records import F32, F64, I64
    from unmingle.store.sqlite import Store

SMALL = 56  # pixels, of a face on a sheet
ACROSS = 24  # faces in a row of a sheet
EACH = ACROSS * ACROSS  # faces on a sheet
WHOLE = 160  # pixels, the longer side of a whole picture

LOW, HIGH, BINS = -0.4, 1.0, 70  # cosine; what lies below counts in the first bin
EDGES = np.linspace(LOW, HIGH, BINS + 1)
MOST_STRANGERS = 4000  # faces whose pairs with each other are looked at: eight million pairs
MOST_OF_ONE = 200  # faces of one person, likewise
WIDTH, HEIGHT = 900, 240  # of the drawing of similarities

LEAST_ON_MAP = 8  # of fewer faces there is nothing to see on a map
STEPS = 500  # half of them pull neighbours together, and half spread them out; more moves hardly anything
PERPLEXITY = 30.0  # neighbours that each face wants to keep near; the method's usual choice

SIZES = ((2, 2), (3, 4), (5, 9), (10, 19), (20, 49), (50, 99), (100, 499), (500, None))


@dataclass(frozen=True, slots=True)
class FacePicture:
    """A face to show: its picture as a data address, empty for none, and what to say of it."""

    picture: str
    caption: str


class Pictures:
    """The pictures of a library as data addresses, so that a page needs no other file."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, face: int) -> str:
        """The stored thumbnail of a face; empty if there is none."""
        jpeg = thumbnail_of(self._store, face)
        return "" if jpeg is None else address(jpeg)

    def whole(self, file: PictureFile) -> str:
        """A whole picture, small; empty if it can't be read any more."""
        try:
            with quiet_decoders():
                picture = Image.fromarray(read_picture(file))
        except PictureError:
            return ""
        picture.thumbnail((WHOLE, WHOLE))
        return address(encoded(picture, "JPEG", quality=80, optimize=True))

    def sheets(self, faces: Sequence[int]) -> list[str]:
        """Many faces, small: face i is on sheet i // EACH, ACROSS in a row."""
        found = []
        for start in range(0, len(faces), EACH):
            part = faces[start : start + EACH]
            page = Image.new("RGB", (ACROSS * SMALL, -(-len(part) // ACROSS) * SMALL), "#ececec")
            for i, face in enumerate(part):
                jpeg = thumbnail_of(self._store, face)
                if jpeg is not None:
                    small = show_thumbnail(jpeg).resize((SMALL, SMALL))
                    page.paste(small, (i % ACROSS * SMALL, i // ACROSS * SMALL))
            found.append(address(encoded(page, "JPEG", quality=72, optimize=True)))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of faces by similarity: in equal bins from LOW to HIGH, the share above a threshold, and the median."""

    count_b: I64
    above: float
    middle: float

    @classmethod
    def of(cls, cosines: Iterable[F32], threshold: float | None) -> Pairs:
        """Count them, block by block."""
        count_b, above = np.zeros(BINS, np.int64), 0
        for cosine_m in cosines:
            count_b += np.histogram(np.clip(cosine_m, LOW, HIGH), BINS, (LOW, HIGH))[0]
            above += 0 if threshold is None else int(np.count_nonzero(cosine_m >= threshold))
        total = int(count_b.sum())
        at = int(np.searchsorted(np.cumsum(count_b), total / 2))
        return cls(count_b, above / max(1, total), float(EDGES[at : at + 2].mean()) if total else float("nan"))

    @property
    def outline(self) -> str:
        """A hill that is as high as the drawing, for the attribute `d` of an SVG path; empty without pairs."""
        if not self.count_b.any():
            return ""
        # Three bins together: the eye follows the hill, and not the noise of a small collection.
        smooth = np.convolve(self.count_b, (0.25, 0.5, 0.25), mode="same")
        foot = HEIGHT - 12
        tops = foot - (HEIGHT - 24) * smooth / smooth.max()
        middles = (EDGES[1:] + EDGES[:-1]) / 2
        points = [f"{across(x):.1f} {y:.1f}" for x, y in zip(middles.tolist(), tops.tolist(), strict=True)]
        return f"M{across(LOW):.1f} {foot} L{' L'.join(points)} L{across(HIGH):.1f} {foot} Z"


def similarity(vectors_nd: F32, person_n: I64, threshold: float | None) -> tuple[Pairs, Pairs]:
    """Pairs of one person and of different people, as nobody's (-1) are; of very many faces samples tell."""
    same, different = _of_people(vectors_nd, person_n), _of_strangers(vectors_nd, person_n)
    return Pairs.of(same, threshold), Pairs.of(different, threshold)


def _of_people(vectors_nd: F32, person_n: I64) -> Iterator[F32]:
    order = np.argsort(person_n, kind="stable")
    order = order[np.searchsorted(person_n[order], 0) :]
    for rows in np.split(order, np.flatnonzero(np.diff(person_n[order])) + 1):
        chosen = vectors_nd[_sample(rows, MOST_OF_ONE)]
        yield (chosen @ chosen.T)[np.triu_indices(len(chosen), 1)]


def _of_strangers(vectors_nd: F32, person_n: I64) -> Iterator[F32]:
    rows = _sample(np.arange(len(person_n)), MOST_STRANGERS)
    sample_kd, person_k = vectors_nd[rows], person_n[rows]
    for block, similarity_rk in similarity_blocks(sample_kd, sample_kd, cells=1 << 21):
        strangers = (person_k[block, None] != person_k) | (person_k[block, None] < 0)
        later = np.arange(len(rows)) > np.arange(block.start, block.stop)[:, None]
        yield similarity_rk[strangers & later]


def _sample(rows: I64, most: int) -> I64:
    """At most so many of the rows, at random and always the same: faces that follow each other may be in step."""
    return rows if len(rows) <= most else np.sort(np.random.default_rng(0).permutation(rows)[:most])


def across(cosine: float) -> float:
    """How far from the left of the drawing a similarity is."""
    return WIDTH * (min(max(cosine, LOW), HIGH) - LOW) / (HIGH - LOW)


# Below the drawing: how far from the left, and what to write.
MARKS = [(across(at / 5), f"{at / 5:g}".replace("-", "−")) for at in range(-2, 6)]


def embedding_map(vectors_nd: F32) -> F64:
    """(n, 2) from 0 to 1: faces on a plane by t-SNE (van der Maaten and Hinton, 2008), the same each time."""
    from sklearn.manifold import TSNE

    # It begins with the two directions in which faces differ most; where all are alike, with tiny steps apart.
    centred = vectors_nd - vectors_nd.mean(axis=0)
    u, s, _ = np.linalg.svd(centred.T @ centred, hermitian=True)
    start_n2 = centred @ (u[:, :2] * np.sign(u[np.abs(u[:, :2]).argmax(axis=0), [0, 1]]))
    if s[0] < 1e-9:
        start_n2 = np.arange(2 * len(vectors_nd), dtype=np.float32).reshape(-1, 2) / len(vectors_nd)
    start_n2 = (1e-4 * start_n2 / max(float(start_n2[:, 0].std()), 1e-12)).astype(np.float32)
    perplexity = min(PERPLEXITY, (len(vectors_nd) - 1) / 3)
    # Distances of unit vectors fall as their cosine rises, so the plain ones will do, which are found faster.
    tsne = TSNE(perplexity=perplexity, init=start_n2, random_state=0, max_iter=STEPS)
    at_n2: F64 = tsne.fit_transform(vectors_nd).astype(np.float64)
    low, high = at_n2.min(axis=0), at_n2.max(axis=0)
    # One scale for both axes, so that near stays near whichever way.
    placed: F64 = (at_n2 - (low + high) / 2) / max(float((high - low).max()), 1e-12) + 0.5
    return placed


def size_bands(sizes: Sequence[int]) -> list[tuple[str, int]]:
    """How many people have about so many faces, for more people than can be drawn one by one."""
    found = []
    for low, high in SIZES:
        if low <= max(sizes, default=0):
            title = f"{low}" if high == low else f"{low} to {high}" if high else f"{low} or more"
            found.append((f"{title} faces", sum(low <= size <= (high or size) for size in sizes)))
    return found
