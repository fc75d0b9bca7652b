// Whether and when it comes back.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";

import { Backoff, Heartline, byCloseCode } from "../../bindings/js/heartline.js";
import { World, record } from "./world.js";

const SECOND = 1_000;
const HOUR = 3_600_000;

function started(world, options = {}, url = "ws://server") {
  const line = new Heartline(url, world.options({ ask: "PING", answer: "PONG", ...options }));
  const told = record(line);
  line.open();
  return { line, told };
}

describe("delays", () => {
  const settings = { retryFirstMs: 0, retryBaseMs: 500, retryCapMs: 20_000, stableMs: 60_000 };

  test("first at once, then full jitter under a doubling, capped limit", () => {
    const limits = [0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000, 20_000];
    const seen = limits.map(() => []);
    const { random } = new World(3);
    for (let client = 0; client < 4_000; client++) {
      const backoff = new Backoff(settings, random);
      for (const delays of seen) delays.push(backoff.next(0));
    }
    for (const [attempt, limit] of limits.entries()) {
      const delays = seen[attempt];
      assert.ok(delays.every((delay) => delay >= 0 && delay <= limit), `attempt ${attempt}`);
      if (limit === 0) continue;
      // Uniform: each tenth of the range has its tenth. A cap after the jitter would heap them up at its end.
      const tenths = Array(10).fill(0);
      for (const delay of delays) tenths[Math.min(9, Math.floor((delay / limit) * 10))] += 1;
      assert.ok(tenths.every((count) => count > 320 && count < 480), `attempt ${attempt}: ${tenths}`);
      assert.ok(delays.filter((delay) => delay === limit).length <= 1, "a crowd waits for the same time");
    }
  });

  test("count of attempts: a thousand do not overflow", () => {
    const backoff = new Backoff(settings, () => 0.999);
    for (let i = 0; i < 2_000; i++) assert.ok(backoff.next(0) <= 20_000);
  });

  test("a crowd can be spread from the first on", () => {
    const backoff = new Backoff({ ...settings, retryFirstMs: 3_000 }, () => 0.5);
    assert.deepEqual([backoff.next(0), backoff.next(0)], [1_500, 250]);
  });

  test("only a stable connection begins anew", () => {
    const backoff = new Backoff(settings, () => 1);
    assert.deepEqual([0, 59_999, 59_999, 60_000, 0].map((uptime) => backoff.next(uptime)), [0, 500, 1_000, 0, 500]);
  });
});

describe("a server that accepts and closes", () => {
  test("never makes a hot loop", () => {
    const world = new World();
    world.connected = (socket) => world.later(() => {
      socket.open();
      socket.end(1000);
    }, 1);
    const { told } = started(world);
    world.run(HOUR);
    const attempts = told.of("connecting").length;
    assert.ok(attempts > 200 && attempts < 500, `${attempts} attempts in an hour`);
    assert.ok(told.of("away").every(({ cause, code }) => cause === "peer_closed" && code === 1000));
    const firstMinute = told.of("away").slice(0, 20).reduce((sum, { delayMs }) => sum + delayMs, 0);
    assert.ok(firstMinute > 30 * SECOND, "twenty attempts take a while");
  });

  test("nor does one that refuses", () => {
    const world = new World();
    world.connected = (socket) => world.later(() => socket.end(), 0);
    const { told } = started(world);
    world.run(HOUR);
    assert.ok(told.of("connecting").length < 500);
    assert.ok(told.of("away").every(({ cause }) => cause === "connect_error"));
  });

  test("nor does an answer of 0 ms by `reconnect`", () => {
    const world = new World();
    world.connected = (socket) => world.later(() => socket.end(), 0);
    const { told } = started(world, { reconnect: () => 0 });
    world.run(HOUR);
    assert.ok(told.of("connecting").length < 500);
  });
});

describe("an end", () => {
  test("by close() is for good: no timer is left, and nothing is dialled", () => {
    for (const when of ["connecting", "open", "away"]) {
      const world = new World();
      const { line, told } = started(world);
      if (when !== "connecting") world.socket.open();
      if (when === "away") {
        world.socket.end();
        world.run(0);
        world.socket.end();
      }
      assert.equal(line.state, when);
      const dialled = world.sockets.length;
      line.close(3001, "bye");
      assert.equal(line.state, "closed");
      assert.equal(world.timers, 0, when);
      world.network.dispatchEvent(new Event("online"));
      world.page.dispatchEvent(new Event("visibilitychange"));
      world.run(HOUR);
      assert.equal(world.sockets.length, dialled);
      const { cause, code, reason } = told.last("closed");
      assert.deepEqual({ cause, code, reason }, { cause: "local", code: 3001, reason: "bye" });
      assert.equal(told.of("closed").length, 1);
      line.close();
      assert.equal(told.of("closed").length, 1, "it is closed already");
      line.open();
      world.socket.open();
      assert.equal(line.state, "open", "it can be opened again");
    }
  });

  test("by close() in any listener is an end too", () => {
    for (const type of ["connecting", "open", "suspect", "revived", "message", "beat", "away", "full", "drained"]) {
      const world = new World();
      const line = new Heartline("ws://server", world.options({ ask: "PING", queueCount: 1, profile: "lan" }));
      const told = record(line);
      line.addEventListener(type, () => line.close());
      line.open();
      for (const act of [
        () => world.socket.open(),
        () => (world.socket.bufferedAmount = 1e6),
        () => line.send("a") && line.send("b"),
        () => (world.socket.bufferedAmount = 0),
        () => world.run(100),
        () => world.socket.say("hello"),
        () => world.run(5_000),
        () => world.socket.say("late"),
        () => world.socket.end(),
      ]) {
        if (line.state !== "closed") act();
      }
      assert.equal(told.of("closed").length, 1, type);
      assert.equal(told.at(-1).type, "closed", type);
      const { length } = world.sockets;
      world.run(HOUR);
      assert.equal(world.sockets.length, length, type);
      assert.equal(world.timers, 0, type);
    }
  });

  test("a code that nobody may send is refused, and changes nothing", () => {
    const world = new World();
    const { line } = started(world);
    world.socket.open();
    assert.throws(() => line.close(1006));
    assert.equal(line.state, "open");
  });

  test("the server's close code can forbid or delay another attempt", () => {
    for (const [code, order] of [[1000, undefined], [1001, undefined], [1006, undefined], [1008, false], [1010, false], [4000, undefined]]) {
      assert.equal(byCloseCode(code, Math.random), order, String(code));
    }
    for (const code of [1012, 1013]) {
      assert.equal(byCloseCode(code, () => 0), 5_000);
      assert.equal(byCloseCode(code, () => 1), 30_000);
    }
    const world = new World();
    const { line, told } = started(world);
    world.socket.open();
    world.socket.end(1008, "who are you?");
    const { cause, code, reason } = told.last("closed");
    assert.deepEqual({ cause, code, reason }, { cause: "peer_closed", code: 1008, reason: "who are you?" });
    assert.equal(line.state, "closed");
    assert.equal(world.timers, 0);
    assert.deepEqual(told.types(), ["connecting", "open", "closed"]);
  });

  test("the option `reconnect` decides before the code does", () => {
    const orders = { 1008: true, 4001: false, 4002: 120_000, 4003: undefined, 4004: 1e12 };
    for (const [code, order] of Object.entries(orders)) {
      const world = new World();
      const seen = [];
      const { line, told } = started(world, { reconnect: (lost) => (seen.push(lost), orders[lost.code]) });
      world.socket.open();
      world.run(5);
      world.socket.end(Number(code), "because");
      assert.equal(seen.length, 1);
      assert.deepEqual([seen[0].cause, seen[0].reason, seen[0].uptimeMs], ["peer_closed", "because", 5]);
      assert.equal(line.state, order === false ? "closed" : "away");
      const delay = { 1008: 0, 4002: 120_000, 4003: 0, 4004: 24 * HOUR }[code];
      assert.equal(told.last("away")?.delayMs, delay);
    }
  });

  test("a fault in `reconnect` is told and ends nothing", () => {
    // In a process of its own, since the runner takes such faults for its own.
    const program = `
      import { Heartline } from ${JSON.stringify(new URL("../../bindings/js/heartline.js", import.meta.url))};
      import { World } from ${JSON.stringify(new URL("world.js", import.meta.url))};
      const world = new World();
      const reconnect = () => { throw new Error("theirs"); };
      const line = new Heartline("ws://server", world.options({ reconnect }));
      process.on("uncaughtException", (error) => console.log(error.message, line.state));
      line.open();
      world.socket.end();`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
    assert.equal(stdout, "theirs away\n");
  });
});

describe("at once", () => {
  const waiting = (options) => {
    const world = new World();
    const { line, told } = started(world, options);
    for (let i = 0; i < 8; i++) {
      world.socket.end();
      if (i < 7) world.run(20 * SECOND);
    }
    assert.equal(line.state, "away");
    return { world, line, told, dialled: world.sockets.length };
  };

  for (const [source, type] of [["network", "online"], ["network", "pageshow"], ["page", "visibilitychange"], ["page", "resume"]]) {
    test(`on ${type}, once`, () => {
      const { world, line, dialled } = waiting();
      world[source].dispatchEvent(new Event(type));
      assert.equal(world.sockets.length, dialled + 1);
      assert.equal(line.state, "connecting");
      world[source].dispatchEvent(new Event(type));
      world.run(SECOND);
      assert.equal(world.sockets.length, dialled + 1, "no second attempt beside the first");
    });
  }

  test("not while hidden, except on online", () => {
    const { world, dialled } = waiting();
    world.page.visibilityState = "hidden";
    world.page.dispatchEvent(new Event("visibilitychange"));
    assert.equal(world.sockets.length, dialled);
    world.network.dispatchEvent(new Event("online"));
    assert.equal(world.sockets.length, dialled + 1);
  });

  test("not where the server said when", () => {
    const { world, dialled } = waiting({ reconnect: () => 50_000 });
    world.network.dispatchEvent(new Event("online"));
    assert.equal(world.sockets.length, dialled);
  });
});

describe("an attempt", () => {
  test("that nobody answers is given up", () => {
    const world = new World();
    const { told } = started(world);
    world.run(19_999);
    assert.equal(told.of("away").length, 0);
    world.run(1);
    assert.equal(told.last("away").cause, "connect_timeout");
    assert.ok(world.sockets[0].isAbandoned);
  });

  test("that ends with an error alone, as in Node 22, is over", () => {
    const world = new World();
    const { told } = started(world);
    world.socket.onerror({ error: new Error("refused") });
    const { cause, code, error } = told.last("away");
    assert.deepEqual([cause, code, error.message], ["connect_error", 1006, "refused"]);
    const { told: open } = started(world);
    world.socket.open();
    world.socket.onerror({});
    assert.deepEqual(open.of("away"), [], "of a connection `close` says more");
  });

  test("that fell into a sleep gets its time again, once", () => {
    const world = new World();
    const { line, told } = started(world);
    world.later(() => world.socket.open(), 30_000);
    world.sleep(HOUR);
    world.run(10);
    assert.equal(line.state, "open");
    assert.equal(told.of("away").length, 0);
    const other = started(world);
    world.sleep(HOUR);
    world.run(20_010);
    assert.equal(other.told.last("away").cause, "connect_timeout");
  });

  test("asks a function for its address each time", async () => {
    const world = new World();
    let tokens = 0;
    const { line, told } = started(world, {}, async () => `ws://server/?token=${++tokens}`);
    await new Promise(setImmediate);
    world.socket.open();
    world.socket.end();
    world.run(0);
    await new Promise(setImmediate);
    assert.deepEqual(world.sockets.map(({ url }) => url), ["ws://server/?token=1", "ws://server/?token=2"]);
    line.close();
    // A token server that fails is a failed attempt; one that answers after the end opens nothing.
    let fail;
    const failing = started(world, {}, () => new Promise((resolve, reject) => (fail = reject)));
    fail(new Error("no token"));
    await new Promise(setImmediate);
    assert.equal(failing.told.last("away").error.message, "no token");
    failing.line.close();
    let answer;
    const late = started(world, {}, () => new Promise((resolve) => (answer = resolve)));
    late.line.close();
    const { length } = world.sockets;
    answer("ws://late");
    await new Promise(setImmediate);
    assert.equal(world.sockets.length, length);
    assert.deepEqual(told.types("beat"), ["connecting", "open", "away", "connecting", "closed"]);
  });

  test("at an address that is none ends the line: no other attempt can help", async () => {
    const world = new World();
    const options = world.options();
    options.WebSocket = class {
      constructor() {
        throw new SyntaxError("bad address");
      }
    };
    const line = new Heartline(() => "what?", options);
    const told = record(line);
    line.open();
    await new Promise(setImmediate);
    assert.equal(told.last("closed").error.message, "bad address");
    assert.equal(world.timers, 0);
  });

  test("hands over protocols, and shows the one that was chosen", () => {
    const world = new World();
    const { line } = started(world, { protocols: ["v2", "v1"] });
    assert.deepEqual(world.socket.protocols, ["v2", "v1"]);
    world.socket.protocol = "v1";
    world.socket.open();
    assert.equal(line.protocol, "v1");
  });
});

describe("settings that cannot be meant are refused at once", () => {
  const world = new World();
  for (const [options, name] of [
    [{ intervall: 5 }, "intervall"],
    [{ answer: "PONG" }, "answer"],
    [{ role: "both" }, "role"],
    [{ role: "master", ask: "a" }, "master"],
    [{ profile: "fast" }, "fast"],
    [{ profile: "toString" }, "toString"],
    [{ ask: 5 }, "beat"],
    [{ timeoutMs: -1 }, "timeoutMs"],
    [{ timeoutMs: NaN }, "timeoutMs"],
    [{ ask: "a", timeoutMs: 30_000, intervalMs: 30_000 }, "intervalMs"],
    [{ ask: "a", suspectMs: 20_000 }, "suspectMs"],
    [{ jitterPercent: 51 }, "jitterPercent"],
    [{ retryCapMs: 1e12 }, "retryCapMs"],
    [{ WebSocket: null }, "WebSocket"],
  ]) {
    test(JSON.stringify(options), () => {
      assert.throws(() => new Heartline("ws://server", world.options(options)), (error) => error.message.includes(name));
    });
  }

  test("an address", () => {
    assert.throws(() => new Heartline("not an address", world.options()));
  });
});
