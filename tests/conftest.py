"""For all tests: Hypothesis without a deadline (a busy machine is no bug), and the same examples each time."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
