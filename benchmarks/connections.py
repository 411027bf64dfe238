"""Thousands of connections that are only held: does the review page answer meanwhile?

    python benchmarks/connections.py [--connections 2000] [--seconds 60]

`unmingle review` serves a library of made-up faces. Others, without its cookie, hold connections: one in three says
nothing, one sends half a head, one half of a body. Whenever the page hangs up on one of them, another takes its place.
Once a second somebody with the cookie asks for the page and for its people, over a new connection.

answers, worst_ms     how many of those came, and how long the slowest took; failed: those that did not come at all
open_most             connections that the server held at once, by its descriptors; log_bytes: what it wrote meanwhile
JSON on stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

from bombs import GOOD, GOOD_PICTURES, HERE, command

PARTS = (b"", b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab")


async def hold(port: int, number: int, until: float, opened: list[int]) -> None:
    """Keep one connection open, and open another one when it is closed."""
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            opened[0] += 1
            writer.write(PARTS[number % len(PARTS)])
            async with asyncio.timeout(until - time.monotonic()):
                while await reader.read(1000):
                    pass
            writer.close()
        except OSError:  # TimeoutError is one
            pass
        await asyncio.sleep(0.2)


async def hold_all(port: int, count: int, until: float) -> int:
    """Hold that many; how many were opened."""
    opened = [0]
    await asyncio.gather(*(hold(port, number, until, opened) for number in range(count)))
    return opened[0]


def ask(opener: urllib.request.OpenerDirector, url: str) -> float:
    """Milliseconds until a page is read."""
    began = time.monotonic()
    with opener.open(url, timeout=30) as answer:
        answer.read()
    return 1000 * (time.monotonic() - began)


def measure(place: Path, count: int, seconds: float) -> dict[str, float]:
    """Serve, hold, and ask."""
    (place / "good").mkdir()
    subprocess.run([sys.executable, "-c", GOOD_PICTURES, place / "good", str(GOOD)], check=True)
    command("cluster", place / "good", "-o", place / "library", "--quiet")
    log = (place / "log").open("wb")
    words = [sys.executable, "-m", "unmingle", "review", place / "library", "--no-browser"]
    server = subprocess.Popen(words, stdout=log, stderr=log, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    while not (found := re.search(r"http://[\w.]+:(\d+)/\?token=\S+", (place / "log").read_text(encoding="utf-8"))):
        time.sleep(0.1)
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    origin = f"http://127.0.0.1:{found[1]}"
    ask(opener, found[0].replace("localhost", "127.0.0.1"))
    said, until = (place / "log").stat().st_size, time.monotonic() + seconds
    words = [sys.executable, __file__, "--connections", str(count), "--hold", found[1], "--seconds", str(seconds)]
    holder = subprocess.Popen(words, stdout=subprocess.PIPE)
    took, failed, most = [], 0, 0
    time.sleep(1)
    while time.monotonic() < until:
        for path in ("/", "/api/people?limit=20"):
            try:
                took.append(ask(opener, origin + path))
            except OSError:
                failed += 1
        most = max(most, len(os.listdir(f"/proc/{server.pid}/fd")))  # noqa: PTH208
        time.sleep(1)
    opened = int(holder.communicate()[0])
    server.terminate()
    server.wait()
    return {
        "connections": count,
        "seconds": seconds,
        "opened": opened,
        "open_most": most,
        "answers": len(took),
        "failed": failed,
        "median_ms": round(statistics.median(took), 1),
        "worst_ms": round(max(took), 1),
        "log_bytes": (place / "log").stat().st_size - said,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--hold", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hold:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        until = time.monotonic() + options.seconds
        print(asyncio.run(hold_all(options.hold, options.connections, until)))
        return
    paths = [str(HERE), str(HERE.parent / "tools"), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(measure(Path(place), options.connections, options.seconds), indent=1))


if __name__ == "__main__":
    main()
