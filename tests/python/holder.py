"""Holds many connections to one server: `holder.py IP PORT`. Orders on standard input, one number as answer to each.

    open N     open N more; how many are held
    send HEX   send these bytes on each; on how many that went well
    beats S    read four bytes from each; from how many they came within S seconds
    close N    close the last N; how many are left
    ended      how many the server has ended
"""

import resource
import socket
import sys
import time

# A connection in the accept queue of a server that accepts no more is open too; beyond the queue a connect waits.
CONNECT_SECONDS = 10


def send(sockets, data):
    sent = 0
    for held in sockets:
        try:
            sent += held.send(data) == len(data)
        except OSError:
            pass
    return sent


def receive_beats(sockets, seconds):
    wanted = {held: 4 for held in sockets}
    received = 0
    until = time.monotonic() + seconds
    while wanted and time.monotonic() < until:
        for held, left in list(wanted.items()):
            try:
                got = held.recv(left)
            except BlockingIOError:
                continue
            except OSError:
                got = b""
            wanted[held] -= len(got)
            received += wanted[held] == 0
            if got == b"" or wanted[held] == 0:
                del wanted[held]
        time.sleep(0.005)
    return received


def ended(sockets):
    count = 0
    for held in sockets:
        try:
            while True:
                if held.recv(65536) == b"":
                    count += 1
                    break
        except BlockingIOError:
            pass
        except OSError:
            count += 1
    return count


def main():
    address = (sys.argv[1], int(sys.argv[2]))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sockets = []
    for line in sys.stdin:
        order, *rest = line.split()
        if order == "open":
            for _ in range(int(rest[0])):
                held = socket.create_connection(address, CONNECT_SECONDS)
                held.setblocking(False)
                sockets.append(held)
            answer = len(sockets)
        elif order == "send":
            answer = send(sockets, bytes.fromhex(rest[0]))
        elif order == "beats":
            answer = receive_beats(sockets, float(rest[0]))
        elif order == "close":
            for held in sockets[len(sockets) - int(rest[0]):]:
                held.close()
            del sockets[len(sockets) - int(rest[0]):]
            answer = len(sockets)
        elif order == "ended":
            answer = ended(sockets)
        print(answer, flush=True)


main()
