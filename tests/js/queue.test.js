// What is sent while there is no connection, or one that is full.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Heartline, Queue } from "../../bindings/js/heartline.js";
import { World, record } from "./world.js";

function started(options = {}) {
  const world = new World();
  const line = new Heartline("ws://server", world.options(options));
  return { world, line, told: record(line) };
}

describe("what is sent while away", () => {
  test("goes out in order when it is back", () => {
    const { world, line } = started();
    assert.equal(line.send("before open()"), false);
    line.open();
    assert.ok(line.send("1"));
    world.socket.open();
    assert.ok(line.send("2"));
    world.socket.end();
    assert.ok(line.send("3") && line.send("4"));
    assert.deepEqual([line.queuedCount, line.queuedBytes], [2, 2]);
    world.run(1);
    world.socket.open();
    assert.deepEqual(world.sockets.map(({ sent }) => sent), [["1", "2"], ["3", "4"]]);
    assert.deepEqual([line.queuedCount, line.queuedBytes], [0, 0]);
  });

  test("is refused over the limit of bytes or of messages, and full is told once", () => {
    for (const [limit, message, fitting] of [[{ queueBytes: 10 }, "äb", 3], [{ queueCount: 3 }, "x".repeat(1000), 3]]) {
      const { world, line, told } = started(limit);
      line.open();
      const taken = [1, 2, 3, 4, 5].map(() => line.send(message));
      assert.deepEqual(taken, [true, true, true, false, false]);
      assert.equal(line.queuedCount, fitting);
      assert.equal(told.of("full").length, 1);
      assert.equal(told.last("full").queuedCount, fitting);
      world.socket.open();
      assert.equal(world.socket.sent.length, fitting);
      assert.deepEqual(told.types(), ["connecting", "full", "open", "drained"]);
    }
  });

  test("comes back when the line is closed for good", () => {
    for (const end of [(line) => line.close(), (line, world) => world.socket.end(1008)]) {
      const { world, line, told } = started();
      line.open();
      world.socket.open();
      world.socket.bufferedAmount = 1e6;
      line.send("a");
      line.send(Uint8Array.of(1, 2));
      end(line, world);
      assert.deepEqual(told.types("connecting", "open"), ["unsent", "closed"]);
      assert.deepEqual(told.last("unsent").messages, ["a", Uint8Array.of(1, 2)]);
      assert.equal(line.send("b"), false);
      assert.equal(line.queuedBytes, 0);
    }
  });

  test("can be taken back by hand", () => {
    const { world, line } = started();
    line.open();
    line.send("old");
    assert.deepEqual(line.takeUnsent(), ["old"]);
    world.socket.open();
    assert.deepEqual(world.socket.sent, []);
  });

  test("goes after what an `open` listener sends", () => {
    const { world, line } = started();
    line.addEventListener("open", () => line.send("who I am"));
    line.open();
    line.send("order");
    world.socket.open();
    assert.deepEqual(world.socket.sent, ["who I am", "order"]);
  });

  test("is as it was when it was sent", () => {
    const { world, line } = started();
    line.open();
    const whole = Uint8Array.of(1, 2, 3, 4);
    const blob = new Blob(["xyz"]);
    line.send(whole.subarray(1, 3));
    line.send(whole.buffer);
    line.send(Buffer.from(whole.buffer, 3, 1));
    line.send(blob);
    assert.equal(line.queuedBytes, 2 + 4 + 1 + 3);
    whole.fill(9);
    world.socket.open();
    const sent = world.socket.sent.slice(0, 3).map((data) => [...new Uint8Array(data)]);
    assert.deepEqual(sent, [[2, 3], [1, 2, 3, 4], [4]]);
    assert.equal(world.socket.sent[3], blob);
  });

  test("must be something that can be sent", () => {
    const { line } = started();
    for (const wrong of [undefined, null, 5, {}, ["a"]]) assert.throws(() => line.send(wrong), TypeError);
  });
});

describe("a socket that does not get rid of its bytes", () => {
  test("is given no more than its limit; what follows waits here, in order", () => {
    const { world, line, told } = started({ bufferBytes: 1_000, queueCount: 5 });
    line.open();
    const { socket } = world;
    socket.open();
    socket.server = (data) => (socket.bufferedAmount += data.length);
    const messages = Array.from({ length: 10 }, (_, index) => String(index).repeat(300));
    const taken = messages.map((message) => line.send(message));
    assert.deepEqual(taken, [...Array(9).fill(true), false]);
    assert.deepEqual([socket.sent.length, line.queuedCount, line.bufferedBytes], [4, 5, 1_200]);
    assert.deepEqual(told.types(), ["connecting", "open", "full"]);
    world.run(5_000);
    assert.equal(socket.sent.length, 4);
    socket.bufferedAmount = 700;
    world.run(20);
    assert.deepEqual([socket.sent.length, line.queuedCount], [5, 4], "one more fits");
    while (line.queuedCount > 0) {
      socket.bufferedAmount = 0;
      world.run(20);
    }
    socket.bufferedAmount = 600;
    world.run(100);
    assert.equal(told.of("drained").length, 0, "not before half of it has gone");
    socket.bufferedAmount = 500;
    world.run(20);
    assert.deepEqual(told.types(), ["connecting", "open", "full", "drained"]);
    assert.deepEqual(socket.sent, messages.slice(0, 9));
    world.run(100);
    line.close();
    assert.equal(world.timers, 0);
  });

  test("tells at a loss how much of it may be lost, and loses nothing that waits here", () => {
    const { world, line, told } = started({ bufferBytes: 10 });
    line.open();
    world.socket.open();
    world.socket.bufferedAmount = 77;
    line.send("waits");
    world.socket.end();
    assert.equal(told.last("away").atRiskBytes, 77);
    world.run(0);
    world.socket.open();
    assert.deepEqual(world.socket.sent, ["waits"]);
  });

  test("that is closing is given nothing: it would throw it away", () => {
    const { world, line } = started();
    line.open();
    world.socket.open();
    world.socket.readyState = 2;
    assert.ok(line.send("kept"));
    world.run(1_000);
    world.socket.end(1001);
    world.run(0);
    world.socket.open();
    assert.deepEqual(world.socket.sent, ["kept"]);
  });
});

test("a queue counts to zero", () => {
  const queue = new Queue(100, 10);
  for (let round = 0; round < 50; round++) {
    assert.ok(queue.push("é".repeat(round)));
    assert.equal(queue.bytes, 2 * round);
    queue.shift();
  }
  assert.deepEqual([queue.bytes, queue.count, queue.takeAll()], [0, 0, []]);
});
