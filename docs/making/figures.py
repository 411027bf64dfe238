"""Tables of figures, from the files in benchmarks/results."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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
        ("families_a", "relatives, many small children, 5,719 faces", " ¹"),
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


def in_cells() -> str:
    """Grouping in cells, as on a Ray cluster, against one machine."""
    ways = {"one_machine": "on one machine", "in_cells": "in cells", "on_ray": "in cells, on Ray"}
    rows = [
        [
            f"{int(size):,}",
            way,
            *(f"{of[key][score]:.4f}" for score in ("pairwise_f", "bcubed_f")),
            f"{of[key]['processor_seconds']:.0f}",
            f"{of[key]['worker_bytes'] / 1e9:.2f} GB" if "worker_bytes" in of[key] else "",
        ]
        for size, of in result("distributed_cells")["sizes"].items()
        for key, way in ways.items()
        if key in of
    ]
    return table(("faces", "", "pairwise F", "BCubed F", "processor seconds", "largest worker"), rows)


def added_to_cells() -> str:
    """New faces among clusters that are kept in cells, as on a Ray cluster."""
    measured = result("distributed_adding")
    rows = [
        [f"{one.get('new', measured['faces']):,}", f"{one['pairwise_f']:.4f}", f"{one['processor_seconds']:.1f}"]
        for one in (*measured["added"], measured["all"])
    ]
    return table((f"new, of {measured['faces']:,} faces", "pairwise F of all", "processor seconds"), rows)


def cluster_model() -> str:
    """What a large collection would take on a cluster."""
    found = result("distributed_model")
    of = found["model"]
    rows = [
        ["finding faces", f"{of['analysis_hours']:.1f} hours", "assumed time a picture; a dry run measures it"],
        [
            "grouping, on all cores",
            f"{60 * of['grouping_hours_of_processors']:.1f} minutes",
            "measured, and scaled by faces",
        ],
        ["grouping, in one place", f"{60 * of['grouping_hours_in_one_place']:.1f} minutes", "measured, and scaled"],
        ["grouping, between nodes", f"{60 * of['grouping_hours_of_network']:.1f} minutes", "assumed rate"],
        ["sent between nodes", f"{of['shuffled_bytes'] / 1e9:,.0f} GB", "counted by the rows of each round"],
        ["disk", f"{of['bytes_on_disk'] / 1e9:,.0f} GB", "counted; thumbnails assumed"],
        ["memory of a node", f"{of['memory_of_a_node'] / 1e9:.0f} GB", "measured on Ray, of a worker"],
        [
            "memory of the driver",
            f"{of['memory_of_the_driver'] / 1e9:.0f} GB",
            "counted: who is whose, before and after",
        ],
        [
            "wrong merges expected",
            f"{of['expected_false_merges']:,.0f}",
            "one in fifty clusters, as `--strictness` says",
        ],
    ]
    return table((f"{of['faces']:,.0f} faces, {of['nodes']:.0f} nodes", "", "how it is known"), rows)


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


def photo_names() -> str:
    """How many people get their names from what their pictures say as wholes."""
    called = {"made up": "made-up people", "pins_a": "celebrities, as they were found"}
    rows = [
        [
            called[name],
            f"{one['albums']}",
            f"{one['right']:,} of {one['often']:,}",
            f"{one['wrong']:,} of {one['sure']:,}",
        ]
        for name, one in result("photo_names").items()
    ]
    return table(("people", "albums", "named in ten pictures, and found", "names taken that are wrong"), rows)


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


def figures_in_short() -> str:
    """The README's five rows."""
    measured, lfw = result("main_job"), result("main_job_lfw_a")["lfw_a"]
    long = result("recordings")["long"]
    (million,), page = result("grouping_scale_avx2")["sizes"], result("review_page_avx2")
    meeting, celebrities = measured["meeting"], measured["pins_a"]
    rows = [
        [
            f"two meetings, {meeting['files']:,} crops, masks and non-faces among them",
            f"{meeting['people_in_library']} of {meeting['people_true']} people, BCubed F {meeting['bcubed_f']:.4f},"
            f" {meeting['pictures_a_second']:.0f} crops a second",
        ],
        [
            f"celebrities, {celebrities['files']:,} head crops",
            f"{celebrities['people_in_library']} of {celebrities['people_true']} people,"
            f" BCubed F {celebrities['bcubed_f']:.4f}",
        ],
        [
            f"half of Labeled Faces in the Wild, {lfw['files']:,} photographs",
            f"BCubed F {lfw['bcubed_f']:.4f}; two thirds of its {lfw['people_true']:,} people have one picture",
        ],
        [
            f"{long['recording_seconds'] / 60:.0f} minutes of a recorded meeting",
            f"{long['seconds']:.0f} s ({long['times_real_time']:.0f} times real time),"
            f" {long['memory_mb'] / 1000:.2f} GB",
        ],
        [
            "a million faces grouped; the review page with 100,000",
            f"{million['seconds']:.0f} s, {million['peak_megabytes'] / 1000:.1f} GB;"
            f" first view {page['first_view_ms']['first'] / 1000:.1f} s",
        ],
    ]
    return table(("what", "measured"), rows)


ROUTES = ("picture_with_names", "faces_like", "break_up_largest", "drop_a_picture", "left_out")


def other_figures() -> str:
    """Speed, and what has no table of its own."""
    start, page, recorded = result("startup"), result("review_page"), result("recordings")
    exports, report, few = result("exports"), result("report")["lfw_a"], result("grouping_few_new")
    side, folders = exports["round_trip"]["sidecars"], exports["folders"]
    small, twelve = result("photographs")["4000 pixels wide"], result("twelve_megapixels")
    tiled, whole = (percent(small[how]["24"]) for how in ("recall", "recall without tiles"))
    decisions = [one["median"] for one in page["decisions_ms"].values()]
    painted = [one["painted_ms"] / 1000 for one in page["scroll"]]
    others = [one["purity"] for name, one in result("tracking")["cut"].items() if not name.startswith("ours")]
    kills, erasing, flips = result("kills"), result("erasing"), result("flips")
    encrypting, sealed = result("kills_encrypting"), result("encryption")
    killed, held, bombs = result("kills_of_other_work").values(), result("connections"), result("bombs")
    alone, together = [one["with_good"] for one in bombs["pictures"].values()], bombs["all_in_one_folder"]
    tables = [one["alone"] for door in ("tables", "sidecars") for one in bombs[door].values()]
    rows = [
        [
            "`import unmingle`; `unmingle --help`; `unmingle cluster` on 50 known crops",
            f"{start['import unmingle']['seconds']:.2f} s; {start['unmingle --help']['seconds']:.2f} s;"
            f" {start['unmingle cluster, 50 known crops']['seconds']:.1f} s",
            "startup",
        ],
        *(
            [
                f"a library of {one['faces']:,} faces: `people`, `show`, `name` (processor time)",
                "; ".join(f"{one[name]['processor_seconds']:.1f} s" for name in ("people", "show", "name")),
                "library_size",
            ]
            for one in result("library_size")
        ),
        *(
            [
                f"1,000 pictures to a library of {one['faces']:,} faces, all beyond their analysis; everything anew"
                " (processor time)",
                f"{one['added']['processor_seconds']:.0f} s; {one['all']['processor_seconds']:.0f} s",
                "adding_pictures",
            ]
            for one in result("adding_pictures")
        ),
        [
            "the review page with 100,000 faces: first view; a decision; faces after a jump of one to forty screens",
            f"{page['first_view_ms']['first'] / 1000:.1f} to {page['first_view_ms']['worst'] / 1000:.1f} s;"
            f" {min(decisions):.0f} to {max(decisions):.0f} ms; {min(painted):.1f} to {max(painted):.1f} s",
            "review_page",
        ],
        [
            "there a picture with its names; faces like one; the largest person in parts; who is in a picture; what is"
            " left out (processor time of the server, once each was asked for)",
            "; ".join(f"{page['routes_ms'][name]['processor']:.0f} ms" for name in ROUTES),
            "review_page",
        ],
        [
            "the report of half of Labeled Faces in the Wild: made; opened in Chromium; size",
            f"{report['made_in_seconds']:.0f} s; {report['opened']['seconds']:.1f} s; {report['megabytes']:.1f} MB",
            "report",
        ],
        [
            "two meetings from their recordings alone, 960×480",
            f"{percent(recorded['found'], 1)} of the faces found, {percent(recorded['right'])} of them in the right one"
            f" of {recorded['people']} people, no track with two people",
            "recordings",
        ],
        [
            "the same with a cut each second: the purest of SORT, OC-SORT and ByteTrack",
            f"{percent(max(others))} of the faces in tracks of their own person; ours 100 %",
            "tracking",
        ],
        *(
            [
                f"ten minutes of such a recording{larger}",
                f"{long['seconds']:.0f} s, {long['processor_seconds']:.0f} s of processor time,"
                f" {long['memory_mb'] / 1000:.2f} GB",
                "recordings --loop 600 --hd",
            ]
            for larger, long in (("", recorded["long"]), (", enlarged to 1920×1080", recorded["hd"]))
        ),
        [
            "faces of 24 pixels in a photograph 4,000 pixels wide",
            f"{tiled} found; {whole} without the finest scale",
            "photographs",
        ],
        [
            "40 photographs of 12 megapixels; decoding them with Pillow alone",
            f"{twelve['unmingle_processor']:.0f} s; {twelve['pillow_processor']:.0f} s of processor time",
            "twelve_megapixels",
        ],
        [
            f"{kills['kills']:,} kills while deciding and adding",
            f"{len(kills['wrong'])} answered decisions or pictures lost",
            "kills",
        ],
        [
            "an encrypted library's processor time over a plain one's: adding; of the page with"
            f" {sealed['faces']:,} faces, the first view, faces anywhere, a person, a decision",
            "; ".join(f"{sealed[what]['ratio']:.2f}" for what in ("adding", "view", "jump", "open", "decide")),
            "encryption",
        ],
        [
            f"{min(one['kills'] for one in killed):,} kills each while exporting, repairing and backing up",
            f"{sum(len(one['wrong']) for one in killed)} that left what the next run doesn't put right",
            "kills --work …",
        ],
        [
            f"{len(alone)} pictures made to take gigabytes or minutes, each among good ones: the most that one takes",
            f"{max(one['peak_mb'] for one in alone) / 1000:.2f} GB, {max(one['seconds'] for one in alone):.0f} s;"
            f" {min(one['good_faces'] for one in alone)} of {bombs['good_alone']['good_faces']} good faces found",
            "bombs",
        ],
        [
            f"{len(tables)} such tables and sidecars; all these pictures in one folder",
            f"{max(one['peak_mb'] for one in tables) / 1000:.2f} GB, {max(one['seconds'] for one in tables):.0f} s;"
            f" {together['peak_mb'] / 1000:.2f} GB, {together['seconds']:.0f} s",
            "bombs",
        ],
        [
            f"{held['connections']:,} connections held for {held['seconds']:.0f} s: the page answers in",
            f"{held['median_ms']:.0f} ms, at worst {held['worst_ms']:.0f}; {held['failed']} of"
            f" {held['answers'] + held['failed']} answers failed",
            "connections",
        ],
        [
            f"{encrypting['kills']:,} kills while encrypting, decrypting or changing the key,"
            f" {encrypting['too_late']:,} of them too late to stop it",
            f"{len(encrypting['wrong'])} that don't open whole, or leave anything readable",
            "kills --encrypting",
        ],
        [
            f"{erasing['kills']:,} kills while erasing, {erasing['erased']:,} of them too late to stop it",
            f"{len(erasing['wrong'])} with a byte left of anybody, or with anybody else changed",
            "erasing",
        ],
        [
            f"bytes flipped in a library, {flips['flips']:,} times: entries of the log lost; faults that a repair left",
            f"{flips['entries_lost']}; {flips['faults_left_by_repair']}",
            "flips",
        ],
        [
            f"{exports['pictures']:,} pictures to XMP and into a new library: names that came back; regions off by",
            f"{side['names_that_came_back']:,} of {side['named_faces']:,}; {side['worst_pixels']:.1f} pixels",
            "exports",
        ],
        [
            f"{folders['faces']:,} faces in folders of {folders['folders']:,} people, by hard link",
            f"{folders['seconds']:.0f} s",
            "exports",
        ],
        [
            "one face asked about among a million",
            f"{result('grouping_adding')['time'][-1]['milliseconds_median']:.0f} ms",
            "grouping/adding",
        ],
        *(
            [
                f"{called}: BCubed F where only what the last {new['new']:,} touch is grouped again; of"
                " grouping all; faces elsewhere",
                f"{', '.join(f'{score:.4f}' for score in new['bcubed_f_added'])}; {new['bcubed_f_anew']:.4f};"
                f" {100 * new['differ_share']:.1f} %",
                "grouping/few_new",
            ]
            for called, new in (
                ("half of Labeled Faces in the Wild", few["lfw_a"]),
                ("relatives and small children", few["families_a"]),
                ("100,000 generated faces", few["made 100000"]),
            )
        ),
        [
            "half of Labeled Faces in the Wild: accuracy over all faces, strangers among them",
            f"{result('main_job_lfw_a')['lfw_a']['accuracy']:.4f}",
            "main_job",
        ],
    ]
    return table(("what", "measured", "by `benchmarks/…`"), [[what, figure, f"`{by}`"] for what, figure, by in rows])


def fuzz() -> str:
    """Odd and damaged files, by kind."""
    faults = ("tracebacks", "hangs", "crashes", "lost_rows")
    rows = [
        [kind, *(f"{one[key]:,}" for key in ("mutants", "read", "refused", *faults))]
        for kind, one in result("fuzz")["kinds"].items()
    ]
    return table(
        ("kind", "files", "read", "refused with a reason", *(fault.replace("_", " ") for fault in faults)), rows
    )


def subcollections() -> str:
    """Random parts of the sets."""
    found = result("grouping_subcollections")
    rows = [
        [name, str(one["parts"]), *(f"{one[key]:.4f}" for key in ("mean_bcubed_f", "p5_bcubed_f", "least_bcubed_f"))]
        for name, one in [*found["by_collection"].items(), ("all", found["all"])]
    ]
    return table(("parts of", "parts", "BCubed F: mean", "5th percentile", "least"), rows)


def left_out() -> str:
    """How often the rules on what is left out err, in percent."""
    kinds = (
        ("meeting", "people", "the meetings' five people, bare"),
        ("meeting", "ID=0", "the meetings' crops without a face"),
        ("meeting", "Mask=Y", "the meetings' drawn masks"),
        ("umist", "all", "grey pose sweeps (UMIST)"),
        ("pins_a", "all", "celebrities, head crops"),
        ("lfw_a", "all", "half of Labeled Faces in the Wild"),
        ("sitcom", "all", "actors"),
        ("johns", "all", "five men called John"),
        ("nonface", "all", "pictures without a face"),
        ("masked", "all", "real masks"),
    )
    measured = result("left_out")
    rows = [
        [called, f"{one['pictures']:,}", f"{one['lost']:.2f}", f"{one['masked']:.2f}"]
        for name, kind, called in kinds
        if (one := measured.get(name, {}).get(kind))
    ]
    return table(("pictures", "", "set aside, %", "flagged as masked, %"), rows)


def degradation() -> str:
    """At which size and blur a picture is lost."""
    rows = [
        [
            CALLED[name],
            *(f"{one['pixels'][lost]:.0f}" for lost in ("half lost at", "nine in ten lost at")),
            f"{one['blur']['half lost at']:.1f}",
        ]
        for name, one in result("degradation").items()
        if name in CALLED
    ]
    return table(("collection", "half lost at, pixels", "nine in ten lost at, pixels", "half lost at a blur of"), rows)


def poor_pictures() -> str:
    """Collections made poorer, in the whole job and beside the best of other methods."""
    called = {**CALLED, "sitcom": "actors", "johns": "five men called John", "families_a": "families"}
    rows = []
    for name, ways in result("poor_pictures").items():
        for way, one in ways.items():
            best = max(one["others"].items(), key=lambda other: other[1]["bcubed_f"])
            people = f"{one['people found']} of {one['people']}" if name in ("pins_a", "sitcom", "johns") else ""
            rows.append([
                called[name] if way == "as they are" else "",
                way,
                f"{one['no face']}, {one['of them alone']} of {one['pictures']}",
                people,
                *(f"{of['bcubed_f']:.4f}" for of in (one, one["grouped"])),
                f"{best[1]['bcubed_f']:.4f} ({best[0]})",
            ])  # fmt: skip
    head = ("pictures", "", "lost, border and alone", "people", "BCubed F", "of the grouped", "best of others")
    return table(head, rows)


def processors() -> str:
    """How long SFace takes for a face, by what a processor has."""
    called = {
        "AVX2": "AVX2",
        "AVX2_VNNI": "AVX2 and VNNI",
        "AVX512_CORE_VNNI": "AVX-512 and VNNI",
        "AVX512_CORE_BF16": "AVX-512, VNNI and bf16",
    }
    rows = [
        [called[name], *(f"{one[way]:.1f}" if way in one else "" for way in ("f32", "bf16", "int8"))]
        for name, one in result("processors").items()
    ]
    return table(("milliseconds a face with", "f32", "bf16", "int8"), rows)


def precision() -> str:
    """What bf16 and int8 cost, for each network."""
    rows = []
    for way, sets in result("precision").items():
        if not way.startswith("SFace"):
            continue
        for name, one in sets.items():
            rates = (f"{one['tpr'][once]:.4f}" for once in ("10,000", "100,000"))
            rows.append([way, CALLED[name], f"{one['cosine']:.4f}", *rates, f"{one['bcubed_f']:.4f}"])
            way = ""
    return table(("arithmetic", "collection", "cosine", "TPR at 10^-4", "TPR at 10^-5", "BCubed F"), rows)


def crowded() -> str:
    """Collections of relatives, with the local part of the impostor distribution and without."""
    called = CALLED | {
        "families_a": "relatives, many small children",
        "families_a, half 1": "the same, half of the families",
        "families_a, half 2": "the same, the other half",
        "crowd": "the most alike of them, who are one cluster without",
    }
    rows = []
    for name, ways in result("crowded")["collections"].items():
        without, local = ways["without"], ways["with"]
        rows.append(
            [
                " and ".join(called.get(part, part) for part in name.split(" + ")),
                *(
                    f"{without[key]:.4f}, **{local[key]:.4f}**"
                    for key in ("pairwise_precision", "pairwise_f", "bcubed_f")
                ),
                f"{percent(without['strays'])}, **{percent(local['strays'])}**",
            ]
        )
    head = ("pictures: without, **with**", "pairwise precision", "pairwise F", "BCubed F", "most strays")
    return table(head, rows)


WAYS = {"unmingle": "unmingle", "opencv": "OpenCV's recipe", "dlib": "dlib's recipe"}


def meetings() -> str:
    """Random meetings: how many have the right people, and what is left out of them."""
    rows = []
    for called, measured in (
        ("looked at while this was built", result("meetings")),
        ("others", result("meetings_new")),
        ("others, drawn for this version", result("meetings_latest")),
        ("a harder draw, looked at", result("meetings_hard")),
        ("a harder draw, others", result("meetings_hard_new")),
        ("a harder draw, once more others", result("meetings_hard_more")),
    ):
        one, each = measured["all"], list(measured["meetings"].values())
        left = sum(sum(of.get("left_out", {}).values()) for of in each)
        rows.append([called, *map(str, (one["meetings"], one["right_number"], one["accuracy_enough"], left))])
    head = (
        "meetings",
        "how many",
        "exactly the right number of people",
        "accuracy of at least 0.999",
        "crops left out",
    )
    return table(head, rows)


def small_faces() -> str:
    """What averaging a face with its mirror image gives, by size."""
    rows = []
    for name, one in result("small_faces").items():
        for side, ways in sorted(one["sides"].items(), key=lambda item: int(item[0])):
            plain, both = ways["plain"], ways["mirrored"]
            pairs = [
                f"{percent(plain['rates'][i], 1)}, {percent(both['rates'][i], 1)}" for i in range(len(plain["rates"]))
            ]
            rows.append([name, side, *pairs, f"{plain['bcubed_f']:.4f}, {both['bcubed_f']:.4f}"])
    return table(("set", "pixels", "pairs above 1 in 10,000", "above 1 in 100,000", "BCubed F"), rows)


def pair_calibration() -> str:
    """How far the probabilities of pairs are off, and how far right ones would look."""
    rows = []
    for name, kinds in result("grouping_pair_calibration").items():
        for kind, one in kinds.items():
            errors = []
            for way in ("each_case", "once"):
                mean, most = one[way]["by_chance"]
                errors.append(f"{one[way]['calibration_error']:.3f} ({mean:.3f}, {most:.3f})")
            said = f"{percent(one['once']['probability'], 1)}, {percent(one['once']['right'], 1)}"
            rows.append([name, kind, f"{one['cases']:,}", f"{one['pairs_of_people']:,}", *errors, said])
    head = ("set", "people", "cases", "pairs of people", "error, each case", "each pair of people once", "said, right")
    return table(head, rows)


def looks() -> str:
    """What each look adds, and its share of the processor time."""
    measured = result("looks")
    rows = []
    for look in measured["lfw_a"]["looks"]:
        found = {name: one["looks"][look] for name, one in measured.items()}
        faces = sum(one["pictures"] for name, one in measured.items() if name in _OF_FACES)
        added = sum(found[name]["faces"] for name in _OF_FACES)
        spent = sum(one["milliseconds"] * one["pictures"] for name, one in measured.items() if name in _OF_FACES)
        cost = sum(
            found[name]["cost"] * measured[name]["milliseconds"] * measured[name]["pictures"] for name in _OF_FACES
        )
        others = [
            part
            for name in ("nonface", "12 megapixels")
            for part in (f"{found[name]['faces']} and {found[name]['candidates']}", percent(found[name]["cost"]))
        ]
        rows.append([look, f"{added} in {faces:,}", percent(cost / spent), *others])
    head = ("without", "faces lost, seven sets", "time saved", "no faces: faces and candidates", "time saved")
    return table((*head, "12 megapixels: faces and candidates", "time saved"), rows)


_OF_FACES = ("meeting", "lfw_a", "pins_a", "umist", "families_a", "sitcom", "masked")


def any_model() -> str:
    """Embeddings of dlib, grouped without a curve."""
    keys = ("plain_cosine", "chinese_whispers", "chinese_whispers_best")
    rows = [
        [
            name,
            f"{one['faces']:,}, {one['people']:,}",
            f"**{one['bcubed_f']:.4f}**",
            *(f"{one[key]:.4f}" for key in keys),
        ]
        for name, one in result("any_model").items()
    ]
    ways = ("`FaceClusterer()`", "without adapting", "Chinese whispers at 0.5", "at its best")
    return table(("pictures", "faces, people", *ways), rows)


def variants() -> str:
    """Pictures beside themselves, changed."""
    measured = result("variants")
    rows = [
        [
            name,
            percent(one["found"] / measured["faces"], 1),
            percent(one["sure found"] / one["sure"], 1),
            f"{one['cosine, median']:.2f}, {one['cosine, one in twenty']:.2f}",
            str(one["one read as another"]),
        ]
        for name, one in measured["changed"].items()
    ]
    head = ("the same", "faces found again", "sure ones", "cosine: median, one in twenty below")
    return table((*head, "pictures with one read as another"), rows)


def peers(measured: str = "peers") -> str:
    """Other recipes on the same pictures."""
    rows = []
    for name, sets in result(measured).items():
        if name == "processor":
            continue
        for way, called in WAYS.items():
            one = sets[way]
            rows.append(
                [
                    f"{sets['pictures']:,} of {CALLED.get(name, name)}" if way == "unmingle" else "",
                    f"**{called}**" if way == "unmingle" else called,
                    f"{one['pictures_a_second']:.1f}",
                    f"{one['pictures_a_second_of_processor']:.1f}",
                    f"{one['peak_memory_mb'] / 1000:.2f} GB",
                    f"{one['bcubed_f']:.4f}" if "bcubed_f" in one else "",
                ]
            )
    head = ("pictures", "by", "pictures a second", "a second of processor time", "memory", "BCubed F")
    return table(head, rows)


def floor(measured: str = "floor") -> str:
    """Milliseconds of processor time a picture, by what takes them, and the least that the networks allow."""
    rows = []
    for name, one in result(measured).items():
        if name == "processor":
            continue
        spent = {part: of["milliseconds"] for part, of in one["parts"].items()}
        embedding = sum(took for part, took in spent.items() if part.startswith("SFace"))
        decoding = spent["reading and decoding"]
        other = one["milliseconds"] - one["networks"] - decoding
        parts = (embedding, one["networks"] - embedding, decoding, other, one["milliseconds"], one["least"])
        times = [f"{took:.1f}" for took in (*parts, one["opencv"])]
        ratios = f"{one['opencv'] / one['milliseconds']:.1f}, {one['opencv'] / one['least']:.1f}"
        rows.append([CALLED.get(name, name), *times, ratios])
    head = ("pictures", "embedding", "detection", "decoding", "all else", "together", "least", "OpenCV's recipe")
    return table((*head, "OpenCV's over ours, over the least"), rows)


def peers_plot() -> str:
    """Their pictures in a second of processor time as bars, on each set in parts of the fastest; an SVG."""
    bars, top = [], 8
    for name, sets in result("peers").items():
        if name == "processor":
            continue
        bars.append(f'<text x="8" y="{top + 13}" font-weight="bold">{CALLED.get(name, name)}</text>')
        speeds = {way: sets[way]["pictures_a_second_of_processor"] for way in WAYS}
        for row, (way, speed) in enumerate(speeds.items(), 1):
            y, width = top + 20 * row, round(420 * speed / max(speeds.values()))
            colour = "#1f6feb" if way == "unmingle" else "#9aa4b2"
            bars += [
                f'<text x="8" y="{y + 13}">{WAYS[way]}</text>',
                f'<rect x="130" y="{y + 2}" width="{width}" height="14" fill="{colour}"/>',
                f'<text x="{136 + width}" y="{y + 13}">{speed:g}</text>',
            ]
        top += 92
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 620 {top}" font-family="sans-serif" font-size="13">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *bars, "</svg>", ""])


PARTS: dict[str, Callable[[], str]] = {
    "precision": precision,
    "poor pictures": poor_pictures,
    "processors": processors,
    "peers": peers,
    "peers with avx alone": partial(peers, "peers_avx2"),
    "crowded": crowded,
    "classic": classic,
    "conditions bands": conditions_bands,
    "any model": any_model,
    "conditions changes": conditions_changes,
    "conditions people": conditions_people,
    "degradation": degradation,
    "figures in short": figures_in_short,
    "floor": floor,
    "floor with avx alone": partial(floor, "floor_avx2"),
    "fuzz": fuzz,
    "leave one out": leave_one_out,
    "left out": left_out,
    "looks": looks,
    "main job": main_job,
    "meetings": meetings,
    "other figures": other_figures,
    "photo names": photo_names,
    "reviewer": reviewer,
    "scale": scale,
    "in cells": in_cells,
    "added to cells": added_to_cells,
    "cluster model": cluster_model,
    "seed meeting": seed_meeting,
    "side by side": side_by_side,
    "small faces": small_faces,
    "pair calibration": pair_calibration,
    "subcollections": subcollections,
    "triage": triage,
    "variants": variants,
}


def percent(share: float, digits: int = 0) -> str:
    """A share as a text has it."""
    return f"{100 * share:.{digits}f} %"
