"""From pieces of tracks to tracks: what embeddings say of pieces that may be one face, and of a piece in itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.tracking.records import Look, Sightings, Track
from unmingle.tracking.still import is_still, judged, moves
from unmingle.tracking.tracker import correlation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.grouping.impostors import ImpostorCurve
    from unmingle.records import U8, Analysis
    from unmingle.tracking.tracker import Piece

LINK = 0.001  # share of strangers who are as alike as two pieces must be to be one track
SPLIT = 0.1  # share of strangers who are more alike than two looks that one face in two moments may have
MOST_LOOKS = 8  # of a track: an hour of one person is then some 500 faces to group
ALIKE = 0.9  # cosine: a further look that is so like another one tells nothing new


def _bar(share: float, curve: ImpostorCurve) -> float:
    """The cosine that this share of pairs of strangers exceeds."""
    one = np.ones(1, np.int64)
    return curve.mean - float(ndtri(share)) * float(curve.deviation(one, one)[0])


@dataclass(slots=True, eq=False)
class Part:
    """A piece, or what is left of one that was split.

    looks: analyses by position among the part's sightings, at least one.
    """

    sightings: Sightings
    there: list[U8]
    looks: dict[int, Analysis]
    before: Part | None = None
    parts: list[Part] = field(default_factory=list)

    @property
    def ends(self) -> tuple[Look, Look]:
        """The first and the last look."""
        first, last = min(self.looks), max(self.looks)
        return Look(first, self.looks[first]), Look(last, self.looks[last])


def tracks_of(
    pieces: Sequence[Piece], looks: Sequence[dict[int, Analysis]], curve: ImpostorCurve = SFACE_CURVE
) -> tuple[Track, ...]:
    """Tracks, in the order of their first sightings; each sighting is in one.

    Pieces become one where the one may continue the other and their looks next to each other are as alike as hardly
    any strangers are. A piece whose looks follow each other like strangers is split where its picture changed most.

    Args:
        pieces: from the tracker.
        looks: of each piece, analyses by position among its sightings; at least one each.
        curve: of the model that made their vectors.
    """
    parts = {id(piece): _split(piece, seen, _bar(SPLIT, curve)) for piece, seen in zip(pieces, looks, strict=True)}
    chains: list[list[Part]] = []
    chain_of: dict[int, list[Part]] = {}
    least = _bar(LINK, curve)
    for piece in pieces:
        for number, part in enumerate(parts[id(piece)]):
            chain = None
            if number == 0 and piece.before is not None:
                earlier = parts[id(piece.before)][-1]
                if float(earlier.ends[1].vector @ part.ends[0].vector) >= least:
                    chain = chain_of[id(earlier)]
            if chain is None:
                chain = []
                chains.append(chain)
            chain.append(part)
            chain_of[id(part)] = chain
    tracks = [_track(chain) for chain in chains]
    return tuple(sorted(tracks, key=lambda track: (track.sightings.frames[0], track.sightings.numbers[0])))


def _split(piece: Piece, looks: dict[int, Analysis], least: float) -> list[Part]:
    """The piece in parts, cut between looks that follow each other like strangers: less alike than `least`."""
    where = sorted(looks)
    cuts = [0]
    for one, other in pairwise(where):
        if float(looks[one].vectors[0] @ looks[other].vectors[0]) < least:
            steps = [correlation(piece.patches[i - 1], piece.patches[i]) for i in range(one + 1, other + 1)]
            cuts.append(one + 1 + int(np.argmin(steps)))
    sightings = piece.sightings()
    return [
        Part(
            taken(sightings, slice(start, stop)),
            piece.there[start:stop],
            {at - start: looks[at] for at in where if start <= at < stop},
        )
        for start, stop in zip(cuts, [*cuts[1:], len(piece)], strict=True)
    ]


def taken(sightings: Sightings, part: slice) -> Sightings:
    """Some of the sightings."""
    return Sightings(
        sightings.frames[part],
        sightings.times[part],
        sightings.numbers[part],
        sightings.boxes[part],
        sightings.scores[part],
    )


def _track(chain: Sequence[Part]) -> Track:
    starts = np.cumsum([0, *(len(part.sightings) for part in chain)])
    columns = ("frames", "times", "numbers", "boxes", "scores")
    sightings = Sightings(*(np.concatenate([getattr(part.sightings, name) for part in chain]) for name in columns))
    looks = [
        Look(int(start) + at, analysis)
        for start, part in zip(starts, chain, strict=False)
        for at, analysis in sorted(part.looks.items())
    ]
    there = [patch for part in chain for patch in part.there]
    still = is_still(sightings.times, there)
    if still:
        looks = [judged(look, sightings.times) for look in looks]
    # Somebody who moves, and is followed for a while, is more than one picture, however alike two looks are.
    return Track(sightings, still, _chosen(looks, least=1 if still or not moves(there) else 2))


def _chosen(looks: Sequence[Look], *, least: int) -> tuple[Look, ...]:
    """The best look, then one after the other the one least like those that were taken, until none is new.

    least: how many are taken even if none is, where there are so many.
    """
    # What isn't fit to found stands for a track only where nothing better does.
    fit = [look for look in looks if look.analysis.triage.standings[0] == "found"] or list(looks)
    best = max(range(len(fit)), key=lambda i: fit[i].quality)
    vectors_nd = np.stack([look.vector for look in fit])
    chosen = [best]
    nearest_n = vectors_nd @ vectors_nd[best]
    while len(chosen) < min(MOST_LOOKS, len(fit)):
        nearest_n[chosen] = (
            np.inf
        )  # frames that are repeated give looks that are no less alike than a look is to itself
        next_one = int(np.argmin(nearest_n))
        if len(chosen) >= least and nearest_n[next_one] > ALIKE:
            break
        chosen.append(next_one)
        nearest_n = np.maximum(nearest_n, vectors_nd @ vectors_nd[next_one])
    return tuple(sorted((fit[i] for i in chosen), key=lambda look: look.sighting))
