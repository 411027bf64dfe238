"""Run the code of a notebook without Jupyter, and print what its cells tagged "steady" show, as JSON by cell.

A cell is run as Jupyter does: its last expression is shown, with its picture or page if it has one.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any


def show(value: object) -> str:
    """What a notebook would: the page or picture must be there, the text is returned."""
    for name in ("_repr_html_", "_repr_png_"):
        if hasattr(value, name):
            assert getattr(value, name)(), f"{value!r} shows nothing"
    return repr(value)


def run(source: str, names: dict[str, Any], where: str) -> str:
    """Run one cell; the text of its last expression, empty without one."""
    tree = ast.parse(source, where)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        exec(compile(tree, where, "exec"), names)
        return ""
    del tree.body[-1]
    exec(compile(tree, where, "exec"), names)
    value = eval(compile(ast.Expression(last.value), where, "eval"), names)
    return "" if value is None else show(value)


def main(notebook: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    names: dict[str, Any] = {"__name__": "__main__", "display": show}
    steady = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            shown = run("".join(cell["source"]), names, cell["id"])
            if "steady" in cell["metadata"].get("tags", []):
                steady[cell["id"]] = shown
    print(json.dumps(steady))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
