"""Model cards: what must be known of a network before its output is trusted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from unmingle.errors import ModelError, SettingsError

Colour = Literal["rgb", "bgr"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """How an embedding takes faces that are aligned to the 112×112 five-point template.

    Attributes:
        colour: the order of its channels.
        mean, scale: a pixel p from 0 to 255 goes in as (p - mean) / scale.
        output: the name of the output that is the embedding; empty: the only one that can be.
    """

    colour: Colour = "rgb"
    mean: float = 127.5
    scale: float = 127.5
    output: str = ""

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise SettingsError(f"The scale is {self.scale:g}.", "Pixels are divided by it: give a number above 0.")

    def __str__(self) -> str:
        return f"{self.colour.upper()}, (pixel - {self.mean:g}) / {self.scale:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How similar strangers are to a model, see `unmingle.grouping.impostors.ImpostorCurve`.

    Attributes:
        mean: the average cosine of two strangers' faces.
        people, faces, pairs: variances around it.
        measured_on: what it was measured on, in words.
        provisional: whether that was too little to rely on.
    """

    mean: float
    people: float
    faces: float
    pairs: float
    measured_on: str
    provisional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """The compressed file that a model is published in.

    Attributes:
        kind: zip, of which one member is taken, or bz2, which holds one file.
        sha256: checksum of the archive.
        size: its bytes.
        member: the path inside a zip.
    """

    kind: Literal["zip", "bz2"]
    sha256: str
    size: int
    member: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What must be known of a model before its output is trusted.

    Attributes:
        name: how settings and the library call it.
        purpose: what it does.
        dimension: length of its output vector; 0 for a detector.
        input: what goes in, in words.
        licence: SPDX identifier or name; empty if nobody said.
        commercial: whether commercial use is allowed; None if nobody said.
        source: where it comes from, for people.
        package: the installed package that carries the file; empty for others.
        file: path inside the package, or the file's name in the model folder.
        sha256: checksum of the file as published; empty where the publisher gives only an MD5.
        md5: the publisher's MD5, where that is all there is.
        url: where `unmingle models fetch` gets it; empty if it isn't a download.
        size: bytes, for progress and for telling a cut download.
        archive: what `url` holds, where that isn't the file itself.
        intake: how faces go in, of an embedding of aligned faces.
        calibration: how similar strangers are to it, where measured.
        unfit: why `unmingle cluster --model` can't use it; empty if it can.
    """

    name: str
    purpose: str
    dimension: int
    input: str
    licence: str
    commercial: bool | None
    source: str
    package: str = ""
    file: str = ""
    sha256: str = ""
    md5: str = ""
    url: str = ""
    size: int = 0
    archive: Archive | None = None
    intake: Intake | None = None
    calibration: Calibration | None = None
    unfit: str = ""

    @property
    def licence_warning(self) -> str:
        """What somebody who uses the model must know of its licence; empty if it may be used for anything."""
        if self.commercial:
            return ""
        if self.commercial is None:
            return f"Nobody said under which terms {self.name} may be used (licence: {self.licence or 'unknown'})."
        return f"{self.name} is not for commercial use (licence: {self.licence})."


def to_json(card: Card) -> dict[str, Any]:
    """The card as plain values."""
    return asdict(card)


def from_json(plain: dict[str, Any]) -> Card:
    """The card from plain values.

    Raises:
        ModelError: they are not a card's.
    """
    parts: dict[str, Any] = {"archive": Archive, "intake": Intake, "calibration": Calibration}
    try:
        return Card(**{key: parts[key](**value) if key in parts and value else value for key, value in plain.items()})
    except (TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"This is no model card: {error}.", "Add the model again: unmingle models add") from error
