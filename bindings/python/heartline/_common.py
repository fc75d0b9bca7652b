"""What all levels share: errors, kinds, policies."""

from __future__ import annotations

import ctypes
import enum
import os
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence, Union

from . import _native as native
from ._native import lib

if TYPE_CHECKING:
    from .codec import Frame

Buffer = Union[bytes, bytearray, memoryview]
OFF = native.OFF


class Error(Exception):
    """What the library refused. `code` is the HEARTLINE_ERR_ number, `name` its name; `frames` are those that Stream.feed
    had cut before it."""

    frames: Sequence[Frame] = ()

    def __init__(self, code: int, why: str = "") -> None:
        self.code = code
        self.name = name(native.NAMES_ERRORS, code)
        super().__init__(why or lib.strerror(code).decode())

    @property
    def is_fatal(self) -> bool:
        """Whether what the call was about can only be given up: trying again never helps."""
        return bool(lib.error_is_fatal(self.code))


class StaleError(Error):
    """The id is of no live connection or peer."""


class FullError(Error):
    """The outbox is over its high mark: go on at EventKind.DRAINED."""


class InvalidError(Error, ValueError):
    """A text or a setting that makes no sense."""


class OsError(Error, OSError):
    """The operating system said no; `errno` says what."""

    def __init__(self, code: int, number: int) -> None:
        Error.__init__(self, code, os.strerror(number) if number else "")
        self.errno = number


class EventKind(enum.IntEnum):
    OPENED = 1
    MESSAGE = 2
    CLOSED = 3
    SUSPECT = 4
    REVIVED = 5
    FULL = 6
    DRAINED = 7
    CONNECT_FAILED = 8
    UNSENT = 9
    STALLED = 10
    ACCEPT_PAUSED = 11
    ACCEPT_RESUMED = 12
    READ_CLOSED = 13
    MASS_SILENCE = 14
    BEAT = 15


class Reason(enum.IntEnum):
    PEER_CLOSED = 1
    PEER_RESET = 2
    SILENT = 3
    FIRST_FRAME_LATE = 4
    FRAME_STALLED = 5
    OUTPUT_STALLED = 6
    FRAME_BAD = 7
    OVER_LIMIT = 8
    OUTBOX_FULL = 9
    OS_ERROR = 10
    DRAINED = 11
    LOCAL = 12
    REPLACED = 13
    ABUSE = 14
    SEAL_BAD = 15
    UPGRADE_REFUSED = 16
    HEALTH_CHECK = 17
    CONNECT_REFUSED = 18
    CONNECT_TIMEOUT = 19
    CONNECT_ERROR = 20
    APPLICATION = 256


class VerdictKind(enum.IntEnum):
    ASK = 1
    SUSPECT = 2
    REVIVED = 3
    DEAD = 4
    STALLED = 5
    MASS_SILENCE = 6


class Role(enum.IntEnum):
    ANSWER = 1
    WATCH = 2
    ASK = 3
    BOTH = 4


class Beat(enum.IntEnum):
    ASK = 1
    ANSWER = 2
    EITHER = 3


class Close(enum.IntEnum):
    FLUSH = 1
    AT_ONCE = 2
    ABORT = 3


class WhenFull(enum.IntEnum):
    REFUSE = 1
    DROP_OLDEST = 2
    CLOSE = 3


class LogLevel(enum.IntEnum):
    INFO = 1
    WARN = 2
    BUG = 3


_KINDS_OF_ERRORS = {-4: StaleError, -9: FullError, -10: FullError, -3: InvalidError, -17: InvalidError, -18: InvalidError}
_KINDS_OF_ERRORS[-19] = InvalidError


def error(code: int, why: str = "") -> Error:
    return _KINDS_OF_ERRORS.get(code, Error)(code, why)


def check(result: int) -> int:
    """The result, if it is one."""
    if result < 0:
        raise error(result)
    return result


def name(table: int, number: int) -> str:
    text: bytes = lib.name(table, number)
    return text.decode()


def now_ms() -> int:
    """Milliseconds of the monotonic clock, rounded down."""
    now: int = lib.now_ms()
    return now


def version() -> str:
    """The version of the library."""
    text: bytes = lib.version()
    return text.decode()


def text(take: Callable[[Any, int], Any], size: int = 256) -> str:
    """What `take(buffer, size)` writes, whose result is the length of a string whether it fitted or not."""
    while True:
        buffer = ctypes.create_string_buffer(size)
        length = check(take(buffer, size))
        if length < size:
            return buffer.raw[:length].decode()
        size = length + 1


def octets(data: Union[Buffer, str]) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)


def told(number: int) -> Optional[int]:
    """A measured number, or None where it stands for none."""
    return None if number == OFF else number


class Policy:
    """What a connection's liveness follows: a text such as "game,role=watch,timeout=20s", or fields, or both.

    Fields in milliseconds, by the names of heartline_policy; what is not given is that of the profile `im`.
    """

    def __init__(self, text: Optional[str] = None, **fields: int) -> None:
        self.raw = native.Policy()
        if text is not None:
            why = ctypes.create_string_buffer(native.WHY_BYTES)
            result = lib.policy_parse(text.encode(), self.raw, ctypes.sizeof(self.raw), why, len(why))
            if result < 0:
                raise error(result, why.value.decode())
        set_fields(self.raw, fields)


def set_fields(raw: native.Struct, fields: Any) -> None:
    """Sets fields by their names in the header; one that does not exist is an error."""
    known = {field[0] for field in raw._fields_}
    for key, value in fields.items():
        if key not in known or key in ("struct_size", "reserved"):
            raise TypeError("%s has no setting %r" % (raw._c_name_, key))
        setattr(raw, key, OFF if value is None else int(value))


class Handle:
    """Owns one object of the library; ends it at free(), at the end of a `with`, or with the last reference."""

    _end: Any = None

    def __init__(self, raw: Optional[int]) -> None:
        self._raw: Optional[int] = raw

    @property
    def raw(self) -> int:
        if self._raw is None:
            raise ValueError("it was freed")
        return self._raw

    def free(self) -> None:
        raw, self._raw = getattr(self, "_raw", None), None
        if raw is not None:
            type(self)._end(raw)

    def __del__(self) -> None:
        Handle.free(self)


def make(maker: Callable[[Any], Any], why: Callable[[], str] = str) -> Optional[int]:
    """What a maker of the library writes to its `out`."""
    out = ctypes.c_void_p()
    result = maker(ctypes.byref(out))
    if result < 0:
        raise error(result, why())
    return out.value
