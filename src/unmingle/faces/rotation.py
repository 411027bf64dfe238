"""Faces that don't stand upright, and landmarks read a second time in one standard pose.

The detector knows upright faces. One that leans by 30° or more is often found all the same, but with a lower score and
with landmarks where an upright face would have them, so that its embedding is worth nothing. Nothing but the score
tells: looked at with the right side up, the same face scores clearly higher. So a face that isn't sure, or leans as far
as its landmarks tell, is looked at turned in steps of 45°, small, and closely where that was surest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unmingle.faces.align import SIDE, TEMPLATE_52, cut, moved_back, similarity_transform
from unmingle.models import yunet
from unmingle.models.runtime import Session
from unmingle.records import F32, F64, I64, Bool, Faces
from unmingle.sources.pyramid import Pyramid

LEAST_SCORE = 0.3  # below it another reading is worth less than the first
OFF_CENTRE = 0.25  # of the canvas: a face whose centre is further off is a neighbour

POSE_CANVAS = 160  # pixels, a multiple of 32
POSE_SCALE = 0.8  # of the 112-pixel template there: a face of some 80 pixels, where the detector is at its best
POSE_52 = (TEMPLATE_52 - SIDE / 2) * POSE_SCALE + POSE_CANVAS / 2
FACES_AT_ONCE = 32

ANGLES = range(45, 360, 45)  # degrees clockwise, at which a face is looked at
CANVAS = 128  # pixels, a multiple of 32
GLIMPSE = 64  # likewise: of a look at all angles, of which the surest is looked at again
PROMISING = 0.6  # of the score there: a face of 32 pixels that is not upright has less nearly always
FACE = 0.5  # of the canvas: the face's box
CANVASES_AT_ONCE = 64
SURE_UPRIGHT = 0.9  # an upright, uncovered face in fair light scores more, one upside down rarely
LEANING = 15.0  # degrees of roll from which landmarks lean towards upright, and are read again
SURE_SCORE = 0.88  # what a turned reading must score itself: seven readings more must not make faces of hands
CLEARLY = 0.03  # of the score: what it must be surer than the upright one
SQUARE_52: F64 = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [0.0, 0.0]])


def turned_back(faces: Faces, turn: int, width: int, height: int) -> Faces:
    """Faces of `picture.turned(turn)` in the pixels of the picture as it was, so wide and high."""
    boxes, points = faces.boxes, faces.points
    sides = (height, width) if turn % 180 else (width, height)  # of the turned picture
    for _ in range(turn // 90):
        # One quarter back: a point x, y of a picture of some width comes to lie at y, width - x.
        points = np.stack([points[..., 1], sides[0] - points[..., 0]], axis=-1)
        left, top, wide, high = boxes.T
        boxes = np.stack([top, sides[0] - left - wide, high, wide], axis=1)
        sides = sides[::-1]
    return Faces(boxes.astype(np.float32), points.astype(np.float32), faces.scores)


def roll_of(points_52: F32) -> float:
    """By how many degrees (-180 to 180) landmarks must be turned clockwise to stand upright."""
    matrix_23 = similarity_transform(points_52)
    return float(np.degrees(np.arctan2(matrix_23[1, 0], matrix_23[0, 0])))


def read_again(
    session: Session, pictures: Sequence[Pyramid], found: Sequence[Faces], some: Sequence[I64] | None = None
) -> list[Faces]:
    """The faces of each picture with better landmarks, or `some` of them; boxes and scores stay.

    Landmarks lean on how large and how tilted a face happens to be on its canvas, and the embedding leans on them: so
    each face is read once more turned upright and brought to one size (benchmarks/landmarks.py).
    """
    wanted = [np.arange(len(faces)) for faces in found] if some is None else some
    owners = [(i, face) for i, index in enumerate(wanted) for face in index.tolist()]
    points = [faces.points.copy() for faces in found]
    for start in range(0, len(owners), FACES_AT_ONCE):
        part = owners[start : start + FACES_AT_ONCE]
        upright = np.stack([cut(pictures[i], points[i][face], POSE_52, POSE_CANVAS, sharp=True) for i, face in part])
        seen = yunet.detect(session, upright, min_score=LEAST_SCORE, max_overlap=0.3)
        for (i, face), again in zip(part, seen, strict=True):
            central = _central(again, POSE_CANVAS)
            if len(central):
                matrix_23 = similarity_transform(points[i][face], POSE_52)
                points[i][face] = moved_back(central.points[0], matrix_23)
    return [_own(faces, better) for faces, better in zip(found, points, strict=True)]


def _own(faces: Faces, better_n52: F32) -> Faces:
    """Faces with better landmarks, but for those that came to lie on another face than their own."""
    if len(faces) < 2:
        return Faces(faces.boxes, better_n52, faces.scores)
    before_n2, after_n2 = faces.points.mean(axis=1), better_n52.mean(axis=1)
    distance_nn = np.linalg.norm(after_n2[:, None] - before_n2, axis=-1)
    stayed_n = distance_nn.argmin(axis=1) == np.arange(len(faces))
    return Faces(faces.boxes, np.where(stayed_n[:, None, None], better_n52, faces.points), faces.scores)


def turn_upright(session: Session, finder: Session, pictures: Sequence[Pyramid], found: Sequence[Faces]) -> list[Faces]:
    """Better landmarks, boxes and scores for faces that don't stand upright; the others as they are."""
    leaning = [np.array([abs(roll_of(points)) > LEANING for points in faces.points], np.bool_) for faces in found]
    doubtful = [
        np.flatnonzero(lean | (faces.scores < SURE_UPRIGHT)) for faces, lean in zip(found, leaning, strict=True)
    ]
    turns = read_turned(finder, pictures, [faces.take(where) for faces, where in zip(found, doubtful, strict=True)])
    result, better = [], []
    for faces, lean, where, (reading, moved) in zip(found, leaning, doubtful, turns, strict=True):
        result.append(_replaced(faces, where[moved], reading.take(moved)))
        better.append(np.union1d(np.flatnonzero(lean), where[moved]))
    # Landmarks that were far off come nearer with each reading.
    return read_again(session, pictures, read_again(session, pictures, result, better), better)


def read_turned(session: Session, pictures: Sequence[Pyramid], found: Sequence[Faces]) -> list[tuple[Faces, Bool]]:
    """The faces as their surest turn shows them, and which of them (n,) a turn made clearly surer; the others stay."""
    owners = [(i, face) for i, faces in enumerate(found) for face in range(len(faces))]
    boxes = [(pictures[i], found[i].boxes[face]) for i, face in owners]
    upright = readings(session, [(*box, 0) for box in boxes])
    standing = [max(_score(one), float(found[i].scores[face])) for (i, face), one in zip(owners, upright, strict=True)]
    unsettled = [
        number
        for number, (i, face) in enumerate(owners)
        if standing[number] < SURE_UPRIGHT or abs(roll_of(found[i].points[face])) > LEANING
    ]
    glimpses = readings(session, [(*boxes[number], angle) for number in unsettled for angle in ANGLES], GLIMPSE)
    scores = np.array([_score(one) for one in glimpses]).reshape(-1, len(ANGLES))
    turned = [(unsettled[row], ANGLES[scores[row].argmax()]) for row in np.flatnonzero(scores.max(axis=1) >= PROMISING)]
    faces = list(found)
    moved = [np.zeros(len(one), np.bool_) for one in found]
    closer = readings(session, [(*boxes[number], angle) for number, angle in turned])
    for (number, _), best in zip(turned, closer, strict=True):
        i, face = owners[number]
        if _score(best) > max(standing[number] + CLEARLY, SURE_SCORE):
            faces[i] = _replaced(faces[i], np.array([face]), best)
            moved[i][face] = True
    return list(zip(faces, moved, strict=True))


def _score(reading: Faces) -> float:
    return float(reading.scores[0]) if len(reading) else 0.0


def readings(session: Session, views: Sequence[tuple[Pyramid, F32, int]], side: int = CANVAS) -> list[Faces]:
    """What is seen in each picture in a box, turned by some degrees, on canvases `side` pixels wide.

    No face or one, in the picture's pixels.
    """
    result: list[Faces] = []
    step = CANVASES_AT_ONCE * CANVAS**2 // side**2
    for start in range(0, len(views), step):
        part = views[start : start + step]
        squares = [box[:2] + box[2:] / 2 + SQUARE_52 * np.sqrt(max(box[2] * box[3], 1.0)) for _, box, _ in part]
        targets = [_target(angle, side) for *_, angle in part]
        canvases = [
            cut(picture, square, target, side)
            for (picture, *_), square, target in zip(part, squares, targets, strict=True)
        ]
        seen = yunet.detect(session, np.stack(canvases), min_score=LEAST_SCORE, max_overlap=0.3)
        result += [_placed(_central(one, side), *where) for one, *where in zip(seen, squares, targets, strict=True)]
    return result


def _target(angle: int, side: int) -> F64:
    """Where the square around a face comes to lie on the canvas, turned clockwise by some degrees."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.asarray(SQUARE_52 @ np.array([[cos, sin], [-sin, cos]]) * FACE * side + side / 2)


def _central(faces: Faces, canvas: int) -> Faces:
    """The face in the middle of a canvas, if there is one: the surest there, else the nearest."""
    centres = faces.boxes[:, :2] + faces.boxes[:, 2:] / 2
    off_centre = np.abs(centres - canvas / 2).max(axis=1, initial=0) / canvas
    # Up to half of that all are as near; further off a surer one may be a neighbour.
    chosen = np.argsort(np.maximum(off_centre, OFF_CENTRE / 2), kind="stable")[:1]
    return faces.take(chosen[off_centre[chosen] <= OFF_CENTRE])


def _placed(reading: Faces, square_52: F64, target_52: F64) -> Faces:
    """A face of a turned canvas in the picture's pixels: its box stands upright around the leaning oval."""
    matrix_23 = similarity_transform(np.asarray(square_52, np.float32), target_52)
    points = moved_back(reading.points, matrix_23)
    centre = moved_back(reading.boxes[:, :2] + reading.boxes[:, 2:] / 2, matrix_23)
    square = matrix_23[:, :2] ** 2  # transposed and divided by its determinant the matrix is its inverse
    extent = np.sqrt(reading.boxes[:, 2:] ** 2 @ square) / max(float(square[:, 0].sum()), 1e-12)
    boxes = np.concatenate([centre - extent / 2, extent], axis=1)
    return Faces(boxes.astype(np.float32), points.astype(np.float32), reading.scores)


def _replaced(faces: Faces, where: I64, others: Faces) -> Faces:
    boxes, points, scores = faces.boxes.copy(), faces.points.copy(), faces.scores.copy()
    boxes[where], points[where], scores[where] = others.boxes, others.points, others.scores
    return Faces(boxes, points, scores)
