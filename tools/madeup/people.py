"""Made-up people and how they happen to look in one frame: parameters only, no drawing.

A person is a record of some forty numbers drawn from one seed. The draws are U-shaped (the arcsine law), since people
drawn near the middle of every range all look alike, to us and to a recogniser. Only `Generator.random` is used, the one
draw whose stream NumPy has kept through its versions, so that a stored seed stays the same person.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

Colour = tuple[float, float, float]  # red, green, blue, 0 to 1
HairStyle = Literal[
    "bald", "buzz", "short", "parted", "swept", "curly", "fringe", "bob", "long", "bun", "beanie", "scarf"
]
GlassesStyle = Literal["none", "round", "square"]
Scene = Literal["plain", "wall", "shelf", "window", "plants"]

SCENES: tuple[Scene, ...] = ("plain", "wall", "shelf", "window", "plants")

_T = TypeVar("_T")
# From light to deep; a person's tone lies between two neighbours.
_SKINS: tuple[Colour, ...] = (
    (0.95, 0.79, 0.69),
    (0.91, 0.72, 0.60),
    (0.86, 0.67, 0.52),
    (0.75, 0.55, 0.40),
    (0.60, 0.41, 0.29),
    (0.44, 0.29, 0.21),
)
_HAIRS: tuple[Colour, ...] = (
    (0.09, 0.08, 0.09),
    (0.17, 0.11, 0.08),
    (0.30, 0.19, 0.12),
    (0.46, 0.21, 0.11),
    (0.60, 0.43, 0.24),
    (0.80, 0.66, 0.42),
)
_GREYS: tuple[Colour, ...] = ((0.52, 0.51, 0.51), (0.80, 0.79, 0.77))
_IRISES: tuple[Colour, ...] = ((0.24, 0.14, 0.08), (0.40, 0.26, 0.12), (0.33, 0.42, 0.27), (0.34, 0.50, 0.66))
_SHIRTS: tuple[Colour, ...] = (
    (0.17, 0.24, 0.37),
    (0.86, 0.86, 0.84),
    (0.55, 0.20, 0.22),
    (0.22, 0.40, 0.34),
    (0.20, 0.20, 0.22),
    (0.80, 0.62, 0.30),
    (0.48, 0.60, 0.72),
    (0.52, 0.36, 0.52),
)
_CLOTHS: tuple[Colour, ...] = (
    (0.52, 0.16, 0.18),
    (0.16, 0.30, 0.42),
    (0.84, 0.80, 0.72),
    (0.20, 0.36, 0.28),
    (0.78, 0.55, 0.22),
)
_SHADOWS: tuple[Colour, ...] = ((0.28, 0.20, 0.26), (0.30, 0.38, 0.56), (0.52, 0.28, 0.30), (0.26, 0.42, 0.36))
_LIPS: tuple[Colour, ...] = ((0.74, 0.30, 0.31), (0.70, 0.13, 0.16), (0.50, 0.18, 0.30), (0.78, 0.44, 0.40))
_FRAMES: tuple[Colour, ...] = ((0.08, 0.08, 0.09), (0.33, 0.18, 0.10), (0.52, 0.50, 0.50), (0.16, 0.20, 0.34))
_SHORT: tuple[HairStyle, ...] = ("bald", "buzz", "short", "parted", "swept", "curly", "beanie", "long")
_LONG: tuple[HairStyle, ...] = ("long", "bob", "fringe", "bun", "curly", "swept", "scarf", "parted")


class Draws:
    """Named ways to draw from one seeded stream."""

    def __init__(self, seed: int, salt: int) -> None:
        self._rng = np.random.default_rng((salt, seed))

    def flat(self, low: float = 0.0, high: float = 1.0) -> float:
        """Uniform between `low` and `high`."""
        return low + (high - low) * float(self._rng.random())

    def ends(self, low: float, high: float) -> float:
        """U-shaped: the ends of the range are likelier than its middle (arcsine law)."""
        return low + (high - low) * (1 - math.cos(math.pi * self.flat())) / 2

    def bell(self, spread: float) -> float:
        """Normal with mean 0 and standard deviation `spread`, cut at 2.2 of them (Box and Muller)."""
        radius = math.sqrt(-2 * math.log(1 - self.flat()))
        return spread * max(-2.2, min(2.2, radius * math.cos(2 * math.pi * self.flat())))

    def chance(self, probability: float) -> bool:
        """True with `probability`."""
        return self.flat() < probability

    def one(self, choices: tuple[_T, ...]) -> _T:
        """One of `choices`, each as likely."""
        return choices[int(self.flat() * len(choices))]

    def blend(self, colours: tuple[Colour, ...], position: float | None = None) -> Colour:
        """A colour somewhere along the row of `colours`; `position` 0 to 1, U-shaped if not given."""
        place = (self.ends(0, 1) if position is None else position) * (len(colours) - 1)
        first = min(int(place), len(colours) - 2)
        return mix(colours[first], colours[first + 1], place - first)


def ramp_up(value: float, start: float) -> float:
    """0 up to `start`, rising to 1 at 1."""
    return max(0.0, value - start) / (1 - start)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of `second` in `first`."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up person.

    Lengths are in head units: the head is about 2 high, 0 on the eye line's height, x to the picture's right, y down.
    """

    seed: int
    skin: Colour
    hair_colour: Colour
    hair: HairStyle
    hairline: float  # height of the hair's edge on the forehead
    hair_volume: float
    part: float  # where the hair parts, x
    width: float  # half, at the cheekbones
    chin: float  # how far the chin lies below the eye line
    jaw: float  # 0 square to 1 pointed
    roundness: float  # exponent of the head's outline, 2 an ellipse
    eye_spacing: float  # half the distance of the pupils
    eye_height: float
    eye_width: float  # half
    eye_opening: float  # half
    eye_tilt: float  # radians, outer corner up
    eye_depth: float
    crease: float  # fold of the upper lid, 0 none to 1 deep
    shadow: float  # painted lids, 0 none to 1
    shadow_colour: Colour
    iris: Colour
    brow_gap: float
    brow_thickness: float
    brow_arch: float
    brow_slope: float
    brow_width: float  # half
    nose_length: float
    nose_width: float
    nose_height: float
    nose_bridge: float  # width
    nose_hump: float
    mouth_height: float  # below the nose
    mouth_width: float  # half
    lip_upper: float
    lip_lower: float
    lip_red: float  # 0 skin to 1 strongly coloured
    lip_colour: Colour
    cheek: float
    blush: float
    folds: float  # 0 none to 1 deep
    freckles: float
    lines: float  # across the forehead, 0 to 1
    moles: tuple[tuple[float, float], ...]  # u, v of each
    beard: float  # 0 none to 1 full
    bush: float  # how far the beard reaches beyond the chin, 0 for a trimmed one
    moustache: float
    glasses: GlassesStyle
    glasses_colour: Colour
    rim: float  # half the thickness of the glasses' rims
    tint: float  # of the lenses, 0 clear to 1 black
    ears: float
    shirt: Colour
    cloth: Colour  # of hat or scarf
    collar: bool
    warp: float  # amplitude of the low-frequency distortion of the face
    texture: float

    @classmethod
    def from_seed(cls, seed: int) -> Person:
        """The person with this seed: always the same one."""
        draw = Draws(seed, salt=1)
        soft = draw.ends(0, 1)  # one hidden trait that keeps hair, brows, lips and beard in keeping with each other
        age = draw.flat()
        bearded = soft < 0.45 and draw.chance(0.6)
        bush = draw.flat(0.24, 0.45) if bearded and draw.chance(0.4) else 0.0
        tone = draw.ends(0, 1)
        dark_hair = 0.35 * draw.flat() if tone > 0.55 else draw.flat()
        colour = draw.blend(_HAIRS, dark_hair)
        if age > 0.76:
            colour = mix(colour, draw.blend(_GREYS), min(1.0, (age - 0.76) * 6))
        return cls(
            seed=seed,
            skin=draw.blend(_SKINS, tone),
            hair_colour=colour,
            hair=draw.one(_LONG if soft > 0.5 else _SHORT),
            hairline=draw.ends(-0.72, -0.50),
            hair_volume=draw.ends(0.05, 0.20),
            part=draw.ends(-0.4, 0.4),
            width=draw.ends(0.66, 0.84),
            chin=draw.ends(0.98, 1.20),
            jaw=draw.ends(0.05, 0.9),
            roundness=draw.ends(2.0, 2.7),
            eye_spacing=draw.ends(0.25, 0.405),
            eye_height=draw.ends(-0.12, 0.04),
            eye_width=draw.ends(0.13, 0.215),
            eye_opening=draw.ends(0.055, 0.10),
            eye_tilt=draw.ends(-0.14, 0.20),
            eye_depth=draw.ends(0.02, 0.17),
            crease=draw.ends(0.0, 1.0),
            shadow=draw.flat(0.35, 0.85) if soft > 0.6 and draw.chance(0.5) else 0.0,
            shadow_colour=draw.one(_SHADOWS),
            iris=draw.blend(_IRISES, 0.3 * draw.flat() if tone > 0.6 else None),
            brow_gap=draw.ends(0.115, 0.29),
            brow_thickness=draw.ends(0.016, 0.11) * (1.0 - 0.35 * soft),
            brow_arch=draw.ends(0.0, 0.10),
            brow_slope=draw.ends(-0.06, 0.025),
            brow_width=draw.ends(0.17, 0.27),
            nose_length=draw.ends(0.30, 0.59),
            nose_width=draw.ends(0.10, 0.24),
            nose_height=draw.ends(0.08, 0.34),
            nose_bridge=draw.ends(0.04, 0.12),
            nose_hump=draw.ends(-0.25, 0.35),
            mouth_height=draw.ends(0.24, 0.37),
            mouth_width=draw.ends(0.175, 0.36),
            lip_upper=draw.ends(0.022, 0.085),
            lip_lower=draw.ends(0.035, 0.115),
            lip_red=draw.ends(0.1, 0.45) + 0.45 * soft,
            lip_colour=draw.one(_LIPS),
            cheek=draw.ends(0.0, 0.16),
            blush=draw.ends(0.0, 1.0),
            folds=draw.ends(0.0, 0.5) + 0.6 * max(0.0, age - 0.4),
            freckles=draw.flat(0.4, 1.0) if tone < 0.5 and draw.chance(0.25) else 0.0,
            lines=draw.flat(0.2, 1.0) * ramp_up(age, 0.4),
            moles=tuple((draw.flat(-0.5, 0.5), draw.flat(-0.1, 0.85)) for _ in range(draw.one((0, 0, 1, 2)))),
            beard=0.95 if bush else draw.ends(0.3, 1.0) if bearded else 0.0,
            bush=bush,
            moustache=draw.ends(0.3, 1.0) if bearded or (soft < 0.4 and draw.chance(0.2)) else 0.0,
            glasses=draw.one(("round", "square")) if draw.chance(0.4) else "none",
            glasses_colour=draw.one(_FRAMES),
            rim=draw.ends(0.008, 0.034),
            tint=draw.flat(0.3, 0.6) if draw.chance(0.35) else 0.0,
            ears=draw.ends(0.04, 0.12),
            shirt=draw.one(_SHIRTS),
            cloth=draw.one(_CLOTHS),
            collar=draw.chance(0.5),
            warp=draw.ends(0.02, 0.06),
            texture=draw.ends(0.2, 1.0),
        )


@dataclass(frozen=True, slots=True)
class Look:
    """How a person happens to look in one frame: pose, expression, light, camera.

    Angles are radians; `light` points from the face to the light (x right, y down, z to the camera).
    """

    seed: int = 0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    scale: float = 1.0
    smile: float = 0.3  # -0.5 glum to 1 laughing
    talk: float = 0.0  # 0 lips closed to 1 mouth open
    brows: float = 0.0  # raised by so much
    lids: float = 1.0  # how far the eyes are open, 1 as usual
    gaze: tuple[float, float] = (0.0, 0.0)  # of the iris, in eye widths
    light: tuple[float, float, float] = (-0.35, -0.45, 0.82)
    gain: float = 1.0
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    blur: float = 0.5  # sigma, pixels of a picture of 256
    noise: float = 0.01  # sigma, of full scale
    quality: int = 85  # of JPEG
    background: Scene = "wall"
    background_seed: int = 0
    mask: bool = False  # wears a surgical mask

    @classmethod
    def from_seed(cls, seed: int) -> Look:
        """The look with this seed; spreads as a video call has them (yaw 0.13, pitch 0.07, roll 5 degrees)."""
        draw = Draws(seed, salt=2)
        warm = draw.bell(0.04)
        side, above = draw.bell(0.65), draw.flat(-0.9, 0.1)
        return cls(
            seed=seed,
            yaw=draw.bell(0.13),
            pitch=draw.bell(0.07),
            roll=math.radians(draw.bell(5.0)),
            scale=draw.flat(0.85, 1.08),
            smile=draw.flat(-0.2, 1.0),
            talk=draw.flat(0.2, 1.0) if draw.chance(0.35) else 0.0,
            brows=draw.bell(0.02),
            lids=1 + draw.bell(0.12),
            gaze=(draw.bell(0.075), draw.bell(0.05)),
            light=(side, above, 1.0),
            gain=math.exp(draw.bell(0.13)),
            white_balance=(1.0 + warm, 1.0, 1.0 - warm),
            blur=draw.flat(0.4, 1.1),
            noise=draw.flat(0.005, 0.020),
            quality=int(draw.flat(60, 93)),
            background=draw.one(SCENES),
            background_seed=seed,
        )
