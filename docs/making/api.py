"""The names that Python users see, with their signatures and docstrings."""

from __future__ import annotations

import inspect
import re
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

import unmingle
import unmingle.api
from making.records import SECTION, about, fields_of
from unmingle.decisions.asking import Question
from unmingle.decisions.log import Decision
from unmingle.evaluation.metrics import Scores
from unmingle.evaluation.scores import Evaluation
from unmingle.records import Added
from unmingle.store.file_rows import Forgotten
from unmingle.store.integrity import Fault
from unmingle.upkeep import Checked

if TYPE_CHECKING:
    from collections.abc import Iterator

# What methods give back, which nobody imports.
RETURNED = (Added, Forgotten, Evaluation, Scores, Decision, Question, Checked, Fault)
ANNOTATION = re.compile(r"(: |-> )'([^']*)'")
DEEP = re.compile(r"<function (\w+) at [^>]*>")


def names() -> dict[str, Any]:
    """Everything public, by the name under which it is imported."""
    found = {f"unmingle.{name}": getattr(unmingle, name) for name in unmingle.__all__}
    homes = [getattr(unmingle.api, name) for name in unmingle.api.__all__]
    found |= {f"{one.__module__}.{one.__name__}": one for one in homes if one is not unmingle.Library}
    return {name: one for name, one in found.items() if name != "unmingle.__version__"}


def members(kind: type[Any]) -> Iterator[tuple[type[Any], str, Any]]:
    """The public methods and properties that are ours, each with its class: a class's own, then those of its bases."""
    seen = set()
    for base in kind.__mro__:
        for name, one in vars(base).items() if base.__module__.startswith("unmingle") else ():
            ours = isinstance(one, property) or inspect.isfunction(one)
            if ours and not name.startswith("_") and name not in seen:
                seen.add(name)
                yield base, name, one


def render() -> str:
    """All of it."""
    parts = [entry(name, one) for name, one in names().items()]
    parts.append("### What methods give back\n")
    parts.extend(record(one, one.__name__, "####") for one in RETURNED)
    return "\n".join(parts).rstrip() + "\n"


def entry(name: str, one: Any) -> str:
    """One name; of a class also its members."""
    if not isinstance(one, type):
        return f"### {name}\n\n```text\n{signature(name, one)}\n```\n\n{prose(one.__doc__)}\n"
    if is_dataclass(one) and one is not unmingle.Library:
        parts = [record(one, name, "###")]
    else:
        made = "" if issubclass(one, Exception) else f"```text\n{signature(name, one)}\n```\n\n"
        parts = [f"### {name}\n\n{made}{prose(one.__doc__)}\n"]
    told = {one}
    for base, member, method in members(one):
        if base not in told:
            told.add(base)
            parts.append(f"#### {base.__name__}\n\n{prose(base.__doc__)}\n")
        if isinstance(method, property):
            parts.append(f"#### {one.__name__}.{member}\n\n{prose(method.__doc__)}\n")
        else:
            shown = signature(member, method)
            parts.append(f"#### {one.__name__}.{member}()\n\n```text\n{shown}\n```\n\n{prose(method.__doc__)}\n")
    return "\n".join(parts)


def record(one: type[Any], name: str, level: str) -> str:
    """A record with its fields."""
    told = [field for field in fields_of(one) if not field.name.startswith("_")]
    rows = [f"| `{field.name}` | {field.meaning} |" for field in told]
    return "\n".join([f"{level} {name}\n", f"{about(one)}\n", "| field | meaning |\n|---|---|", *rows, ""])


def signature(name: str, one: Any) -> str:
    """How it is called, a line for each argument if it is long."""
    given = inspect.signature(one)
    kept = [each for each in given.parameters.values() if each.name != "self" and not each.name.startswith("_")]
    given = given.replace(parameters=kept)
    text = ANNOTATION.sub(r"\1\2", DEEP.sub(r"\1", f"{name}{given}")).replace("'", '"')
    if len(text) <= 100:
        return text
    inner, _, result = text[len(name) + 1 :].rpartition(")")
    return f"{name}(\n    " + ",\n    ".join(apart(inner)) + f",\n){result}"


def apart(arguments: str) -> list[str]:
    """Arguments one by one: commas inside brackets or quotes part nothing."""
    parts, depth, quoted = [""], 0, False
    for sign in arguments:
        quoted ^= sign == '"'
        depth += 0 if quoted else (sign in "([{") - (sign in ")]}")
        if sign == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]


def prose(docstring: str | None) -> str:
    """A docstring as Markdown: its sections become lists."""
    lines: list[str] = []
    section = ""
    for line in inspect.cleandoc(docstring or "").splitlines():
        if SECTION.match(line):
            section = line.rstrip(":")
            lines.append(f"{section}:\n")
        elif not section or not line.strip():
            lines.append(line)
        else:
            lines.append(listed(line, section))
    return "\n".join(lines).strip().replace("\n\n\n", "\n\n")


def listed(line: str, section: str) -> str:
    """A line of a section: a name begins an entry, more spaces go on with it."""
    text = line.removeprefix("    ")
    if text.startswith(" "):
        return f"  {text.strip()}"
    name, colon, rest = text.partition(": ")
    return f"- `{name}`: {rest}" if colon and section != "Returns" else f"- {text}" if section == "Raises" else text
