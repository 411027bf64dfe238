"""Recordings: which faces are found in the meetings' videos, how pure tracks are, and who is taken for whom.

The library is made from the mp4 files alone; the boxes beside them (frame, id, left, top, width, height) only judge it.
JSON out:

- found: share of the known boxes that a sighting overlaps by at least one half (intersection over union), and sightings
  that overlap none;
- purity: of each track, the share of its matched sightings that are of its most frequent person: the least of all
  tracks, and over all sightings;
- right: share of the matched sightings that are in the right person, people matched to labels as `evaluate` does;
- tracks, looks, people; faces, files and sizes in megabytes.

With --loop SECONDS also a recording of that length, made by repeating the first: seconds to watch it, those of the
processors, how many times faster than real time that is, the machine's load (what else runs slows it), and the most
memory that the process took; and with --hd also the same at 1920×1080 pixels.

Run it as: python benchmarks/recordings.py --data DATA [--loop 600 [--hd]]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.optimize import linear_sum_assignment

from unmingle.api import Library
from unmingle.faces.boxes import overlaps
from unmingle.store.sightings import tracks
from unmingle.store.sqlite import open_to_read

if TYPE_CHECKING:
    from unmingle.records import F32

SAME = 0.5  # intersection over union
COLUMNS = ["left", "top", "width", "height"]


def known(file: Path) -> dict[int, tuple[list[str], F32]]:
    """Ids and boxes of each frame."""
    table = pl.read_csv(file.with_suffix(".csv"))
    return {
        int(frame): (rows["id"].cast(str).to_list(), rows.select(COLUMNS).to_numpy().astype(np.float32))
        for (frame,), rows in table.group_by("frame")
    }


def matched(boxes_n4: F32, known_m4: F32) -> list[tuple[int, int]]:
    """Pairs of a found and a known box, one to one."""
    overlap = overlaps(boxes_n4, known_m4)
    pairs = zip(*linear_sum_assignment(overlap, maximize=True), strict=True)
    return [(int(one), int(other)) for one, other in pairs if overlap[one, other] >= SAME]


def judge(folder: Path, videos: list[Path]) -> dict[str, object]:
    """Figures of a library that was made from videos with known boxes."""
    faces = Library(folder).faces
    whose: dict[tuple[str, int, int], str] = {}
    boxes = extra = 0
    for video in videos:
        truth = known(video)
        boxes += sum(len(ids) for ids, _ in truth.values())
        for (frame,), rows in faces.filter(pl.col("file") == video.name, pl.col("face").is_not_null()).group_by(
            "frame"
        ):
            ids, known_m4 = truth.get(int(frame), ([], np.zeros((0, 4), np.float32)))
            pairs = matched(rows.select(COLUMNS).to_numpy().astype(np.float32), known_m4)
            number = rows["face"].to_list()
            whose.update({(video.name, int(frame), number[one]): ids[other] for one, other in pairs})
            extra += len(number) - len(pairs) if int(frame) in truth else 0
    with open_to_read(folder) as store:
        names = dict(
            store.connection.execute(
                "SELECT recording.id, name FROM recording JOIN file ON digest = content"
            ).fetchall()
        )
        purity, pure, looks, seen = [], 0, 0, 0
        for track in tracks(store):
            looks += len(track.keyframes_k)
            pairs = zip(track.sightings.frames.tolist(), track.sightings.numbers.tolist(), strict=True)
            ids = Counter(filter(None, (whose.get((names[track.recording], *pair)) for pair in pairs)))
            if ids:
                purity.append(max(ids.values()) / ids.total())
                pure, seen = pure + max(ids.values()), seen + ids.total()
    grouped = faces.filter(pl.col("person").is_not_null())
    table: defaultdict[tuple[str, int], int] = defaultdict(int)
    for name, frame, face, person in grouped.select("file", "frame", "face", "person").iter_rows():
        if (name, frame, face) in whose:
            table[whose[name, frame, face], person] += 1
    labels, people = (sorted({key[side] for key in table}) for side in (0, 1))
    counts = np.array([[table[label, person] for person in people] for label in labels])
    right = int(counts[linear_sum_assignment(counts, maximize=True)].sum())
    return {
        "found": round(len(whose) / boxes, 4),
        "known_boxes": boxes,
        "sightings_of_nothing_known": extra,
        "tracks": len(purity),
        "looks": looks,
        "least_purity": round(min(purity), 4),
        "purity": round(pure / seen, 4),
        "right": round(right / len(whose), 4),
        "people": int(faces["person"].drop_nulls().n_unique()),
    }


def repeated(video: Path, seconds: float, target: Path) -> Path:
    """The video over and over, its packets copied."""
    import av

    with av.open(str(target), "w") as out:
        stream, offset, done = None, 0, 0.0
        while done < seconds:
            with av.open(str(video)) as source:
                picture = source.streams.video[0]
                stream = stream or out.add_stream_from_template(picture)
                last = 0
                for packet in source.demux(picture):
                    if packet.pts is None or packet.dts is None:
                        continue
                    last = max(last, packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts, packet.stream = packet.pts + offset, packet.dts + offset, stream
                    out.mux(packet)
                offset += last
                done = float(offset * picture.time_base)
    return target


def enlarged(video: Path, target: Path) -> Path:
    """The video at 1920×1080 pixels, encoded again."""
    import av

    with av.open(str(video)) as source, av.open(str(target), "w") as out:
        picture = source.streams.video[0]
        stream = out.add_stream("libx264", rate=picture.average_rate, options={"preset": "veryfast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for frame in source.decode(picture):
            large = frame.reformat(1920, 1080, "yuv420p", interpolation="BICUBIC")
            large.pts, large.time_base = frame.pts, frame.time_base
            out.mux(stream.encode(large))
        out.mux(stream.encode(None))
    return target


def timed(recording: Path, seconds: float, folder: Path) -> dict[str, float]:
    """Seconds and memory of `unmingle cluster` in a process of its own."""
    words = [sys.executable, "-m", "unmingle", "cluster", str(recording), "-o", str(folder), "--quiet"]
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True)
    spent, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "recording_seconds": seconds,
        "seconds": round(spent, 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime, 1),
        "times_real_time": round(seconds / spent, 1),
        "load": round(os.getloadavg()[1], 1),
        "memory_mb": round(used.ru_maxrss / 1024),
        "library_mb": round((folder / "library.sqlite").stat().st_size / 1e6, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("UNMINGLE_DATA"))
    parser.add_argument("--loop", type=float, default=0.0)
    parser.add_argument("--hd", action="store_true")
    options = parser.parse_args()
    videos = sorted((Path(options.data) / "meeting" / "videos").glob("*.mp4"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "library"
        library = Library(folder)
        library.add(*videos)
        library.cluster(sheets=0)
        result = judge(folder, videos)
        wanted = {"long": videos[0]} if options.loop else {}
        if options.loop and options.hd:
            wanted["hd"] = enlarged(videos[0], Path(temporary) / "large.mp4")
        for name, video in wanted.items():
            long = repeated(video, options.loop, Path(temporary) / f"{name}.mp4")
            result[name] = timed(long, options.loop, Path(temporary) / name)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
