"""For all tests: the command line, a drawn meeting, networks loaded once, steady Hypothesis, a browser, a user."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from tests.command import Command
from tests.networks import remembering
from tests.review.recording import Recorded

from unmingle.demo import write_meeting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser as Chromium

    from unmingle.demo import Meeting

# Without a deadline, since a busy machine is no bug, and with the same examples each time. CI tries more of them.
STEADY = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("few", STEADY, max_examples=10)
settings.register_profile("many", STEADY, max_examples=30)
settings.load_profile(os.environ.get("UNMINGLE_EXAMPLES", "few"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what drives a browser, skip what needs a program that is not here, and begin with what takes long."""
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
        for (program,) in (mark.args for mark in item.iter_markers("debian")):
            if shutil.which(program) is None:
                item.add_marker(pytest.mark.skip(reason=f"{program} is not installed"))
    if "PYTEST_XDIST_WORKER" in os.environ:  # else the last of them is waited for by all others
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of a run have."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def _networks(shared: Path) -> Iterator[None]:
    """All processes of a run share what the packaged networks said."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unmingle.models.runtime.OpenVinoSession", remembering(shared / "networks"))
        yield


@pytest.fixture
def unmingle(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture(scope="session")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> Meeting:
    """A small meeting of made-up people, drawn once."""
    return write_meeting(tmp_path_factory.mktemp("meeting"), people=6, frames=12)


@pytest.fixture
def recorded(shared: Path, tmp_path: Path) -> Recorded:
    """A library of two recordings, drawn and watched once in a run, since that takes seconds."""
    template = Recorded(shared / "recorded" / "library", shared / "recorded" / "recordings")
    with FileLock(shared / "recorded.lock"):
        if not template.folder.exists():
            Recorded.made(shared / "recorded")
    return template.copied(tmp_path)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that an ordinary user can reach, unlike pytest's own when root runs the tests."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Root may open anything: become nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """One browser for all tests that need one; each has a profile of its own."""
    from playwright.sync_api import sync_playwright

    # Without its own windows and menus it needs a fourth of the time.
    found = map(shutil.which, (os.environ.get("UNMINGLE_CHROMIUM", ""), "chromium-headless-shell", "chromium"))
    path = next(filter(None, found), None)
    if path is None:
        pytest.skip("there is no chromium on the path, and UNMINGLE_CHROMIUM names none")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()
