"""Level 1: liveness for connections that you own, in your own loop."""

from __future__ import annotations

import ctypes
from typing import Any, Dict, Iterator, NamedTuple, Optional, Set, Union

from . import _native as native
from ._common import Handle, Policy, StaleError, check, make, now_ms, set_fields, told
from ._native import lib


class Verdict(NamedTuple):
    """Something that the host should do or know; `kind` is a VerdictKind, or a number that this version does not know."""

    kind: int
    peer: int
    user: int
    silence_ms: int
    overshoot_ms: int
    unanswered: int


class PeerInfo(NamedTuple):
    silence_ms: int
    user: int
    rtt_ms: Optional[int]
    unanswered: int
    policy: int
    suspect: bool
    dead: bool
    paused: bool


class Monitor(Handle):
    """Watches the peers of a host that owns its sockets and its loop. One thread at a time.

    Settings are those of heartline_monitor_config, by name: Monitor(granularity_ms=1000). Wherever `now` may be given, it is
    milliseconds of a clock that never goes back; without it the monotonic clock is read. Use one clock throughout.
    """

    _end = lib.monitor_free

    def __init__(self, now: Optional[int] = None, **settings: int) -> None:
        config = native.MonitorConfig()
        set_fields(config, settings)
        super().__init__(make(lambda out: lib.monitor_new(config, _now(now), out)))
        self._verdicts = (native.Verdict * 256)()
        self._removed: Optional[Set[int]] = None

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: Any) -> None:
        self.free()

    def policy(self, slot: int, policy: Union[Policy, str], now: Optional[int] = None) -> None:
        """Sets the policy in a slot; add() names it. Slot 0 is the profile `im` until it is set."""
        made = policy if isinstance(policy, Policy) else Policy(policy)
        check(lib.monitor_policy(self.raw, slot, made.raw, _now(now)))

    def add(self, user: int = 0, policy: int = 0, now: Optional[int] = None) -> int:
        """Watches a new peer, heard now; `user` is a number of yours that verdicts carry."""
        peer = ctypes.c_uint64()
        check(lib.monitor_add(self.raw, user, policy, _now(now), peer))
        return peer.value

    def remove(self, peer: int) -> None:
        check(lib.monitor_remove(self.raw, peer))
        if self._removed is not None:
            self._removed.add(peer)

    def heard(self, peer: int, now: Optional[int] = None) -> None:
        """Bytes came from it: once per read."""
        check(lib.monitor_heard(self.raw, peer, _now(now)))

    def beat(self, peer: int, kind: int, now: Optional[int] = None) -> bool:
        """A beat came from it. True: an answer is owed."""
        return check(lib.monitor_beat(self.raw, peer, kind, _now(now))) == 1

    def spoke(self, peer: int) -> None:
        """Something was sent to it. Counts with tells_sends=1."""
        check(lib.monitor_spoke(self.raw, peer))

    def set_user(self, peer: int, user: int, now: Optional[int] = None) -> None:
        self._set(peer, native.SET_USER, user, now)

    def set_policy(self, peer: int, slot: int, now: Optional[int] = None) -> None:
        self._set(peer, native.SET_POLICY, slot, now)

    def grace(self, peer: int, ms: int, now: Optional[int] = None) -> None:
        """Nobody judges it for so long; its silence is counted from then on."""
        self._set(peer, native.SET_GRACE_MS, ms, now)

    def expect_answers(self, peer: int, count: int, now: Optional[int] = None) -> None:
        """So many asks more, sent by somebody else, are without an answer."""
        self._set(peer, native.SET_UNANSWERED, count, now)

    def framed(self, peer: int, now: Optional[int] = None) -> None:
        """Its first whole frame came: with after_first_frame it is asked from now on."""
        self._set(peer, native.SET_FRAMED, 1, now)

    def pause(self, peer: int, paused: bool = True, now: Optional[int] = None) -> None:
        """The host does not read it, so nobody judges it."""
        self._set(peer, native.SET_PAUSE_READ, int(paused), now)

    def wait_s(self, now: Optional[int] = None) -> Optional[float]:
        """How long the host may wait, as select and asyncio take it; None: for ever. The promise to be back by then."""
        ms: int = lib.monitor_wait_ms(self.raw, _now(now))
        return None if ms == -1 else check(ms) / 1000

    def woke(self, now: Optional[int] = None) -> int:
        """The wait is over; say it before heard(). The length of a stall in milliseconds."""
        return check(lib.monitor_woke(self.raw, _now(now)))

    def advance(self, now: Optional[int] = None) -> Iterator[Verdict]:
        """What is due, after what came was heard. Go through all of it. Peers may be removed on the way, any of them: what
        lies in the batch about one that is gone is passed over."""
        now = _now(now)
        removed = self._removed = set()
        while True:
            count = check(lib.monitor_advance(self.raw, now, self._verdicts, len(self._verdicts)))
            batch = [
                Verdict(raw.kind, raw.peer, raw.user, raw.silence_ms, raw.overshoot_ms, raw.unanswered)
                for raw in self._verdicts[:count]
            ]
            for verdict in batch:
                if verdict.peer not in removed:
                    yield verdict
            if count < len(self._verdicts):
                return

    def info(self, peer: int, now: Optional[int] = None) -> PeerInfo:
        raw = native.PeerInfo()
        check(lib.monitor_info(self.raw, peer, _now(now), raw, ctypes.sizeof(raw)))
        return PeerInfo(
            raw.silence_ms,
            raw.user,
            told(raw.rtt_ms),
            raw.unanswered,
            raw.policy,
            bool(raw.suspect),
            bool(raw.dead),
            bool(raw.paused),
        )

    def __contains__(self, peer: int) -> bool:
        try:
            self.info(peer)
        except StaleError:
            return False
        return True

    def stats(self) -> Dict[str, int]:
        """Running totals, by the names of heartline_monitor_stats."""
        raw = native.MonitorStats()
        check(lib.monitor_read_stats(self.raw, raw, ctypes.sizeof(raw)))
        return {field[0]: getattr(raw, field[0]) for field in raw._fields_[1:]}

    def _set(self, peer: int, what: int, value: int, now: Optional[int]) -> None:
        check(lib.monitor_set(self.raw, peer, what, value, _now(now)))


def _now(now: Optional[int]) -> int:
    return now_ms() if now is None else now
