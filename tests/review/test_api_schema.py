"""The description of the API against the server: generated requests, no fault, and answers as described."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.review.browser import TOKEN
from tests.review.conftest import Maker

from unmingle.review.app import create_app
from unmingle.review.auth import Auth
from unmingle.review.routes import read, write
from unmingle.review.serve import free_listener

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = settings().max_examples // 5  # for each route, sensible ones and others
ROUTES = [(method, route.path) for route in (*read.routes, *write.routes) for method in sorted(route.methods)]  # type: ignore[attr-defined]

NOTHING_TO_ASK = ("/api/library", "/api/left-out", "/api/lock")


@pytest.fixture(scope="module")
def session(made_once: Maker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[requests.Session]:
    """Somebody signed in at a real server; `session.base` is its address."""
    with pytest.MonkeyPatch.context() as patch:
        # It would load the models each time.
        patch.setattr("unmingle.review.session.retry", lambda store, file: ("unreadable", "still damaged"))
        folder = made_once.copied(tmp_path_factory.mktemp("described")).folder
        with free_listener() as listener:
            origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
            app = create_app(folder, Auth(TOKEN, origin))
            server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            with requests.Session() as opened:
                opened.base = origin  # type: ignore[attr-defined]
                opened.headers["Origin"] = origin
                assert opened.get(origin, params={"token": TOKEN}).status_code == 200
                yield opened
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def described(session: requests.Session) -> Any:
    """The API as it describes itself."""
    description = session.get(f"{session.base}/api/openapi.json").json()  # type: ignore[attr-defined]
    schema = schemathesis.openapi.from_dict(description)
    schema.config.update(base_url=session.base)  # type: ignore[attr-defined]
    return schema


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_whatever_is_asked_is_answered_as_described(
    described: Any, session: requests.Session, method: str, path: str, mode: GenerationMode
) -> None:
    if mode.is_negative and path in NOTHING_TO_ASK:
        pytest.skip("there is nothing to get wrong")

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=described[path][method].as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        # What is asked for may be sensible and still impossible, as to undo what was never done.
        case.call_and_validate(session=session, excluded_checks=[] if method == "GET" else [positive_data_acceptance])

    check()


def test_every_route_says_what_it_does(session: requests.Session) -> None:
    description = session.get(f"{session.base}/api/openapi.json").json()  # type: ignore[attr-defined]
    for path, methods in description["paths"].items():
        assert path.startswith("/api/")
        for method in methods.values():
            assert method["description"], path
            assert {"200", "4XX"} <= set(method["responses"]), path
    assert "HTTPValidationError" not in description["components"]["schemas"]
