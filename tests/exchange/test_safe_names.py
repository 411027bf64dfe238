from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.exchange.output_folder import LONGEST, name_key, safe_name, safe_names


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("party.jpg", "party.jpg"),
        ("Zoë", "Zoë"),
        ("李小龍.jpg", "李小龍.jpg"),
        ('a/b\\c:d*e?f"g<h>i|j', "a_b_c_d_e_f_g_h_i_j"),
        ("CON.jpg", "_CON.jpg"),
        ("con", "_con"),
        ("Nul.tar.gz", "_Nul.tar.gz"),
        ("com1.jpg", "_com1.jpg"),
        ("COM¹", "_COM¹"),
        ("console.jpg", "console.jpg"),
        ("..", "_"),
        ("", "_"),
        (" . ", "_"),
        ("name.", "name"),
        ("name .jpg", "name.jpg"),
        (".hidden", "_hidden"),
        ("a\nb\0c\u202egpj.exe", "a_b_c_gpj.exe"),
        ("half\udc80sign", "half_sign"),
    ],
)
def test_a_name_is_made_safe(name: str, wanted: str) -> None:
    assert safe_name(name) == wanted


@given(st.text(max_size=400))
def test_every_name_is_safe_on_every_system(name: str) -> None:
    made = safe_name(name)
    assert made == safe_name(name)
    assert safe_name(made) == made
    assert made == unicodedata.normalize("NFC", made)
    assert made not in ("", ".", "..")
    assert not set(made) & set('<>:"/\\|?*\0')
    assert made[-1] not in ". "
    assert made[0] not in ". "
    assert len(made) <= LONGEST + 1
    assert len(made.encode()) <= 202


def test_a_long_name_keeps_its_ending_and_is_not_cut_between_a_letter_and_its_accent() -> None:
    assert safe_name("a" * 500 + ".jpeg").endswith("a.jpeg")
    assert len(safe_name("龍" * 500 + ".jpg").encode()) <= 202
    accented = "x" + "q\u0323" * 300  # no composed sign exists
    assert not unicodedata.combining(safe_name(accented)[-1])


@pytest.mark.parametrize(
    ("one", "other"), [("Ada", "ADA"), ("Zoë", "Zoe\u0308"), ("a:b", "a|b"), ("straße", "STRASSE")]
)
def test_what_is_one_name_somewhere_is_told_apart(one: str, other: str) -> None:
    made = safe_names((one, other, one), "manifest.csv", ending=False)
    assert len({name_key(name) for name in made}) == 3
    assert made[1].endswith("-2")
    assert made[2].endswith("-3")


def test_a_number_stands_before_the_ending_and_reserved_names_are_passed() -> None:
    made = safe_names(("a.jpg", "A.JPG", "Manifest.csv"), "manifest.csv")
    assert made == ["a.jpg", "A-2.JPG", "Manifest-2.csv"]
    assert safe_names(["Dr. No"], ending=False) == ["Dr. No"]
