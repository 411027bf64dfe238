"""The fields of our records, with what their docstrings and comments say of each."""

from __future__ import annotations

import inspect
import re
from dataclasses import MISSING, dataclass, fields
from typing import Any

MEANT = re.compile(r"^ {0,4}([a-z_0-9]+(?:, [a-z_0-9]+)*): +(\S.*)$")
COMMENTED = re.compile(r"^    ([a-z_0-9]+): [^#\n]*#\s*(.*)$", re.MULTILINE)
SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Warns|Yields):$")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record; `default` is empty where there is none, `meaning` where nobody has told it."""

    name: str
    kind: str
    default: str
    meaning: str


def fields_of(record: type[Any]) -> list[Field]:
    """The fields of a frozen record, in their order."""
    told = meanings(record)
    return [Field(one.name, str(one.type), _default(one), told.get(one.name, "")) for one in fields(record)]


def about(record: type[Any]) -> str:
    """What the docstring says before it comes to the fields."""
    lines = []
    for line in inspect.cleandoc(record.__doc__ or "").splitlines():
        if SECTION.match(line) or _field(record, line):
            break
        lines.append(line)
    return "\n".join(lines).strip()


def meanings(record: type[Any]) -> dict[str, str]:
    """By field: what the comment beside it says, or else the docstring."""
    told: dict[str, str] = {}
    current: list[str] = []
    for line in inspect.cleandoc(record.__doc__ or "").splitlines():
        if names := _field(record, line):
            current = names
            told |= dict.fromkeys(names, line.partition(":")[2].strip())
        elif current and line.startswith(" ") and line.strip():
            told |= {name: f"{told[name]} {line.strip()}" for name in current}
        else:
            current = []
    return told | dict(COMMENTED.findall(inspect.getsource(record)))


def _field(record: type[Any], line: str) -> list[str]:
    found = MEANT.match(line)
    names = found[1].split(", ") if found else []
    return names if set(names) <= set(record.__annotations__) else []


def _default(one: Any) -> str:
    if one.default is not MISSING:
        return repr(one.default).replace("'", '"')
    return "" if one.default_factory is MISSING else f"{one.default_factory.__name__}()"
