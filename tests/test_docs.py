"""The documentation is true: its commands and examples run, its lists are complete, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import build
import pytest
from tests.command import Command

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


SCRIPT = re.compile(r"^```(bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
UNMINGLE = f'unmingle() {{ {shlex.quote(sys.executable)} -m unmingle "$@"; }}'  # installed or not


def examples(page: str, blocks: re.Pattern[str] = BLOCK) -> list[tuple[str, str]]:
    """The blocks of a page, each with its kind."""
    return blocks.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))


def run_python(text: str, folder: Path) -> None:
    with chdir(folder):
        exec(compile(text, "example", "exec"), {})  # what it is for


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the start page was run from top to bottom."""
    folder = tmp_path_factory.mktemp("started")
    blocks = examples("start.md")
    assert {kind for kind, _ in blocks} == {"console", "python"}
    for kind, text in blocks:
        if kind == "python":
            run_python(text, folder)
            continue
        for line in text.splitlines():
            program, *words = shlex.split(line.removeprefix("$ "))
            assert program == "unmingle"
            done = Command(folder)(*words)
            assert done.code == 0, done.err
    return folder


@pytest.mark.slow
def test_the_start_page_runs_from_top_to_bottom(started: Path) -> None:
    assert (started / "out" / "sheets" / "overview.jpg").is_file()
    assert (started / "out" / "evaluation" / "evaluation.json").is_file()
    assert (started / "people" / "Ada").is_dir()


@pytest.mark.slow
@pytest.mark.debian("jq")
def test_the_scripts_run_after_it(started: Path) -> None:
    script = "\n".join(text for kind, text in examples("guides/scripts.md", SCRIPT) if kind == "bash")
    assert script
    words = ["bash", "-euo", "pipefail", "-c", f"{UNMINGLE}\n{script}"]
    done = subprocess.run(words, cwd=started, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("page", ["scripts", "notebooks"])
def test_the_python_of_a_guide_runs_after_it(started: Path, page: str) -> None:
    text = "\n".join(text for kind, text in examples(f"guides/{page}.md") if kind == "python")
    assert text
    run_python(text, started)


@pytest.mark.parametrize("page", ["errors", "settings"])
def test_the_examples_of_the_reference_run(page: str, tmp_path: Path) -> None:
    blocks = examples(f"reference/{page}.md")
    assert blocks
    for _, text in blocks:
        run_python(text, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_on_every_page_exists_with_its_options(page: Path) -> None:
    """Commands with made-up names can't run here, but their words must be understood."""
    reference = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in text.splitlines() if kind == "console" else []:
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words[:1] != ["unmingle"]:
                continue
            name = " ".join(words[1:3]) if words[1] == "models" else words[1]
            section = re.search(rf"^## unmingle {name}$(.*?)(?=^## |\Z)", reference, re.MULTILINE | re.DOTALL)
            assert section, line
            for word in words:
                assert not word.startswith("-") or re.search(rf"`[^`]*{re.escape(word)}\b", section[1]), (line, word)


def test_what_is_made_from_the_program_is_up_to_date() -> None:
    for page, text in build.rendered().items():
        assert page.read_text(encoding="utf-8") == text, f"{page.name}: run make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
