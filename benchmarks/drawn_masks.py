"""Masks drawn on faces, and things that are easily taken for one, to train and to test the detector of masks with.

Everything is drawn in the frame of the aligned face (112×112, see faces/align.py), wider by a margin, and then laid on
the picture, so that the detector has to find the landmarks of the covered face itself, as it would in earnest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmingle.faces.align import SIDE, similarity_transform

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray

    from unmingle.records import F32, F64, U8

    Layer = tuple[F32, F32]  # colour (s, s, 3), 0 to 255, and opacity (s, s), 0 to 1

MARGIN = 40  # of the frame around the aligned face: a chin may lie below it
FINE = 3  # canvas pixels a pixel of the frame
CANVAS = (SIDE + 2 * MARGIN) * FINE

# Usual cloths, red, green, blue; half of all masks have one of these, the others any colour.
CLOTHS = np.array(
    [(235, 238, 240), (22, 22, 25), (150, 190, 215), (90, 150, 190), (70, 75, 80), (215, 225, 230), (235, 170, 190)]
)


def with_mask(picture: U8, points_52: F32, rng: Generator) -> U8:
    """The picture with a drawn mask over mouth and nose; now and then it slips below the nose."""
    frame_52 = _in_frame(points_52)
    slipped = rng.random() < 0.08
    alpha = _outline(frame_52, rng, top=float(rng.uniform(1.05, 1.25) if slipped else rng.uniform(0.15, 0.85)))
    colour = _cloth(rng)
    colour = colour * _folds(frame_52, rng)[..., None]
    laid = lay(picture, points_52, (colour, alpha * np.float32(rng.uniform(0.93, 1))))
    return _ear_loops(laid, points_52, rng) if rng.random() < 0.5 else laid


def with_glasses(picture: U8, points_52: F32, rng: Generator) -> U8:
    """The picture with dark glasses."""
    return lay(picture, points_52, _glasses(_in_frame(points_52), rng))


def with_decoy(picture: U8, points_52: F32, rng: Generator) -> U8:
    """The picture with something that is no mask."""
    draw = (_beard, _beard, _scarf, _microphone, _shadow, _headband, _glasses)[rng.integers(7)]
    return lay(picture, points_52, draw(_in_frame(points_52), rng))


def with_upper_decoy(picture: U8, points_52: F32, rng: Generator) -> U8:
    """The picture with a headband or dark glasses, as go with a mask or without."""
    draw = (_headband, _glasses)[rng.integers(2)]
    return lay(picture, points_52, draw(_in_frame(points_52), rng))


def worn(picture: U8, points_52: F32, rng: Generator) -> U8:
    """What bad cameras and channels do: grey, dim, small, blurred, noisy, squeezed."""
    face = float(1 / np.hypot(*similarity_transform(points_52)[:, 0])) * SIDE  # pixels a side
    if rng.random() < 0.25:
        picture = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    if rng.random() < 0.4:
        gain, gamma = rng.uniform(0.5, 1.3), rng.uniform(0.7, 1.5)
        tint = rng.uniform(0.85, 1.15, 3) if rng.random() < 0.5 else 1.0
        picture = _bytes(255 * np.clip(picture / 255 * gain * tint, 0, 1) ** gamma)
    if rng.random() < 0.35:
        small = rng.uniform(22, 80) / face
        if small < 1:
            picture = np.asarray(cv2.resize(picture, None, fx=small, fy=small, interpolation=cv2.INTER_AREA), np.uint8)
            face *= small
    if rng.random() < 0.25:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.005, 0.03) * face), np.uint8)
    if rng.random() < 0.25:
        picture = _bytes(picture + rng.normal(0, rng.uniform(2, 14), picture.shape))
    if rng.random() < 0.5:
        done, buffer = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])
        picture = np.asarray(cv2.imdecode(buffer, cv2.IMREAD_COLOR), np.uint8) if done else picture
    return np.ascontiguousarray(picture[:, ::-1] if rng.random() < 0.5 else picture)


def lay(picture: U8, points_52: F32, layer: Layer) -> U8:
    """Lay what was drawn in the frame over the face it was drawn for."""
    to_frame_23 = similarity_transform(points_52)
    scale = np.hypot(*to_frame_23[:, 0]) * FINE  # canvas pixels a pixel of the picture
    to_canvas_23 = to_frame_23 * FINE
    to_canvas_23[:, 2] += MARGIN * FINE
    colour, alpha = layer
    if scale > 1:
        colour, alpha = (cv2.GaussianBlur(one, (0, 0), 0.4 * scale) for one in (colour, alpha))
    size = picture.shape[1::-1]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    over = cv2.warpAffine(colour.astype(np.float32), to_canvas_23, size, flags=flags)
    share = cv2.warpAffine(alpha.astype(np.float32), to_canvas_23, size, flags=flags)[..., None]
    return _bytes(picture * (1 - share) + over * share)


def _in_frame(points_52: F32) -> F64:
    matrix_23 = similarity_transform(points_52)
    return np.asarray(points_52 @ matrix_23[:, :2].T + matrix_23[:, 2], np.float64)


def _outline(frame_52: F64, rng: Generator, *, top: float) -> F32:
    """Opacity of a mask whose upper edge lies at `top` of the way from the eyes (0) to the tip of the nose (1)."""
    eyes, nose, mouth = frame_52[:2].mean(0), frame_52[2], frame_52[3:].mean(0)
    turn = nose[0] - (eyes[0] + mouth[0]) / 2
    width = rng.uniform(28, 42)
    left, right = max(8.0, width + 1.3 * turn), max(8.0, width - 1.3 * turn)
    bridge = eyes + (nose - eyes) * top
    low = mouth + np.array([0.5 * turn, rng.uniform(17, 33)])
    cheek, jaw, taper = rng.uniform(-2, 14), rng.uniform(-4, 10), rng.uniform(0.35, 0.8)
    knee = rng.uniform(-12, -1)
    corners = [
        bridge,
        [mouth[0] + 0.55 * right, bridge[1] + 0.4 * cheek],
        [mouth[0] + right, bridge[1] + cheek],
        [mouth[0] + 0.95 * right, mouth[1] + jaw],
        [mouth[0] + taper * right, low[1] + knee],
        low,
        [mouth[0] - taper * left, low[1] + knee],
        [mouth[0] - 0.95 * left, mouth[1] + jaw],
        [mouth[0] - left, bridge[1] + cheek],
        [mouth[0] - 0.55 * left, bridge[1] + 0.4 * cheek],
    ]
    shape = np.array(corners) + rng.normal(0, 0.8, (len(corners), 2))
    return _filled(_rounded(shape, int(rng.integers(0, 4))), soft=rng.uniform(0.2, 1.2))


def _rounded(shape_k2: F64, times: int) -> F64:
    """Corners cut off (Chaikin, "An algorithm for high-speed curve generation", 1974)."""
    for _ in range(times):
        after = np.roll(shape_k2, -1, axis=0)
        shape_k2 = np.stack([0.75 * shape_k2 + 0.25 * after, 0.25 * shape_k2 + 0.75 * after], 1).reshape(-1, 2)
    return shape_k2


def _filled(shape_k2: F64, *, soft: float) -> F32:
    canvas = np.zeros((CANVAS, CANVAS), np.float32)
    cv2.fillPoly(canvas, [np.round((shape_k2 + MARGIN) * FINE).astype(np.int32)], 1.0)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), soft * FINE), np.float32)


def _cloth(rng: Generator) -> F32:
    base = CLOTHS[rng.integers(len(CLOTHS))] if rng.random() < 0.5 else rng.uniform(0, 255, 3)
    base = np.clip(base + rng.normal(0, 12, 3), 0, 255)
    other = rng.uniform(0, 255, 3)
    share = PATTERNS[rng.integers(len(PATTERNS))](rng) if rng.random() < 0.35 else _field(rng, 40) * 0.08
    return np.asarray(base * (1 - share[..., None]) + other * share[..., None], np.float32)


def _stripes(rng: Generator) -> F32:
    y, x = np.mgrid[:CANVAS, :CANVAS] / FINE
    turn, wide = rng.uniform(0, np.pi), rng.uniform(3, 12)
    wave = np.sin((x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / wide)
    return (wave > rng.uniform(-0.5, 0.7)).astype(np.float32)


def _checks(rng: Generator) -> F32:
    return 0.5 * (_stripes(rng) + _stripes(rng))


def _dots(rng: Generator) -> F32:
    step = rng.uniform(5, 14)
    y, x = np.mgrid[:CANVAS, :CANVAS] / FINE % step - step / 2
    return (np.hypot(x, y) < step * rng.uniform(0.15, 0.4)).astype(np.float32)


def _blotches(rng: Generator) -> F32:
    return (_field(rng, rng.uniform(2, 8)) > rng.uniform(0.4, 0.65)).astype(np.float32)


PATTERNS: tuple[Callable[[Generator], F32], ...] = (_stripes, _checks, _dots, _blotches, _blotches)


def _field(rng: Generator, size: float) -> F32:
    """Smooth noise, 0 to 1, with humps of `size` frame pixels."""
    cells = max(2, int((SIDE + 2 * MARGIN) / size))
    field = cv2.resize(rng.random((cells, cells), np.float32), (CANVAS, CANVAS), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(field, 0, 1), np.float32)


def _folds(frame_52: F64, rng: Generator) -> F32:
    """Light on the cloth: a gradient, humps, and for some the folds of a surgical mask or the ridge of a stiff one."""
    y, x = np.mgrid[:CANVAS, :CANVAS] / FINE - MARGIN
    light = 1 + rng.normal(0, 0.004) * (x - 56) + rng.normal(-0.002, 0.003) * (y - 85) + 0.25 * (_field(rng, 14) - 0.5)
    kind = rng.random()
    if kind < 0.35:
        for fold in frame_52[2, 1] + rng.uniform(4, 9) * np.arange(1, 4):
            sag = fold - 0.002 * (x - 56) ** 2
            light -= rng.uniform(0.05, 0.25) * np.exp(-(((y - sag) / 0.9) ** 2))
    elif kind < 0.6:
        light -= rng.uniform(0.05, 0.3) * np.exp(-(((x - frame_52[2, 0]) / 1.2) ** 2))
    return np.asarray(np.clip(light, 0.3, 1.4), np.float32)


def _ear_loops(picture: U8, points_52: F32, rng: Generator) -> U8:
    alpha = np.zeros((CANVAS, CANVAS), np.float32)
    frame_52 = _in_frame(points_52)
    for side in (-1, 1):
        for height in (frame_52[2, 1] - 6, frame_52[3:, 1].mean()):
            ends = np.array([[56 + 30 * side, height], [56 + 50 * side, frame_52[0, 1] + 6]])
            first, last = np.round((ends + MARGIN) * FINE).astype(int).tolist()
            cv2.line(alpha, first, last, 1.0, int(rng.integers(2, 5)), cv2.LINE_AA)
    colour = np.broadcast_to(CLOTHS[rng.integers(len(CLOTHS))].astype(np.float32), (CANVAS, CANVAS, 3))
    return lay(picture, points_52, (np.ascontiguousarray(colour), alpha * np.float32(0.9)))


def _plain(colour: NDArray[np.floating], rng: Generator, grain: float) -> F32:
    light = 1 + grain * (rng.random((CANVAS, CANVAS, 1), np.float32) - 0.5)
    return np.asarray(cv2.GaussianBlur(colour.astype(np.float32) * light, (0, 0), 1.2), np.float32)


def _beard(frame_52: F64, rng: Generator) -> Layer:
    """Jaw and upper lip under hair; mouth and nose are free."""
    alpha = _outline(frame_52, rng, top=float(rng.uniform(1.1, 1.3)))
    mouth, reach = frame_52[3:].mean(0), abs(frame_52[4, 0] - frame_52[3, 0]) / 2 + 2
    y, x = np.mgrid[:CANVAS, :CANVAS] / FINE - MARGIN
    lips = np.hypot((x - mouth[0]) / reach, (y - mouth[1]) / rng.uniform(4, 7))
    alpha = alpha * np.clip((lips - 0.9) * 3, 0, 1).astype(np.float32)
    if rng.random() < 0.5:  # cheeks are free
        alpha *= np.clip((y - mouth[1] + rng.uniform(4, 14)) / 8, 0, 1).astype(np.float32)
    hair = np.array([(25, 20, 18), (60, 40, 28), (120, 70, 40), (150, 150, 150), (225, 225, 220)])[rng.integers(5)]
    return _plain(hair, rng, 2.5), cv2.GaussianBlur(alpha, (0, 0), 2.5 * FINE) * np.float32(rng.uniform(0.45, 0.95))


def _scarf(frame_52: F64, rng: Generator) -> Layer:
    """A collar or a scarf up to the chin."""
    y = (np.mgrid[:CANVAS, :CANVAS] / FINE - MARGIN)[0]
    edge = frame_52[3:, 1].mean() + rng.uniform(16, 26)
    return _cloth(rng), np.clip((y - edge) / 1.5, 0, 1).astype(np.float32)


def _microphone(frame_52: F64, rng: Generator) -> Layer:
    """A dark ball at the lower lip, on a stick."""
    centre = frame_52[3:].mean(0) + np.array([rng.uniform(-18, 18), rng.uniform(12, 22)])
    y, x = np.mgrid[:CANVAS, :CANVAS] / FINE - MARGIN
    size = rng.uniform(5, 10)
    ball = np.hypot(x - centre[0], y - centre[1]) - size
    stick = np.maximum(np.abs(x - centre[0] - 0.4 * (y - centre[1])) - 0.5 * size, centre[1] - y)
    alpha = np.clip(0.5 - np.minimum(ball, stick), 0, 1).astype(np.float32)
    return _plain(rng.uniform(10, 110) * np.ones(3), rng, 1.0), alpha


def _shadow(frame_52: F64, rng: Generator) -> Layer:
    """The lower face in the dark."""
    y, x = np.mgrid[:CANVAS, :CANVAS] / FINE - MARGIN
    edge = frame_52[2, 1] + rng.uniform(-12, 12) + rng.normal(0, 0.2) * (x - 56)
    alpha = np.clip((y - edge) / rng.uniform(2, 14), 0, 1) * rng.uniform(0.3, 0.75)
    return np.zeros((CANVAS, CANVAS, 3), np.float32), alpha.astype(np.float32)


def _headband(frame_52: F64, rng: Generator) -> Layer:
    """A hat, a fringe or a headband above the brows."""
    y, x = np.mgrid[:CANVAS, :CANVAS] / FINE - MARGIN
    edge = frame_52[:2, 1].mean() - rng.uniform(12, 22) - 0.002 * (x - 56) ** 2
    return _cloth(rng), np.clip((edge - y) / 1.5, 0, 1).astype(np.float32)


def _glasses(frame_52: F64, rng: Generator) -> Layer:
    """Dark glasses."""
    y, x = np.mgrid[:CANVAS, :CANVAS] / FINE - MARGIN
    wide, high = rng.uniform(10, 16), rng.uniform(7, 12)
    lens = np.min([np.hypot((x - px) / wide, (y - py - 2) / high) for px, py in frame_52[:2]], axis=0)
    bar = np.maximum(np.abs(y - frame_52[:2, 1].mean()) - 1.5, np.abs(x - 56) - 45)
    alpha = np.maximum(np.clip((1 - lens) * 10, 0, 1), np.clip(1 - bar, 0, 1)) * rng.uniform(0.7, 1)
    return _plain(rng.uniform(5, 70, 3), rng, 0.2), alpha.astype(np.float32)


def _bytes(picture: NDArray[np.floating]) -> U8:
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)
