"""What pages say of figures in sentences and single cells, as benchmarks/results has it; a test compares them."""

from __future__ import annotations

from making import figures


def said() -> list[tuple[str, str]]:
    """Pages, and what they have to say."""
    return [*readme(), *concepts(), *guides()]


def readme() -> list[tuple[str, str]]:
    """What the README says."""
    start, sizes = figures.result("startup"), {one["faces"]: one for one in figures.result("grouping_scale")["sizes"]}
    page, recorded, exports = figures.result("review_page"), figures.result("recordings"), figures.result("exports")
    small = figures.result("photographs")["4000 pixels wide"]
    decisions = [one["median"] for one in page["decisions_ms"].values()]
    grouped, million = sizes[30_000], sizes[1_000_000]
    tiled, whole = (figures.percent(small[how]["24"]) for how in ("recall", "recall without tiles"))
    million_known = figures.result("grouping_adding")["time"][-1]
    side, folders = exports["round_trip"]["sidecars"], exports["folders"]
    report = figures.result("report")["lfw_a"]
    assert report["opened"]["others"] == []
    assert side["names_that_came_back"] == side["named_faces"]
    assert (figures.result("kills")["kills"], figures.result("kills")["wrong"]) == (1000, [])
    told = [
        f"| `import unmingle` | {start['import unmingle']:.2f} s |",
        f"| `unmingle --help` | {start['unmingle --help']:.2f} s |",
        f"{grouped['seconds']:.0f} s; {million['seconds']:.0f} s and {million['peak_megabytes'] / 1000:.1f} GB",
        f"{page['first_view_ms']['first'] / 1000:.2f} s; {min(decisions):.0f} to {max(decisions):.0f} ms",
        f"{figures.percent(recorded['found'], 1)} of the faces found",
        f"{recorded['long']['seconds']:.0f} s, {recorded['long']['memory_mb'] / 1000:.2f} GB",
        f"{tiled} found; {whole} without tiles",
        f"all {side['named_faces']:,}; {side['worst_pixels']:.1f} pixels; all {side['read_by_exiftool']:,} |",
        f"asked about among a million | {million_known['milliseconds_median']:.0f} ms |",
        f"| {report['made_in_seconds']:.0f} s; {report['opened']['seconds']:.1f} s; {report['megabytes']:.1f} MB |",
        f"by hard link | {folders['seconds']:.0f} s |",
        f"{figures.result('classic')['ratio']:.1f} times as fast",
        f"Over all faces it is {figures.result('main_job_lfw_a')['lfw_a']['accuracy']:.4f}",
    ]
    return [("README.md", text) for text in told]


def concepts() -> list[tuple[str, str]]:
    """What the pages on concepts say."""
    parts = figures.result("grouping_subcollections")["all"]
    worse = [figures.result("degradation")[name] for name in ("lfw_a", "umist", "pins_a")]
    pixels, ninths, blurs = (
        [one[kind][lost] for one in worse]
        for kind, lost in (("pixels", "half lost at"), ("pixels", "nine in ten lost at"), ("blur", "half lost at"))
    )
    others = [one["purity"] for name, one in figures.result("tracking")["cut"].items() if not name.startswith("ours")]
    left = {
        (name, kind): f"| {one['pictures']:,} | {one['lost']:.2f}"
        for name, kinds in figures.result("left_out").items()
        for kind, one in kinds.items()
    }
    told = [
        "at {:.0f} pixels for news portraits, {:.0f} for pose sweeps and {:.0f} for celebrities".format(*pixels),
        "or at a blur of {:.1f}, {:.1f} and {:.1f}; nine in ten are at".format(*blurs),
        "{:.0f}, {:.0f} and {:.0f} pixels (`benchmarks/degradation.py`)".format(*ninths),
        f"ByteTrack puts {figures.percent(max(others))} of the faces",
        f"the meetings' five people, bare {left['meeting', 'people']}",
        f"the meetings' crops without a face {left['meeting', 'ID=0']}",
        f"the meetings' drawn masks {left['meeting', 'Mask=Y']}",
        f"grey pose sweeps (UMIST) {left['umist', 'all']}",
        f"celebrities, head crops {left['pins_a', 'all']}",
        f"half of Labeled Faces in the Wild {left['lfw_a', 'all']}",
        f"pictures without a face {left['nonface', 'all']}",
        f"real masks {left['masked', 'all']}",
    ]
    compared = (
        f"mean BCubed F {parts['mean_bcubed_f']:.4f}, 5th percentile {parts['p5_bcubed_f']:.4f}, least"
        f" {parts['least_bcubed_f']:.3f}"
    )
    pages = [("docs/concepts/how-it-works.md", text) for text in told]
    return [*pages, ("docs/concepts/grouping-compared.md", compared)]


def guides() -> list[tuple[str, str]]:
    """What the guides say."""
    recorded, page = figures.result("recordings"), figures.result("review_page")
    assert (recorded["right"], recorded["least_purity"], recorded["people"]) == (1, 1, 5)
    first, painted = page["first_view_ms"], [one["painted_ms"] for one in page["scroll"]]
    decisions = [one["median"] for one in page["decisions_ms"].values()]
    assert not any(one["blank"] for one in page["scroll"])
    return [
        ("docs/guides/recordings.md", f"{figures.percent(recorded['found'], 1)} of the known faces are found"),
        (
            "docs/guides/review.md",
            f"first twelve faces are there {first['first'] / 1000:.1f} to {first['worst'] / 1000:.1f} seconds after",
        ),
        ("docs/guides/review.md", f"answered within {min(decisions):.0f} to {max(decisions):.0f} ms"),
        ("docs/guides/review.md", f"tone within {min(painted) / 1000:.1f} to {max(painted) / 1000:.1f} seconds"),
    ]
