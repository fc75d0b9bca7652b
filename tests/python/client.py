"""A client that shares no code with Heartline: `client.py PORT FORM ROLE`.

FORM is length, number, pairs, json or delimiter; ROLE is the server's, answer or ask. The server echoes, asks in FORM, its
limit is 1,024 bytes a message and its timeout two seconds. Says `ok: ...` and exits 0, or fails with an assertion.
"""

import json
import socket
import struct
import sys
import time

MAX = 1024
TIMEOUT = 2.0
PATIENCE = 10.0


class Length:
    """`length:4be`"""

    beat = ask = b"\0\0\0\0"
    # Every four bytes are a length: nothing but an oversize can be wrong.
    bad = []
    oversize = [struct.pack(">I", MAX + 1), b"\xff\xff\xff\xff", struct.pack(">I", MAX + 1) + b"x" * 50]

    def encode(self, message):
        return struct.pack(">I", len(message)) + message

    def read(self, stream):
        (length,) = struct.unpack(">I", stream.exactly(4))
        return stream.exactly(length)


class LineHeader:
    """`line-header`, in one of its three forms"""

    bad = [
        b"abc\r\n",
        b"\r\n",
        b"-1\r\n",
        b"5\nhello",
        b"type=3\r\n",
        b"length=1;length=2\r\nxx",
        b"length=x\r\n",
        b'{"length":"5"}\r\nhello',
        b'{"type":3}\r\n',
        b'{"length":5\r\nhello',
        b'{"length":1,"length":2}\r\nxx',
        b"x" * 1025,
    ]
    oversize = [b"1025\r\n", b"length=1025\r\n", b'{"length":1025}\r\n', b"99999999999999999999999999\r\n"]

    def __init__(self, head, ask):
        self.head = head
        self.beat = head % 0
        self.ask = ask

    def encode(self, message):
        return self.head % len(message) + message

    def read(self, stream):
        head = stream.until(b"\r\n")
        if head.startswith(b"{"):
            digits = json.loads(head)["length"]
        elif b"=" in head:
            digits = dict(pair.split(b"=") for pair in head.split(b";"))[b"length"]
        else:
            digits = head
        return stream.exactly(int(digits))


class Delimiter:
    """`delimiter:\\r\\n`"""

    beat = ask = b"\r\n"
    bad = []
    oversize = [b"x" * (MAX + 3), b"ok\r\n" + b"y" * (MAX + 3), b"z" * (MAX + 1) + b"\r\n"]

    def encode(self, message):
        return message + b"\r\n"

    def read(self, stream):
        return stream.until(b"\r\n")


FORMS = {
    "length": Length(),
    "number": LineHeader(b"%d\r\n", b"0\r\n"),
    "pairs": LineHeader(b"length=%d;type=3\r\n", b"length=0\r\n"),
    "json": LineHeader(b'{"length":%d,"type":3}\r\n', b'{"length":0}\r\n'),
    "delimiter": Delimiter(),
}


class Stream:
    """A connection with a buffer."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(PATIENCE)
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        got = self.socket.recv(65536)
        assert got, "the server closed the connection"
        self.buffer += got

    def exactly(self, count):
        while len(self.buffer) < count:
            self.more()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def until(self, delimiter):
        while delimiter not in self.buffer:
            self.more()
        taken, self.buffer = self.buffer.split(delimiter, 1)
        return taken

    def wait_closed(self):
        """Seconds until the server closed; what came before is dropped."""
        began = time.monotonic()
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            pass
        return time.monotonic() - began


def messages(form):
    sizes = [1, 2, 3, 4, 31, 32, 255, 256, 1000, MAX]
    # A message must not hold the delimiter; a carriage return alone is part of it.
    filler = bytes(byte for byte in range(256) if byte != 10) if form is FORMS["delimiter"] else bytes(range(256))
    return [(filler * 5)[size : 2 * size] or b"x" for size in sizes]


def expect(form, stream, echoes, answers):
    """Reads that many frames: the echoes in their order, and answers anywhere between them (control goes first)."""
    got_echoes, got_answers = [], 0
    for _ in range(len(echoes) + answers):
        message = form.read(stream)
        if message == b"":
            got_answers += 1
        else:
            got_echoes.append(message)
    assert got_echoes == echoes, (len(got_echoes), len(echoes))
    assert got_answers == answers, (got_answers, answers)
    assert stream.buffer == b"", stream.buffer


def check_echo(form, port):
    stream = Stream(port)
    sent = messages(form)
    for message in sent:
        stream.send(form.encode(message))
        expect(form, stream, [message], 0)
    stream.send(b"".join(map(form.encode, sent)) * 20)
    expect(form, stream, sent * 20, 0)


def check_cuts(form, port):
    stream = Stream(port)
    sent = [b"a", b"\r", b"hello, world", b"\r\rx\r"]
    script = form.beat.join([b""] + [form.encode(message) for message in sent] + [b""])
    beats = len(sent) + 1
    for cut in range(1, len(script)):
        stream.send(script[:cut])
        time.sleep(0.001)
        stream.send(script[cut:])
        expect(form, stream, sent, beats)
    for byte in script:
        stream.send(bytes([byte]))
        time.sleep(0.0005)
    expect(form, stream, sent, beats)
    return len(script)


def check_beats(form, port):
    stream = Stream(port)
    for _ in range(100):
        stream.send(form.beat)
        expect(form, stream, [], 1)
    stream.send(form.beat * 1000)
    expect(form, stream, [], 1000)


def check_bad(form, port):
    for bad in form.bad + form.oversize:
        bystander, stream = Stream(port), Stream(port)
        stream.send(form.encode(b"good"))
        expect(form, stream, [b"good"], 0)
        stream.send(bad)
        took = stream.wait_closed()
        assert took < TIMEOUT / 2, f"{bad!r} was closed only after {took:.3f} s"
        # In one segment with a good frame: its echo leaves before the end.
        glued = Stream(port)
        glued.send(form.encode(b"good") + bad)
        assert form.read(glued) == b"good", f"{bad!r} behind a good frame took its echo away"
        took = glued.wait_closed()
        assert took < TIMEOUT / 2, f"{bad!r} behind a good frame was closed only after {took:.3f} s"
        bystander.send(form.encode(b"still here"))
        expect(form, bystander, [b"still here"], 0)


def check_silence(form, port):
    mute, begun, beating = Stream(port), Stream(port), Stream(port)
    # Half a frame is a byte heard, and then as silent as nothing.
    begun.send(form.encode(b"unfinished")[:-3])
    began = time.monotonic()
    took = mute.wait_closed()
    assert TIMEOUT - 0.05 <= took < TIMEOUT + 0.35, f"a mute peer was closed after {took:.3f} s"
    begun.wait_closed()
    took = time.monotonic() - began
    assert took < TIMEOUT + 0.35, f"a peer in mid-frame was closed after {took:.3f} s"
    del beating


def check_asked(form, port):
    """The server asks: whoever answers lives, with nothing else said; whoever does not, dies."""
    stream, mute = Stream(port), Stream(port)
    began, asked = time.monotonic(), 1
    first = stream.exactly(len(form.ask))
    assert first == form.ask, first
    stream.send(form.beat)
    while time.monotonic() - began < 2.5 * TIMEOUT:
        assert form.read(stream) == b"", "nothing but asks is sent to us"
        asked += 1
        stream.send(form.beat)
    assert asked >= 4, f"asked only {asked} times"
    assert mute.wait_closed() < TIMEOUT, "the one that never answered is long dead"
    stream.send(form.encode(b"alive"))
    while (message := form.read(stream)) == b"":
        stream.send(form.beat)
    assert message == b"alive", message
    return asked


def main():
    port, form, role = int(sys.argv[1]), FORMS[sys.argv[2]], sys.argv[3]
    if role == "ask":
        print(f"ok: {sys.argv[2]} answered {check_asked(form, port)} asks")
        return
    check_echo(form, port)
    cuts = check_cuts(form, port)
    check_beats(form, port)
    check_bad(form, port)
    check_silence(form, port)
    print(f"ok: {sys.argv[2]} in {cuts} cuts, {len(form.bad)} bad heads, {len(form.oversize)} oversize")


main()
