"""Our tracker beside SORT, OC-SORT and ByteTrack of the package trackers, on the same faces of the same frames.

Frames of the meetings' videos, every tenth of a second, and the same with a cut every second between two of them, as a
speaker's view has. For each tracker: tracks, tracks with more than one person, the share of matched sightings that are
of their track's most frequent person, how many sightings are in tracks, and seconds. `ours, pieces only` is before
embeddings join pieces; `ours` looks for the faces itself and embeds them, so its seconds are those of the whole work.

    pip install trackers
    python benchmarks/tracking.py --data DATA
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recordings import known, matched
from unmingle.faces.recipe import FaceRecipe
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.sources.recordings import Frame, Recording
from unmingle.tracking.tracks import Tracker
from unmingle.tracking.video import find, track_video

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unmingle.records import F32
    from unmingle.tracking.video import FrameFaces

    Boxes = list[tuple[int, F32]]  # frame and box of each sighting

EVERY = 0.1
CUT_EVERY = 10  # frames


class Cut:
    """A recording that shows two in turn; numbers of frames tell from which: those of the second are 10,000 higher."""

    skipped = 0

    def __init__(self, frames: list[Frame]) -> None:
        self._frames = frames

    def frames(self, *, every: float, start: float) -> Iterator[Frame]:
        """All of them."""
        del every, start
        return iter(self._frames)


def read(videos: list[Path]) -> dict[str, list[Frame]]:
    """Frames of each video, and of the cut between the first two."""
    read = {}
    for number, video in enumerate(videos):
        with Recording(video) as recording:
            read[video.stem[:8]] = [
                replace(frame, number=frame.number + 10_000 * number) for frame in recording.frames(every=EVERY)
            ]
    one, other = list(read.values())[:2]
    read["cut"] = [(one, other)[i // CUT_EVERY % 2][i] for i in range(min(len(one), len(other)))]
    return read


def theirs(name: str, frames: list[Frame], found: list[FrameFaces]) -> list[Boxes]:
    """Frame and box of each sighting, by track, as a tracker of the package has it."""
    import supervision
    import trackers

    tracker = getattr(trackers, name)(frame_rate=1 / EVERY)
    tracks: dict[int, Boxes] = {}
    for frame, (faces, *_) in zip(frames, found, strict=True):
        corners = np.concatenate([faces.boxes[:, :2], faces.boxes[:, :2] + faces.boxes[:, 2:]], axis=1)
        detections = supervision.Detections(
            corners, confidence=faces.scores, class_id=np.zeros(len(faces), int), data={"face": np.arange(len(faces))}
        )
        followed = tracker.update(detections)
        for track, face in zip(followed.tracker_id, followed.data.get("face", ()), strict=True):
            if track >= 0:  # else not sure of it yet
                tracks.setdefault(int(track), []).append((frame.number, faces.boxes[int(face)]))
    return list(tracks.values())


def pieces(frames: list[Frame], found: list[FrameFaces]) -> list[Boxes]:
    """Ours, without embeddings."""
    tracker = Tracker(DetectionSettings().min_score)
    for frame, (faces, grey, _) in zip(frames, found, strict=True):
        tracker.add(frame.number, frame.time, grey, faces)
    return [[(one.frame, one.box) for one in piece.seen] for piece in tracker.pieces]


def ours(frames: list[Frame], recipe: FaceRecipe) -> list[Boxes]:
    """Ours, as the program runs it."""
    return [
        list(zip(track.sightings.frames.tolist(), track.sightings.boxes, strict=True))
        for segment in track_video(Cut(frames), recipe, every=EVERY)  # type: ignore[arg-type]
        for track in segment.tracks
    ]


def judge(tracks: list[Boxes], truth: dict[int, tuple[list[str], F32]]) -> dict[str, float]:
    """Figures of some tracks."""
    counts = []
    for track in tracks:
        people = []
        for frame, box in track:
            ids, boxes = truth.get(frame, ([], np.zeros((0, 4), np.float32)))
            people.extend(ids[other] for _, other in matched(box[None], boxes))
        counts.append(Counter(people))
    seen = [count for count in counts if count]
    total = sum(count.total() for count in seen)
    return {
        "tracks": len(seen),
        "with_several_people": sum(len(count) > 1 for count in seen),
        "purity": round(sum(max(count.values()) for count in seen) / total, 4),
        "sightings": total,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("UNMINGLE_DATA"))
    options = parser.parse_args()
    videos = sorted((Path(options.data) / "meeting" / "videos").glob("*.mp4"))
    truth = {
        frame + 10_000 * number: boxes for number, video in enumerate(videos) for frame, boxes in known(video).items()
    }
    recipe = FaceRecipe(DetectionSettings(), EngineSettings())
    result: dict[str, dict[str, dict[str, float]]] = {}
    for name, frames in read(videos).items():
        found = [
            one
            for start in range(0, len(frames), 11)  # as many as the program takes at once: a second and the frame after
            for one in find(recipe, frames[start : start + 11])
        ]
        result[name] = {}
        for way, follow in (
            ("SORT", partial(theirs, "SORTTracker", frames, found)),
            ("OC-SORT", partial(theirs, "OCSORTTracker", frames, found)),
            ("ByteTrack", partial(theirs, "ByteTrackTracker", frames, found)),
            ("ours, pieces only", partial(pieces, frames, found)),
            ("ours", partial(ours, frames, recipe)),
        ):
            start = time.perf_counter()
            tracks = follow()
            result[name][way] = judge(tracks, truth) | {"seconds": round(time.perf_counter() - start, 2)}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
