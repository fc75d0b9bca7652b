"""The reactor in asyncio.

    async with heartline.aio.Reactor() as reactor:
        reactor.listen("127.0.0.1:7001", codec)
        async for event in reactor:
            if event.kind == EventKind.MESSAGE:
                reactor.send(event.id, event.data)
"""

from __future__ import annotations

import asyncio
import collections
from typing import Any, Callable, Deque, Dict, Optional

from . import reactor as _reactor
from ._common import EventKind, LogLevel
from .reactor import Event

# A consumer that is slower than its peers: above the first reading stops, below the second it goes on.
_WAITING_MAX = 8192
_WAITING_LOW = 4096


class Reactor(_reactor.Reactor):
    """heartline.Reactor as an asynchronous iterator of events. It turns in the running loop, also while the consumer of
    the events is busy with something else: beats are answered meanwhile."""

    def __init__(self, log: Optional[Callable[[LogLevel, str], None]] = None, **settings: Optional[int]) -> None:
        super().__init__(log, **settings)
        self._waiting: Deque[Event] = collections.deque()
        self._obituaries: Dict[int, Dict[str, Any]] = {}
        self._arrived: Optional[asyncio.Event] = None
        self._held = False

    async def __aenter__(self) -> Reactor:
        self._begin()
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.free()

    def __aiter__(self) -> Reactor:
        self._begin()
        return self

    async def __anext__(self) -> Event:
        while not self._waiting:
            if self.is_drained:
                raise StopAsyncIteration
            assert self._arrived is not None, "it is attached to no loop"
            self._arrived.clear()
            await self._arrived.wait()
        event = self._waiting.popleft()
        if self._held and len(self._waiting) <= _WAITING_LOW and self._loop is not None:
            self._held = False
            self._loop.add_reader(self.fileno(), self._ready)
            self._loop.call_soon(self._ready)  # events may wait that make nothing readable any more
        return event

    def obituary(self, id: int) -> Dict[str, Any]:
        """Here it waits with its event; once both were taken from the iterator, the last 256 are kept until asked for."""
        kept = self._obituaries.pop(id, None)
        return kept if kept is not None else super().obituary(id)

    def _begin(self) -> None:
        if self._loop is None:
            self._arrived = asyncio.Event()
            self.attach(self._take)

    def _ready(self) -> None:
        if self._held:
            return
        super()._ready()
        if self._arrived is not None:
            self._arrived.set()
        if len(self._waiting) > _WAITING_MAX and self._loop is not None:
            self._held = True
            self._loop.remove_reader(self.fileno())

    def _take(self, event: Event) -> None:
        if event.kind in (EventKind.CLOSED, EventKind.CONNECT_FAILED):
            self._obituaries[event.id] = super().obituary(event.id)
            while len(self._obituaries) > 256 + len(self._waiting):
                del self._obituaries[next(iter(self._obituaries))]
        self._waiting.append(event)
