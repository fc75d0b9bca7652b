"""Level 3: everything: sockets, framing, liveness, limits."""

from __future__ import annotations

import asyncio
import ctypes
import os
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from . import _native as native
from ._common import (
    Buffer,
    Close,
    Handle,
    LogLevel,
    Policy,
    OsError,
    error,
    make,
    name,
    octets,
    set_fields,
    text,
    told,
)
from ._native import lib
from .codec import Codec

_ERR_OS = -8
_CAPACITY = 256


class Event(NamedTuple):
    """Something that happened, copied: it may be kept. `kind` is an EventKind, or a number that this version does not know."""

    kind: int
    id: int
    user: int
    # MESSAGE: the message. BEAT: the whole frame. UNSENT: the frame, or what was given to the mailbox.
    data: bytes
    # MESSAGE: all bytes before the message.
    head: bytes
    # CLOSED, CONNECT_FAILED: a Reason, from 256 the application's own.
    reason: int
    os_error: int
    # OPENED, ACCEPT_PAUSED, ACCEPT_RESUMED.
    listener: Optional[int]
    silence_ms: int
    rtt_ms: Optional[int]
    queued_bytes: int
    detail: int

    @property
    def reason_name(self) -> str:
        return name(native.NAMES_REASONS, self.reason)

    @property
    def kind_name(self) -> str:
        return name(native.NAMES_EVENTS, self.kind)


class Released(NamedTuple):
    """A connection that was given back: its descriptor is yours."""

    fd: int
    user: int
    unread: bytes
    unsent: bytes
    unanswered: int


class Options:
    """Settings of a connection, by the names of heartline_options: Options(policy=1, frame_ms=5000). None: none, no limit."""

    def __init__(self, **fields: Optional[int]) -> None:
        self.raw = native.Options()
        set_fields(self.raw, fields)


class Reactor(Handle):
    """An epoll set with connections in it. One thread at a time; other threads reach it by a Mailbox.

    Settings are those of heartline_reactor_config, by name: Reactor(autopsy_ms=5000). `log` is called with a LogLevel and a
    line; it must not use this reactor.
    """

    _end = lib.reactor_free

    def __init__(self, log: Optional[Callable[[LogLevel, str], None]] = None, **settings: Optional[int]) -> None:
        config = native.ReactorConfig()
        set_fields(config, settings)
        if log is not None:
            write = log

            def forward(_: Any, level: int, line: bytes) -> None:
                write(LogLevel(level), line.decode(errors="replace"))

            config.log = native.LogFunction(forward)
        self._log = config.log  # it must live as long as the reactor
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._on_event: Optional[Callable[[Event], None]] = None
        self._flushing = False
        super().__init__(make(lambda out: lib.reactor_new(config, out)))
        self._events = (native.Event * _CAPACITY)()

    def __enter__(self) -> Reactor:
        return self

    def __exit__(self, *_: Any) -> None:
        self.free()

    def close(self, id: int, how: int = Close.FLUSH, code: int = 0) -> None:
        """Closes a connection; its CLOSED comes with a later poll, with `code` (from 256 up) as its reason."""
        self._check(lib.reactor_close(self.raw, id, how, code))
        self._queued()

    def free(self) -> None:
        """Closes every connection and listener, and the reactor; tells no event."""
        self.detach()
        super().free()

    # ---- Beginnings and ends ----

    def policy(self, slot: int, policy: Union[Policy, str]) -> None:
        """Sets the policy in a slot, which Options(policy=slot) names. Slot 0 is the profile `im` until it is set."""
        made = policy if isinstance(policy, Policy) else Policy(policy)
        self._check(lib.reactor_policy(self.raw, slot, made.raw))

    def listen(self, at: str, codec: Codec, options: Optional[Options] = None, **settings: Optional[int]) -> int:
        """Listens on "IP:PORT", "[IPv6]:PORT", "unix:PATH", "unix:@NAME" or "fd:N"; the number of the listener. `settings` are
        those of heartline_listen_options (backlog, reuse_port, ...)."""
        raw = native.ListenOptions()
        set_fields(raw, settings)
        if options is not None:
            raw.connection = ctypes.pointer(options.raw)
        return self._check(lib.reactor_listen(self.raw, at.encode(), codec.raw, raw))

    def listener_address(self, listener: int) -> str:
        """Where it listens, with the port that the kernel chose."""
        return text(lambda buffer, size: lib.reactor_listener_address(self.raw, listener, buffer, size))

    def stop_listening(self, listener: int) -> None:
        self._check(lib.reactor_stop_listening(self.raw, listener))

    def connect(self, to: str, codec: Codec, options: Optional[Options] = None, user: int = 0) -> int:
        """The id of a connection that ends in OPENED ... CLOSED or in CONNECT_FAILED alone. What is sent before OPENED waits."""
        id = ctypes.c_uint64()
        raw = options.raw if options is not None else None
        self._check(lib.reactor_connect(self.raw, to.encode(), codec.raw, raw, user, id))
        return id.value

    def adopt(
        self,
        fd: int,
        codec: Codec,
        options: Optional[Options] = None,
        user: int = 0,
        unread: Buffer = b"",
        unsent: Buffer = b"",
    ) -> int:
        """Takes over a connected stream socket, on success alone: give it socket.detach()'s number."""
        id, read, send = ctypes.c_uint64(), bytes(unread), bytes(unsent)
        raw = options.raw if options is not None else None
        self._check(lib.reactor_adopt(self.raw, fd, codec.raw, raw, user, read, len(read), send, len(send), id))
        return id.value

    def release(self, id: int) -> Released:
        """Gives a connection back; no CLOSED is told."""
        raw = native.Released()
        self._check(lib.reactor_release(self.raw, id, raw))
        return Released(raw.fd, raw.user, _bytes(raw.unread, raw.unread_len), _bytes(raw.unsent, raw.unsent_len), raw.unanswered)

    def drain(self, spread_ms: int = 0, limit_ms: int = 0, farewell: Union[Buffer, str, None] = None, code: int = 0) -> None:
        """Accepts no more, sends each connection the farewell, closes them spread over the time given."""
        raw = native.DrainOptions(code=code, spread_ms=spread_ms, limit_ms=limit_ms)
        if farewell is not None:
            data = octets(farewell)
            kept = ctypes.create_string_buffer(data, len(data) + 1)
            raw.farewell, raw.farewell_len = ctypes.addressof(kept), len(data)
        self._check(lib.reactor_drain(self.raw, raw))

    @property
    def is_drained(self) -> bool:
        return self._check(lib.reactor_is_drained(self.raw)) == 1

    # ---- Events ----

    def poll(self, timeout_s: Optional[float] = None) -> List[Event]:
        """Waits until something happened, the time has passed (None: for as long as it takes; 0: not at all) or the mailbox
        woke it. At most 256 events: more may wait."""
        timeout_ms = -1 if timeout_s is None else min(max(0, -int(-timeout_s * 1000 // 1)), 2**31 - 1)
        count = self._check(lib.reactor_poll(self.raw, self._events, _CAPACITY, timeout_ms))
        return [_event(raw) for raw in self._events[:count]]

    def events(self) -> Iterator[Event]:
        """Polls for ever and gives one event after another; ends when a drain is over."""
        while True:
            yield from self.poll()
            if self.is_drained:
                return

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    def attach(self, on_event: Callable[[Event], None], loop: Optional[asyncio.AbstractEventLoop] = None) -> None:
        """Runs in asyncio: `on_event` is called for each event by the loop (the running one) until detach(). What is sent
        leaves when the loop goes on. What `on_event` raises goes to the loop's exception handler."""
        self.detach()
        self._loop = loop if loop is not None else asyncio.get_running_loop()
        self._on_event = on_event
        self._loop.add_reader(self.fileno(), self._ready)

    def detach(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self.fileno())

    def fileno(self) -> int:
        """The descriptor to nest this reactor in a foreign loop (select, selectors): then poll(0) until it gives less than 256."""
        return self._check(lib.reactor_fd(self.raw))

    def wait_s(self) -> Optional[float]:
        """For loops that take a timeout instead; None: for ever."""
        ms: int = lib.reactor_wait_ms(self.raw)
        return None if ms == -1 else self._check(ms) / 1000

    # ---- Sending ----

    def send(self, id: int, message: Union[Buffer, str], head: Buffer = b"") -> None:
        """Queues one message, framed. `head` gives the other bytes of its head."""
        data, other = octets(message), bytes(head)
        if other:
            self._check(lib.reactor_send_head(self.raw, id, other, len(other), data, len(data)))
        else:
            self._check(lib.reactor_send(self.raw, id, data, len(data)))
        self._queued()

    def sendv(self, id: int, parts: Sequence[Union[Buffer, str]]) -> None:
        """Queues one message made of several parts."""
        kept = [octets(part) for part in parts]
        slices = (native.Slice * max(1, len(kept)))()
        for raw, part in zip(slices, kept):
            raw.data, raw.len = ctypes.cast(ctypes.c_char_p(part), ctypes.c_void_p), len(part)
        self._check(lib.reactor_sendv(self.raw, id, slices, len(kept)))
        self._queued()

    def broadcast(self, ids: Iterable[int], message: Union[Buffer, str]) -> List[int]:
        """One message to many, encoded once. For each id 0 or a HEARTLINE_ERR_ number."""
        all_ids, data = list(ids), octets(message)
        raw = (ctypes.c_uint64 * max(1, len(all_ids)))(*all_ids)
        results = (ctypes.c_int32 * max(1, len(all_ids)))()
        self._check(lib.reactor_broadcast(self.raw, raw, len(all_ids), data, len(data), results))
        self._queued()
        return list(results[: len(all_ids)])

    def broadcast_all(self, message: Union[Buffer, str], but: int = 0) -> int:
        """One message to every open connection but one. How many took it."""
        data = octets(message)
        count = self._check(lib.reactor_broadcast_all(self.raw, but, data, len(data)))
        self._queued()
        return count

    def flush(self) -> None:
        """Sends what was queued, now, without waiting for the next poll."""
        self._check(lib.reactor_flush(self.raw))

    # ---- One connection ----

    def set_user(self, id: int, user: int) -> None:
        self._set(id, native.SET_USER, user)

    def set_policy(self, id: int, slot: int) -> None:
        self._set(id, native.SET_POLICY, slot)

    def grace(self, id: int, ms: int) -> None:
        """Nobody judges it for so long (a loading screen)."""
        self._set(id, native.SET_GRACE_MS, ms)

    def expect_answers(self, id: int, count: int) -> None:
        """So many asks were sent before it was adopted and have no answer yet (Released.unanswered)."""
        self._set(id, native.SET_UNANSWERED, count)

    def pause(self, id: int) -> None:
        """Stops reading it."""
        self._set(id, native.SET_PAUSE_READ, 1)

    def resume(self, id: int) -> None:
        self._set(id, native.SET_PAUSE_READ, 0)

    def set_marks(self, id: int, low_bytes: int, high_bytes: int) -> None:
        """Over `high_bytes` queued bytes a message is not taken; DRAINED comes at `low_bytes`."""
        self._set(id, native.SET_HIGH_MARK, high_bytes)
        self._set(id, native.SET_LOW_MARK, low_bytes)

    def set_options(self, id: int, codec: Codec, options: Options) -> None:
        self._check(lib.reactor_set_options(self.raw, id, codec.raw, options.raw))

    def info(self, id: int) -> Dict[str, Any]:
        """What is known of a connection that lives, by the names of heartline_connection_info."""
        raw = native.ConnectionInfo()
        self._check(lib.reactor_info(self.raw, id, raw, ctypes.sizeof(raw)))
        return _fields(raw)

    def obituary(self, id: int) -> Dict[str, Any]:
        """The report on a connection whose end the last poll told, by the names of heartline_obituary; until the next poll.
        Under attach() that is while its event is handled."""
        raw = native.Obituary()
        self._check(lib.reactor_obituary(self.raw, id, raw, ctypes.sizeof(raw)))
        return _fields(raw)

    # ---- All of them ----

    def __len__(self) -> int:
        return self._check(lib.reactor_count(self.raw))

    def __bool__(self) -> bool:
        return True  # also without connections

    def ids(self) -> List[int]:
        raw = (ctypes.c_uint64 * max(1, len(self)))()
        return list(raw[: self._check(lib.reactor_ids(self.raw, raw, len(raw)))])

    def counter(self, name: str) -> int:
        value = ctypes.c_uint64()
        self._check(lib.reactor_counter(self.raw, name.encode(), value))
        return value.value

    def metrics(self) -> str:
        """All counters in Prometheus' text format."""
        return text(lambda buffer, size: lib.reactor_metrics(self.raw, buffer, size), 16 << 10)

    def mailbox(self) -> Mailbox:
        return Mailbox(make(lambda out: lib.mailbox_new(self.raw, out)))

    # ---- Inside ----

    def _check(self, result: int) -> int:
        if result >= 0:
            return result
        if result == _ERR_OS:
            raise OsError(result, lib.reactor_os_error(self.raw))
        raise error(result)

    def _set(self, id: int, what: int, value: int) -> None:
        self._check(lib.reactor_set(self.raw, id, what, value))

    def _queued(self) -> None:
        """Under asyncio nobody polls soon: what one callback sends leaves together, after it."""
        if self._loop is not None and not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._loop is not None:
            self.flush()

    def _ready(self) -> None:
        """One batch at a time: the loop has others to serve. What waits behind a full batch makes the descriptor readable only
        after it was polled, so it must be asked for."""
        if self._loop is None:
            return
        events = self.poll(0)
        if len(events) == _CAPACITY:
            self._loop.call_soon(self._ready)
        for event in events:
            self._hand_out(event)

    def _hand_out(self, event: Event) -> None:
        try:
            if self._on_event is not None:
                self._on_event(event)
        except Exception as failure:  # one bad event must not take the others with it
            if self._loop is None:
                raise
            self._loop.call_exception_handler({"message": "a Heartline event was not handled", "exception": failure})


class Mailbox(Handle):
    """A handle on a reactor for any thread. It may outlive the reactor."""

    _end = lib.mailbox_free

    def __enter__(self) -> Mailbox:
        return self

    def __exit__(self, *_: Any) -> None:
        self.free()

    def send(self, id: int, message: Union[Buffer, str]) -> None:
        """What cannot be sent comes back at the reactor as EventKind.UNSENT."""
        data = octets(message)
        _check(lib.mailbox_send(self.raw, id, data, len(data)))

    def broadcast(self, message: Union[Buffer, str]) -> None:
        data = octets(message)
        _check(lib.mailbox_broadcast(self.raw, data, len(data)))

    def close(self, id: int, how: int = Close.FLUSH, code: int = 0) -> None:
        _check(lib.mailbox_close(self.raw, id, how, code))

    def wake(self) -> None:
        """Makes the reactor's poll return."""
        _check(lib.mailbox_wake(self.raw))


def _check(result: int) -> None:
    if result < 0:
        raise error(result)


def _bytes(pointer: Optional[int], length: int) -> bytes:
    return ctypes.string_at(pointer, length) if pointer and length else b""


def _fields(raw: native.Struct) -> Dict[str, Any]:
    fields = {field[0]: getattr(raw, field[0]) for field in raw._fields_ if field[0] not in ("struct_size", "reserved")}
    for key, value in fields.items():
        if isinstance(value, bytes):
            fields[key] = value.decode(errors="replace")
    fields["rtt_ms"] = told(fields["rtt_ms"])
    return fields


def _event(raw: Any) -> Event:
    head = raw.head_len
    return Event(
        raw.kind,
        raw.id,
        raw.user,
        _bytes(raw.data, raw.len),
        _bytes(raw.data - head, head) if head else b"",
        raw.reason,
        raw.os_error,
        None if raw.listener == native.NO_LISTENER else raw.listener,
        raw.silence_ms,
        told(raw.rtt_ms),
        raw.queued_bytes,
        raw.detail,
    )
