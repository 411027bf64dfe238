"""Which faces a picture holds: detection at several scales, and whether the picture is one cut-out face.

YuNet finds faces of about 10 to 300 pixels. A tight crop is therefore looked at small and with a margin around it (a
face that fills the picture, or touches its border, then lies inside the canvas), a photograph also at larger scales.
A picture without a sure face gets further scales. A large photograph gets a finer one, in tiles, where faces of 24
pixels leave a trace at least; what left one is looked at again closely. Where faces don't stand upright, they or the
whole picture are looked at turned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from unmingle.faces.rotation import read_again, read_turned, readings, roll_of, turn_upright, turned_back
from unmingle.models import yunet
from unmingle.models.runtime import Session
from unmingle.records import F32, U8, Bool, Faces
from unmingle.settings import DetectionSettings
from unmingle.sources.pyramid import Pyramid

CANDIDATE_SCORE = 0.3  # what is seen below min_score only explains why a picture was left out
CONTAINED = 0.6  # two scales show the same face if this much of the smaller box lies in the larger
PIXELS_AT_ONCE = 16 * 256 * 256  # canvas pixels in one call of the network: bounds its memory

SURE_SCORE = 0.8  # a best face below this is worth further scales; what only a turned picture shows must be as sure
RESCUED = 16  # candidates of a picture that are looked at turned
TURNS = (90, 180, 270)
ALIKE = 30.0  # degrees: heads of one picture lean by as much and are still the same way up
KEPT = 0.9  # of the summed scores of a picture's faces: turning it must not lose more
DECIDING = 608  # pixels: scales that tell which way up a picture is need not be larger

# When a picture is one cut-out face. A cutter that adds at most half the face's size on every side leaves at least a
# quarter of the picture to the face, in its middle.
CROP_AREA = 0.25  # of the picture that the face's box covers
CROP_OFFSET = 0.2  # of the picture's side, between the face's centre and the picture's
RIVAL_AREA = 0.5  # of the main face's area: a smaller neighbour doesn't make a crop a photograph
CUT_OFF = 0.15  # of a box beyond the border: a larger neighbour that is cut off doesn't either

# A large photograph. The detector finds four of five faces of 12 pixels, but of 10 pixels nearly all at a score of 0.1;
# enlarged around what scored so, they are as sure as larger ones, and what is no face is not (benchmarks/
# photographs.py). The overlap of tiles is wider than the largest face that the whole picture's scales could miss:
# whatever face is cut by one tile's border lies whole in the next tile, or is large enough to be seen without tiles.
FINEST = 1216  # pixels of the longer side: the finest scale of a picture that is not large
FINEST_SHARE = 2 / 3  # of the longer side: what a finest scale shrinks more is large
TILE_SCALE = 0.4  # of the picture: a face of 24 pixels keeps 10
FAINT_SCORE = 0.08  # a trace of a face
FAINT_SIDE = 26  # pixels on the canvas, of a small trace
# How many of the surest traces are looked at again, small ones and others; on canvases how wide, twice as the face.
CLOSER = ((256, 64), (32, 192))
LARGEST_TILE = 1664  # pixels, the side of a tile on its canvas
TILE_OVERLAP = 96  # pixels on the canvas, of neighbouring tiles
TILE_BORDER = 8  # pixels on the canvas: a box so near to a border inside the picture may be of a face that is cut


@dataclass(frozen=True, slots=True)
class Scale:
    """The picture's longer side becomes `side` pixels, with a margin of `margin` × side."""

    side: int
    margin: float


NEAR = Scale(224, 0.07)
SECOND = (Scale(128, 0.25), Scale(320, 0.25))
WIDE = ((360, Scale(608, 0.05)), (900, Scale(FINEST, 0.05)))  # from this longer side on, this scale as well


@dataclass(frozen=True, slots=True, eq=False)
class Detected:
    """The faces kept of one picture, and why others (or all) were not."""

    faces: Faces  # the one that the picture is about first, then by falling score; in a crop only its own face
    best: float  # the highest confidence seen, also when too low to count
    neighbours: int  # faces dropped because the picture is one person's crop
    candidate: Faces = field(default_factory=Faces.none)  # where there is no face, the best that might be one
    evened: Pyramid | None = None  # the picture with even contrast, where the candidate was seen in that


def find_faces(
    session: Session, pixels: Sequence[U8 | Pyramid], settings: DetectionSettings, *, finder: Session | None = None
) -> list[Detected]:
    """Find the faces of each picture (h, w, 3) uint8 RGB, of any sizes.

    finder: the same detector in faster arithmetic, for all but the first look and the last reading. The landmarks of
    most faces come from these: bf16 moves them by little, and an embedding by more than its own bf16 does.
    """
    pictures = [Pyramid.of(picture) for picture in pixels]
    finder = finder or session
    found = _find(session, finder, pictures, settings)
    turns = [_vote(one.faces) for one in found]
    # A picture that lies on its side often shows something that isn't sure.
    unsure = [i for i, one in enumerate(found) if one.faces.scores.max(initial=0) < SURE_SCORE]
    scores = np.array([found[i].faces.scores.sum() for i in unsure])
    for i, turn in zip(unsure, _lying(finder, [pictures[i] for i in unsure], scores, settings), strict=True):
        turns[i] = turn or turns[i]
    lying = [i for i, turn in enumerate(turns) if turn]
    again = _find(session, finder, [pictures[i].turned(turns[i]) for i in lying], settings)
    for i, other in zip(lying, again, strict=True):
        if float(other.faces.scores.sum()) > KEPT * float(found[i].faces.scores.sum()):
            faces = turned_back(other.faces, turns[i], pictures[i].width, pictures[i].height)
            found[i] = replace(other, faces=faces)
    _look_evened(finder, pictures, found, settings)
    candidates = [one.candidate if not len(one.faces) else Faces.none() for one in found]
    better = read_again(session, [one.evened or of for one, of in zip(found, pictures, strict=True)], candidates)
    return [replace(one, candidate=candidate) for one, candidate in zip(found, better, strict=True)]


def _look_evened(
    session: Session, pictures: Sequence[Pyramid], found: list[Detected], settings: DetectionSettings
) -> None:
    """Look for candidates, never sure ones, in pictures without a face: with even contrast, for lack of light."""
    empty = [i for i, one in enumerate(found) if not len(one.faces) and not pictures[i].large]
    evened = [Pyramid(even_contrast(pictures[i].full())) for i in empty]
    seen = at_scales(session, evened, [[NEAR, *SECOND]] * len(empty), settings)
    for i, picture, faces in zip(empty, evened, seen, strict=True):
        if len(faces) and faces.scores[0] > found[i].best:
            best = faces.take(np.arange(1))
            best = replace(best, scores=best.scores * np.float32(settings.min_score))
            found[i] = replace(found[i], candidate=best, evened=picture)


def even_contrast(pixels: U8) -> U8:
    """Each channel stretched from its darkest hundredth to its brightest."""
    low, high = np.percentile(pixels[:: 1 + len(pixels) // 256].reshape(-1, 3), (1, 99), axis=0)
    stretched = (pixels - low) * (255 / np.maximum(1, high - low))
    return np.asarray(np.clip(stretched, 0, 255), np.uint8)


def _find(
    session: Session, finder: Session, pictures: Sequence[Pyramid], settings: DetectionSettings
) -> list[Detected]:
    """Find the faces of pictures as they are."""
    seen = at_scales(session, pictures, [first_scales(picture) for picture in pictures], settings)
    for i, picture in enumerate(pictures):
        if is_large(picture) and not _one_face(seen[i], picture, settings):
            seen[i] = _merged([seen[i], in_tiles(finder, picture, settings)], settings)
    unsure = [i for i, faces in enumerate(seen) if not len(faces) or faces.scores[0] < SURE_SCORE]
    again = at_scales(finder, [pictures[i] for i in unsure], [SECOND] * len(unsure), settings)
    for i, faces in zip(unsure, again, strict=True):
        seen[i] = _merged([seen[i], faces], settings)
    seen = _rescued(finder, pictures, seen, settings)
    found = []
    for i, picture in enumerate(pictures):
        best = float(seen[i].scores[0]) if len(seen[i]) else 0.0
        faces = seen[i].take(seen[i].scores >= settings.min_score)
        crop = len(faces) > 0 and _one_face(faces, picture, settings)
        faces = _main_first(faces, picture)
        kept = faces.take(np.arange(1)) if crop else faces
        candidate = seen[i].take(np.arange(min(1, len(seen[i]))))
        found.append(Detected(kept, best, len(faces) - len(kept), candidate))
    better = read_again(session, pictures, [one.faces for one in found])
    upright = turn_upright(session, finder, pictures, better)
    return [
        replace(one, faces=_main_first(_merged([faces], settings), picture))  # a turn may show one twice
        for one, faces, picture in zip(found, upright, pictures, strict=True)
    ]


def _rescued(
    session: Session, pictures: Sequence[Pyramid], seen: Sequence[Faces], settings: DetectionSettings
) -> list[Faces]:
    """Candidates that don't count as they stand, but that one turn makes sure, in their place among the others."""
    weak = [np.flatnonzero(faces.scores < settings.min_score)[:RESCUED] for faces in seen]
    readings = read_turned(session, pictures, [faces.take(index) for faces, index in zip(seen, weak, strict=True)])
    return [
        _merged([faces, reading.take(moved)], settings) if moved.any() else faces
        for faces, (reading, moved) in zip(seen, readings, strict=True)
    ]


def _vote(faces: Faces) -> int:
    """Which quarter turn brings most faces of a picture upright, each counting by its score; 0 without a majority."""
    roll = np.array([roll_of(points) for points in faces.points])
    weights = {turn: float(faces.scores[np.abs((roll - turn + 180) % 360 - 180) <= ALIKE].sum()) for turn in TURNS}
    turn = max(TURNS, key=weights.__getitem__)
    return turn if weights[turn] > 0.5 * float(faces.scores.sum()) else 0


def _lying(session: Session, pictures: Sequence[Pyramid], upright_n: F32, settings: DetectionSettings) -> list[int]:
    """For pictures that show no sure face as they are, the turn in which they show some; 0 if there is none.

    A picture is looked at three times more, so each time a face must be surer than one that stands upright, and all
    together must score more than those did, `upright_n`. A covered face seems to stand on its head: none of these does.
    """
    best = upright_n.copy()
    turns = [0] * len(pictures)
    for turn in TURNS:
        some = [i for i, upright in enumerate(upright_n) if turn != 180 or not upright]
        others = [pictures[i].turned(turn) for i in some]
        scales = [first_scales(picture, largest=DECIDING) for picture in others]
        for i, faces in zip(some, at_scales(session, others, scales, settings), strict=True):
            sure = float(faces.scores[faces.scores >= settings.min_score].sum())
            if len(faces) and faces.scores[0] >= SURE_SCORE and sure > best[i]:
                best[i], turns[i] = sure, turn
    return turns


def _one_face(seen: Faces, picture: Pyramid, settings: DetectionSettings) -> bool:
    """Whether only the main face of what was seen will be kept."""
    sure = seen.take(seen.scores >= settings.min_score)
    return settings.crops == "always" or (settings.crops == "auto" and is_crop(sure, picture.width, picture.height))


def is_crop(faces: Faces, width: int, height: int) -> bool:
    """Whether a picture is the cut-out of its largest face: large, central, and without an equal beside it."""
    if not len(faces):
        return False
    area = faces.boxes[:, 2] * faces.boxes[:, 3]
    main = int(np.argmax(area))
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


def _main_first(faces: Faces, picture: Pyramid) -> Faces:
    """The face that the picture is about, large and near the middle, before the others, which stay in their order."""
    if not len(faces):
        return faces
    centres = faces.boxes[:, :2] + faces.boxes[:, 2:] / 2
    offset = np.abs(centres / np.array([picture.width, picture.height]) - 0.5).max(axis=1)
    area = faces.boxes[:, 2] * faces.boxes[:, 3]
    main = int(np.argmax(area * np.clip(1 - offset, 0.1, 1) ** 2))
    rest = np.arange(len(faces))
    return faces.take(np.concatenate([[main], rest[rest != main]]))


def first_scales(picture: Pyramid, *, largest: int | None = None) -> list[Scale]:
    """The scales of up to `largest` pixels at which a picture is looked at first, by its size.

    A large one is looked at small, since tiles follow.
    """
    longer = max(picture.width, picture.height)
    largest = largest or (0 if is_large(picture) else FINEST)
    return [NEAR, *(scale for least, scale in WIDE if longer >= least and scale.side <= largest)]


def at_scales(
    session: Session, pictures: Sequence[Pyramid], scales: Sequence[Sequence[Scale]], settings: DetectionSettings
) -> list[Faces]:
    """What each picture shows at all its scales; canvases of one size go through the network together."""
    by_size = defaultdict(list)
    for i, picture in enumerate(pictures):
        for scale in scales[i]:
            # Sides in multiples of 64, so that few different sizes occur.
            margin = 2 * scale.margin * scale.side
            height, width = (-(-int(side + margin) // 64) * 64 for side in _scaled(picture, scale))
            by_size[height, width].append((i, scale))
    seen: list[list[Faces]] = [[] for _ in pictures]
    for (height, width), wanted in by_size.items():
        step = max(1, PIXELS_AT_ONCE // (height * width))
        for start in range(0, len(wanted), step):
            part = wanted[start : start + step]
            placed = [_canvas(pictures[i], scale, height, width) for i, scale in part]
            canvases = np.stack([canvas for canvas, _, _ in placed])
            detected = yunet.detect(session, canvases, min_score=CANDIDATE_SCORE, max_overlap=settings.max_overlap)
            for (i, _), (_, factor, shift), faces in zip(part, placed, detected, strict=True):
                seen[i].append(_in_picture(faces, factor, shift))
    return [_merged(faces, settings) for faces in seen]


def _scaled(picture: Pyramid, scale: Scale) -> tuple[int, int]:
    factor = scale.side / max(picture.height, picture.width)
    return max(1, round(picture.height * factor)), max(1, round(picture.width * factor))


def _canvas(picture: Pyramid, scale: Scale, height: int, width: int) -> tuple[U8, F32, F32]:
    """The picture in the middle of a black canvas; also its factor and shift there, both (2,) x, y."""
    rows, columns = _scaled(picture, scale)
    pixels, _ = picture.level(rows / picture.height)
    top, left = (height - rows) // 2, (width - columns) // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[top : top + rows, left : left + columns] = _resized(pixels, rows, columns, picture)
    factor = np.array([columns / picture.width, rows / picture.height], np.float32)
    return canvas, factor, np.array([left, top], np.float32)


def _resized(pixels: U8, rows: int, columns: int, picture: Pyramid) -> U8:
    """A part of a size of a picture in other pixels; of a large picture less than half of them need not be averaged."""
    shrunk = rows < (pixels.shape[0] / 2 if picture.large else pixels.shape[0])
    way = cv2.INTER_AREA if shrunk else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (columns, rows), interpolation=way), np.uint8)


def _in_picture(faces: Faces, factor: F32, shift: F32) -> Faces:
    """Faces of a canvas in the pixels of the picture that lies on it at `factor`, moved by `shift`, both (2,) x, y."""
    corner = (faces.boxes[:, :2] - shift) / factor
    boxes = np.concatenate([corner, faces.boxes[:, 2:] / factor], axis=1)
    return Faces(boxes.astype(np.float32), ((faces.points - shift) / factor).astype(np.float32), faces.scores)


def _merged(seen: Sequence[Faces], settings: DetectionSettings) -> Faces:
    """The faces of several scales, each once: the surest sighting of it."""
    parts = [Faces.none(), *seen]
    together = Faces(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("boxes", "points", "scores"))
    )
    return together.take(yunet.suppress(together, settings.max_overlap, contained=CONTAINED))


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a picture: left, top, width and height in its pixels, and whether each border is the picture's own."""

    left: int
    top: int
    width: int
    height: int
    ends: tuple[bool, bool, bool, bool]  # left, top, right, bottom


def is_large(picture: Pyramid) -> bool:
    """Whether the scales of a picture that is not large would shrink it too much."""
    return max(picture.width, picture.height) * FINEST_SHARE > FINEST


def tiles(width: int, height: int, scale: float) -> list[Tile]:
    """Tiles that cover a picture of so many pixels, row by row, all of one size."""
    return [
        Tile(left, top, wide, high, (left == 0, top == 0, left + wide == width, top + high == height))
        for top, high in _spans(height, scale)
        for left, wide in _spans(width, scale)
    ]


def _spans(length: int, scale: float) -> list[tuple[int, int]]:
    """Start and length of as few equal, evenly spread parts of a side as the largest tile and the overlap allow."""
    largest, overlap = round(LARGEST_TILE / scale), round(TILE_OVERLAP / scale)
    count = max(1, -(-(length - overlap) // (largest - overlap)))
    extent = -(-(length + (count - 1) * overlap) // count)
    starts = np.linspace(0, length - extent, count).round().astype(int)
    return [(int(start), extent) for start in starts]


def in_tiles(session: Session, picture: Pyramid, settings: DetectionSettings) -> Faces:
    """The faces that a large picture shows in fine tiles, each once, in its pixels; traces of some were looked at."""
    scale = max(TILE_SCALE, FINEST / max(picture.width, picture.height))
    parts = tiles(picture.width, picture.height, scale)
    high, wide = (round(side * scale) for side in (parts[0].height, parts[0].width))
    canvas = np.zeros((1, -(-high // 64) * 64, -(-wide // 64) * 64, 3), np.uint8)
    factor = np.array([wide / parts[0].width, high / parts[0].height], np.float32)
    pixels, level = picture.level(scale)
    found = []
    for tile in parts:
        top, bottom, left, right = (
            round(side * level) for side in (tile.top, tile.top + tile.height, tile.left, tile.left + tile.width)
        )
        canvas[0, :high, :wide] = _resized(pixels[top:bottom, left:right], high, wide, picture)
        (faces,) = yunet.detect(session, canvas, min_score=FAINT_SCORE, max_overlap=settings.max_overlap)
        shift = -factor * np.array([tile.left, tile.top], np.float32)
        found.append(_in_picture(faces.take(whole(faces.boxes, tile.ends, wide, high)), factor, shift))
    faces = _merged(found, settings)
    small = faces.boxes[:, 2:].prod(axis=1) < (FAINT_SIDE / scale) ** 2
    seen = [faces.take(faces.scores >= CANDIDATE_SCORE)]
    for group, (most, side) in zip((small, ~small), CLOSER, strict=True):
        boxes = faces.boxes[group & (faces.scores < settings.min_score)][:most]
        closer = readings(session, [(picture, box, 0) for box in boxes], side)
        seen.extend(reading.take(reading.scores >= settings.min_score) for reading in closer)
    return _merged(seen, settings)


def whole(boxes: F32, ends: tuple[bool, bool, bool, bool], width: int, height: int) -> Bool:
    """(n,) which faces are seen whole on a tile's canvas; over the picture's own borders, `ends`, they may reach."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    inside = np.concatenate([low >= TILE_BORDER, high <= np.array([width, height]) - TILE_BORDER], axis=1)
    return np.asarray((inside | np.array(ends)).all(axis=1))
