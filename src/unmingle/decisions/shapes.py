"""What an entry of the log is as JSON; in a library from elsewhere, anything may stand there."""

from __future__ import annotations

from math import isfinite
from typing import Any

MOST = 1 << 62  # of whole numbers: SQLite has none that are much larger
_HEXADECIMAL = set("0123456789abcdefABCDEF")

# A type; None for one that may be missing; a list of one shape; a record, with str as the key for all that are numbers.
BODY = {"person": (int, None), "others": ([int], None), "faces": ([int], None), "name": (str, None)}
BODY |= {"target": (int, None), "anchors": ({str: [int]}, None)}
LINE = {
    **dict.fromkeys(("made", "by", "kind"), str),
    "id": int,
    "body": BODY,
    "changed": {"words": str, "people": [int], "faces": int},
    "last_person": (int, None),
    "regions": {str: {"picture": str, "box": [float], "pixels": [bytes]}},
    "erased": ([[str]], None),
}


def has_shape(value: Any, shape: Any) -> bool:
    """Whether a value that was read from JSON has a shape."""
    if isinstance(shape, tuple):
        return any(has_shape(value, one) for one in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(has_shape(one, shape[0]) for one in value)
    if isinstance(shape, dict) and str in shape:
        return isinstance(value, dict) and all(
            key.isdecimal() and key.isascii() and len(key) < 19 and has_shape(one, shape[str])
            for key, one in value.items()
        )
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(has_shape(value.get(key), one) for key, one in shape.items())
    if shape is int:
        return type(value) is int and abs(value) < MOST
    if shape is float:
        return type(value) in (int, float) and isfinite(value)
    if shape is bytes:  # as hexadecimal digits
        return isinstance(value, str) and not (len(value) % 2 or set(value) - _HEXADECIMAL)
    return value is None if shape is None else isinstance(value, shape)
