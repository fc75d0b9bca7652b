"""A client of a server in C, through the Python binding: `echo.py ADDRESS`, where examples/c/echo.c listens with a timeout
of one second. One connection speaks and asks, one says nothing; exits 0, or fails with an assertion."""

import sys
import time

import heartline
from heartline import EventKind, Reason

MESSAGES = 2000
PATIENCE_S = 20


def text(number):
    return b"%d:" % number + b"x" * (number % 3000)


def main(at):
    echoed, ended = [], {}
    with heartline.Reactor() as reactor:

        def until(condition):
            give_up = time.monotonic() + PATIENCE_S
            while not condition():
                assert time.monotonic() < give_up, "waited in vain"
                for event in reactor.poll(0.1):
                    if event.kind == EventKind.MESSAGE:
                        echoed.append((event.id, event.data))
                    elif event.kind == EventKind.CLOSED:
                        ended[event.id] = reactor.obituary(event.id)

        reactor.policy(1, "lan,role=ask,interval=100ms,suspect=1s,timeout=10s")
        reactor.policy(2, "im,role=watch")
        codec = heartline.Codec("length:4be,max=64K")
        speaker = reactor.connect(at, codec, heartline.Options(policy=1))
        mute = reactor.connect(at, codec, heartline.Options(policy=2))
        for first in range(0, MESSAGES, 100):
            for number in range(first, first + 100):
                reactor.send(speaker, text(number))
            until(lambda: len(echoed) == first + 100)
        assert echoed == [(speaker, text(number)) for number in range(MESSAGES)]

        until(lambda: mute in ended)
        assert ended[mute]["reason"] in (Reason.PEER_RESET, Reason.PEER_CLOSED), ended[mute]
        assert ended[mute]["age_ms"] >= 950 and ended[mute]["messages_in"] == 0, ended[mute]
        # Who asks is answered, and heard.
        answered = reactor.counter("answers_in")
        until(lambda: reactor.counter("answers_in") >= answered + 15)
        assert speaker not in ended and reactor.info(speaker)["rtt_ms"] is not None
        reactor.close(speaker)
        until(lambda: speaker in ended)
        assert ended[speaker]["reason"] == Reason.LOCAL and ended[speaker]["messages_in"] == MESSAGES, ended[speaker]


main(sys.argv[1])
