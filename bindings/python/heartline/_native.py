"""libheartline through ctypes: its constants, structs and functions, as heartline.h has them.

Struct layouts and constants are compared with the header by tests/test_layout.py. Functions stand in `lib` without their
prefix; each has its argument and result types, without which ctypes would cut 64-bit numbers.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import pathlib
from ctypes import CFUNCTYPE, POINTER, c_char, c_char_p, c_int32, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from typing import Any, Dict, List, Tuple

ABI_VERSION = 1
OFF = 0xFFFFFFFF
NO_LISTENER = 0xFFFF
POLICIES_MAX = 254
ADDRESS_BYTES = 48
WHY_BYTES = 160
NAMES_ERRORS, NAMES_REASONS, NAMES_EVENTS, NAMES_VERDICTS = 1, 2, 3, 4
SET_USER, SET_POLICY, SET_GRACE_MS, SET_PAUSE_READ, SET_HIGH_MARK, SET_LOW_MARK, SET_UNANSWERED = 1, 2, 3, 4, 5, 6, 7
SET_FRAMED = 8

LogFunction = CFUNCTYPE(None, c_void_p, c_uint32, c_char_p)


class Struct(ctypes.Structure):
    """All zero but struct_size, where it has one, and what is given."""

    _c_name_ = ""

    def __init__(self, **fields: Any) -> None:
        if self._fields_[0][0] == "struct_size":
            fields["struct_size"] = ctypes.sizeof(self)
        super().__init__(**fields)


class Policy(Struct):
    _c_name_ = "heartline_policy"
    _fields_ = [
        ("struct_size", c_uint32),
        ("role", c_uint32),
        ("interval_ms", c_uint32),
        ("suspect_ms", c_uint32),
        ("timeout_ms", c_uint32),
        ("jitter_percent", c_uint32),
        ("rtt_every_ms", c_uint32),
        ("after_first_frame", c_uint32),
    ]


class MonitorConfig(Struct):
    _c_name_ = "heartline_monitor_config"
    _fields_ = [
        ("struct_size", c_uint32),
        ("granularity_ms", c_uint32),
        ("seed", c_uint64),
        ("mass_silence_percent", c_uint32),
        ("mass_silence_window_ms", c_uint32),
        ("mass_silence_hold_ms", c_uint32),
        ("mass_silence_peers_min", c_uint32),
        ("tells_sends", c_uint32),
        ("reserved", c_uint32),
    ]


class Verdict(Struct):
    _c_name_ = "heartline_verdict"
    _fields_ = [
        ("peer", c_uint64),
        ("user", c_uint64),
        ("silence_ms", c_uint32),
        ("overshoot_ms", c_uint32),
        ("kind", c_uint16),
        ("unanswered", c_uint16),
        ("reserved", c_uint32),
    ]


class PeerInfo(Struct):
    _c_name_ = "heartline_peer_info"
    _fields_ = [
        ("struct_size", c_uint32),
        ("silence_ms", c_uint32),
        ("user", c_uint64),
        ("rtt_ms", c_uint32),
        ("unanswered", c_uint32),
        ("policy", c_uint32),
        ("suspect", c_uint32),
        ("dead", c_uint32),
        ("paused", c_uint32),
    ]


class MonitorStats(Struct):
    _c_name_ = "heartline_monitor_stats"
    _fields_ = [
        ("struct_size", c_uint32),
        ("silence_longest_ms", c_uint32),
        ("peers", c_uint64),
        ("asks", c_uint64),
        ("answers", c_uint64),
        ("owed", c_uint64),
        ("suspects", c_uint64),
        ("revived", c_uint64),
        ("dead", c_uint64),
        ("stalls", c_uint64),
        ("stalled_ms", c_uint64),
        ("silences", c_uint64),
        ("silence_p99_ms", c_uint32),
        ("silence_p9999_ms", c_uint32),
    ]


class CodecConfig(Struct):
    _c_name_ = "heartline_codec_config"
    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_uint32),
        ("max_bytes", c_uint64),
        ("field_bytes", c_uint32),
        ("little_endian", c_uint32),
        ("field_at", c_uint32),
        ("head_bytes", c_uint32),
        ("adjust", c_int32),
        ("includes_head", c_uint32),
        ("record_bytes", c_uint32),
        ("delimiter_bytes", c_uint32),
        ("delimiter", c_void_p),
        ("key", c_char_p),
        ("ask", c_char_p),
        ("answer", c_char_p),
    ]


class Stream(Struct):
    _c_name_ = "heartline_stream"
    _fields_ = [
        ("opaque", c_uint64 * 2),
    ]


class Frame(Struct):
    _c_name_ = "heartline_frame"
    _fields_ = [
        ("data", c_void_p),
        ("len", c_size_t),
        ("head", c_void_p),
        ("head_len", c_uint32),
        ("kind", c_uint32),
        ("total", c_size_t),
    ]


class Slice(Struct):
    _c_name_ = "heartline_slice"
    _fields_ = [
        ("data", c_void_p),
        ("len", c_size_t),
    ]


CutFunction = CFUNCTYPE(
    c_int32, c_void_p, c_void_p, c_size_t, c_size_t, POINTER(c_uint64), c_void_p, POINTER(Frame)
)
EncodeFunction = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t, POINTER(Slice), c_size_t, c_void_p)
AskFunction = CFUNCTYPE(c_int32, c_void_p, c_void_p)
AnswerFunction = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t, c_void_p)
DropFunction = CFUNCTYPE(None, c_void_p)


class CodecOps(Struct):
    _c_name_ = "heartline_codec_ops"
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("name", c_char_p),
        ("cut", CutFunction),
        ("encode", EncodeFunction),
        ("ask", AskFunction),
        ("answer", AnswerFunction),
        ("drop", DropFunction),
    ]


class ReactorConfig(Struct):
    _c_name_ = "heartline_reactor_config"
    _fields_ = [
        ("struct_size", c_uint32),
        ("statistics", c_uint32),
        ("seed", c_uint64),
        ("granularity_ms", c_uint32),
        ("verdicts_per_turn", c_uint32),
        ("mass_silence_percent", c_uint32),
        ("mass_silence_window_ms", c_uint32),
        ("mass_silence_hold_ms", c_uint32),
        ("mass_silence_peers_min", c_uint32),
        ("autopsy_ms", c_uint32),
        ("connections_max", c_uint32),
        ("mailbox_max", c_uint32),
        ("reserved", c_uint32),
        ("partial_bytes_max", c_uint64),
        ("outbox_bytes_max", c_uint64),
        ("batch_bytes", c_uint64),
        ("log", LogFunction),
        ("log_context", c_void_p),
        ("reserved_pointers", c_void_p * 4),
    ]


class Options(Struct):
    _c_name_ = "heartline_options"
    _fields_ = [
        ("struct_size", c_uint32),
        ("policy", c_uint32),
        ("nodelay", c_uint32),
        ("keepalive_idle_s", c_uint32),
        ("keepalive_interval_s", c_uint32),
        ("keepalive_count", c_uint32),
        ("user_timeout_ms", c_uint32),
        ("send_buffer_bytes", c_uint32),
        ("receive_buffer_bytes", c_uint32),
        ("high_bytes", c_uint32),
        ("low_bytes", c_uint32),
        ("when_full", c_uint32),
        ("first_frame_ms", c_uint32),
        ("frame_ms", c_uint32),
        ("output_ms", c_uint32),
        ("connect_ms", c_uint32),
        ("close_ms", c_uint32),
        ("half_open", c_uint32),
        ("deliver_beats", c_uint32),
        ("health_check_ms", c_uint32),
    ]


class ListenOptions(Struct):
    _c_name_ = "heartline_listen_options"
    _fields_ = [
        ("struct_size", c_uint32),
        ("backlog", c_uint32),
        ("reuse_port", c_uint32),
        ("per_address_max", c_uint32),
        ("accepts_per_second", c_uint32),
        ("reserved", c_uint32),
        ("connection", POINTER(Options)),
    ]


class Released(Struct):
    _c_name_ = "heartline_released"
    _fields_ = [
        ("fd", c_int32),
        ("unanswered", c_uint32),
        ("user", c_uint64),
        ("unread", c_void_p),
        ("unread_len", c_size_t),
        ("unsent", c_void_p),
        ("unsent_len", c_size_t),
    ]


class DrainOptions(Struct):
    _c_name_ = "heartline_drain_options"
    _fields_ = [
        ("struct_size", c_uint32),
        ("code", c_uint32),
        ("spread_ms", c_uint64),
        ("limit_ms", c_uint64),
        ("farewell", c_void_p),
        ("farewell_len", c_size_t),
    ]


class Event(Struct):
    _c_name_ = "heartline_event"
    _fields_ = [
        ("id", c_uint64),
        ("user", c_uint64),
        ("data", c_void_p),
        ("len", c_uint32),
        ("head_len", c_uint16),
        ("kind", c_uint8),
        ("flags", c_uint8),
        ("reason", c_uint16),
        ("listener", c_uint16),
        ("os_error", c_int32),
        ("silence_ms", c_uint32),
        ("rtt_ms", c_uint32),
        ("queued_bytes", c_uint32),
        ("detail", c_uint32),
        ("reserved", c_uint64),
    ]


class ConnectionInfo(Struct):
    _c_name_ = "heartline_connection_info"
    _fields_ = [
        ("struct_size", c_uint32),
        ("silence_ms", c_uint32),
        ("user", c_uint64),
        ("queued_bytes", c_uint64),
        ("unread_bytes", c_uint64),
        ("rtt_ms", c_uint32),
        ("unanswered", c_uint32),
        ("policy", c_uint32),
        ("suspect", c_uint32),
        ("paused", c_uint32),
        ("closing", c_uint32),
        ("dialling", c_uint32),
        ("reserved", c_uint32),
        ("address", c_char * ADDRESS_BYTES),
    ]


class Obituary(Struct):
    _c_name_ = "heartline_obituary"
    _fields_ = [
        ("struct_size", c_uint32),
        ("reason", c_uint32),
        ("id", c_uint64),
        ("user", c_uint64),
        ("closed_by", c_uint32),
        ("os_error", c_int32),
        ("age_ms", c_uint64),
        ("last_out_ms", c_uint64),
        ("silence_ms", c_uint32),
        ("overshoot_ms", c_uint32),
        ("unanswered", c_uint32),
        ("rtt_ms", c_uint32),
        ("bytes_in", c_uint64),
        ("bytes_out", c_uint64),
        ("messages_in", c_uint32),
        ("messages_out", c_uint32),
        ("queued_bytes", c_uint64),
        ("stalls", c_uint32),
        ("tcp", c_uint32),
        ("tcp_rtt_us", c_uint32),
        ("tcp_rto_us", c_uint32),
        ("tcp_retransmits", c_uint32),
        ("tcp_unacknowledged", c_uint32),
        ("address", c_char * ADDRESS_BYTES),
        ("why", c_char * WHY_BYTES),
    ]


# Name without its prefix: result, arguments.
FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {
    "check_abi": (c_int32, [c_uint32]),
    "abi_version": (c_uint32, []),
    "version": (c_char_p, []),
    "now_ms": (c_uint64, []),
    "last_bug": (c_int32, [c_char_p, c_size_t]),
    "strerror": (c_char_p, [c_int32]),
    "error_is_fatal": (c_int32, [c_int32]),
    "name": (c_char_p, [c_uint32, c_int32]),
    "policy_parse": (c_int32, [c_char_p, POINTER(Policy), c_size_t, c_char_p, c_size_t]),
    "monitor_new": (c_int32, [POINTER(MonitorConfig), c_uint64, POINTER(c_void_p)]),
    "monitor_free": (None, [c_void_p]),
    "monitor_policy": (c_int32, [c_void_p, c_uint32, POINTER(Policy), c_uint64]),
    "monitor_add": (c_int32, [c_void_p, c_uint64, c_uint32, c_uint64, POINTER(c_uint64)]),
    "monitor_remove": (c_int32, [c_void_p, c_uint64]),
    "monitor_heard": (c_int32, [c_void_p, c_uint64, c_uint64]),
    "monitor_beat": (c_int32, [c_void_p, c_uint64, c_uint32, c_uint64]),
    "monitor_spoke": (c_int32, [c_void_p, c_uint64]),
    "monitor_set": (c_int32, [c_void_p, c_uint64, c_uint32, c_uint64, c_uint64]),
    "monitor_wait_ms": (c_int32, [c_void_p, c_uint64]),
    "monitor_woke": (c_int32, [c_void_p, c_uint64]),
    "monitor_advance": (c_int32, [c_void_p, c_uint64, POINTER(Verdict), c_uint32]),
    "monitor_info": (c_int32, [c_void_p, c_uint64, c_uint64, POINTER(PeerInfo), c_size_t]),
    "monitor_read_stats": (c_int32, [c_void_p, POINTER(MonitorStats), c_size_t]),
    "codec_parse": (c_int32, [c_char_p, POINTER(c_void_p), c_char_p, c_size_t]),
    "codec_new": (c_int32, [POINTER(CodecConfig), POINTER(c_void_p), c_char_p, c_size_t]),
    "codec_free": (None, [c_void_p]),
    "codec_spec": (c_int32, [c_void_p, c_char_p, c_size_t]),
    "codec_cut": (c_int32, [c_void_p, c_void_p, c_size_t, POINTER(Stream), POINTER(Frame)]),
    "codec_head": (c_int32, [c_void_p, c_size_t, c_void_p, c_size_t]),
    "codec_encode": (c_int32, [c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p, c_size_t]),
    "codec_beat": (c_int32, [c_void_p, c_uint32, c_void_p, c_size_t, c_void_p, c_size_t]),
    "sink_write": (c_int32, [c_void_p, c_void_p, c_size_t]),
    "codec_custom": (c_int32, [POINTER(CodecOps), c_void_p, POINTER(c_void_p)]),
    "reactor_new": (c_int32, [POINTER(ReactorConfig), POINTER(c_void_p)]),
    "reactor_free": (None, [c_void_p]),
    "reactor_os_error": (c_int32, [c_void_p]),
    "reactor_policy": (c_int32, [c_void_p, c_uint32, POINTER(Policy)]),
    "reactor_listen": (c_int32, [c_void_p, c_char_p, c_void_p, POINTER(ListenOptions)]),
    "reactor_listener_address": (c_int32, [c_void_p, c_int32, c_char_p, c_size_t]),
    "reactor_stop_listening": (c_int32, [c_void_p, c_int32]),
    "reactor_connect": (c_int32, [c_void_p, c_char_p, c_void_p, POINTER(Options), c_uint64, POINTER(c_uint64)]),
    "reactor_adopt": (
        c_int32,
        [c_void_p, c_int32, c_void_p, POINTER(Options), c_uint64, c_void_p, c_size_t, c_void_p, c_size_t, POINTER(c_uint64)],
    ),
    "reactor_release": (c_int32, [c_void_p, c_uint64, POINTER(Released)]),
    "reactor_close": (c_int32, [c_void_p, c_uint64, c_uint32, c_uint32]),
    "reactor_drain": (c_int32, [c_void_p, POINTER(DrainOptions)]),
    "reactor_is_drained": (c_int32, [c_void_p]),
    "reactor_poll": (c_int32, [c_void_p, POINTER(Event), c_uint32, c_int32]),
    "reactor_fd": (c_int32, [c_void_p]),
    "reactor_wait_ms": (c_int32, [c_void_p]),
    "reactor_set": (c_int32, [c_void_p, c_uint64, c_uint32, c_uint64]),
    "reactor_set_options": (c_int32, [c_void_p, c_uint64, c_void_p, POINTER(Options)]),
    "reactor_send": (c_int32, [c_void_p, c_uint64, c_void_p, c_size_t]),
    "reactor_send_head": (c_int32, [c_void_p, c_uint64, c_void_p, c_size_t, c_void_p, c_size_t]),
    "reactor_sendv": (c_int32, [c_void_p, c_uint64, POINTER(Slice), c_size_t]),
    "reactor_broadcast": (c_int32, [c_void_p, POINTER(c_uint64), c_size_t, c_void_p, c_size_t, POINTER(c_int32)]),
    "reactor_broadcast_all": (c_int32, [c_void_p, c_uint64, c_void_p, c_size_t]),
    "reactor_flush": (c_int32, [c_void_p]),
    "reactor_info": (c_int32, [c_void_p, c_uint64, POINTER(ConnectionInfo), c_size_t]),
    "reactor_obituary": (c_int32, [c_void_p, c_uint64, POINTER(Obituary), c_size_t]),
    "reactor_count": (c_int32, [c_void_p]),
    "reactor_ids": (c_int32, [c_void_p, POINTER(c_uint64), c_size_t]),
    "reactor_counter": (c_int32, [c_void_p, c_char_p, POINTER(c_uint64)]),
    "reactor_metrics": (c_int32, [c_void_p, c_char_p, c_size_t]),
    "mailbox_new": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "mailbox_free": (None, [c_void_p]),
    "mailbox_send": (c_int32, [c_void_p, c_uint64, c_void_p, c_size_t]),
    "mailbox_broadcast": (c_int32, [c_void_p, c_void_p, c_size_t]),
    "mailbox_close": (c_int32, [c_void_p, c_uint64, c_uint32, c_uint32]),
    "mailbox_wake": (c_int32, [c_void_p]),
}


def _candidates() -> List[str]:
    given = os.environ.get("HEARTLINE_LIBRARY")
    if given:
        return [given]
    here = pathlib.Path(__file__).resolve().parent
    found = [str(here / "libheartline.so")] if (here / "libheartline.so").exists() else []
    return [*found, "libheartline.so.0.1", ctypes.util.find_library("heartline") or "libheartline.so"]


class Library:
    """The functions, as attributes."""

    def __init__(self) -> None:
        tried = []
        for name in _candidates():
            try:
                library = ctypes.CDLL(name)
                break
            except OSError as error:
                tried.append(str(error))
        else:
            raise ImportError(
                "libheartline.so was not found: build it with `make lib` and set HEARTLINE_LIBRARY to its path, "
                "or install it (%s)" % "; ".join(tried)
            )
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(library, "heartline_" + name)
            function.restype = result
            function.argtypes = arguments
            setattr(self, name, function)
        if self.check_abi(ABI_VERSION) < 0:
            raise ImportError("this package speaks ABI %d, which libheartline does not" % ABI_VERSION)

    def __getattr__(self, name: str) -> Any:  # for type checkers: the functions are set above
        raise AttributeError(name)


lib = Library()
