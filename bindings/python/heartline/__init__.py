"""Heartline keeps long-lived connections alive and honest: it frames their bytes, beats when they fall silent, finds the dead
on time and kills none of the living. Three levels, each useful alone: Monitor, Codec, Reactor (in asyncio: heartline.aio).

    codec = heartline.Codec("length:4be,max=64K")
    with heartline.Reactor() as reactor:
        reactor.listen("127.0.0.1:7001", codec)
        for event in reactor:
            if event.kind == heartline.EventKind.MESSAGE:
                reactor.send(event.id, event.data)
"""

from . import aio
from ._common import (
    Beat,
    Close,
    Error,
    EventKind,
    FullError,
    InvalidError,
    LogLevel,
    OsError,
    Policy,
    Reason,
    Role,
    StaleError,
    VerdictKind,
    WhenFull,
    now_ms,
    version,
)
from .codec import Codec, Frame, Stream
from .monitor import Monitor, PeerInfo, Verdict
from .reactor import Event, Mailbox, Options, Reactor, Released

__all__ = [
    "Beat",
    "Close",
    "Codec",
    "Error",
    "Event",
    "EventKind",
    "Frame",
    "FullError",
    "InvalidError",
    "LogLevel",
    "Mailbox",
    "Monitor",
    "Options",
    "OsError",
    "PeerInfo",
    "Policy",
    "Reactor",
    "Reason",
    "Released",
    "Role",
    "StaleError",
    "Stream",
    "Verdict",
    "VerdictKind",
    "WhenFull",
    "aio",
    "now_ms",
    "version",
]
