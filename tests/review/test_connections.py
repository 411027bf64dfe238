"""Whoever only holds connections keeps nobody out."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import requests
import uvicorn

from unmingle.review import serve
from unmingle.review.serve import MOST_CONNECTIONS, MOST_RECORDS, LimitedServer, Seldom, free_listener

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS = (b"", b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab")


async def app(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    listener = free_listener()
    config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = LimitedServer(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[:2]
    server.should_exit = True
    thread.join()


def answers(address: tuple[str, int]) -> float:
    began = time.monotonic()
    assert requests.get(f"http://{address[0]}:{address[1]}/", timeout=5).text == "ok"
    return time.monotonic() - began


def test_many_that_hold_a_connection_keep_nobody_out(address: tuple[str, int]) -> None:
    with ExitStack() as stack, requests.Session() as session:
        session.get(f"http://{address[0]}:{address[1]}/", timeout=5)
        for number in range(3 * MOST_CONNECTIONS):
            held = stack.enter_context(socket.create_connection(address, timeout=5))
            held.sendall(PARTS[number % len(PARTS)])
        assert answers(address) < 1
        assert session.get(f"http://{address[0]}:{address[1]}/", timeout=5).text == "ok"


@pytest.mark.parametrize("part", PARTS[:2], ids=["nothing", "half a request"])
def test_who_asks_too_slowly_is_hung_up_on(
    monkeypatch: pytest.MonkeyPatch, address: tuple[str, int], part: bytes
) -> None:
    monkeypatch.setattr(serve, "TO_ASK", 0.3)
    with socket.create_connection(address, timeout=5) as held:
        held.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = b""
        while not answer.endswith(b"ok"):
            answer += held.recv(1000)
        time.sleep(0.5)  # an idle one stays, until something comes of the next request
        held.sendall(PARTS[1])
        time.sleep(0.2)
        assert hung_up(held)
    with socket.create_connection(address, timeout=5) as held:
        held.sendall(part)
        assert hung_up(held)


def hung_up(held: socket.socket) -> bool:
    try:
        return held.recv(1) == b""
    except ConnectionError:
        return True


def test_the_log_lets_few_records_through() -> None:
    seldom = Seldom()
    record = logging.makeLogRecord({"msg": "Invalid HTTP request received."})
    assert [seldom.filter(record) for _ in range(1000)].count(True) == MOST_RECORDS
