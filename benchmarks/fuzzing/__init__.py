"""Mutants of what people hand over, by kind, and processes that keep what they do apart; see `fuzz.py`."""

import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(_ROOT), str(_ROOT / "tools")]  # the tests' recordings, and who draws made-up people
