"""Kills at random moments, of the review server too: a short run of the benchmark that does a thousand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = Path(__file__).parents[2] / "benchmarks" / "kills.py"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_nothing_that_was_answered_is_lost_to_a_kill() -> None:
    words = [sys.executable, str(KILLS), "--kills", "40", "--served-every", "8", "--seed", "5000"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["wrong"] == []
    assert (result["kills"], result["of_the_server"]) == (40, 5)
    assert result["decisions_answered"] > 40
    assert result["pictures_answered"] > 40
