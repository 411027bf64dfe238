"""A real browser at a real server: what the browser tests share."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

import uvicorn

from unmingle.review.app import create_app
from unmingle.review.auth import Auth
from unmingle.review.serve import free_listener

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request

TOKEN = "the-token-of-a-test"
PATIENCE = 30.0  # seconds for anything that a person would wait for, on a machine with much else to do
# What a person operates or is led by; whoever does not see them needs a name.
CONTROLS = {
    *("button", "link", "textbox", "searchbox", "combobox", "radio", "checkbox", "option", "listbox", "menuitem"),
    *("gridcell", "grid", "dialog", "toolbar", "navigation", "alertdialog", "tab", "slider", "spinbutton", "heading"),
}
# A dialog that was closed goes back in the history, and an address asked for meanwhile would be given up.
SETTLED = "() => !history.state?.depth || document.querySelector('dialog[open]')"
# Any of these, and the page has got what it asked the server for.
SHOWN = "[role=gridcell][aria-label]:not([hidden]), .question, .log-row, .recording, .empty"
VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`));"""


class Server(uvicorn.Server):
    """Leaves no connection open when it ends, also where the browser kept one longer than it waits."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)  # they close in the loop's next turn


@contextmanager
def served(folder: Path, *, port: int = 0) -> Iterator[str]:
    """The server of a library in a thread, as long as the block; its origin."""
    with free_listener(port=port) as listener:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = create_app(folder, Auth(TOKEN, origin))
        # Nothing is asked while somebody types: a connection that ends meanwhile, a test's requests would still take.
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5, timeout_keep_alive=600)
        server = Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
        thread.start()
        try:
            _until(lambda: server.started, thread)
            yield origin
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
        assert not thread.is_alive()


def _until(true: Callable[[], bool], thread: Thread) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert thread.is_alive(), "the server ended"
        assert time.monotonic() < end, "the server does not start"
        time.sleep(0.01)


class Watch:
    """Notes what no page may do: log an error, ask another host, break its own content security policy.

    Attributes:
        refusals: statuses that the server is meant to answer; the browser logs each as an error.
    """

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.origin = origin
        self.refusals: set[int] = set()
        self.faults: list[str] = []
        context.add_init_script(VIOLATIONS)
        context.on("console", self._console)
        context.on("request", self._request)
        context.on("weberror", lambda error: self.faults.append(f"error: {error.error}"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text} {message.location.get('url', '')}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.faults.append(f"asked {request.url}")

    def check(self) -> None:
        """Nothing bad happened."""
        expected = tuple(f"the server responded with a status of {status} " for status in self.refusals)
        bad = [fault for fault in self.faults if not any(words in fault for words in expected)]
        assert not bad, "\n".join(bad)


def nameless(page: Page) -> list[str]:
    """What can be operated and has no name, as the browser tells assistive programs once the page is complete."""
    session = page.context.new_cdp_session(page)
    end = time.monotonic() + PATIENCE
    while True:
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        shown = [node for node in nodes if not node["ignored"] and _value(node, "role") in CONTROLS]
        without = [f"{_value(node, 'role')} in {page.url}" for node in shown if not _value(node, "name").strip()]
        if (shown and not without) or time.monotonic() > end:
            session.detach()
            return without if shown else ["the page is empty"]
        page.wait_for_timeout(100)  # it is being filled


def _value(node: dict[str, Any], part: str) -> str:
    return str(node.get(part, {}).get("value", ""))


class Seat:
    """Somebody at a page of the review.

    Attributes:
        page: the browser's.
        watch: what no page may do.
    """

    def __init__(self, page: Page, watch: Watch) -> None:
        self.page = page
        self.watch = watch
        page.set_default_timeout(PATIENCE * 1000)

    def open(self, path: str = "/") -> None:
        """Go to an address of the site, and wait until what it shows is there."""
        self.page.wait_for_function(SETTLED)
        self.page.goto(f"{self.watch.origin}{path}")
        self.page.locator(SHOWN).first.wait_for()

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def cell(self, name: str) -> Locator:
        """A person on the wall, or a face, by the beginning of what it is called."""
        return self.page.locator(f'[role=gridcell][aria-label^="{name}"]:not([hidden])')

    def cells(self) -> Locator:
        """All cells that are there and filled."""
        return self.page.locator("[role=gridcell][aria-label]:not([hidden])")

    def button(self, name: str) -> Locator:
        """A button by what it is called."""
        return self.page.get_by_role("button", name=name, exact=True)

    def act(self, name: str) -> None:
        """Press a button of the bar that comes up when something is selected."""
        self.page.get_by_role("toolbar").get_by_role("button", name=name, exact=True).click()

    def dialog(self) -> Locator:
        """The dialog that is open."""
        return self.page.get_by_role("dialog")

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for something that is not on the page."""
        end, pause = time.monotonic() + PATIENCE, 20.0
        while not true():
            assert time.monotonic() < end, "it does not become true"
            self.page.wait_for_timeout(pause)
            pause = min(1.5 * pause, 250)  # who asks all the time keeps the server busy

    def shown_faces(self) -> list[int]:
        """The faces of the question on show, first those of the one side, then those of the other."""
        script = "images => images.map((image) => Number(image.dataset.face))"
        faces: list[int] = self.page.locator(".question img").evaluate_all(script)
        return faces

    def told(self, words: str) -> Locator:
        """A line at the bottom that says this."""
        return self.page.locator(".toast", has_text=words)

    def api(self, path: str) -> Any:
        """What the server says now, to whoever is signed in here."""
        answer = self.page.context.request.get(f"{self.watch.origin}/api{path}")
        assert answer.ok, answer.text()
        return answer.json()

    def decide(self, kind: str, **more: object) -> Any:
        """A decision that is made elsewhere: by another program with the same cookie."""
        answer = self.page.context.request.post(
            f"{self.watch.origin}/api/decisions", data={"kind": kind, **more}, headers={"Origin": self.watch.origin}
        )
        assert answer.ok, answer.text()
        return answer.json()

    def names(self) -> dict[int, str]:
        """Everybody's name now."""
        return {person["person"]: person["name"] for person in self.api("/people?limit=1000")["people"]}

    def faces(self, person: int) -> list[int]:
        """A person's faces now, by time."""
        return [face["face"] for face in self.api(f"/people/{person}/faces")["faces"]]
