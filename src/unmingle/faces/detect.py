"""Which faces a picture holds: looks at several scales, and whether the picture is one cut-out face.

YuNet finds faces of about 10 to 300 pixels. A tight crop is therefore looked at small and with a margin around it (a
face that fills the picture, or touches its border, then lies inside the canvas), a photograph also at larger scales.
A picture in which the first looks found nothing sure gets a second, closer look, a large photograph a finer one in
tiles, and where faces don't stand upright, they or the whole picture are looked at turned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unmingle.faces.landmarks import read_again
from unmingle.faces.looks import SECOND, first_looks, look, merged
from unmingle.faces.tiles import look_closer, wants_tiles
from unmingle.faces.tilt import read_turned, right, roll_of, turned, turned_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.models.runtime import Session
    from unmingle.records import F32, U8, Faces
    from unmingle.settings import DetectionSettings

SURE_SCORE = 0.8  # a best face below this is worth a second look; what only a turned picture shows must be as sure
RESCUED = 16  # candidates of a picture that are looked at turned
TURNS = (90, 180, 270)
ALIKE = 30.0  # degrees: heads of one picture lean by as much and are still the same way up
KEPT = 0.9  # of the summed scores of a picture's faces: turning it must not lose more
DECIDING = 608  # pixels: looks that tell which way up a picture is need not be larger

# When a picture is one cut-out face. A cutter that adds at most half the face's size on every side leaves at least a
# quarter of the picture to the face, in its middle.
CROP_AREA = 0.25  # of the picture that the face's box covers
CROP_OFFSET = 0.2  # of the picture's side, between the face's centre and the picture's
RIVAL_AREA = 0.5  # of the main face's area: a smaller neighbour doesn't make a crop a photograph
CUT_OFF = 0.15  # of a box beyond the border: a larger neighbour that is cut off doesn't either


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The faces kept of one picture, and why others (or all) were not.

    Attributes:
        faces: the one that the picture is about first, then by falling score; in a crop only its own face.
        best: the highest confidence seen, also when too low to count.
        neighbours: faces dropped because the picture is one person's crop.
        turn: 0, 90, 180 or 270, by how many degrees the picture had to be turned clockwise for its faces to stand
            upright; faces are in the pixels of the picture as it was all the same.
    """

    faces: Faces
    best: float
    neighbours: int
    turn: int = 0


def find_faces(session: Session, pictures: Sequence[U8], settings: DetectionSettings) -> list[Found]:
    """Find the faces of each picture.

    Args:
        session: the detector's, from `yunet.open_yunet`.
        pictures: (h, w, 3) uint8 RGB each, of any sizes.
        settings: what counts as a face.
    """
    found = _find(session, pictures, settings)
    turns = [_vote(one.faces) for one in found]
    empty = [i for i, one in enumerate(found) if not len(one.faces)]
    for i, turn in zip(empty, _lying(session, [pictures[i] for i in empty], settings), strict=True):
        turns[i] = turn
    lying = [i for i, turn in enumerate(turns) if turn]
    again = _find(session, [turned(pictures[i], turns[i]) for i in lying], settings)
    for i, other in zip(lying, again, strict=True):
        if float(other.faces.scores.sum()) > KEPT * float(found[i].faces.scores.sum()):
            height, width = pictures[i].shape[:2]
            found[i] = replace(other, faces=turned_back(other.faces, turns[i], width, height), turn=turns[i])
    return found


def _find(session: Session, pictures: Sequence[U8], settings: DetectionSettings) -> list[Found]:
    """Find the faces of pictures as they are."""
    seen = look(session, pictures, [first_looks(picture) for picture in pictures], settings)
    unsure = [i for i, faces in enumerate(seen) if not len(faces) or faces.scores[0] < SURE_SCORE]
    again = look(session, [pictures[i] for i in unsure], [list(SECOND)] * len(unsure), settings)
    for i, faces in zip(unsure, again, strict=True):
        seen[i] = merged([seen[i], faces], settings.max_overlap)
    seen = _rescued(session, pictures, seen, settings)
    for i, picture in enumerate(pictures):
        if wants_tiles(picture) and not _one_face(seen[i], picture, settings):
            seen[i] = merged([seen[i], look_closer(session, picture, settings)], settings.max_overlap)
    judged = [_judged(faces, picture, settings) for faces, picture in zip(seen, pictures, strict=True)]
    better = read_again(session, pictures, [found.faces for found in judged])
    upright = right(session, pictures, better)
    return [
        replace(found, faces=_main_first(merged([faces], settings.max_overlap), picture))  # a turn may show one twice
        for found, faces, picture in zip(judged, upright, pictures, strict=True)
    ]


def _rescued(
    session: Session, pictures: Sequence[U8], seen: Sequence[Faces], settings: DetectionSettings
) -> list[Faces]:
    """Candidates that don't count as they stand, but that one turn makes sure, in their place among the others."""
    weak = [np.flatnonzero(faces.scores < settings.min_score)[:RESCUED] for faces in seen]
    readings = read_turned(session, pictures, [faces.take(index) for faces, index in zip(seen, weak, strict=True)])
    result = []
    for faces, (reading, moved) in zip(seen, readings, strict=True):
        result.append(merged([faces, reading.take(moved)], settings.max_overlap) if moved.any() else faces)
    return result


def _vote(faces: Faces) -> int:
    """Which quarter turn brings most faces of a picture upright, each counting by its score; 0 without a majority."""
    roll = np.array([roll_of(points) for points in faces.points])
    weights = {turn: float(faces.scores[np.abs((roll - turn + 180) % 360 - 180) <= ALIKE].sum()) for turn in TURNS}
    turn = max(TURNS, key=weights.__getitem__)
    return turn if weights[turn] > 0.5 * float(faces.scores.sum()) else 0


def _lying(session: Session, pictures: Sequence[U8], settings: DetectionSettings) -> list[int]:
    """For pictures that show no face as they are, the turn in which they show some for sure; 0 if there is none.

    A picture is looked at three times more, so each time a face must be surer than one that stands upright.
    """
    best = np.zeros(len(pictures))
    turns = [0] * len(pictures)
    for turn in TURNS:
        others = [turned(picture, turn) for picture in pictures]
        looks = [first_looks(picture, largest=DECIDING) for picture in others]
        for i, faces in enumerate(look(session, others, looks, settings)):
            sure = float(faces.scores[faces.scores >= settings.min_score].sum())
            if len(faces) and faces.scores[0] >= SURE_SCORE and sure > best[i]:
                best[i], turns[i] = sure, turn
    return turns


def _one_face(seen: Faces, picture: U8, settings: DetectionSettings) -> bool:
    """Whether only the main face of what was seen will be kept."""
    sure = seen.take(seen.scores >= settings.min_score)
    height, width = picture.shape[:2]
    return settings.crops == "always" or (settings.crops == "auto" and is_crop(sure, width, height))


def is_crop(faces: Faces, width: int, height: int) -> bool:
    """Whether a picture is the cut-out of its first face: large, central, and without an equal beside it."""
    if not len(faces):
        return False
    main = int(np.argmax(faces.boxes[:, 2] * faces.boxes[:, 3]))
    left, top, w, h = faces.boxes[main]
    central = (
        abs(left + w / 2 - width / 2) <= CROP_OFFSET * width and abs(top + h / 2 - height / 2) <= CROP_OFFSET * height
    )
    large = w * h >= CROP_AREA * width * height
    rivals = [i for i in range(len(faces)) if i != main and _is_rival(faces.boxes[i], w * h, width, height)]
    return bool(central and large and not rivals)


def _is_rival(box: F32, main_area: float, width: int, height: int) -> bool:
    left, top, w, h = box
    inside = max(0.0, min(left + w, width) - max(left, 0)) * max(0.0, min(top + h, height) - max(top, 0))
    return bool(w * h >= RIVAL_AREA * main_area and inside >= (1 - CUT_OFF) * w * h)


def _judged(seen: Faces, picture: U8, settings: DetectionSettings) -> Found:
    best = float(seen.scores[0]) if len(seen) else 0.0
    faces = seen.take(seen.scores >= settings.min_score)
    if not len(faces):
        return Found(faces, best, 0)
    crop = _one_face(faces, picture, settings)
    faces = _main_first(faces, picture)
    return Found(faces.take(np.arange(1)), best, len(faces) - 1) if crop else Found(faces, best, 0)


def _main_first(faces: Faces, picture: U8) -> Faces:
    """The face that the picture is about before the others, which stay in their order."""
    if not len(faces):
        return faces
    main = _main_face(faces, picture.shape[1], picture.shape[0])
    rest = np.arange(len(faces))
    return faces.take(np.concatenate([[main], rest[rest != main]]))


def _main_face(faces: Faces, width: int, height: int) -> int:
    """The face that a picture is about, or that a crop was cut for: large and near the middle."""
    centres = faces.boxes[:, :2] + faces.boxes[:, 2:] / 2
    offset = np.abs(centres / np.array([width, height]) - 0.5).max(axis=1)
    area = faces.boxes[:, 2] * faces.boxes[:, 3]
    return int(np.argmax(area * np.clip(1 - offset, 0.1, 1) ** 2))
