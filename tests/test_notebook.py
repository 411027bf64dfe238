"""The example notebook: what it shows came from a run, and its code still runs and says the same."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import polars as pl
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "examples" / "seed-study.ipynb"
LARGEST = 1_500_000  # bytes, so that it opens at once and a clone stays small


def cells(kind: str) -> list[dict[str, Any]]:
    every: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in every if cell["cell_type"] == kind]


def outputs() -> Iterator[tuple[str, dict[str, Any]]]:
    for cell in cells("code"):
        for output in cell["outputs"]:
            yield cell["id"], output


def texts(output: dict[str, Any]) -> str:
    """Everything in an output that is no picture."""
    data = output.get("data", {})
    parts = [data.get("text/plain", ""), data.get("text/html", ""), output.get("text", "")]
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "", "".join("".join(part) for part in parts))


def test_what_it_shows_is_one_run_from_top_to_bottom() -> None:
    assert [cell["execution_count"] for cell in cells("code")] == list(range(1, len(cells("code")) + 1))
    kinds = [(output["output_type"], output.get("name")) for _, output in outputs()]
    assert ("error", None) not in kinds
    assert ("stream", "stderr") not in kinds
    assert len(kinds) > 15
    assert any("image/png" in output.get("data", {}) for _, output in outputs())
    assert sum(texts(output).count("<img") for _, output in outputs()) > 50


def test_it_is_whole_in_itself_and_not_large() -> None:
    assert NOTEBOOK.stat().st_size < LARGEST
    for cell, output in outputs():
        shown = texts(output)
        assert "://" not in shown, cell
        assert "<script" not in shown, cell
        assert not re.search(r"/(tmp|home|root|Users|work|var)/", shown), cell


def test_its_links_lead_somewhere() -> None:
    links = [link for cell in cells("markdown") for link in re.findall(r"\]\(([^)#\s]+)", "".join(cell["source"]))]
    assert links
    for link in links:
        assert (NOTEBOOK.parent / link).is_file(), link


def show(value: object) -> str:
    """What a notebook would: the page or picture must be there, the text is returned."""
    for name in ("_repr_html_", "_repr_png_"):
        if hasattr(value, name):
            assert getattr(value, name)(), f"{value!r} shows nothing"
    return repr(value)


def run(source: str, names: dict[str, Any], where: str) -> str:
    """Run one cell as Jupyter does; the text of its last expression, empty without one."""
    tree = ast.parse(source, where)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    exec(compile(tree, where, "exec"), names)
    value = eval(compile(ast.Expression(last.value), where, "eval"), names) if isinstance(last, ast.Expr) else None
    return "" if value is None else show(value)


@pytest.mark.slow
def test_its_code_runs_and_says_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mpl.use("agg")
    monkeypatch.delenv("UNMINGLE_STUDY", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__", "display": show}
    with pl.Config():
        said = {cell["id"]: run("".join(cell["source"]), names, cell["id"]) for cell in cells("code")}
    for cell in cells("code"):
        if "steady" in cell["metadata"].get("tags", []):
            stored = "".join(cell["outputs"][-1]["data"]["text/plain"])
            assert said[cell["id"]] == stored, "run: make notebook"
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


def test_a_cell_that_fails_is_noticed() -> None:
    names: dict[str, Any] = {}
    assert run("a = 1\na + 1", names, "cell") == "2"
    assert run("b = a", names, "cell") == ""
    with pytest.raises(NameError):
        run("nothing_like_it", names, "cell")
