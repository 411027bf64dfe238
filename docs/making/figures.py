"""Tables of figures, from the files in benchmarks/results."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RESULTS = Path(__file__).parent.parent.parent / "benchmarks" / "results"
CALLED = {
    "meeting": "two meetings",
    "umist": "grey pose sweeps (UMIST)",
    "pins_a": "celebrities, head crops",
    "lfw_a": "half of Labeled Faces in the Wild",
    "lfw_a with nonface and masked": "the same, with 300 masks and 300 pictures without a face",
}


@cache
def result(name: str) -> Any:
    """What a benchmark wrote."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"|{'|'.join(cells)}|" if set(cells) == {"---"} else f"| {' | '.join(cells)} |".replace("|  |", "| |")
        for cells in lines
    )


def main_job() -> str:
    """The README's table of what the default does with each collection."""
    told = (
        ("meeting", "two meetings, 1,583 crops, with masks and non-faces among them", ""),
        ("umist", "grey pose sweeps (UMIST), 575", ""),
        ("pins_a", "celebrities, head crops, 1,225", ""),
        ("sitcom", "actors, 100 crops", ""),
        ("johns", "five men called John, 55 crops", ""),
        ("lfw_a", "half of Labeled Faces in the Wild, 6,432 photographs", " ¹"),
    )
    measured = result("main_job") | result("main_job_lfw_a")
    rows = []
    for name, called, note in told:
        one = measured[name]
        assert f"{one['files']:,}" in called, called
        rows.append(
            [
                called,
                f"{one['people_in_library']:,}{' of at least two faces' if note else ''}, {one['people_true']:,}",
                f"{one['accuracy_covered' if note else 'accuracy']:.4f}{note}",
                f"{one['bcubed_f']:.4f}",
                f"{one['pictures_a_second']:.0f}",
                f"{one['peak_memory_mb'] / 1000:.2f} GB",
            ]
        )
    head = ("pictures", "people: found, true", "accuracy", "BCubed F", "pictures a second", "memory")
    return table(head, rows)


def side_by_side() -> str:
    """Every method on every set, at its default and at chosen settings."""
    measured = result("grouping_side_by_side")
    sets = [each["set"] for each in measured["sets"]]
    ours = ("best single setting", "best of each set")
    scores: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for run in measured["runs"]:
        scores.setdefault((run["method"], run["choice"]), {})[run["set"]] = run
    rows = []
    for method, choice in scores:
        if choice != "default":
            continue
        runs = scores[method, choice]
        cells = [f"{runs[name]['bcubed_f']:.4f}" for name in sets]
        mean = sum(runs[name]["bcubed_f"] for name in sets) / len(sets)
        for chosen in ("one for all", "best of set"):
            found = scores.get((method, chosen))
            cells.append(
                f"{sum(found[name]['bcubed_f'] for name in sets) / len(sets):.4f}"
                if found
                else ("no setting" if method == "unmingle" else "its default only")
            )
        cells.insert(len(sets), f"{mean:.4f}")
        shown = f"**{method}**" if method == "unmingle" else method
        rows.append((mean, [shown, *cells, f"{runs['lfw_a']['seconds']:.1f}, {runs['lfw_a']['memory_mb']:.0f}"]))
    head = ("method", *sets, "mean", *ours, "s, MB on lfw_a")
    return table(head, (cells for _, cells in sorted(rows, key=lambda row: -row[0])))


def leave_one_out() -> str:
    """Settings chosen without a set, on that set."""
    rows = [
        [name, *(f"{one[key]:.4f}" for key in ("chosen", "default", "best_in_hindsight"))]
        for name, one in result("grouping_leave_one_out")["left_out"].items()
    ]
    return table(("left out", "chosen on the others", "default", "best in hindsight"), rows)


def scale() -> str:
    """How time and memory grow."""
    rows = [
        [
            f"{one['faces']:,}",
            f"{one['seconds']:.0f}",
            f"{one['peak_megabytes'] / 1000:.2f} GB",
            f"{one['pairwise_f']:.4f}",
            f"{one['bcubed_f']:.4f}",
        ]
        for one in result("grouping_scale")["sizes"]
    ]
    return table(("faces", "seconds", "peak memory", "pairwise F", "BCubed F"), rows)


def triage() -> str:
    """What each rule about poor faces costs and saves."""
    rules = {
        "all rules": "all rules",
        "no rules": "no rule",
        "without covered": "without covered",
        "without not a face": "without no face",
        "turned faces may only join": "turned may only join",
    }
    measured = result("triage")
    rows = [
        [called, *(f"{measured[name][rule]['bcubed_f']:.4f}, {measured[name][rule]['strays']}" for rule in rules)]
        for name, called in CALLED.items()
    ]
    return table(("pictures", *rules.values()), [[row[0].removesuffix(", head crops"), *row[1:]] for row in rows])


def reviewer() -> str:
    """How much of the error is left after so many answers, by the order of the questions."""
    rows = []
    orders = {"ours": "**most useful first**", "uncertain first": "most uncertain first", "random": "random"}
    for name, called in (("pins_a", "celebrities (pins_a)"), ("lfw_a", "half of Labeled Faces in the Wild")):
        for order, shown in orders.items():
            error = result("reviewer")[name][order]["bcubed_error"]
            left = [one / error[0] for one in error]
            halved = next((str(i) for i, share in enumerate(left) if share <= 0.5), "never")
            rows.append([called if order == "ours" else "", shown, percent(left[20]), percent(left[60]), halved])
    head = ("collection", "order of the questions", "after 20", "after 60", "halved after")
    return table(head, rows)


def classic() -> str:
    """The notebook's features and ours."""
    one = result("classic")
    rows = [
        ["largest relative difference of a feature", f"{one['largest_relative_error']:.0e}".replace("e-0", " × 10^-")],
        ["pictures a second: the notebook's loop", f"{sorted(one['seed_per_second'])[2]:.1f}"],
        ["pictures a second: unmingle, same weights, same precision", f"{sorted(one['ours_per_second'])[2]:.1f}"],
        ["as fast, the median of five rounds", f"{one['ratio']:.1f} times"],
    ]
    return table(("`benchmarks/classic.py`, two cores", ""), rows)


def seed_meeting() -> str:
    """The collection that is like the notebook's."""
    one = result("main_job")["meeting"]
    rows = [
        ["people: found, true", f"{one['people_in_library']}, {one['people_true']}"],
        ["accuracy", f"{one['accuracy']:.4f}"],
        ["weighted F1", f"{one['weighted_f1']:.4f}"],
        ["non-faces set aside as such", percent(one["nonface_recall"], 1)],
        ["faces of people set aside", percent(one["face_loss"], 1)],
        ["files, seconds", f"{one['files']:,}, {one['seconds']:.0f}"],
    ]
    return table(("`benchmarks/main_job.py`", ""), rows)


def conditions_people() -> str:
    """How unequal people are."""
    rows = [
        [
            CALLED[name],
            f"{one['people']:,}",
            *(percent(one[kind]["of the worst tenth"]) for kind in ("strangers alike", "lost pairs")),
            *(percent(one[kind]["people with none"]) for kind in ("strangers alike", "lost pairs")),
        ]
        for name, one in result("conditions").items()
    ]
    head = ("collection", "people", "strangers alike: share of the worst tenth", "pairs lost: share of the worst tenth")
    return table((*head, "people like no stranger", "people who lose no pair"), rows)


def conditions_changes() -> str:
    """What each change of a picture costs."""
    measured = result("conditions")
    changes = list(next(iter(measured.values()))["changes"])
    rows = [
        [
            change,
            *(
                f"{percent(one['changes'][change]['lost'])}, {percent(one['changes'][change]['no face found'])}"
                for one in measured.values()
            ),
        ]
        for change in changes
    ]
    return table(("lost, of which no face", *(CALLED[name] for name in measured)), rows)


def conditions_bands() -> str:
    """Faces by quality and by brightness."""
    rows = []
    for name, one in result("conditions").items():
        for kind, digits in (("by quality", 2), ("by brightness", 0)):
            for number, band in enumerate(one[kind]):
                rows.append(
                    [
                        f"{CALLED[name]}, {kind}" if number == 0 else "",
                        f"{band['from']:.{digits}f} to {band['to']:.{digits}f}",
                        percent(band["lost"], 1),
                        f"{band['strangers']:.1f}",
                        f"{band['bcubed_f']:.4f}",
                    ]
                )
    return table(("collection", "part", "pairs lost", "strangers alike, of 1,000", "BCubed F"), rows)


PARTS = {
    "classic": classic,
    "conditions bands": conditions_bands,
    "conditions changes": conditions_changes,
    "conditions people": conditions_people,
    "leave one out": leave_one_out,
    "main job": main_job,
    "reviewer": reviewer,
    "scale": scale,
    "seed meeting": seed_meeting,
    "side by side": side_by_side,
    "triage": triage,
}


def percent(share: float, digits: int = 0) -> str:
    """A share as a text has it."""
    return f"{100 * share:.{digits}f} %"
