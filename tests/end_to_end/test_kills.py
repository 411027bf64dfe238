"""Kills at random moments, of the review server too: a short run of the benchmark that does a thousand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

KILLS = Path(__file__).parents[2] / "benchmarks" / "kills.py"


pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")]


def ran(*words: str) -> Any:
    done = subprocess.run(
        [sys.executable, str(KILLS), *words], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_library_that_is_being_encrypted_opens_after_a_kill() -> None:
    pytest.importorskip("sqlcipher3")
    result = ran("--encrypting", "--kills", "8", "--seed", "3000")
    assert result["wrong"] == []
    assert result["too_late"] < 8


def test_nothing_that_was_answered_is_lost_to_a_kill() -> None:
    result = ran("--kills", "12", "--served-every", "4", "--seed", "5000")
    assert result["wrong"] == []
    assert (result["kills"], result["of_the_server"]) == (12, 3)
    assert result["decisions_answered"] > 12
    assert result["pictures_answered"] > 12
