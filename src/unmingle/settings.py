"""One frozen record per stage. What changes a stage's output is in its record, and so in its fingerprint."""

from __future__ import annotations

import hashlib
import json
import math
import numbers
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from unmingle.errors import SettingsError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Crops = Literal["auto", "always", "never"]
Recipe = Literal["faces", "classic"]
Features = Literal["fc2", "pool5"]
Engine = Literal["auto", "openvino", "onnxruntime"]
Precision = Literal["auto", "f32", "bf16", "int8"]
Strictness = Literal["lenient", "balanced", "strict"]

# Merges with a stranger that each person may expect: one in ten, in fifty, in five hundred.
FALSE_MERGES: dict[Strictness, float] = {"lenient": 0.1, "balanced": 0.02, "strict": 0.002}


def fingerprint(*parts: DataclassInstance | str | int) -> str:
    """A short, stable name of settings and model checksums: the same parts give the same name on every machine."""
    plain = [part if isinstance(part, (str, int)) else {type(part).__name__: asdict(part)} for part in parts]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def whole_number(name: str, value: object, *, least: int = 0, mend: str = "") -> int:
    """A whole number as Python has it, be it NumPy's; never one with a point, nor a truth value."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and least <= int(value) < 2**63:
        return int(value)
    raise SettingsError(f"{name} is {value!r}.", mend or f"Give a whole number, at least {least}.")


def one_of(name: str, value: object, choices: Sequence[object]) -> None:
    """Refuse what is none of the values that an argument may have."""
    if not isinstance(value, str) or value not in choices:
        raise SettingsError(f"{name} is {value!r}.", f"Give {' or '.join(map(repr, choices))}.")


class _Checked:
    """Settings whose values are of the kinds that their annotations say."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), hint))


def _checked(name: str, value: Any, hint: Any) -> Any:
    """A value, if it is of its kind; numbers of NumPy become Python's."""
    if get_origin(hint) is Literal:
        one_of(name, value, get_args(hint))
    elif hint is bool and not isinstance(value, bool):
        raise SettingsError(f"{name} is {value!r}.", "Give True or False.")
    elif hint is int:
        return whole_number(name, value)
    elif hint is float:
        if isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value):
            return value if isinstance(value, (int, float)) else float(value)
        raise SettingsError(f"{name} is {value!r}.", "Give a number.")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings(_Checked):
    """How the networks are run. Not part of a fingerprint: every engine gives the same faces."""

    engine: Engine = "auto"  # auto: ONNX Runtime where it finds a working NVIDIA card, else OpenVINO
    precision: Precision = "auto"  # of the arithmetic; auto: bf16 where the processor computes it fast, else f32
    threads: int = 0  # 0: all cores


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionSettings(_Checked):
    """What counts as a face, and what a face is fit for.

    The thresholds on pixels and blur lie between what the embedding carries of easy portraits and of hard ones
    (benchmarks/degradation.py). Those on what is covered and what is a face allow for how seldom each is: far fewer
    than one face in ten is covered, and far fewer than one in twenty that the detector finds is none.
    """

    crops: Crops = "auto"  # whether a picture is one cut-out face: always, never, or decided per picture
    min_score: float = 0.6  # detector confidence, 0 to 1
    max_overlap: float = 0.3  # intersection over union of two boxes of one face
    min_pixels: float = 13.0  # a side of the aligned face, some 1.4 times the box; a smaller face is not grouped
    founder_pixels: float = 18.0  # likewise; a smaller face may only join a person
    founder_blur: float = 4.0  # deviation in pixels of the aligned face, of 112 a side; above it may only join
    founder_covered: float = 0.9  # probability that the lower face is covered; above it may only join
    min_face: float = 0.05  # probability that it is a face at all; below it is not grouped
    founder_face: float = 0.5  # likewise; below it may only join

    def __post_init__(self) -> None:
        _Checked.__post_init__(self)
        if not 0.3 <= self.min_score < 1:
            raise SettingsError(f"min_score is {self.min_score}.", "Give a confidence from 0.3 to 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSettings(_Checked):
    """How recordings are watched."""

    every: float = 0.1  # seconds between the frames that are looked at; a face moves little in a tenth of a second

    def __post_init__(self) -> None:
        _Checked.__post_init__(self)
        if not 0.001 <= self.every <= 60:
            raise SettingsError(f"every is {self.every:g} seconds.", "Give a time from 0.001 to 60 seconds.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicSettings(_Checked):
    """The seed's method: VGG16 features of the whole crop, PCA, k-means."""

    features: Features = "fc2"  # the layer of VGG16: fc2, 4,096 numbers, or the averages of pool5, 512
    components: int = 100  # dimensions that PCA keeps
    seed: int = 22  # of PCA and k-means, the seed's own


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupingSettings(_Checked):
    """How embeddings become clusters."""

    people: int | None = None  # None: find the number
    expected_false_merges: float = FALSE_MERGES["balanced"]  # merges with a stranger that each cluster may expect
    co_occurrence: bool = True  # two faces of one frame are two people, unless they are too alike for that

    def __post_init__(self) -> None:
        _Checked.__post_init__(self)
        if self.people is not None:
            mend = "Give a whole number, at least 1, or leave it out to find the number."
            object.__setattr__(self, "people", whole_number("people", self.people, least=1, mend=mend))
        if not 0 < self.expected_false_merges < 1:
            raise SettingsError(
                f"expected_false_merges is {self.expected_false_merges}.", "Give a number between 0 and 1."
            )
