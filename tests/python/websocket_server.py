"""A server that does what tests/websocket_peers/mod.rs says, on Python's websockets: websocket_server.py COMPRESSION"""

import sys

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

COMPRESSIONS = {"off": None, "deflate": "deflate"}


def obey(connection, order, rest):
    if order == "!subprotocol":
        connection.send(connection.subprotocol or "none")
    elif order == "!ping":
        assert connection.ping(rest).wait(20)
        connection.send(f"answered {rest}")
    elif order == "!fragments":

        def parts():
            for part in ["心", "跳", "", "线"]:
                connection.ping()
                yield part

        connection.send(parts())
    elif order == "!close":
        code, _, reason = rest.partition(" ")
        connection.close(int(code), reason)


def handle(connection):
    assert bool(connection.protocol.extensions) == (sys.argv[1] != "off"), connection.protocol.extensions
    try:
        for message in connection:
            if isinstance(message, str) and message.startswith("!"):
                order, _, rest = message.partition(" ")
                obey(connection, order, rest)
            else:
                connection.send(message)
    except ConnectionClosed:
        pass
    closed = connection.protocol.close_rcvd
    print("closed", closed.code if closed else "without a word", closed.reason if closed else "", flush=True)


compression = COMPRESSIONS[sys.argv[1]]
with serve(
    handle, "127.0.0.1", 0, subprotocols=["v2", "v1"], compression=compression, max_size=None, ping_interval=None
) as server:
    host, port = server.socket.getsockname()
    print(f"listening on {host}:{port}", flush=True)
    server.serve_forever()
