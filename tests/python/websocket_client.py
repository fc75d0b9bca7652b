"""The scenarios of tests/websocket_peers as Python's websockets plays them: websocket_client.py HOST:PORT COMPRESSION SCENARIO..."""

import sys
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

MIB = 1 << 20
COMPRESSIONS = {"off": None, "deflate": "deflate"}


def open_connection(subprotocols=None):
    connection = connect(
        f"ws://{sys.argv[1]}/chat",
        subprotocols=subprotocols,
        compression=COMPRESSIONS[sys.argv[2]],
        max_size=None,
        ping_interval=None,
    )
    assert bool(connection.protocol.extensions) == (sys.argv[2] != "off"), connection.protocol.extensions
    return connection


def echoes(connection, message):
    connection.send(message)
    same(connection.recv(timeout=20), message)


def same(came, wanted):
    assert type(came) is type(wanted) and came == wanted, f"{came!r:.100} instead of {wanted!r:.100}"


def subprotocol():
    with open_connection(["v9", "v1", "v2"]) as connection:
        same(connection.subprotocol, "v2")
    with open_connection(["v9"]) as connection:
        same(connection.subprotocol, None)
        echoes(connection, "none in common")


def text():
    with open_connection() as connection:
        for message in ["", "x", "héllo", "心跳线 💓", "\0", "é" * 62, "é" * 63, "é" * 40_000]:
            echoes(connection, message)


def binary():
    with open_connection() as connection:
        for size in [0, 1, 125, 126, 127, 65_535, 65_536, 65_537, 131_073]:
            echoes(connection, bytes(at % 251 for at in range(size)))


def fragments():
    with open_connection() as connection:
        for message in [["one ", "心跳线", "", " three"], [b"\xe5", b"\xbf", b"\x83"], ["", ""], [b"x"] * 100]:
            connection.send(message)
            same(connection.recv(timeout=20), message[0][:0].join(message))
        pongs = []

        def with_pings():
            for at in range(5):
                pongs.append(connection.ping(f"between {at}"))
                yield f"part {at} "

        connection.send(with_pings())
        same(connection.recv(timeout=20), "part 0 part 1 part 2 part 3 part 4 ")
        assert len(pongs) == 5 and all(pong.wait(20) for pong in pongs)


def large():
    with open_connection() as connection:
        message = bytes(range(256)) * (16 * MIB // 256)
        echoes(connection, message)
        connection.send(message[at : at + MIB] for at in range(0, 16 * MIB, MIB))
        same(connection.recv(timeout=20), message)


def too_large():
    with open_connection() as connection:
        try:
            connection.send(bytes(16 * MIB + 1))
            connection.recv(timeout=20)
        except ConnectionClosed as closed:
            same(closed.rcvd.code, 1009)
        else:
            raise AssertionError("it was taken")


def pings():
    with open_connection() as connection:
        # Each must come back as it is; an answer to a later one answers those before it too.
        waiting = [connection.ping(bytes([at]) * at) for at in range(1, 126)]
        assert all(pong.wait(20) for pong in waiting)
        connection.pong(b"unasked")
        echoes(connection, "still here")


def idle():
    with open_connection() as connection:
        # The server asks meanwhile, and would give up who does not answer.
        time.sleep(1.5)
        echoes(connection, "still here")


def many():
    with open_connection() as connection:
        messages = [f"message {at}" if at % 2 else b"%d" % at for at in range(3000)]
        for message in messages:
            connection.send(message)
        for message in messages:
            same(connection.recv(timeout=20), message)


def closes():
    for code, reason in [(1000, ""), (1001, "going"), (3000, "心跳线"), (4999, "r" * 123)]:
        connection = open_connection()
        connection.close(code, reason)
        closed = connection.protocol
        same((closed.close_sent.code, closed.close_sent.reason), (code, reason))
        same(closed.close_rcvd.code, code)
        assert closed.close_rcvd_then_sent is False


def closed_by_server():
    for code in [1000, 1001, 1012, 3000, 4999]:
        connection = open_connection()
        connection.send(f"!close {code}")
        try:
            connection.recv(timeout=20)
        except ConnectionClosed as closed:
            same(closed.rcvd.code, code)
            assert closed.rcvd_then_sent
        else:
            raise AssertionError(f"not closed with {code}")


for scenario in sys.argv[3:]:
    globals()[scenario]()
    print("done", scenario, flush=True)
