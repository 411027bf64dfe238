"""Who only holds a connection doesn't keep others out: few at once, little time to ask, and not much said of it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio
    import socket

MOST_CONNECTIONS = 100  # a browser opens six; some systems allow a process 256 files
AT_ONCE = 10  # are taken up at a time, far fewer than there may be: what came before them is read first
QUEUED = 1024  # wait to be taken up
TO_ASK = 10.0  # seconds for a whole request, from the first byte or from the connection on
MOST_RECORDS = 20  # of the log, in that many seconds
LOG_SECONDS = 60.0


class LimitedServer(uvicorn.Server):
    """Takes up a few connections at a time, so that who asks at once isn't driven out by who comes after."""

    def __init__(self, config: uvicorn.Config) -> None:
        config.http, config.backlog = LimitedProtocol, AT_ONCE
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        for one in sockets or ():
            one.listen(QUEUED)


class LimitedProtocol(H11Protocol):
    """HTTP that hangs up on whom it waits for too long; of too many connections, on the one that waited longest."""

    _alarm: asyncio.TimerHandle | None = None
    _since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        self._wait()
        others = [
            one for one in self.connections if isinstance(one, LimitedProtocol) and not one.transport.is_closing()
        ]
        waiting = [one for one in others if one.is_waiting and one is not self]
        if len(others) > MOST_CONNECTIONS:
            min(waiting, key=lambda one: one._since, default=self).transport.abort()

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self.is_waiting and self._alarm is None:
            self._wait()
        super().data_received(data)
        if not self.is_waiting and self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        if self._alarm is not None:
            self._alarm.cancel()
        super().connection_lost(exc)

    @property
    def is_waiting(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        self._since = self.loop.time()
        self._alarm = self.loop.call_later(TO_ASK, self.transport.abort)


class Seldom(logging.Filter):
    """Lets a few records through a minute, so that nobody can fill the disk by what is said of them."""

    def __init__(self) -> None:
        super().__init__()
        self._since, self._count = -LOG_SECONDS, 0

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging."""
        if time.monotonic() - self._since > LOG_SECONDS:
            self._since, self._count = time.monotonic(), 0
        self._count += 1
        return self._count <= MOST_RECORDS
