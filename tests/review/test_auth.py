"""Whom the server answers, and how it says no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from starlette.datastructures import Headers
from tests.review.browser import TOKEN
from tests.review.conftest import ORIGIN, Browser, own_files

from unmingle.review.app import create_app
from unmingle.review.auth import MAX_BODY, MAX_PICTURE, Auth, is_loopback
from unmingle.review.pages import HEADERS

if TYPE_CHECKING:
    from pathlib import Path

HOST = "127.0.0.1:8000"


def headers(**named: str) -> Headers:
    return Headers({name.replace("_", "-"): value for name, value in {"host": HOST, **named}.items()})


def test_nobody_without_a_cookie_sees_anything_but_how_to_sign_in(client: TestClient) -> None:
    for path in (
        "/",
        "/people/1",
        "/api/people",
        "/api/openapi.json",
        "/api/faces/1/thumbnail",
        "/nothing",
        "/api/docs",
    ):
        answer = client.get(path)
        assert answer.status_code == 401, path
        assert "unmingle review" in answer.text
    assert client.get(f"{own_files(client)}/mark.svg").status_code == 200


def test_a_wrong_token_or_cookie_opens_nothing(client: TestClient) -> None:
    for token in (
        "",
        "x",
        TOKEN[:-1],
        TOKEN + "x",
        "\u00fc",
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ):
        assert client.get("/", params={"token": token}, follow_redirects=False).status_code == 401
    assert client.get("/api/people", params={"token": TOKEN}).status_code == 401
    for cookie in ("unmingle-8000=", "unmingle-8000=x", "other=y; unmingle-8000=z", ";;;="):
        assert client.get("/api/people", headers={"Cookie": cookie}).status_code == 401


def test_the_token_becomes_a_strict_cookie(client: TestClient) -> None:
    answer = client.get("/", params={"token": TOKEN}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    given = answer.headers["set-cookie"]
    assert given.startswith("unmingle-8000=")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(given.split("; "))
    assert TOKEN not in given
    assert client.get("/").status_code == 200
    # Signed in, the token leaves the address bar as well.
    again = client.get("/", params={"token": TOKEN}, follow_redirects=False)
    assert (again.status_code, again.headers["location"]) == (303, "/")


def test_a_token_for_once_works_once() -> None:
    auth = Auth(TOKEN, ORIGIN)
    once = auth.token_for_once()
    key = auth.exchange(once)
    assert key
    assert auth.exchange(once) is None
    assert auth.exchange(TOKEN) == auth.exchange(TOKEN) == key
    assert Auth(TOKEN, ORIGIN).exchange(TOKEN) != key


OTHERS = [
    "evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:8001", "127.0.0.1:x", "localhost", "",
    "127.0.0.1.evil:8000", "user@127.0.0.1:8000", "127.0.0.1:8000/x", "[::1]:8000", "127.0.0.1:99999", "[",
    "192.168.0.1:8000"
]  # fmt: skip


def test_another_name_for_this_machine_is_refused(browser: Browser) -> None:
    for host in OTHERS:
        for path in ("/api/people", "/static/mark.svg"):
            assert browser.client.get(path, headers={"Host": host}).status_code == 421, host


def test_localhost_at_the_same_port_is_this_machine() -> None:
    auth = Auth(TOKEN, ORIGIN)
    cookie = f"{auth.cookie}={auth.exchange(TOKEN)}"
    assert auth.refusal("GET", "/", headers(host="localhost:8000", cookie=cookie)) is None
    assert auth.refusal("GET", "/", headers(host="LOCALHOST:8000", cookie=cookie)) is None
    other = Auth(TOKEN, "http://[::1]:8000")
    cookie = f"{other.cookie}={other.exchange(TOKEN)}"
    assert other.refusal("GET", "/", headers(host="[::1]:8000", cookie=cookie)) is None


def test_a_server_for_all_addresses_answers_to_numbers_and_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Here")
    monkeypatch.setattr("socket.getfqdn", lambda: "here.example")
    auth = Auth(TOKEN, "http://0.0.0.0:8000")
    cookie = f"{auth.cookie}={auth.exchange(TOKEN)}"
    for host in ("192.168.0.7:8000", "[fe80::1]:8000", "here:8000", "here.example:8000", "localhost:8000"):
        assert auth.refusal("GET", "/", headers(host=host, cookie=cookie)) is None
    for host in ("evil.example:8000", "192.168.0.7:8001"):
        refused = auth.refusal("GET", "/", headers(host=host, cookie=cookie))
        assert refused is not None
        assert refused.status == 421


OTHER_PAGES = [
    {}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "https://127.0.0.1:8000"},
    {"Origin": "http://127.0.0.1:8001"}, {"Origin": "http://localhost:8000"}, {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "none"}, {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"}
]  # fmt: skip


def test_another_page_changes_nothing(browser: Browser) -> None:
    body = {"kind": "name", "person": 1, "name": "Mallory"}
    for sent in OTHER_PAGES:
        assert browser.client.post("/api/decisions", json=body, headers=sent).status_code == 403, sent
    assert browser.get("/api/people", search="Mallory")["total"] == 0


OWN_PAGE = [
    {"Origin": ORIGIN}, {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"},
    {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "same-origin"}
]  # fmt: skip


def test_the_page_itself_may_change_something(browser: Browser) -> None:
    for number, sent in enumerate(OWN_PAGE):
        body = {"kind": "name", "person": 1, "name": f"Ada {number}"}
        assert browser.client.post("/api/decisions", json=body, headers=sent).status_code == 200, sent


def test_every_answer_carries_the_headers(browser: Browser) -> None:
    answers = [
        browser.client.get(path)
        for path in (
            "/",
            "/api/people",
            "/api/faces/1/thumbnail",
            f"{own_files(browser.client)}/mark.svg",
            "/nothing",
            "/api/nothing",
            "/api/people/0",
        )
    ]
    answers += [browser.client.post("/api/decisions", json={}), browser.client.get("/", headers={"Host": "evil"})]
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert answer.headers["cache-control"]
    policy = answers[0].headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy


def test_large_bodies_are_refused_unread(browser: Browser) -> None:
    def post(content: bytes, **sent: str) -> Any:
        return browser.client.post("/api/decisions", content=content, headers={"Origin": ORIGIN, **sent})

    assert post(b" " * (MAX_BODY + 1)).status_code == 413
    assert post(b"{}", **{"Content-Length": "9" * 30}).status_code == 413
    assert post(b"{}", **{"Content-Length": "-1"}).status_code == 400
    assert post(b"{}", **{"Content-Length": "two"}).status_code == 400
    # A picture that is looked for may be larger.
    found = browser.client.post("/api/find", content=b" " * (MAX_BODY + 1), headers={"Origin": ORIGIN})
    assert (found.status_code, found.json()["problem"].startswith("The picture can't be read: ")) == (422, True)
    larger = {"Origin": ORIGIN, "Content-Length": str(MAX_PICTURE + 1)}
    refused = browser.client.post("/api/find", content=b" ", headers=larger)
    assert (refused.status_code, refused.json()["mend"]) == (413, "Send at most 100,000,000 bytes: a smaller picture.")
    chunked = browser.client.post("/api/decisions", content=iter([b"{}"]), headers={"Origin": ORIGIN})
    assert chunked.status_code == 411


NONSENSE = [
    b"", b"{", b"[" * 100_000, b'"x"', b"\xff\xfe", b'{"kind": "name", "person": 1, "name": "\\ud800"}',
    b'{"kind": "\\ud800"}', b'{"kind": "name", "\\ud800": 1}', b'{"kind": "undo"}', b"1" * 10_000,
    b'{"kind": "name", "person": 9223372036854775808, "name": ""}', b'{"kind": "name", "person": true, "name": ""}',
    b'{"kind": "name", "person": "1", "name": ""}', b'{"kind": "split", "faces": []}',
    b'{"kind": "split", "faces": [0]}'
]  # fmt: skip


def test_nonsense_is_told_so(browser: Browser) -> None:
    sent = {"Origin": ORIGIN, "Content-Type": "application/json"}
    for body in NONSENSE:
        answer = browser.client.post("/api/decisions", content=body, headers=sent)
        assert answer.status_code in (400, 422), body[:80]
        assert set(answer.json()) == {"problem", "mend"}, body[:80]


def test_no_answer_tells_a_path_of_the_disk(browser: Browser, library_folder: Path) -> None:
    (library_folder.parent / "pictures" / "p00_0000_1.jpg").unlink()
    files = own_files(browser.client)
    for path in (
        "/api/library",
        "/api/faces/1",
        "/api/faces/1/picture",
        "/api/left-out/faces",
        "/api/people/1/faces",
        "/",
    ):
        assert str(library_folder.parent) not in browser.client.get(path).text, path
    for path in (
        f"{files}/../app.py",
        f"{files}/%2e%2e/app.py",
        f"{files}/..%2fapp.py",
        "/api/faces/..%2f..%2f/thumbnail",
    ):
        answer = browser.client.get(path)
        assert answer.status_code in (404, 422), path
        assert str(library_folder.parent) not in answer.text


def test_an_error_of_the_library_is_told_without_its_path(library_folder: Path) -> None:
    with TestClient(create_app(library_folder, Auth(TOKEN, ORIGIN)), base_url=ORIGIN) as client:
        browser = Browser(client)
        (library_folder / "library.sqlite").rename(library_folder / "away.sqlite")
        told = browser.decide("name", person=1, name="Ada", status=400)
        (library_folder / "away.sqlite").rename(library_folder / "library.sqlite")
    assert told["problem"] == "There is no library in library."


def test_which_addresses_only_this_machine_reaches() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.1", "example.org", "")))
