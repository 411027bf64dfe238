import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.evaluation.labels import match_names

Files = list[tuple[str, str]]


def meant(name: str, files: Files) -> str | None:
    """The file that one name means, "?" for an ambiguous one."""
    found = match_names([name], files)
    if found.ambiguous:
        return "?"
    return None if found.files[0] is None else "/".join(files[found.files[0]])


TWO_FOLDERS = [("/s", "a/1.jpg"), ("/s", "b/1.jpg"), ("/s", "b/2.jpg")]
TWO_SOURCES = [("/d/one", "1.jpg"), ("/d/two", "1.jpg")]
TWO_CASES = [("/s", "A.jpg"), ("/s", "a.jpg")]


@pytest.mark.parametrize(
    ("name", "files", "wanted"),
    [
        ("a/1.jpg", TWO_FOLDERS, "/s/a/1.jpg"),
        ("./a/1.jpg", TWO_FOLDERS, "/s/a/1.jpg"),
        ("a\\1.jpg", TWO_FOLDERS, "/s/a/1.jpg"),
        ("A/1.JPG", TWO_FOLDERS, "/s/a/1.jpg"),
        ("/s/b/1.jpg", TWO_FOLDERS, "/s/b/1.jpg"),
        ("C:\\data\\set\\b\\1.jpg", TWO_FOLDERS, "/s/b/1.jpg"),
        ("1.jpg", TWO_FOLDERS, "?"),
        ("c/1.jpg", TWO_FOLDERS, "?"),
        ("2.jpg", TWO_FOLDERS, "/s/b/2.jpg"),
        ("C:\\elsewhere\\2.JPG", TWO_FOLDERS, "/s/b/2.jpg"),
        ("3.jpg", TWO_FOLDERS, None),
        ("2", TWO_FOLDERS, "/s/b/2.jpg"),
        ("1", TWO_FOLDERS, "?"),
        ("a/1", TWO_FOLDERS, "/s/a/1.jpg"),
        ("3", TWO_FOLDERS, None),
        ("a/7.CR3", [("/s", "a/7.jpg"), ("/s", "a/7.CR3.jpg"), ("/s", "b/7.jpg")], "/s/a/7.CR3.jpg"),
        ("a/7.CR3", [("/s", "a/7.jpg"), ("/s", "b/7.jpg")], "/s/a/7.jpg"),
        ("7", [("/s", "007.jpg"), ("/s", "17.jpg")], "/s/007.jpg"),
        ("7", [("/s", "07.jpg"), ("/s", "007.jpg")], "?"),
        ("file:///d/a%20b/1.jpg", [("/s", "a b/1.jpg"), ("/s", "c/1.jpg")], "/s/a b/1.jpg"),
        ("file:///d/Zo%C3%AB%20%25.jpg", [("/s", "Zoë %.jpg")], "/s/Zoë %.jpg"),
        ("a%20b.jpg", [("/s", "a b.jpg"), ("/s", "a%20b.jpg")], "/s/a%20b.jpg"),
        ("100%.jpg", [("/s", "100%.jpg")], "/s/100%.jpg"),
        ("f", [("/s", "f.jpg"), ("/s", "f.png")], "?"),
        ("v1.2", [("/s", "v1.2.jpg")], "/s/v1.2.jpg"),
        ("f.png", [("/s", "f.jpg")], None),
        ("", TWO_FOLDERS, None),
        ("1.jpg", TWO_SOURCES, "?"),
        ("two/1.jpg", TWO_SOURCES, "/d/two/1.jpg"),
        ("/d/one/1.jpg", TWO_SOURCES, "/d/one/1.jpg"),
        ("A.jpg", TWO_CASES, "/s/A.jpg"),
        ("a.jpg", TWO_CASES, "/s/a.jpg"),
        ("a.JPG", TWO_CASES, "?"),
        ("x/cafe\u0301.jpg", [("/s", "caf\u00e9.jpg")], "/s/caf\u00e9.jpg"),
        ("back\\slash.jpg", [("/s", "back\\slash.jpg"), ("/s", "back/slash.jpg")], "/s/back\\slash.jpg"),
        ("a b 📷\n.jpg", [("/s", "a b 📷\n.jpg")], "/s/a b 📷\n.jpg"),
        (" 2.jpg ", [("/s", "2.jpg")], "/s/2.jpg"),
    ],
)
def test_what_a_name_means(name: str, files: Files, wanted: str | None) -> None:
    assert meant(name, files) == wanted


def test_a_file_is_for_the_surest_name() -> None:
    # The folder b is not in the library: its row must not take the face of a.
    found = match_names(["b/1.jpg", "a/1.jpg"], [("/s", "a/1.jpg")])
    assert found.files == (None, 0)
    assert found.ambiguous == ()


def test_a_name_with_its_ending_is_surer_than_one_without() -> None:
    found = match_names(["f", "f.jpg"], [("/s", "f.jpg")])
    assert found.files == (None, 0)


def test_names_that_want_a_file_equally_are_ambiguous() -> None:
    found = match_names(["C:/x/1.jpg", "D:/y/1.jpg", "2.jpg"], [("/s", "1.jpg"), ("/s", "2.jpg")])
    assert found.files == (None, None, 1)
    assert found.ambiguous == (0, 1)


def test_a_match_in_another_folder_is_told() -> None:
    found = match_names(["x/1.jpg", "2.jpg", "C:/far/3.jpg"], [("/s", "y/1.jpg"), ("/s", "y/2.jpg"), ("/s", "3.jpg")])
    assert found.files == (0, 1, 2)
    assert found.by_name == (0,)


part = st.sampled_from(["a", "b", "c", "A"])
paths = st.lists(st.lists(part, min_size=1, max_size=3).map("/".join), unique=True, max_size=12)


@given(paths, paths)
def test_order_does_not_matter_and_no_file_is_taken_twice(names: list[str], files: list[str]) -> None:
    pairs = [("/s", file) for file in files]
    found = match_names(names, pairs)
    taken = [file for file in found.files if file is not None]
    assert len(taken) == len(set(taken))
    assert all(found.files[i] is None for i in found.ambiguous)
    backwards = match_names(names[::-1], pairs[::-1])
    assert [None if f is None else files[::-1][f] for f in backwards.files[::-1]] == [
        None if f is None else files[f] for f in found.files
    ]


@given(paths)
def test_every_path_finds_itself(files: list[str]) -> None:
    found = match_names(files, [("/s", file) for file in files])
    assert found.files == tuple(range(len(files)))


def test_many_files_of_one_name() -> None:
    files = [("/s", f"person_{i}/0001.jpg") for i in range(3000)]
    names = [f"E:\\pictures\\person_{i}\\0001.jpg" for i in range(3000)]
    assert match_names(names, files).files == tuple(range(3000))
