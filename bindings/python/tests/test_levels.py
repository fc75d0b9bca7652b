"""The three levels against real sockets, alone and in asyncio. Loopback only; every wait ends."""

import asyncio
import gc
import os
import selectors
import socket
import threading
import time
import unittest
from typing import Callable, List, Optional, Tuple

import heartline
from heartline import Beat, Event, EventKind, Reason, VerdictKind

LIMIT_S = 10


def until(reactor: heartline.Reactor, handle: Callable[[Event], object], condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError("waited in vain")
        for event in reactor.poll(0.1):
            handle(event)


class Level1(unittest.TestCase):
    def test_the_silent_die_and_the_living_do_not(self) -> None:
        now = 1000
        with heartline.Monitor(now, granularity_ms=1000, seed=3) as monitor:
            monitor.policy(0, "game,role=ask", now)
            live, mute = monitor.add(1, now=now), monitor.add(2, now=now)
            died, asked = 0, set()
            while now < 61000:
                wait = monitor.wait_s(now)
                assert wait is not None
                now += min(500, int(wait * 1000))
                self.assertEqual(monitor.woke(now), 0)
                for verdict in monitor.advance(now):
                    if verdict.kind == VerdictKind.ASK:
                        asked.add(verdict.user)
                        if verdict.peer == live:
                            monitor.beat(live, Beat.ANSWER, now)
                    elif verdict.kind == VerdictKind.DEAD:
                        self.assertEqual(verdict.user, 2)
                        died = now
                        monitor.remove(verdict.peer)
            self.assertTrue(21000 <= died < 21100, died)
            self.assertEqual(asked, {1, 2})
            self.assertTrue(live in monitor and mute not in monitor)
            with self.assertRaises(heartline.StaleError):
                monitor.heard(mute, now)
            self.assertEqual(monitor.stats()["dead"], 1)
            # An hour's stop: nobody dies of it.
            monitor.wait_s(now)
            now += 3600 * 1000
            self.assertGreater(monitor.woke(now), 3500 * 1000)
            self.assertNotIn(VerdictKind.DEAD, [verdict.kind for verdict in monitor.advance(now)])
            monitor.set_user(live, 77, now)
            monitor.pause(live, True, now)
            monitor.grace(live, 5000, now)
            info = monitor.info(live, now)
            self.assertTrue(info.paused and info.user == 77 and info.rtt_ms is not None)

    def test_whoever_is_removed_in_a_batch_is_not_told_any_more(self) -> None:
        with heartline.Monitor(0, granularity_ms=60000) as monitor:
            monitor.policy(0, "game,role=watch", 0)
            peers = [monitor.add(user, now=0) for user in range(600)]
            told = 0
            for _ in monitor.advance(30000):
                told += 1
                for peer in peers:
                    monitor.remove(peer)
                peers = []
            self.assertEqual(told, 1)

    def test_wrong_words_say_what_is_wrong(self) -> None:
        with self.assertRaisesRegex(heartline.InvalidError, "gam"):
            heartline.Policy("gam")
        with self.assertRaises(TypeError):
            heartline.Monitor(granularity=5)
        monitor = heartline.Monitor()
        monitor.free()
        monitor.free()
        with self.assertRaises(ValueError):
            monitor.add()


class Level2(unittest.TestCase):
    def test_frames_come_out_wherever_the_input_is_cut(self) -> None:
        for spec in ("length:4be,max=4K", "delimiter:\\r\\n", "varint", "line-header"):
            codec = heartline.Codec(spec)
            wire = codec.encode("one") + codec.encode(b"a second one") + codec.beat()
            for step in range(1, len(wire) + 1):
                stream, frames = codec.stream(), []
                for at in range(0, len(wire), step):
                    frames += stream.feed(wire[at : at + step])
                self.assertEqual([frame.message for frame in frames[:2]], [b"one", b"a second one"])
                self.assertTrue(frames[2].beat and len(frames) == 3 and not stream.unfinished)
                self.assertEqual(b"".join(frame.whole for frame in frames), wire)

    def test_heads_and_limits(self) -> None:
        codec = heartline.Codec("length:2be,head=4,max=64K,ask=@2:0001")
        self.assertTrue(codec.spec.startswith("length:2be"))
        self.assertEqual(codec.encode("hello", bytes([0, 0, 0, 7])), b"\0\5\0\7hello")
        self.assertEqual(codec.head(300, b"\0\0\0\7"), b"\1\x2c\0\7")
        frame = codec.stream().feed(b"\0\5\0\7hello")[0]
        self.assertEqual((frame.head, frame.message, frame.beat), (b"\0\5\0\7", b"hello", 0))
        ask = codec.stream().feed(codec.beat(Beat.ASK))[0]
        self.assertNotEqual(codec.beat(Beat.ANSWER, ask.whole), b"")
        self.assertEqual(len(codec.encode(b"x" * 60000)), 60004)
        tiny = heartline.Codec("length:4be,max=8")
        with self.assertRaises(heartline.Error) as caught:
            tiny.stream().feed(b"\0\0\0\1a\0\0\1\0")
        self.assertEqual(caught.exception.name, "HEARTLINE_ERR_OVER_LIMIT")
        self.assertTrue(caught.exception.is_fatal)
        self.assertEqual(caught.exception.frames[0].message, b"a")
        with self.assertRaisesRegex(heartline.InvalidError, "."):
            heartline.Codec("length:5be")


class Level3(unittest.TestCase):
    def setUp(self) -> None:
        self.codec = heartline.Codec("length:4be,max=64K")

    def pair(self, reactor: heartline.Reactor, **options: Optional[int]) -> Tuple[int, int]:
        listener = reactor.listen("127.0.0.1:0", self.codec, backlog=16)
        client = reactor.connect(reactor.listener_address(listener), self.codec, heartline.Options(**options), user=42)
        opened = {}

        def handle(event: Event) -> None:
            self.assertEqual(event.kind, EventKind.OPENED)
            opened[event.id] = event

        until(reactor, handle, lambda: len(opened) == 2)
        server = next(id for id in opened if id != client)
        self.assertEqual((opened[server].listener, opened[client].listener), (listener, None))
        self.assertTrue(0 < client < 2**53)
        return client, server

    def test_listen_connect_one_message_one_closed(self) -> None:
        lines = []
        with heartline.Reactor(log=lambda level, line: lines.append(line), seed=1) as reactor:
            client, server = self.pair(reactor, connect_ms=5000, output_ms=None)
            reactor.send(client, "hello")
            seen: List[Event] = []
            until(reactor, seen.append, lambda: seen)
            self.assertEqual((seen[0].kind, seen[0].id, seen[0].data), (EventKind.MESSAGE, server, b"hello"))
            self.assertEqual(seen[0].head, b"\0\0\0\5")
            reactor.close(client, heartline.Close.FLUSH, 300)
            ends = {}

            def handle(event: Event) -> None:
                self.assertEqual(event.kind, EventKind.CLOSED)
                ends[event.id] = (event, reactor.obituary(event.id))

            until(reactor, handle, lambda: len(ends) == 2)
            ours, theirs = ends[client], ends[server]
            self.assertEqual((ours[0].reason, ours[0].reason_name, ours[0].user), (300, "application", 42))
            self.assertEqual((theirs[0].reason, theirs[0].reason_name), (Reason.PEER_CLOSED, "peer_closed"))
            self.assertEqual((theirs[1]["messages_in"], theirs[1]["bytes_in"]), (1, 9))
            self.assertTrue(theirs[1]["address"].startswith("127.0.0.1:"))
            with self.assertRaises(heartline.StaleError):
                reactor.send(client, "late")

    def test_what_a_connection_can_be_told(self) -> None:
        with heartline.Reactor() as reactor:
            reactor.policy(1, "lan,role=both")
            client, server = self.pair(reactor, policy=1)
            self.assertEqual((len(reactor), sorted(reactor.ids())), (2, sorted([client, server])))
            reactor.sendv(client, ["a", b"b", ""])
            self.assertEqual(reactor.broadcast([client, server, 5], "to both"), [0, 0, -4])
            self.assertEqual(reactor.broadcast_all("to one", but=client), 1)
            messages: List[Event] = []
            until(reactor, messages.append, lambda: len(messages) == 4)
            self.assertEqual([m.data for m in messages if m.id == server], [b"ab", b"to both"])
            self.assertEqual([m.data for m in messages if m.id == client], [b"to both", b"to one"])
            self.assertEqual(reactor.counter("messages_in"), 4)
            self.assertIn("heartline_messages_in_total 4\n", reactor.metrics())
            reactor.set_user(client, 2**64 - 1)
            reactor.set_policy(client, 0)
            reactor.grace(client, 1000)
            reactor.pause(client)
            info = reactor.info(client)
            self.assertEqual((info["user"], info["paused"], info["policy"]), (2**64 - 1, 1, 0))
            reactor.resume(client)
            reactor.set_marks(client, 1000, 4000)
            with self.assertRaises(heartline.FullError):
                for _ in range(100000):
                    reactor.send(client, b"x" * 1000)
            reactor.set_options(client, self.codec, heartline.Options(frame_ms=1000))
            self.assertIsInstance(reactor.wait_s(), float)

    def test_a_descriptor_goes_out_and_comes_in(self) -> None:
        with heartline.Reactor() as reactor, selectors.DefaultSelector() as selector:
            client, server = self.pair(reactor)
            given = reactor.release(server)
            other = socket.socket(fileno=os.dup(given.fd))
            self.addCleanup(other.close)
            id = reactor.adopt(given.fd, self.codec, user=9, unread=b"\0\0\0\2h")
            other.close()
            reactor.expect_answers(id, given.unanswered + 2)
            self.assertEqual(reactor.info(id)["unanswered"], 2)
            reactor.set_options(client, heartline.Codec("raw"), heartline.Options())
            reactor.send(client, "i")
            reactor.flush()
            # Nested in a loop of the host's.
            selector.register(reactor, selectors.EVENT_READ)
            seen: List[Event] = []
            give_up = time.monotonic() + LIMIT_S
            while not any(event.kind == EventKind.MESSAGE for event in seen):
                self.assertLess(time.monotonic(), give_up)
                selector.select(1)
                seen += reactor.poll(0)
            self.assertEqual([(e.id, e.user, e.data) for e in seen if e.data], [(id, 9, b"hi")])

    def test_other_threads_have_a_mailbox(self) -> None:
        reactor = heartline.Reactor()
        client, server = self.pair(reactor)
        mailbox = reactor.mailbox()

        def post() -> None:
            for number in range(50):
                mailbox.send(client, str(number))

        threads = [threading.Thread(target=post) for _ in range(4)]
        for thread in threads:
            thread.start()
        messages: List[Event] = []
        until(reactor, messages.append, lambda: len(messages) == 200)
        for thread in threads:
            thread.join()
        self.assertEqual({event.id for event in messages}, {server})
        mailbox.send(99, "to nobody")
        mailbox.close(client, heartline.Close.AT_ONCE, 256)
        mailbox.wake()
        ends: List[Event] = []
        until(reactor, ends.append, lambda: len(ends) == 3)
        self.assertEqual({event.kind for event in ends}, {EventKind.UNSENT, EventKind.CLOSED})
        reactor.free()
        with self.assertRaises(heartline.Error) as caught:
            mailbox.wake()
        self.assertEqual(caught.exception.name, "HEARTLINE_ERR_GONE")

    def test_an_iterator_ends_with_a_drain(self) -> None:
        reactor = heartline.Reactor()
        client, server = self.pair(reactor)
        reactor.drain(limit_ms=2000, farewell="bye", code=400)
        kinds = [event.kind for event in reactor]
        self.assertEqual(kinds.count(EventKind.CLOSED), 2)
        reactor.free()
        with self.assertRaises(ValueError):
            reactor.poll(0)

    def test_refusals(self) -> None:
        with heartline.Reactor() as reactor:
            with self.assertRaises(heartline.InvalidError):
                reactor.listen("nowhere", self.codec)
            at = reactor.listener_address(reactor.listen("127.0.0.1:0", self.codec))
            with self.assertRaises(heartline.OsError) as caught:
                reactor.listen(at, self.codec)
            self.assertEqual(caught.exception.name, "HEARTLINE_ERR_OS")
            self.assertFalse(caught.exception.is_fatal)
            self.assertIsInstance(caught.exception, OSError)
            self.assertNotEqual(caught.exception.errno, 0)
            failed: List[Event] = []
            reactor.connect("127.0.0.1:1", self.codec)
            until(reactor, failed.append, lambda: failed)
            self.assertEqual((failed[0].kind, failed[0].reason), (EventKind.CONNECT_FAILED, Reason.CONNECT_REFUSED))
            with self.assertRaises(TypeError):
                heartline.Options(frame=5)

    def test_a_log_that_raises_does_no_harm(self) -> None:
        def log(level: heartline.LogLevel, line: str) -> None:
            lines.append((level, line))
            raise RuntimeError("ctypes reports this and goes on")

        lines: List[Tuple[heartline.LogLevel, str]] = []
        with heartline.Reactor(log=log) as reactor:
            tiny = heartline.Codec("length:4be,max=8")
            at = reactor.listener_address(reactor.listen("127.0.0.1:0", tiny))
            reactor.send(reactor.connect(at, heartline.Codec("raw")), b"\xff\xff\xff\xff")
            gc.collect()  # what the reactor needs of the log must be kept by it
            ends: List[Event] = []
            until(reactor, lambda event: ends.append(event) if event.kind == EventKind.CLOSED else None, lambda: len(ends) == 2)
        self.assertIn(Reason.OVER_LIMIT, [event.reason for event in ends])
        self.assertTrue(lines)


class Asyncio(unittest.TestCase):
    def test_an_asynchronous_iterator(self) -> None:
        async def echo_to_itself() -> Tuple[List[bytes], List[int]]:
            codec = heartline.Codec("length:4be")
            async with heartline.aio.Reactor() as reactor:
                at = reactor.listener_address(reactor.listen("127.0.0.1:0", codec))
                client = reactor.connect(at, codec)
                reactor.send(client, "hello")
                answers, ends = [], []
                async for event in reactor:
                    if event.kind == EventKind.MESSAGE and event.id != client:
                        await asyncio.sleep(0.02)  # a consumer that is busy
                        reactor.send(event.id, event.data + b" yourself")
                    elif event.kind == EventKind.MESSAGE:
                        answers.append(event.data)
                        reactor.drain(limit_ms=2000)
                    elif event.kind == EventKind.CLOSED:
                        ends.append(reactor.obituary(event.id)["messages_in"])
                return answers, ends

        answers, ends = asyncio.run(asyncio.wait_for(echo_to_itself(), LIMIT_S))
        self.assertEqual((answers, ends), ([b"hello yourself"], [1, 1]))

    def test_a_slow_consumer_loses_nothing_and_hoards_nothing(self) -> None:
        count = 30000

        async def consume() -> Tuple[List[int], int]:
            codec, seen, most = heartline.Codec("length:4be"), [], 0
            async with heartline.aio.Reactor() as reactor:
                at = reactor.listener_address(reactor.listen("127.0.0.1:0", codec))
                client = reactor.connect(at, codec)
                for number in range(count):
                    reactor.send(client, str(number))
                await asyncio.sleep(0.5)
                async for event in reactor:
                    if event.kind == EventKind.MESSAGE:
                        seen.append(int(event.data))
                        most = max(most, len(reactor._waiting))
                    if len(seen) == count:
                        break
            return seen, most

        seen, most = asyncio.run(asyncio.wait_for(consume(), 30))
        self.assertEqual(seen, list(range(count)))
        self.assertTrue(4096 < most < 9000, most)  # held back, not hoarded

    def test_asyncio_streams_talk_to_a_reactor_in_the_same_loop(self) -> None:
        async def talk() -> Tuple[List[bytes], List[type], List[Reason], float]:
            errors: List[BaseException] = []
            closed: List[Reason] = []
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))

            def on_event(event: Event) -> None:
                if event.kind == EventKind.MESSAGE:
                    server.send(event.id, event.data.upper())
                    if event.data == b"fail":
                        raise KeyError("a handler's mistake")
                elif event.kind == EventKind.CLOSED:
                    closed.append(server.obituary(event.id)["reason"])

            with heartline.Reactor() as server:
                # Silence without a byte of ours: the deadline alone must wake the loop.
                server.policy(0, "lan,role=watch,timeout=400ms")
                server.attach(on_event)
                at = server.listener_address(server.listen("127.0.0.1:0", heartline.Codec("delimiter:\\n,ask=PING")))
                reader, writer = await asyncio.open_connection(*at.rsplit(":", 1))
                writer.write(b"fail\nagain\n")
                lines = [await reader.readline(), await reader.readline()]
                began = time.monotonic()
                while not closed:
                    await asyncio.sleep(0.01)
                silence = time.monotonic() - began
                writer.close()
            return lines, [type(error) for error in errors], closed, silence

        lines, errors, closed, silence = asyncio.run(asyncio.wait_for(talk(), LIMIT_S))
        self.assertEqual((lines, errors, closed), ([b"FAIL\n", b"AGAIN\n"], [KeyError], [Reason.SILENT]))
        self.assertTrue(0.35 < silence < 5, silence)


if __name__ == "__main__":
    unittest.main()
