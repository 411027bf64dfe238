"""The whole job on Ray: on this machine, and on a cluster of two nodes, one of which is lost on the way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from unmingle.errors import SettingsError
from unmingle.settings import DetectionSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.command import Command

    from unmingle.demo import Meeting

ray = pytest.importorskip("ray")
psutil = pytest.importorskip("psutil")  # Ray brings it
# Past its time, a test tells where each of its threads is, and before that where its workers are.
PATIENCE = 240
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default"), pytest.mark.timeout(PATIENCE + 60)]


@pytest.fixture(scope="module")
def album(meeting: Meeting, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some crops of the made-up meeting, under names that people give, a file that is none, and a recording."""
    folder = tmp_path_factory.mktemp("Urlaub") / "Küche 2019"
    folder.mkdir()
    for number, crop in enumerate(sorted(meeting.faces.glob("*.jpg"))[:36]):
        (folder / f"Trip_2019_{number}.jpg").write_bytes(crop.read_bytes())
    (folder / "kaputt.jpg").write_bytes(b"no picture")
    (folder / "film.mp4").write_bytes(b"no film")
    return folder


@pytest.fixture(scope="module", autouse=True)
def _environment() -> Iterator[None]:
    """What all workers have from those who start them."""
    with pytest.MonkeyPatch.context() as patch:
        # Else they stand back behind all other tests, which on a busy machine never end.
        patch.setenv("RAY_worker_niceness", "0")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        yield


@pytest.fixture(scope="module")
def head(_environment: None) -> Iterator[Any]:
    """A cluster of one core, which takes seconds to start."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield made
    made.shutdown()


@pytest.fixture
def running(head: Any) -> Iterator[Any]:
    """The same with a node of another core."""
    if len(head.list_all_nodes()) == 1:
        head.add_node(num_cpus=1)
    stuck: list[str] = []
    clock = threading.Timer(PATIENCE, end_workers, [Path(head.head_node.get_logs_dir_path()), stuck])
    clock.start()
    yield head
    clock.cancel()
    if stuck:
        pytest.fail("\n".join(stuck))


@pytest.fixture
def nodes(running: Any) -> Iterator[Any]:
    """The same, which this process has joined."""
    ray.init(address=running.address, log_to_driver=False, logging_level="error")
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield running
    ray.shutdown()


def end_workers(logs: Path, told: list[str]) -> None:
    """End all workers of this process, whose last words are where they were; told: gets these."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            title = "".join(process.cmdline())
            if title.startswith("ray::") and "Agent" not in title:  # without these, a node ends, and this process
                process.send_signal(signal.SIGABRT)
    time.sleep(3)
    words = (
        log.read_text(errors="replace").partition("Fatal Python error") for log in sorted(logs.glob("worker-*.err"))
    )
    told.extend(["Workers were ended, since nothing had come to an end.", *(where for _, _, where in words if where)])


@pytest.fixture
def store() -> Iterator[str]:
    """The options of an object store, in a process of its own: in a thread it would wait for what waits for it."""
    for module in ("moto", "flask_cors"):
        pytest.importorskip(module)
    words = [sys.executable, "-m", "moto.server", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout is not None
        found = next(found for line in server.stdout if (found := re.search(r"http://(127[.\d]+:\d+)", line)))
        threading.Thread(target=server.stdout.read, daemon=True).start()  # else it stops once the pipe is full
        yield f"endpoint_override={found[1]}&scheme=http&region=us-east-1&allow_bucket_creation=true"
        server.terminate()


def people(destination: Path | str) -> set[frozenset[str]]:
    """The files of each person."""
    from unmingle.distributed.place import Place, read_all

    place = Place(str(destination))
    file_of = {row["digest"]: Path(unquote(row["address"].partition("?")[0])).name for row in read_all(place, "files")}
    person_of = {row["face"]: row["person"] for row in read_all(place, "assignment")}
    files: dict[int, set[str]] = {}
    for face in read_all(place, "faces"):
        if face["face"] in person_of:
            files.setdefault(person_of[face["face"]], set()).add(file_of[face["digest"]])
    return set(map(frozenset, files.values()))


@pytest.fixture(scope="module")
def alone(album: Path, tmp_path_factory: pytest.TempPathFactory) -> set[frozenset[str]]:
    """The files of each person in an ordinary library."""
    import unmingle

    library = unmingle.open(tmp_path_factory.mktemp("alone") / "library")
    library.add(album)
    library.cluster()
    files: dict[str, set[str]] = {}
    for row in library.faces.to_dicts():
        if row["person"] is not None:
            files.setdefault(row["person"], set()).add(Path(row["file"]).name)
    return set(map(frozenset, files.values()))


def test_the_same_people_as_without_ray(
    album: Path, alone: set[frozenset[str]], tmp_path: Path, unmingle: Command
) -> None:
    done = unmingle("cluster", album, "-o", "parts", "--ray", "local", "--threads", "1", "--json")
    told = json.loads(done.out)
    assert (told["files"], told["known"], told["unreadable"]) == (38, 0, 2)
    from unmingle.distributed.place import Place, read_all

    why = {Path(row["address"]).name: row["reason"] for row in read_all(Place(str(tmp_path / "parts")), "files")}
    assert why["kaputt.jpg"]
    assert "recording" in why["film.mp4"]
    assert people(tmp_path / "parts") == alone


def test_pictures_and_people_of_an_object_store(
    album: Path, alone: set[frozenset[str]], unmingle: Command, store: str, running: Any
) -> None:
    from unmingle.distributed.analysis import AnalysisSettings, analyse
    from unmingle.distributed.place import Place

    def run(*words: str) -> Any:
        destination = f"s3://faces/of 2019?{store}".replace(" ", "%20")
        where = f"s3://pictures?{store}", "-o", destination, "--ray", running.address
        return unmingle("cluster", *where, "--threads", "1", "--json", *words)

    system, path = Place(f"s3://pictures?{store}").opened
    system.create_dir(path)
    for picture in album.iterdir():
        with system.open_output_stream(f"{path}/Küche 2019/{picture.name}") as stream:
            stream.write(picture.read_bytes())
    faces = Place(f"s3://faces/of 2019?{store}")
    guess = json.loads(run("--dry-run").out)
    assert (guess["files"], guess["known"], guess["sampled"]) == (38, 0, 38)
    assert 0 < guess["hours"] == guess["core_hours"] < 1
    assert guess["disk_bytes"] > guess["faces"] * 256
    assert not faces.names("files")
    first, again = (json.loads(run().out) for _ in range(2))
    assert (first["files"], first["known"], first["unreadable"], first["faces"]) == (38, 0, 2, guess["faces"])
    assert (again["files"], again["known"], again["people"]) == (38, 38, first["people"])
    assert people(faces.address) == alone
    # Of others than these settings, no faces are added to them.
    other = AnalysisSettings(detection=DetectionSettings(crops="never"))
    with pytest.raises(SettingsError, match="other settings"):
        analyse([f"s3://pictures?{store}"], faces.address, other)


def test_a_node_is_lost_while_faces_are_found(
    nodes: Any, album: Path, alone: set[frozenset[str]], tmp_path: Path
) -> None:
    from unmingle.distributed import job

    node = nodes.list_all_nodes()[-1]

    def lose(stage: str, done: int, total: int) -> None:
        if stage == "analyse" and nodes.list_all_nodes()[-1] is node:
            threading.Timer(1.0, nodes.remove_node, [node]).start()

    found = job.cluster([str(album)], str(tmp_path / "parts"), progress=lose)
    assert found["files"] == 38
    assert people(tmp_path / "parts") == alone
    with Image.open(album / "Trip_2019_0.jpg") as picture:
        picture.save(album / "new.png")
    more = job.cluster([str(album)], str(tmp_path / "parts"))
    assert (more["files"], more["known"]) == (39, 38)


@pytest.mark.skipif("UNMINGLE_CLUSTER" not in os.environ, reason="takes a minute: UNMINGLE_CLUSTER=yes runs it")
def test_a_node_is_lost_while_faces_are_grouped(nodes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa
    from tests.distributed.test_cells import grouped, table

    from unmingle.distributed import cells, grouping

    monkeypatch.setattr(cells, "CELL_FACES", 700)
    random = np.random.default_rng(0)
    person_n = random.permutation(np.repeat(np.arange(400), 5))
    vectors_nd = random.normal(size=(400, 128))[person_n] + 0.8 * random.normal(size=(2000, 128))
    faces = table(vectors_nd.astype(np.float32), random.permutation(2000) * (2**63 // 2000))
    faces = faces.append_column("doubtful", pa.array(np.zeros(2000, np.bool_)))
    node = nodes.list_all_nodes()[-1]

    def lose(stage: str, done: int, total: int) -> None:
        if done == 1:  # what the first round made is lost with it, and what the second one is at
            threading.Timer(0.5, nodes.remove_node, [node]).start()

    parts = [faces.slice(start, 500) for start in range(0, 2000, 500)]
    found = grouping.group(ray.data.from_arrow(parts), progress=lose).assignment.take_all()
    assert len(nodes.list_all_nodes()) == 1
    assert len(found) > 1900
    cluster_of, _ = grouped([faces])  # without Ray
    person_of = {cluster_of[row["face"]]: row["person"] for row in found}
    assert len(set(person_of.values())) == len(person_of)
    assert {row["face"]: row["person"] for row in found} == {
        face: person_of[cluster] for face, cluster in cluster_of.items() if cluster in person_of
    }


@pytest.mark.skipif("UNMINGLE_CLUSTER" not in os.environ, reason="takes a minute: UNMINGLE_CLUSTER=yes runs it")
def test_new_faces_join_those_that_are_there(nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa
    from tests.distributed.test_cells import table

    from unmingle.distributed import adding, cells, grouping
    from unmingle.distributed.place import Place
    from unmingle.grouping.impostors import SFACE_CURVE
    from unmingle.settings import GroupingSettings

    monkeypatch.setattr(cells, "CELL_FACES", 300)
    monkeypatch.setattr(cells, "KEPT_FACES", 150)
    random = np.random.default_rng(0)
    person_n = random.permutation(np.repeat(np.arange(180), 5))
    person_n[880:890] = 500  # nobody of whom was there
    vectors_nd = random.normal(size=(501, 128))[person_n] + 0.8 * random.normal(size=(900, 128))
    faces = table(vectors_nd.astype(np.float32), random.permutation(900) * (2**63 // 900))
    faces = faces.append_column("doubtful", pa.array(np.zeros(900, np.bool_)))
    settings, place = GroupingSettings(), Place(str(tmp_path))
    grouped = grouping.group(ray.data.from_arrow(faces.slice(0, 800)), settings)
    adding.keep(place, grouped, settings, ["old"])
    before = {row["face"]: row["person"] for row in grouped.assignment.take_all()}
    for start, stop in ((800, 900), (0, 0)):
        kept = adding.Kept.read(place, settings)
        assert kept is not None
        assert kept.has_room(stop - start)
        owners = [np.array(of, np.int64) for of in zip(*sorted(before.items()), strict=True)]
        new = ray.data.from_arrow(faces.slice(start, stop - start))
        found, finish = adding.add(new, kept, [f"new {start}"], SFACE_CURVE, *owners)
        finish()
        after = {row["face"]: row["person"] for row in found.assignment.take_all()}
        assert before == {face: person for face, person in after.items() if face in before}
        before = after
    key_n, mates = faces["face"].to_numpy(), dict[int, set[int | None]]()
    for key, person in zip(key_n.tolist(), person_n.tolist(), strict=True):
        mates.setdefault(person, set()).add(before.get(key))
    assert len(mates[500]) == 1
    assert sum(len(of) == 1 for of in mates.values()) >= 0.98 * len(mates)
    assert len(set.union(*mates.values())) == len(mates)
    state = json.loads((tmp_path / "clusters" / "state.json").read_text())
    assert state["parts"] == ["old", "new 800", "new 0"]
    there = {path.name for path in (tmp_path / "clusters").glob("0*.parquet")}
    assert there == set(state["cells"].values())  # the rows of each cell once
    stored = [face for name in there for of in place.read(f"clusters/{name}")["faces"].to_pylist() for face in of]
    assert sorted(stored) == sorted(key_n.tolist())
    assert adding.Kept.read(place, GroupingSettings(expected_false_merges=0.1)) is None


def test_a_crowd_of_good_pictures_is_nobody(nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa
    from tests.distributed.test_cells import table, with_quality
    from tests.grouping.test_crowded import small_crowd

    from unmingle.distributed import adding, cells, grouping
    from unmingle.distributed.place import Place
    from unmingle.grouping.impostors import SFACE_CURVE
    from unmingle.settings import GroupingSettings

    vectors_nd, person_n = small_crowd(0)
    n = len(vectors_nd)
    order = np.random.default_rng(0).permutation(n)
    faces = table(vectors_nd[order], np.arange(n) * (2**63 // n))
    faces = faces.append_column("doubtful", pa.array(np.zeros(n, np.bool_)))
    settings, place = GroupingSettings(), Place(str(tmp_path))

    def largest(faces: pa.Table) -> int:
        grouped = grouping.group(ray.data.from_arrow(faces), settings)
        adding.keep(place, grouped, settings, ["old"])
        return int(grouped.people["faces"][0].as_py())

    assert largest(faces) > 40  # of the largest person there are 40
    assert largest(with_quality(faces, 1.0)) == 40
    monkeypatch.setattr(cells, "CELL_FACES", 30)
    monkeypatch.setattr(cells, "KEPT_FACES", 30)
    assert largest(with_quality(faces, 1.0)) == 40
    few = 3 * n // 10
    assert largest(with_quality(faces.slice(0, few), 1.0)) < 40
    kept = adding.Kept.read(place, settings)
    assert kept is not None
    new = ray.data.from_arrow(with_quality(faces.slice(few), 1.0))
    # Also of whom some were one person before, as they were too few to be taken for a crowd.
    key_n = faces["face"].to_numpy()
    before = key_n[:few][person_n[order[:few]] < 18]
    found, _ = adding.add(new, kept, ["new"], SFACE_CURVE, before, np.ones(len(before), np.int64))
    assert found.people["faces"].to_numpy().max() <= 40
    child_of = dict(zip(key_n.tolist(), person_n[order].tolist(), strict=True))
    mixed: dict[int, set[int]] = {}
    for row in found.assignment.take_all():
        mixed.setdefault(row["person"], set()).add(child_of[row["face"]])
    assert max(map(len, mixed.values())) == 1


def test_the_pieces_of_a_crowd_are_people_of_their_own() -> None:
    from unmingle.distributed.adding import _named

    face_n = np.arange(40)
    before, now = np.ones(30, np.int64), np.repeat([0, 2, 14, 35], [2, 12, 21, 5])
    core, crowd = np.ones(40, np.bool_), np.repeat([0, 35], [35, 5])
    assigned, people = _named(face_n[:30], before, face_n, now, core, crowd)
    assert assigned["person"].to_pylist() == [4] * 2 + [2] * 12 + [1] * 21 + [3] * 5
    assert people["faces"].to_pylist() == [21, 12, 5, 2]
    # Whom somebody said to be one person stays so.
    _, people = _named(face_n[:30], before, face_n, now, core, now)
    assert people["faces"].to_pylist() == [35, 5]
