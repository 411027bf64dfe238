from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from unmingle.errors import LabelsError
from unmingle.exchange.named_faces import NamedFace, read_names

if TYPE_CHECKING:
    from pathlib import Path


def test_files_and_names_are_enough(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("File;Name\na.jpg; Zoë \n;nobody\nb.jpg;\n", encoding="utf-8")
    found = (NamedFace("a.jpg", "", "", "", "Zoë"), NamedFace("b.jpg", "", "", "", ""))
    assert read_names(tmp_path / "n.csv") == (found, ())


def test_the_columns_of_faces_csv_are_read(tmp_path: Path) -> None:
    text = "file,source,frame,face,person,name,status\na.mp4,/s,120,1.0,7,Ada,clustered\n"
    (tmp_path / "n.csv").write_text(text)
    assert read_names(tmp_path / "n.csv") == ((NamedFace("a.mp4", "/s", "120", "1", "Ada"),), ())


def test_a_table_without_names_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("file,score\na.jpg,1\n")
    with pytest.raises(LabelsError, match="It has file, score"):
        read_names(tmp_path / "n.csv")


def test_a_column_of_numbers_is_no_column_of_names(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("name,file,person\n1,a.jpg,Ada\n2,b.jpg,Unknown\n")
    found, _ = read_names(tmp_path / "n.csv")
    assert [(one.file, one.name) for one in found] == [("a.jpg", "Ada"), ("b.jpg", "")]


def test_columns_of_different_people_are_asked_about(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("file,label,identity\na.jpg,Ada,Bob\nb.jpg,Ada,Cy\n")
    with pytest.raises(LabelsError, match=r"Several columns .* label \(Ada\); identity \(Bob, Cy\)"):
        read_names(tmp_path / "n.csv")


def test_a_table_of_names_without_a_header_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("a.jpg,Ada\nb.jpg,Ben\n")
    with pytest.raises(LabelsError, match="no header"):
        read_names(tmp_path / "n.csv")
