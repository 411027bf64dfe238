"""What is left out, from pictures alone: `unmingle cluster` on data sets, and what `faces.csv` says of each picture.

Told for the main face of each picture, by what labels or the kind of data set say that it shows:

- not a face: no face found, or one that is taken for none, percent of the pictures;
- masked: flagged as covered, percent of the pictures, and how many of these joined a person;
- low quality: how many are too small, and how many may only join and found nobody.

A picture of a person that is called not a face, or that is too small, is lost: `lost` is their share. JSON on stdout;
the libraries stay in LIBRARIES, to be looked at, and a second run takes what it finds there.

    python benchmarks/left_out.py --data DATA -o LIBRARIES meeting umist pins_a lfw_a sitcom johns nonface masked
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl

from unmingle.evaluation.labels import LabelOptions, read_labels

MAIN = pl.col("face").fill_null(0) == 0  # the face that a picture is about, or none


def kinds_of(folder: Path, files: list[str]) -> list[str]:
    """What each picture shows: people, and where a workbook drops some, by which rule."""
    workbook = folder / "annotations.xlsx"
    if not workbook.is_file():
        return ["all"] * len(files)
    labels = read_labels(workbook, LabelOptions())
    kinds = dict.fromkeys((Path(file).name for file in labels.files), "people")
    kinds |= {Path(one.file).name: one.rule for one in labels.dropped}
    return [kinds.get(Path(file).name, "no row") for file in files]


def cluster(folder: Path, library: Path) -> pl.DataFrame:
    """The row of the main face of each picture of a data set."""
    source = folder / "faces" if (folder / "faces").is_dir() else folder
    command = [sys.executable, "-m", "unmingle", "cluster", source, "-o", library, "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    rows = pl.read_csv(library / "faces.csv", infer_schema_length=None)
    rows = rows.filter(MAIN).with_columns(pl.col("reason").fill_null(""))
    return rows.with_columns(kind=pl.Series(kinds_of(folder, rows["file"].to_list()), dtype=pl.String))


def told(rows: pl.DataFrame) -> dict[str, object]:
    """What became of pictures of one kind."""
    heads = Counter(
        f"{status}: {reason.partition(':')[0]}"
        for status, reason, person in rows.select("status", "reason", "person").rows()
        if status in ("not_a_face", "low_quality", "masked", "unreadable") and person is None
    )
    none = rows["status"] == "not_a_face"
    small = (rows["status"] == "low_quality") & rows["reason"].str.starts_with("too small")
    masked = rows["status"] == "masked"
    return {
        "pictures": len(rows),
        "not a face": percent(none),
        "lost": percent(none | small),
        "masked": percent(masked),
        "masked and joined": int((masked & rows["person"].is_not_null()).sum()),
        "in nobody": dict(sorted(heads.items())),
    }


def percent(which: pl.Series) -> float:
    return round(100 * float(which.cast(pl.Float64).mean() or 0), 2)  # type: ignore[arg-type]


def main() -> None:
    """Each data set, kind by kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("UNMINGLE_DATA")
    parser.add_argument("--data", type=Path, default=data and Path(data), required=data is None)
    parser.add_argument("-o", "--libraries", type=Path, required=True)
    parser.add_argument("sets", nargs="+")
    options = parser.parse_args()
    result = {}
    for name in options.sets:
        rows = cluster(options.data / name, options.libraries / name)
        result[name] = {kind: told(rows.filter(pl.col("kind") == kind)) for kind in sorted(set(rows["kind"]))}
        print(json.dumps({name: result[name]}), file=sys.stderr)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
