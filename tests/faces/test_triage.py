from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from unmingle.faces.quality import MEASURES, Measures, triage
from unmingle.settings import DetectionSettings

if TYPE_CHECKING:
    from unmingle.records import Triage

FINE = {"pixels": 80.0, "blur": 2.0, "turn": 0.1, "covered": 0.1, "face": 0.9}


def judged(*faces: dict[str, float], **settings: float) -> Triage:
    rows = [FINE | face for face in faces]
    measures = Measures(**{name: np.array([row[name] for row in rows], np.float32) for name in MEASURES})
    scores = np.array([face.get("score", 0.9) for face in faces], np.float32)
    return triage(measures, scores, DetectionSettings(**settings))  # type: ignore[arg-type]


def test_a_good_face_founds_and_needs_no_reason() -> None:
    assert judged({}) == judged({"turn": 0.5}, {"pixels": 400, "blur": 0}).take([0])
    assert (judged({}).standings, judged({}).flags, judged({}).reasons) == (("found",), ("",), ("",))


@pytest.mark.parametrize(
    ("flaw", "standing", "flag", "reason"),
    [
        ({"pixels": 8}, "aside", "low_quality", "too small: 8 pixels a side, under 13"),
        ({"pixels": 15.2}, "join", "low_quality", "small: 15 pixels a side, under 18"),
        ({"blur": 5.25}, "join", "low_quality", "too blurred: by 5.2 of 112 pixels, over 4"),
        ({"covered": 0.98}, "join", "masked", "lower face covered: sure to 98%, over 90%"),
        ({"face": 0.02}, "aside", "not_a_face", "not a face: sure to 98%, over 95%"),
        ({"score": 0.47}, "join", "not_a_face", "hardly a face: the detector gives 0.47, 0.60 is needed"),
        ({"face": 0.3}, "join", "not_a_face", "hardly a face: sure to 70% that it is none, over 50%"),
    ],
)
def test_each_flaw_has_its_standing_flag_and_reason(
    flaw: dict[str, float], standing: str, flag: str, reason: str
) -> None:
    verdict = judged({}, flaw, {})
    assert verdict.standings == ("found", standing, "found")
    assert verdict.flags == ("", flag, "")
    assert verdict.reasons == ("", reason, "")
    assert re.fullmatch(r"[a-z ]+: .*\d.*", reason), "a short head, a colon, and the measures"


def test_the_gravest_reason_counts() -> None:
    assert judged({"face": 0.1, "covered": 0.95, "blur": 9}).flags == ("not_a_face",)
    assert judged({"covered": 0.95, "blur": 9, "pixels": 16}).flags == ("masked",)
    assert judged({"pixels": 5, "covered": 0.95}).standings == ("aside",)


def test_the_bars_are_those_of_the_settings() -> None:
    flaws: list[tuple[dict[str, float], dict[str, float]]] = [
        ({"pixels": 8}, {"min_pixels": 7, "founder_pixels": 7}),
        ({"pixels": 15}, {"founder_pixels": 14}),
        ({"blur": 6}, {"founder_blur": 7}),
        ({"covered": 0.98}, {"founder_covered": 0.99}),
        ({"face": 0.02}, {"min_face": 0.01, "founder_face": 0.01}),
        ({"face": 0.3}, {"founder_face": 0.2}),
    ]
    for flaw, settings in flaws:
        assert judged(flaw).standings != ("found",)
        assert judged(flaw, **settings).standings == ("found",)


def test_no_faces() -> None:
    assert len(triage(Measures.together([]), np.zeros(0, np.float32), DetectionSettings())) == 0
