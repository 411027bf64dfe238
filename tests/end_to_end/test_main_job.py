"""The main job as a user runs it: a folder in, people and a score out, nothing lost, and nothing done twice."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from typing import TYPE_CHECKING

import polars as pl
import pytest
from PIL import Image

from unmingle.errors import LibraryError, ModelError
from unmingle.library import Library
from unmingle.settings import DetectionSettings
from unmingle.store.result_tables import FACES, PEOPLE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command

    from unmingle.demo import Meeting


@pytest.fixture(scope="session")
def library(meeting: Meeting, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of an undisturbed run."""
    import unmingle

    folder = tmp_path_factory.mktemp("undisturbed") / "library"
    opened = unmingle.open(folder)
    opened.add(meeting.faces)
    opened.cluster()
    return folder


def faces_of(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "faces.csv", schema_overrides=FACES)


def test_the_command_makes_what_the_contract_says(unmingle: Command, meeting: Meeting) -> None:
    done = unmingle("cluster", meeting.faces, "-o", "out")
    assert done.code == 0, done.err
    out = unmingle.folder / "out"
    faces = faces_of(out)
    assert faces.columns == list(FACES)
    assert pl.read_csv(out / "people.csv").columns == list(PEOPLE)
    assert (out / "sheets" / "overview.jpg").is_file()
    assert "Finding faces: 0 of" in done.err
    assert f"{len(meeting.crops)} files ({len(meeting.crops)} analysed now)" in done.out
    assert "not_a_face: no face found" in done.out
    assert "Time: read" in done.out


def test_every_file_has_a_row_with_a_status_and_a_reason(library: Path, meeting: Meeting) -> None:
    faces = faces_of(library)
    assert set(faces["file"]) == {crop.name for crop in meeting.crops}
    nobody = {crop.name for crop in meeting.crops if not crop.person}
    assert set(faces.filter(pl.col("status") == "not_a_face")["file"]) == nobody
    left_out = faces.filter(pl.col("status") != "clustered")
    assert (left_out["reason"].str.len_chars() > 0).all()
    assert faces.filter(pl.col("status") == "clustered")["person"].null_count() == 0


def test_made_up_people_are_sorted_and_scored(library: Path, meeting: Meeting) -> None:
    import unmingle

    evaluation = unmingle.open(library).evaluate(meeting.labels)
    assert evaluation.scores.accuracy == 1.0
    assert evaluation.scores.people_found == evaluation.scores.people_true == 6


def test_what_the_detector_is_not_sure_of_joins_whom_it_is_like(
    library: Path, meeting: Meeting, tmp_path: Path
) -> None:
    import unmingle

    found = faces_of(library).drop_nulls("person")
    least = found["score"].quantile(0.1) or 0.0
    opened = unmingle.open(tmp_path / "library")
    opened.add(meeting.faces, detection=DetectionSettings(min_score=least))
    opened.cluster()
    faces = faces_of(tmp_path / "library").join(found.select("file", was="person"), on="file", how="left")
    weak = faces.filter(pl.col("score") < least)
    assert weak["reason"].str.starts_with("hardly a face: the detector ").all()
    assert weak["was"].null_count() == 0
    joined = weak.drop_nulls("person")
    assert 2 * len(joined) > len(weak) > 0
    assert len(faces.drop_nulls("person").select("person", "was").unique()) == 6
    assert set(weak.filter(pl.col("person").is_null())["status"]) <= {"not_a_face"}


def test_people_csv_is_largest_first_and_agrees_with_faces_csv(library: Path) -> None:
    faces, people = faces_of(library), pl.read_csv(library / "people.csv")
    counted = faces.drop_nulls("person").group_by("person").len()
    assert dict(counted.iter_rows()) == dict(people.select("person", "faces").iter_rows())
    assert people["faces"].to_list() == sorted(people["faces"], reverse=True)
    assert people["cohesion"].is_between(0, 1).all()


def test_a_second_run_embeds_nothing_and_says_so(unmingle: Command, library: Path, meeting: Meeting) -> None:
    shutil.copytree(library, unmingle.folder / "out")
    before = faces_of(unmingle.folder / "out")
    done = unmingle("cluster", meeting.faces, "-o", "out")
    assert f"nothing new to embed, {len(meeting.crops)} known from before" in done.out
    assert faces_of(unmingle.folder / "out").equals(before)


def test_a_moved_and_a_copied_picture_are_not_embedded_again(
    unmingle: Command, library: Path, meeting: Meeting
) -> None:
    shutil.copytree(library, unmingle.folder / "out")
    moved = unmingle.folder / "moved"
    shutil.copytree(meeting.faces, moved)
    first = sorted(moved.iterdir())[0]
    shutil.copy(first, moved / "the same picture again.jpg")
    done = unmingle("cluster", moved, "-o", "out", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["seconds"].keys() >= {"read", "analyse"}
    rows = faces_of(unmingle.folder / "out").filter(pl.col("file").is_in([first.name, "the same picture again.jpg"]))
    assert rows.select("person", "score", "left").n_unique() == 1
    connection = sqlite3.connect(unmingle.folder / "out" / "library.sqlite")
    (analysed,) = connection.execute("SELECT count(*) FROM analysis").fetchone()
    connection.close()
    assert analysed == len(meeting.crops)


def test_a_picture_that_went_away_leaves_the_tables_and_comes_back(unmingle: Command, meeting: Meeting) -> None:
    source = unmingle.folder / "source"
    shutil.copytree(meeting.faces, source)
    assert unmingle("cluster", source, "-o", "out").code == 0
    before = faces_of(unmingle.folder / "out")
    away = sorted(source.iterdir())[3]
    away.rename(unmingle.folder / away.name)
    done = unmingle("cluster", source, "-o", "out")
    assert "1 file of earlier runs is no longer there" in done.out
    assert away.name not in set(faces_of(unmingle.folder / "out")["file"])
    (unmingle.folder / away.name).rename(away)
    done = unmingle("cluster", source, "-o", "out")
    assert "nothing new to embed" in done.out
    assert faces_of(unmingle.folder / "out").equals(before)


def test_people_keep_their_ids_when_pictures_are_added(unmingle: Command, meeting: Meeting) -> None:
    source = unmingle.folder / "source"
    source.mkdir()
    files = sorted(meeting.faces.iterdir())
    for file in files[: len(files) // 2]:
        shutil.copy(file, source)
    assert unmingle("cluster", source, "-o", "out").code == 0
    before = faces_of(unmingle.folder / "out").select("file", "person").drop_nulls()
    for file in files[len(files) // 2 :]:
        shutil.copy(file, source)
    assert unmingle("cluster", source, "-o", "out").code == 0
    after = faces_of(unmingle.folder / "out").select("file", "person")
    both = before.join(after, on="file", suffix="_after")
    assert (both["person"] == both["person_after"]).all()


@pytest.mark.slow
def test_killed_again_and_again_it_ends_as_if_undisturbed(unmingle: Command, library: Path, meeting: Meeting) -> None:
    out = unmingle.folder / "out"
    seen: list[int] = []
    for module, function, call in (
        ("unmingle.store.analyses", "add_analysis", 6),
        ("unmingle.store.analyses", "add_analysis", 11),
        ("unmingle.render.views", "sheet_content", 3),
    ):
        if "render" in module:
            Library(out).add(meeting.faces)
        words = ("cluster", meeting.faces, "-o", "out", "--quiet")
        assert unmingle.ended(signal.SIGKILL, module, function, call, *words).code == -signal.SIGKILL
        seen.append(count_analysed(out))
    assert seen == [4, 12, len(meeting.crops)]
    done = unmingle("cluster", meeting.faces, "-o", "out")
    assert done.code == 0, done.err
    assert faces_of(out).drop("score", "quality").equals(faces_of(library).drop("score", "quality"))
    assert sorted(path.name for path in (out / "sheets").iterdir() if not path.name.startswith(".")) == sorted(
        path.name for path in (library / "sheets").iterdir()
    )


def count_analysed(folder: Path) -> int:
    connection = sqlite3.connect(folder / "library.sqlite")
    (count,) = connection.execute("SELECT count(*) FROM analysis").fetchone()
    connection.close()
    return int(count)


def test_a_run_that_stopped_half_way_is_gone_on_with(unmingle: Command, library: Path, meeting: Meeting) -> None:
    """As after a kill in the middle: the analyses of some pictures are missing, the files are registered."""
    shutil.copytree(library, unmingle.folder / "out")
    connection = sqlite3.connect(unmingle.folder / "out" / "library.sqlite")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("DELETE FROM analysis WHERE id % 3 = 0")
    (left,) = connection.execute("SELECT count(*) FROM analysis").fetchone()
    for table in ("member", "proposal", "person"):
        connection.execute(f"DELETE FROM {table}")
    connection.execute("DELETE FROM sqlite_sequence")
    connection.commit()
    connection.close()
    done = unmingle("cluster", meeting.faces, "-o", "out")
    assert f"{len(meeting.crops) - left} analysed now, {left} known from before" in done.out
    assert faces_of(unmingle.folder / "out").drop("score").equals(faces_of(library).drop("score"))


def test_the_number_of_people_can_be_given(unmingle: Command, library: Path, meeting: Meeting) -> None:
    shutil.copytree(library, unmingle.folder / "out")
    done = unmingle("cluster", meeting.faces, "-o", "out", "--people", "3", "--json")
    assert json.loads(done.out)["people"] == 3
    done = unmingle("cluster", meeting.faces, "-o", "out", "--labels", meeting.labels, "--json")
    assert json.loads(done.out)["people"] == 6
    done = unmingle("cluster", meeting.faces, "-o", "out", "--people", "9999")
    assert done.code == 1
    assert "9999" in done.err


def test_evaluate_writes_its_report(unmingle: Command, library: Path, meeting: Meeting) -> None:
    shutil.copytree(library, unmingle.folder / "out")
    done = unmingle("evaluate", "out", "--labels", meeting.labels)
    assert done.code == 0, done.err
    assert "Accuracy" in done.out
    assert "AMI" not in done.out
    assert "AMI" in unmingle("evaluate", "out", "--labels", meeting.labels, "--verbose").out
    document = json.loads((unmingle.folder / "out" / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    assert document["scores"]["accuracy"] == 1.0
    done = unmingle("evaluate", "out", "--labels", meeting.labels, "--json", "--drop", "Mask=Y", "-o", "elsewhere")
    assert json.loads(done.out)["labels"]["rules"] == ["Mask=Y"]
    assert (unmingle.folder / "elsewhere" / "confusion.png").is_file()


def test_evaluate_by_folders(unmingle: Command, meeting: Meeting) -> None:
    for crop in meeting.crops:
        if crop.person and not crop.masked:
            folder = unmingle.folder / "people" / f"person {crop.person}"
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(meeting.faces / crop.name, folder)
    assert unmingle("cluster", "people", "-o", "out", "-q").code == 0
    done = unmingle("evaluate", "out", "--labels", "folders", "--json")
    assert json.loads(done.out)["scores"]["accuracy"] == 1.0
    done = unmingle("cluster", "people", "-o", "out", "--labels", "folders", "--json")
    assert json.loads(done.out)["people"] == 6


def test_show_makes_a_sheet_and_knows_who_is_there(unmingle: Command, library: Path) -> None:
    shutil.copytree(library, unmingle.folder / "out")
    done = unmingle("show", "out", "1", "-o", "one.jpg")
    assert done.code == 0, done.err
    with Image.open(unmingle.folder / "one.jpg") as page:
        assert page.width > 600
    done = unmingle("show", "out", "nobody")
    assert done.code == 1
    assert "There is no person 'nobody'" in done.err


def test_quiet_is_quiet(unmingle: Command, library: Path, meeting: Meeting) -> None:
    shutil.copytree(library, unmingle.folder / "out")
    done = unmingle("cluster", meeting.faces, "-o", "out", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_a_library_on_a_read_only_disk_can_be_looked_at(unmingle: Command, library: Path, meeting: Meeting) -> None:
    out = unmingle.folder / "out"
    shutil.copytree(library, out)
    for path in (out, *out.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = unmingle("evaluate", "out", "--labels", meeting.labels, "-o", "report")
    assert done.code == 0, done.err
    for path in (out, *out.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_faces_of_two_precisions_are_told_and_made_alike(unmingle: Command, library: Path, meeting: Meeting) -> None:
    shutil.copytree(library, unmingle.folder / "out")
    connection = sqlite3.connect(unmingle.folder / "out" / "library.sqlite")
    with connection:
        connection.execute(
            "UPDATE analysis SET precision = 'another' WHERE digest IN (SELECT min(digest) FROM analysis)"
        )
    connection.close()
    told = "Faces were computed in different precisions, of pictures: 1 in another and"
    assert told in unmingle("cluster", meeting.faces, "-o", "out").out
    assert told not in unmingle("cluster", meeting.faces, "-o", "out", "--precision", "f32").out


@pytest.mark.slow
def test_the_same_faces_from_both_engines(meeting: Meeting, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    import unmingle
    from unmingle.settings import EngineSettings

    pictures = sorted(meeting.faces.iterdir())[::3]
    faces = []
    for engine in ("openvino", "onnxruntime"):
        opened = unmingle.open(tmp_path / engine)
        opened.add(*pictures, engine=EngineSettings(engine=engine, precision="f32"))
        opened.cluster()
        faces.append(opened.faces)
    same, boxes = ["file", "face", "person", "status"], ["left", "top", "width", "height"]
    assert faces[0].select(same).equals(faces[1].select(same))
    assert faces[0]["person"].n_unique() > 4
    one, other = (found.select(boxes).fill_null(0).to_numpy() for found in faces)
    assert abs(one - other).max() <= 0.2


def test_who_is_sure_and_who_may_be_one(library: Path) -> None:
    import unmingle

    opened = unmingle.open(library)
    sure = opened.confidence
    assert sure.columns == ["source", "file", "frame", "face", "person", "probability"]
    assert sure.height == opened.faces["person"].is_not_null().sum()
    assert sure["probability"].is_sorted()
    keys = ["source", "file", "frame", "face", "person"]  # of one row in all tables
    assert sure.join(opened.faces, on=keys, nulls_equal=True).height == sure.height
    assert sure["probability"].is_between(0, 1).all()
    file, frame, face = sure.row(0)[1:4]
    assert opened.find_face(f"{file}@{frame}#{face}") == opened.find_face(f"{file}#{face}")
    with pytest.raises(LibraryError, match=f"no face 0 in frame {frame + 1}"):
        opened.find_face(f"{file}@{frame + 1}#0")
    pairs = opened.likely_pairs(most=3)
    assert pairs.columns == ["person", "other", "probability"]
    assert pairs.height <= 3
    assert pairs["probability"].is_sorted(descending=True)


def test_a_picture_is_identified_without_being_added(library: Path, meeting: Meeting, tmp_path: Path) -> None:
    import unmingle
    from unmingle.errors import LibraryError, SourceError
    from unmingle.settings import DetectionSettings

    opened = unmingle.open(library)
    before = opened.faces
    known = before.filter(before["person"].is_not_null()).sort("quality")[-1].to_dicts()[0]
    (found,) = opened.identify(meeting.faces / known["file"])
    assert found.person == found.nearest == known["person"]
    assert found.probability > 0.5
    assert opened.faces.equals(before)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"broken\.jpg can't be read"):
        opened.identify(tmp_path / "broken.jpg")
    with pytest.raises(LibraryError, match="other settings"):
        opened.identify(meeting.faces / known["file"], detection=DetectionSettings(min_score=0.9))


def test_who_is_in_pictures_is_told_without_adding_them(
    unmingle: Command, library: Path, meeting: Meeting, tmp_path: Path
) -> None:
    shutil.copytree(library, tmp_path / "library")
    opened = Library(tmp_path / "library")
    known = opened.faces.filter(pl.col("person").is_not_null()).sort("quality")[-1].to_dicts()[0]
    opened.name(known["person"], "Ada [bold]")
    before = opened.faces
    strange = tmp_path / "Küche 2019 (1)"
    strange.mkdir()
    (strange / "broken.jpg").write_bytes(b"no picture")
    Image.new("RGB", (64, 64), "grey").save(strange / "grey.png")
    pictures = (meeting.faces / known["file"], strange)
    done = unmingle("find", opened.folder, *pictures)
    assert done.code == 0, done.err
    told = dict(line.rsplit(": ", 1) for line in done.out.splitlines())
    assert told[str(pictures[0])].startswith("Ada [bold], ")
    assert told[f"{strange / 'broken.jpg'}: can't be read"]
    assert told[str(strange / "grey.png")] == "no face"
    found = {row["picture"]: row for row in json.loads(unmingle("find", opened.folder, *pictures, "--json").out)}
    (face,) = found[str(pictures[0])]["faces"]
    assert (face["person"], face["name"]) == (known["person"], "Ada [bold]")
    assert found[str(strange / "broken.jpg")]["problem"]
    assert opened.faces.equals(before)


def test_networks_are_loaded_once_and_what_was_decided_since_is_heeded(
    library: Path, meeting: Meeting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unmingle import identification
    from unmingle.faces import recipe
    from unmingle.review.session import Session

    opened = Library(shutil.copytree(library, tmp_path / "library"), views="on request")
    known = opened.faces.filter(pl.col("person").is_not_null()).sort("quality")[-1].to_dicts()[0]
    session, picture = Session(opened.folder), meeting.faces / known["file"]
    assert session.find(picture.read_bytes())[0].faces[0].person == known["person"]
    monkeypatch.setattr(recipe, "FaceRecipe", None)  # nobody loads any more
    with monkeypatch.context() as patch:
        patch.setattr(identification, "Assigner", None)  # nor reads all faces, for a name and tables
        opened.name(known["person"], "Ada")
        opened.write_views()
        assert session.find(picture.read_bytes())[0].faces[0].person == known["person"]
    other = next(person for person in opened.people["person"] if person != known["person"])
    opened.merge(other, known["person"])
    assert session.find(picture.read_bytes())[0].faces[0].person == other
    assert [one.person for _ in range(2) for one in opened.identify(picture)] == [other, other]
    session.stop()


def test_networks_are_opened_for_new_pictures_only_and_before_anything_changes(
    library: Path, meeting: Meeting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*how: object) -> None:
        raise ModelError("It is gone.")

    opened = Library(shutil.copytree(library, tmp_path / "library"))
    monkeypatch.setattr("unmingle.faces.recipe.open_yunet", gone)
    assert opened.add(meeting.faces).analysed == 0
    before = opened.faces
    with pytest.raises(ModelError):
        opened.add(meeting.faces, detection=DetectionSettings(crops="never"))
    assert opened.faces.equals(before)
    with pytest.raises(ModelError):
        Library(tmp_path / "new").add(meeting.faces)
    assert not (tmp_path / "new").exists()


def test_grouping_can_be_told_how_strict_to_be_and_what_names_mean(unmingle: Command, meeting: Meeting) -> None:
    words = ("cluster", meeting.faces, "-o", "library", "--json", "--sheets", "0")
    notes = {
        name: json.loads(unmingle(*words, *more).out)["notes"]
        for name, more in {
            "default": (),
            "strict": ("--strictness", "strict"),
            "lenient": ("--strictness", "lenient"),
            "off": ("--no-co-occurrence",),
            "unnamed": ("--name-pattern", "(?P<meeting>x)(?P<frame>x)(?P<index>x)"),
        }.items()
    }
    assert notes["strict"]["bar_single"] > notes["default"]["bar_single"] > notes["lenient"]["bar_single"]
    assert notes["default"]["same_frame_pairs"] > 0
    assert "kept_apart_since_seen_together" in notes["default"]
    assert "kept_apart_since_seen_together" not in notes["off"]
    assert notes["off"]["same_frame_pairs"] == notes["default"]["same_frame_pairs"]
    assert notes["unnamed"]["same_frame_pairs"] < notes["default"]["same_frame_pairs"]
    wrong = unmingle(*words, "--name-pattern", "(")
    assert wrong.code == 1
    assert "not a regular expression" in wrong.err
