"""The page on errors: the tree, when each comes, and what it says, read from the code that raises it."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import unmingle
from unmingle import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(unmingle.__file__).parent
TITLE = """# Errors

Made from the program by `make docs`. Every error that unmingle raises on purpose is an `UnmingleError`. It has a
`problem`, what is wrong, and mostly a `mend`, what to do about it. The command line prints both and ends with exit
code 1. Anything else that is raised is a fault of ours. Below, … stands for a name or a number.

```python
import unmingle
from unmingle.errors import SourceError

try:
    unmingle.open("out").add("no such folder")
except SourceError as error:
    print(error.problem)
    print(error.mend)
```
"""


def kinds() -> list[type[errors.UnmingleError]]:
    """All errors, in the order of their module."""
    found = [one for one in vars(errors).values() if isinstance(one, type)]
    return [one for one in found if issubclass(one, errors.UnmingleError)]


def render() -> str:
    """The whole page."""
    tree = (f"{4 * (len(kind.__mro__) - 4) * ' '}{kind.__name__}" for kind in kinds())
    parts = [TITLE, "```text", *tree, "```\n"]
    said = sentences()
    for kind in kinds():
        above = "" if kind is errors.UnmingleError else f" A kind of `{kind.__bases__[0].__name__}`."
        more = "".join(f"\n- `{name}`: {text}" for name, text in attributes(kind).items())
        parts.append(f"## {kind.__name__}\n\n{about(kind)}{above}\n" + (f"{more}\n" if more else ""))
        rows = sorted(said.get(kind.__name__, set()))
        if rows:
            parts.append("| what is wrong | the mend |\n|---|---|")
            parts.extend(f"| {problem} | {mend} |" for problem, mend in rows)
            parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def about(kind: type[errors.UnmingleError]) -> str:
    """When it comes."""
    return inspect.cleandoc(kind.__doc__ or "").partition("\n\nArgs:")[0]


def attributes(kind: type[errors.UnmingleError]) -> dict[str, str]:
    """What it carries beside problem and mend."""
    text = inspect.cleandoc(kind.__doc__ or "").partition("\n\nArgs:\n")[2]
    pairs = (line.strip().partition(": ") for line in text.splitlines())
    return {name: meaning for name, _, meaning in pairs if name not in ("problem", "mend")}


def sentences() -> dict[str, set[tuple[str, str]]]:
    """By error: what is wrong and the mend, as the code has them; … stands for names and numbers."""
    names = {kind.__name__ for kind in kinds()}
    found: dict[str, set[tuple[str, str]]] = {}
    for path in sorted(SOURCE.glob("**/*.py")):
        text = path.read_text(encoding="utf-8")
        for scope in functions(ast.parse(text)) if any(f"{name}(" in text for name in names) else ():
            inside = list(ast.walk(scope))
            said = constants(inside)
            for call in calls(inside):
                if isinstance(call.func, ast.Name) and call.func.id in names and call.args:
                    problem, mend = (words(argument, said) for argument in [*call.args, ast.Constant("")][:2])
                    if problem:
                        found.setdefault(call.func.id, set()).add((problem, mend or ""))
    return found


def functions(tree: ast.Module) -> Iterator[ast.AST]:
    """Every function, each with its own names."""
    yield from (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def constants(inside: list[ast.AST]) -> dict[str, ast.expr]:
    """Names that a function gives to texts."""
    return {
        node.targets[0].id: node.value
        for node in inside
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def calls(inside: list[ast.AST]) -> Iterator[ast.Call]:
    """Every call in a function."""
    yield from (node for node in inside if isinstance(node, ast.Call))


def words(text: ast.expr, said: dict[str, ast.expr]) -> str | None:
    """A text as a reader sees it; None if it is made elsewhere."""
    if isinstance(text, ast.Name) and text.id in said:
        text = said[text.id]
    if isinstance(text, ast.Constant) and isinstance(text.value, str):
        return escaped(text.value)
    if isinstance(text, ast.JoinedStr):
        return escaped("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in text.values))
    return None


def escaped(text: str) -> str:
    """A text in a cell of a table."""
    for sign in "|*_<[":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
