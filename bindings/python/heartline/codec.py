"""Level 2: how bytes are cut into frames."""

from __future__ import annotations

import ctypes
from typing import Any, Callable, List, NamedTuple, Union

from . import _native as native
from ._common import Beat, Buffer, Handle, check, error, make, octets, text
from ._native import lib

_ERR_SHORT = -20


class Frame(NamedTuple):
    """A frame, copied: the message, all bytes before it, and the kind of beat (0: a message)."""

    message: bytes
    head: bytes
    beat: int
    whole: bytes


class Codec(Handle):
    """How bytes are cut into frames: "length:4be,max=64K". Immutable: connections and streams of any thread share it."""

    _end = lib.codec_free

    def __init__(self, spec: str) -> None:
        why = ctypes.create_string_buffer(native.WHY_BYTES)
        encoded = spec.encode()
        super().__init__(make(lambda out: lib.codec_parse(encoded, out, why, len(why)), lambda: why.value.decode()))

    @property
    def spec(self) -> str:
        """Its text form."""
        return text(lambda buffer, size: lib.codec_spec(self.raw, buffer, size))

    def encode(self, message: Union[Buffer, str], head: Buffer = b"") -> bytes:
        """A whole frame. `head` gives the other bytes of the head."""
        data, other = octets(message), bytes(head)

        def write(buffer: Any, size: int) -> int:
            result: int = lib.codec_encode(self.raw, other or None, len(other), data, len(data), buffer, size)
            return result

        return _written(write, len(data) + len(other) + 32)

    def beat(self, kind: int = Beat.ASK, asked: Buffer = b"") -> bytes:
        """A beat, empty if the codec has none. For an answer, `asked` is the whole frame that asks."""
        frame = bytes(asked)

        def write(buffer: Any, size: int) -> int:
            result: int = lib.codec_beat(self.raw, kind, frame or None, len(frame), buffer, size)
            return result

        return _written(write, len(frame) + 32)

    def head(self, message_bytes: int, head: Buffer) -> bytes:
        """The head of a message: `head` gives its other bytes, or as many bytes as there is room for."""
        room = ctypes.create_string_buffer(bytes(head), len(head))
        length = check(lib.codec_head(self.raw, message_bytes, room, len(room)))
        return room.raw[:length]

    def stream(self) -> Stream:
        return Stream(self)


class Stream:
    """The bytes of one connection on their way into frames; it keeps an unfinished tail and nothing else."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._kept = b""
        self._state = native.Stream()

    @property
    def unfinished(self) -> bytes:
        return self._kept

    def feed(self, received: Buffer) -> List[Frame]:
        """All frames that these bytes complete, in order. Raises Error for bytes that are no frame, or too long a frame:
        close the connection; the frames before it are in the error's `frames`."""
        data = bytearray(self._kept)
        data += received
        frames: List[Frame] = []
        if not data:
            return frames
        # A view on the bytes, not a copy: a codec may change them in place.
        view = (ctypes.c_char * len(data)).from_buffer(data)
        base, at, frame = ctypes.addressof(view), 0, native.Frame()
        while True:
            result = lib.codec_cut(self._codec.raw, base + at, len(data) - at, self._state, frame)
            if result <= 0:
                break
            message = (frame.data or base) - base
            head = (frame.head or base) - base
            end = at + frame.total
            frames.append(
                Frame(
                    bytes(data[message : message + frame.len]),
                    bytes(data[head : head + frame.head_len]),
                    frame.kind,
                    bytes(data[at:end]),
                )
            )
            at = end
        self._kept = bytes(data[at:]) if result == 0 else b""
        if result < 0:
            failure = error(result)
            failure.frames = frames
            raise failure
        return frames


def _written(write: Callable[[Any, int], int], room: int) -> bytes:
    while True:
        buffer = ctypes.create_string_buffer(room)
        result = write(buffer, room)
        if result != _ERR_SHORT:
            return buffer.raw[: check(result)]
        room *= 2
