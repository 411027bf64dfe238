"""The page on settings: every record of settings, with its fields, their defaults and what they mean."""

from __future__ import annotations

import inspect
from dataclasses import is_dataclass
from typing import Any, Literal, get_args, get_origin

from making.records import about, fields_of
from unmingle import settings
from unmingle.evaluation.labels import LabelOptions
from unmingle.exchange.exporting import ExportOptions

TITLE = """# Settings

Made from the program by `make docs`. Each stage has one frozen record of settings. The command line fills them in
from its options; in Python hand them to the methods of [`Library`](python.md):

```python
from unmingle.settings import DetectionSettings, GroupingSettings

strict = GroupingSettings(expected_false_merges=0.002)
large_faces_only = DetectionSettings(min_pixels=40.0, founder_pixels=60.0)
```

What changes a face or its embedding is a part of the name under which they are stored: with other detection settings
pictures are analysed anew, with other grouping settings only grouped anew. A value out of range is a
[`SettingsError`](errors.md).
"""


def records() -> list[type[Any]]:
    """Every record of settings, those of the stages first."""
    own = [one for name, one in vars(settings).items() if is_dataclass(one) and name.endswith("Settings")]
    return [one for one in own if isinstance(one, type)] + [ExportOptions, LabelOptions]


def render() -> str:
    """The whole page."""
    parts = [TITLE]
    for record in records():
        name, home = record.__name__, record.__module__
        parts.append(f"## {name}\n\n`from {home} import {name}`\n\n{about(record)}\n")
        parts.append("| field | type | default | meaning |\n|---|---|---|---|")
        for field in fields_of(record):
            kind = choices(record, field.kind).replace("|", "\\|")
            parts.append(f"| `{field.name}` | {kind} | `{field.default}` | {field.meaning} |")
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def choices(record: type[Any], kind: str) -> str:
    """The type of a field, or the values that it may have."""
    found = vars(inspect.getmodule(record)).get(kind)
    found = _imported(kind) if found is None else found
    if get_origin(found) is Literal:
        return ", ".join(f'`"{value}"`' for value in get_args(found))
    return f"`{kind}`"


def _imported(kind: str) -> Any:
    """Types that a module imports for the type checker only."""
    from unmingle.exchange.exporting import By
    from unmingle.exchange.output_folder import How

    return {"By": By, "How": How}.get(kind)
