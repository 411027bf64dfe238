"""The result of side_by_side.py as tables and as a plot.

python benchmarks/grouping/presentation.py grouping.json [--table FILE.md] [--plot FILE.png]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Row = dict[str, Any]

CHOICES = ("default", "one for all", "best of set")
OURS = "unmingle"
TICKS = (0, 0.5, 0.8, 0.9, 0.95, 0.99, 1)  # spaced by the square root of what is missing to 1: good scores lie apart
INK, OURS_INK, GRID_INK, BLUE, GRAY = "#30343b", "#c2410c", "#e4e7ec", "#1d4f91", "#7d8798"
MARKS = {
    "default": {"marker": "o", "s": 42, "color": BLUE},
    "one for all": {"marker": "D", "s": 72, "facecolor": "white", "edgecolor": BLUE, "linewidth": 1.3},
    "best of set": {"marker": "|", "s": 190, "color": GRAY, "linewidth": 2.2},
}


def save(result: dict[str, Any], table: Path | None, plot: Path | None) -> None:
    """Write what is asked for."""
    if table:
        table.write_text("\n".join(tables(result)) + "\n", encoding="utf-8")
    if plot:
        draw(result, plot)


def tables(result: dict[str, Any]) -> Iterator[str]:
    """Markdown: means over the collections, a table a collection, FINCH level by level, and what failed."""
    names = [each["set"] for each in result["sets"]]
    yield f"## Mean BCubed F over {', '.join(names)}\n"
    yield from markdown(("method", *CHOICES, "the one for all"), means(result))
    for each in result["sets"]:
        faces = f"{each['faces']} faces" + ("" if each["faces"] == each["scored"] else f", {each['scored']} scored")
        people = f"{each['people']} people, {each['people_with_two']} with two faces or more"
        yield f"\n## {each['set']}: {faces}, {people}\n"
        head = (
            "method",
            "setting",
            "BCubed F",
            "pairwise F",
            "people found",
            "seconds",
            "memory, MB",
            "chosen setting",
        )
        yield from markdown(head, (run_cells(row) for row in shown(result, each["set"])))
    levels = [row for row in result["grid"] if row["method"] == "FINCH" and "setting" in row]
    if levels:
        yield "\n## FINCH, level by level: BCubed F (people found)\n"
        yield from markdown(("level", *names), (level_cells(row, names) for row in levels))
    problems = [row for row in (*result["runs"], *result["grid"]) if "problem" in row]
    if problems:
        yield "\n## What failed\n"
        yield from markdown(
            ("method", "collection", "part", "problem"),
            ((row["method"], row["set"], row.get("choice", "grid"), row["problem"]) for row in problems),
        )


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def means(result: dict[str, Any]) -> Iterator[Sequence[str]]:
    """Each method's means; a choice that failed on some collection has none."""
    for method in methods(result):
        chosen = [mean(result, method, choice) for choice in CHOICES]
        setting = next((r["setting"] for r in result["runs"] if (r["method"], r["choice"]) == (method, CHOICES[1])), {})
        yield bold_ours(method), *("–" if f is None else f"{f:.4f}" for f in chosen), words(setting)


def mean(result: dict[str, Any], method: str, choice: str) -> float | None:
    scores = [row.get("bcubed_f") for row in result["runs"] if (row["method"], row["choice"]) == (method, choice)]
    return float(np.mean(scores)) if scores and None not in scores else None


def methods(result: dict[str, Any]) -> list[str]:
    """In the order in which they were run."""
    return list(dict.fromkeys(row["method"] for row in result["runs"]))


def shown(result: dict[str, Any], name: str) -> list[Row]:
    """The finished runs on a collection, method by method."""
    rows = [row for row in result["runs"] if row["set"] == name and "problem" not in row]
    return sorted(rows, key=lambda row: methods(result).index(row["method"]))


def run_cells(row: Row) -> tuple[str, ...]:
    return (
        bold_ours(row["method"]),
        row["choice"],
        f"{row['bcubed_f']:.4f}",
        f"{row['pairwise_f']:.4f}",
        str(row["people_found"]),
        f"{row['seconds']:.2f}",
        f"{row['memory_mb']:.0f}",
        words(row["setting"]),
    )


def level_cells(row: Row, names: list[str]) -> tuple[str, ...]:
    found = ((row["bcubed_f"].get(name), row["people_found"].get(name)) for name in names)
    return str(row["setting"]["level"]), *("–" if f is None else f"{f:.4f} ({people})" for f, people in found)


def bold_ours(method: str) -> str:
    return f"**{method}**" if method == OURS else method


def words(setting: Row) -> str:
    return ", ".join(f"{key} {value}" for key, value in setting.items())


def draw(result: dict[str, Any], path: Path) -> None:
    """BCubed F: a panel a collection and one for the means, a line a method, a mark a choice of settings."""
    from matplotlib.figure import Figure

    order = sorted(methods(result), key=lambda method: (method != OURS, -(mean(result, method, CHOICES[0]) or 0)))
    panels = [("mean of all\n", {(m, c): mean(result, m, c) for m in order for c in CHOICES})]
    for each in result["sets"]:
        cells = {(row["method"], row["choice"]): row["bcubed_f"] for row in shown(result, each["set"])}
        panels.append((f"{each['set']}\n{each['scored']:,} faces, {each['people']:,} people", cells))
    rows = -(-len(panels) // 4)
    columns = -(-len(panels) // rows)
    figure = Figure(figsize=(2.2 + 2.9 * columns, 1.4 + rows * (0.9 + 0.3 * len(order))), layout="constrained")
    all_axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes, (title, cells) in zip(all_axes, panels, strict=False):
        frame(axes, title, order)
        panel(axes, cells, order)
    for axes in all_axes[len(panels) :]:
        axes.set_visible(False)
    figure.suptitle("BCubed F on the same embeddings", fontsize=13, fontweight="bold", color=INK)
    legend(figure)
    figure.savefig(path, dpi=150, facecolor="white")


def frame(axes: Axes, title: str, order: list[str]) -> None:
    """Title, scales and names of an empty panel."""
    axes.set_title(title, fontsize=9.5, color=INK)
    # Limits first: beyond 1 the scale goes on as its mirror image, so that marks at 1 are whole.
    axes.set_xlim(0, 1.002)
    axes.set_xscale("function", functions=(spread, gather))
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_yticks(range(len(order)), order, fontsize=9, color=INK)
    for label, method in zip(axes.get_yticklabels(), order, strict=False):  # none but in the first of a row
        if method == OURS:
            label.set(color=OURS_INK, fontweight="bold")
    axes.tick_params(axis="both", which="both", length=0, labelsize=8.5)
    axes.grid(axis="x", color=GRID_INK, linewidth=0.8, zorder=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID_INK)


def spread(f: Any) -> Any:
    return np.sign(f - 1) * np.sqrt(np.abs(f - 1))


def gather(x: Any) -> Any:
    return 1 + np.sign(x) * np.square(x)


def panel(axes: Axes, cells: dict[tuple[str, str], float | None], order: list[str]) -> None:
    """The marks of one collection."""
    for y, method in enumerate(order):
        found = {choice: cells.get((method, choice)) for choice in CHOICES}
        known = {choice: f for choice, f in found.items() if f is not None}
        if not known:
            axes.text(0.5, y, "not finished", va="center", ha="center", fontsize=8, color=GRAY)
            continue
        least, most = min(known.values()), max(known.values())
        axes.plot([least, most], [y, y], color="#d5deeb", linewidth=3, zorder=1, solid_capstyle="round")
        for choice in reversed(CHOICES):  # the default lies on top
            if choice in known:
                color = {"color": OURS_INK} if method == OURS else {}
                axes.scatter([known[choice]], [y], zorder=3, clip_on=False, **{**MARKS[choice], **color})
    ours = cells.get((OURS, CHOICES[0]))
    if ours is not None:
        axes.axvline(ours, color=OURS_INK, linestyle="--", linewidth=1, zorder=0.5)


def legend(figure: Figure) -> None:
    """What the marks are."""
    from matplotlib.lines import Line2D

    texts = (
        "default, nothing known",
        "one setting for all, chosen with the labels",
        "best setting of each set, chosen with the labels",
    )
    looks: tuple[Row, ...] = (
        {"marker": "o", "markersize": 6.5, "color": BLUE},
        {"marker": "D", "markersize": 7.5, "markerfacecolor": "white", "markeredgewidth": 1.3, "color": BLUE},
        {"marker": "|", "markersize": 13, "markeredgewidth": 2.2, "color": GRAY},
    )
    keys = [Line2D([], [], linestyle="", label=text, **look) for text, look in zip(texts, looks, strict=True)]
    keys.append(Line2D([], [], linestyle="--", color=OURS_INK, linewidth=1, label="unmingle, default"))
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys), frameon=False, fontsize=9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    save(json.loads(options.result.read_text(encoding="utf-8")), options.table, options.plot)


if __name__ == "__main__":
    main()
