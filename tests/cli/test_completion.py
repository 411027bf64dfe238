"""Shells complete commands, options and their values."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASKED = {
    "bash": lambda words: {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))},
    "zsh": lambda words: {"_TYPER_COMPLETE_ARGS": words},
    "fish": lambda words: {"_TYPER_COMPLETE_ARGS": words, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}


@pytest.mark.parametrize("shell", ASKED)
def test_a_shell_completes(shell: str) -> None:
    def completed(words: str) -> str:
        env = os.environ | {"_UNMINGLE_COMPLETE": f"complete_{shell}"} | ASKED[shell](words)
        done = subprocess.run(
            [Path(sys.executable).with_name("unmingle")], env=env, capture_output=True, text=True, check=False
        )
        return done.stdout

    found = completed("unmingle exp")
    assert "export" in found
    assert "evaluate" not in found
    assert all(form in completed("unmingle export --to ") for form in ("folders", "csv", "xmp"))
