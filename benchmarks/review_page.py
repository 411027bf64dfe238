"""The review page with a hundred thousand faces: how soon it is there, how soon it answers, how it scrolls.

    python benchmarks/review_page.py [--faces 100000] [--people 5000] [--rounds 5]

Makes a library of generated faces with drawn thumbnails, serves it as `unmingle review` does, and drives Chromium
(UNMINGLE_CHROMIUM, or the one on the path). Milliseconds, median and worst over the rounds:

first_view   from the request for the page until the first twelve faces are there, in a browser without a cache; the
             first right after the server is up, the others while it works out questions
open_person  from the key until the faces of the largest person are painted
<kind>       from the request of a decision until its answer is read, as the browser tells it
<route>      likewise: a picture with all names, whom a person or a face is like, a person broken up (the largest, and
             others), who is in a picture (made up) that is dropped, what is left out. `first` of each may read all
             faces, `decided` is right after a decision; `processor` is the server's, of each but the first, which
             other work on the machine hardly changes
blank        while the wall is scrolled by one to forty screens at a time: how long a place on screen had neither a face
             nor the tone that stands for one (0: never), and when the last face was painted after each jump

JSON on stdout.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw
from playwright.sync_api import sync_playwright

from unmingle.decisions.assignment import Measured, store_assignment
from unmingle.decisions.state import State
from unmingle.demo import write_meeting
from unmingle.faces.recipe import key_of
from unmingle.models.registry import SFACE
from unmingle.records import Analysis, Faces, Triage
from unmingle.settings import DetectionSettings
from unmingle.store import analyses, facts
from unmingle.store.face_rows import ALONE, faces_to_group
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RECIPE = key_of(DetectionSettings(), SFACE)  # that of real faces: pictures are looked at as these were
DRAWN = 300  # different thumbnails
SCREENS = (1, 2, 5, 10, 40)
CARD = "[role=gridcell] img.thumb[data-ready]"
# Whether each place on screen is filled: a face that is painted, or a tone.
LOOK = """() => {
  const places = [];
  const grid = document.querySelector('[role=grid]').getBoundingClientRect();
  const top = document.querySelector('.tools').getBoundingClientRect().bottom;
  for (let y = Math.max(140, top + 10); y < innerHeight - 10; y += 40)
    for (let x = grid.left + 30; x < grid.right - 30; x += 60) {
      if (y > grid.bottom - 30) continue;
      const hit = document.elementFromPoint(x, y);
      places.push(Boolean(hit && hit.closest('[role=grid]')));
    }
  const seen = [...document.querySelectorAll('[role=gridcell]:not([hidden])')].filter((cell) => {
    const box = cell.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  });
  return {blank: places.filter((filled) => !filled).length, cells: seen.length,
          painted: seen.filter((cell) => cell.querySelector('img.thumb').dataset.ready === 'yes').length};
}"""


# Milliseconds until the answer to a request is read: of a body, of a picture in base64, or of neither.
ASK = """async ([path, body]) => {
  const start = performance.now();
  const file = typeof body === 'string' && Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
  const type = file ? 'application/octet-stream' : 'application/json';
  const post = {method: 'POST', headers: {'Content-Type': type}, body: file || JSON.stringify(body)};
  const answer = await fetch(path, body ? post : {});
  await answer.json();
  if (!answer.ok) throw new Error(`${path} ${answer.status}`);
  return performance.now() - start;
}"""
# When the twelfth face was there, by the browser's own clock, which starts with the request for the page.
TWELVE = """() => performance.getEntriesByType('resource').filter((one) => one.name.endsWith('/thumbnail'))
  .map((one) => one.responseEnd).sort((one, other) => one - other)[11]"""


def make(folder: Path, faces: int, people: int) -> None:
    """Faces with sizes of people by a power law, an eighth of them alone, some too small, some pictures without any."""
    random = np.random.default_rng(0)
    sizes = np.arange(1, people + 1) ** -0.75
    sizes = np.maximum(2, sizes / sizes.sum() * faces * 7 // 8).astype(int)
    person_n = np.repeat(np.arange(people), sizes)[:faces]
    person_n = np.concatenate([person_n, np.full(faces - len(person_n), ALONE)])
    random.shuffle(person_n)
    jpegs = [drawn(random) for _ in range(DRAWN)]
    with open_to_write(folder) as store:
        store.recipe = RECIPE
        store.set_fact(facts.SCALE, "1.0")
        with store.transaction() as connection:
            connection.execute("INSERT INTO source (id, path) VALUES (1, X'2F')")
            centres = random.normal(size=(people, 128))
            for face, person in enumerate(person_n.tolist()):
                centre = centres[person] if person != ALONE else random.normal(size=128)
                vector = (centre + 0.5 * random.normal(size=128)).astype(np.float32)
                shape = Faces(np.full((1, 4), 80, np.float32), np.ones((1, 5, 2), np.float32), np.ones(1, np.float32))
                quality = random.random(1).astype(np.float32)
                found = Analysis(300, 300, shape, vector[None], quality, (jpegs[face % DRAWN],), Triage.alike(1))
                name = f"meeting{face % 7}/m_{face // 8:08}_{face % 8}.jpg"
                analyses.add_analysis(connection, name, RECIPE, "f32", found)
                connection.execute(
                    "INSERT INTO file (source, path, name, digest) VALUES (1, ?, ?, ?)", (name.encode(), name, name)
                )
        with store.transaction() as connection:
            state = State.read(store)
        grouped = faces_to_group(store)
        row = dict(store.connection.execute("SELECT face.id, digest FROM face JOIN analysis ON analysis.id = analysis"))
        number = {f"meeting{i % 7}/m_{i // 8:08}_{i % 8}.jpg": i for i in range(faces)}
        labels = person_n[[number[row[face]] for face in grouped.ids.tolist()]]
        sure = random.random(faces) ** 0.1
        store_assignment(store, grouped, Measured(labels, np.full(people, 0.8), sure, sure), state)


def drawn(random: np.random.Generator) -> bytes:
    image = Image.new("RGB", (112, 112), tuple(random.integers(60, 220, 3).tolist()))
    draw = ImageDraw.Draw(image)
    draw.ellipse((22, 14, 90, 104), fill=tuple(random.integers(90, 250, 3).tolist()))
    for x in (42, 70):
        draw.ellipse((x - 5, 46, x + 5, 54), fill=(30, 30, 30))
    buffer = io.BytesIO()
    image.save(buffer, "jpeg", quality=85)
    return buffer.getvalue()


def first_view(browser: Browser, address: str) -> float:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(address)  # takes the cookie, and with it everything else; the measured one starts cold below
    cookies = context.cookies()
    context.close()
    cold = browser.new_context(viewport={"width": 1280, "height": 800})
    cold.add_cookies(cookies)  # type: ignore[arg-type]  # as they came
    page = cold.new_page()
    page.goto(address.partition("?")[0], wait_until="commit")
    page.locator(CARD).nth(11).wait_for(state="attached")
    took = float(page.evaluate(TWELVE))
    cold.close()
    return took


def decisions(page: Page, address: str, people: int) -> dict[str, float]:
    """Milliseconds of one decision of each kind, asked by the page's own code."""
    bodies: dict[str, dict[str, Any]] = {
        "name": {"kind": "name", "person": people, "name": f"Name {time.time()}"},
        "merge": {"kind": "merge", "person": people + 1, "others": [people + 2]},
        "different": {"kind": "different", "person": people + 3, "other": people + 4},
    }
    faces = page.evaluate(
        "async (p) => (await (await fetch(`/api/people/${p}/faces?limit=40`)).json()).faces.map(f => f.face)", people
    )
    bodies["reject"] = {"kind": "reject", "faces": faces[:3], "person": people}
    bodies["split"] = {"kind": "split", "faces": faces[5:15]}
    bodies["assign"] = {"kind": "assign", "faces": faces[20:24], "person": people + 1}
    bodies["not_a_face"] = {"kind": "not_a_face", "faces": faces[30:31]}
    bodies["ignore"] = {"kind": "ignore", "person": people + 5}
    times = {kind: page.evaluate(ASK, ["/api/decisions", body]) for kind, body in bodies.items()}
    times["undo"] = page.evaluate(ASK, ["/api/undo", {}])
    times["redo"] = page.evaluate(ASK, ["/api/redo", {}])
    return times


def routes(page: Page, rounds: int, picture: bytes, server: int) -> dict[str, dict[str, float]]:
    """Milliseconds of what one looks at beside the wall, asked by the page's own code."""
    faces = page.evaluate("async () => (await (await fetch('/api/people/11/faces?limit=60')).json()).faces")
    lone = page.evaluate("async () => (await (await fetch('/api/left-out/faces?limit=60')).json()).faces")
    named = [str(one["face"]) for one in (*faces[:rounds], *lone[:rounds])]
    asked: dict[str, list[tuple[str, str | None]]] = {
        "picture_with_names": [(f"/api/faces/{face}", None) for face in named],
        "faces_like": [(f"/api/faces/{face}/alike", None) for face in named],
        "people_like": [(f"/api/alike?person={person}", None) for person in range(201, 201 + rounds)],
        "break_up_largest": [("/api/people/1/parts", None)] * rounds,
        "break_up": [(f"/api/people/{person}/parts", None) for person in range(201, 201 + rounds)],
        "drop_a_picture": [("/api/find", base64.b64encode(picture).decode())] * rounds,
        "left_out": [("/api/left-out/faces", None)] * rounds,
        "add": [("/api/sources", None)] * rounds,
    }
    told = {}
    page.wait_for_function("async () => (await (await fetch('/api/questions?limit=1')).json()).ready", timeout=600_000)
    for name, about in asked.items():
        first = page.evaluate(ASK, about[0])
        before = busy(server)
        times = [page.evaluate(ASK, one) for one in about[1:]]
        taken = (busy(server) - before) / len(times)
        page.evaluate(ASK, ["/api/decisions", {"kind": "name", "person": 9, "name": f"{name} {time.time()}"}])
        decided = page.evaluate(ASK, about[-1])
        told[name] = {
            "first": round(first, 1),
            **summary(times),
            "decided": round(decided, 1),
            "processor": round(taken),
        }
    return told


def busy(process: int) -> float:
    """Processor time so far, in milliseconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def scroll(page: Page) -> list[dict[str, float]]:
    """Jumps down the wall: places without anything right after each, and how long until all faces are painted."""
    results = []
    for screens in SCREENS:
        page.evaluate(f"scrollBy(0, {screens} * innerHeight)")
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        start = time.perf_counter()
        blank = page.evaluate(LOOK)["blank"]
        while (seen := page.evaluate(LOOK))["painted"] < seen["cells"] and time.perf_counter() - start < 10:
            blank = max(blank, seen["blank"])
        results.append({"screens": screens, "blank": blank, "painted_ms": 1000 * (time.perf_counter() - start)})
    return results


def measure(folder: Path, rounds: int, picture: bytes) -> dict[str, Any]:
    server = subprocess.Popen(
        [sys.executable, "-m", "unmingle", "review", str(folder), "--no-browser"], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    address = server.stdout.readline().split()[-1]
    try:
        with sync_playwright() as playwright:
            chromium = (
                os.environ.get("UNMINGLE_CHROMIUM")
                or shutil.which("chromium")
                or shutil.which("chromium-headless-shell")
            )
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            views = [first_view(browser, address) for _ in range(rounds)]
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(address)
            page.wait_for_selector(CARD)
            answers: dict[str, list[float]] = {}
            for turn in range(rounds):
                for kind, took in decisions(page, address, 10 + 10 * turn).items():
                    answers.setdefault(kind, []).append(took)
            looked = routes(page, rounds, picture, server.pid)
            opened = []
            for _ in range(rounds):
                page.goto(address.partition("?")[0])
                page.wait_for_selector(CARD)
                start = time.perf_counter()
                page.keyboard.press("Enter")
                page.wait_for_selector(".tile img.thumb[data-ready]")
                opened.append(time.perf_counter() - start)
            page.goto(address.partition("?")[0])
            page.wait_for_selector(CARD)
            jumps = scroll(page)
            version = browser.version
            browser.close()
    finally:
        server.terminate()
        server.wait(20)
    return {
        "chromium": version,
        "first_view_ms": {"first": round(views[0], 1), **summary(views)},
        "open_person_ms": summary([1000 * took for took in opened]),
        "decisions_ms": {kind: summary(times) for kind, times in answers.items()},
        "routes_ms": looked,
        "scroll": [{key: round(value) for key, value in jump.items()} for jump in jumps],
    }


def summary(values: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 1), "worst": round(max(values), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "library"
        make(folder, options.faces, options.people)
        sys.stderr.write("made\n")
        meeting = write_meeting(Path(place) / "meeting", people=1, frames=1)
        picture = next(meeting.faces.iterdir()).read_bytes()
        result = {"faces": options.faces, "people": options.people, **measure(folder, options.rounds, picture)}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
