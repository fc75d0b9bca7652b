// When a connection is dead, and when it only seems so.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Beats, Heartline, Liveness, PROFILES } from "../../bindings/js/heartline.js";
import { World, record } from "./world.js";

const BEATS = { ask: "PING", answer: "PONG" };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A line that is open, and a server that answers asks after `latencyMs`, unless it is null. */
function opened(world, options = {}, latencyMs = null) {
  const line = new Heartline("ws://server", world.options({ ...BEATS, ...options }));
  const told = record(line);
  line.open();
  world.socket.server = answerer(world, world.socket, latencyMs);
  world.socket.open();
  return { line, told, socket: world.socket };
}

/** Moves on until an event of this type is told; in how many milliseconds. */
function runUntil(world, told, type, step = 1) {
  const began = world.now();
  while (told.of(type).length === 0) {
    assert.ok(world.now() - began < 7 * MINUTE, `no ${type}`);
    world.run(step);
  }
  return world.now() - began;
}

function answerer(world, socket, latencyMs) {
  return (data) => {
    if (data === "PING" && latencyMs !== null) world.later(() => socket.say("PONG"), latencyMs);
  };
}

describe("a server that falls silent, and onclose never fires", () => {
  for (const [profile, [interval, suspect, timeout]] of Object.entries(PROFILES)) {
    test(`is asked, suspected and found dead on time: ${profile}`, () => {
      const world = new World();
      const began = world.now();
      const { told, socket } = opened(world, { profile });
      const at = {};
      for (const type of ["beat", "suspect", "away"]) {
        told.length = 0;
        runUntil(world, told, type);
        at[type] = world.now() - began;
      }
      assert.ok(at.beat >= interval / 2 - 1 && at.beat <= interval + 1, `asked after ${at.beat}`);
      assert.equal(at.suspect, suspect);
      assert.ok(at.away >= timeout && at.away <= timeout + 4, `dead after ${at.away}: never early, and at most 4 ms late`);
      const { cause, code, silenceMs, delayMs } = told.last("away");
      assert.deepEqual({ cause, code, delayMs }, { cause: "silent", code: 1006, delayMs: 0 });
      assert.ok(silenceMs >= timeout && silenceMs <= timeout + 4);
      assert.ok(socket.isAbandoned, "the old socket was closed");
      // What it still says reaches nobody.
      told.length = 0;
      socket.onmessage({ data: "late" });
      socket.onclose({ code: 1006 });
      assert.deepEqual(told.types(), []);
      world.run(0);
      assert.equal(world.sockets.length, 2, "at once it dials again");
    });
  }

  test("a timeout given alone scales the other two", () => {
    const world = new World();
    const { told } = opened(world, { timeoutMs: 6_000 });
    world.run(3_999);
    assert.equal(told.of("suspect").length, 0);
    world.run(1);
    assert.equal(told.of("suspect").length, 1);
    world.run(2_010);
    assert.equal(told.last("away").cause, "silent");
  });

  test("without beats nobody is judged unless a time is given", () => {
    const world = new World();
    const { line, told } = opened(world, { ask: undefined, answer: undefined });
    world.run(HOUR);
    assert.equal(line.state, "open");
    const judged = opened(world, { ask: undefined, answer: undefined, timeoutMs: 60_000 });
    world.run(MINUTE + 10);
    assert.equal(judged.told.last("away").cause, "silent");
    assert.deepEqual(told.types(), ["connecting", "open"]);
  });

  test("a timeout of 0 asks and never judges", () => {
    const world = new World();
    const { line, told } = opened(world, { timeoutMs: 0 });
    world.run(HOUR);
    assert.equal(line.state, "open");
    assert.ok(told.of("beat").length >= 144, `${told.of("beat").length} asks`);
    assert.equal(told.of("suspect").length, 0);
  });

  test("what we send does not prove that it lives", () => {
    const world = new World();
    const { line, told } = opened(world, { profile: "lan" });
    for (let i = 0; i < 100 && line.state !== "away"; i++) {
      line.send("x");
      world.run(100);
    }
    assert.equal(told.last("away").cause, "silent");
    assert.ok(told.last("away").uptimeMs <= 8_004);
  });
});

describe("a server that lives", () => {
  test("stays, and its round trips are measured", () => {
    const world = new World();
    const { line, told } = opened(world, {}, 180);
    world.run(HOUR);
    assert.equal(line.state, "open");
    const answers = told.of("beat").filter(({ kind }) => kind === "answer");
    assert.ok(answers.length >= 143 && answers.length <= 162, `${answers.length} in an hour`);
    assert.ok(answers.every(({ rttMs, direction }) => rttMs === 180 && direction === "in"));
    assert.deepEqual(told.types("beat"), ["connecting", "open"]);
  });

  test("revives by any message", () => {
    const world = new World();
    const { line, told, socket } = opened(world);
    world.run(50_000);
    assert.equal(line.state, "suspect");
    socket.say("news");
    assert.equal(line.state, "open");
    assert.deepEqual(told.types("beat"), ["connecting", "open", "suspect", "revived", "message"]);
    assert.equal(told.last("revived").silenceMs, 50_000);
    world.run(35_000);
    assert.equal(line.state, "open");
  });

  test("is not asked while both talk, and is asked where we only listen", () => {
    const world = new World();
    const { line, told, socket } = opened(world);
    for (let second = 0; second < 600; second++) {
      socket.say("tick");
      line.send("tock");
      world.run(1_000);
    }
    assert.equal(told.of("beat").length, 0);
    for (let second = 0; second < 600; second++) {
      socket.say("tick");
      world.run(1_000);
    }
    const asks = told.of("beat").length;
    assert.ok(asks >= 23 && asks <= 27, `${asks} asks in ten minutes: it judges our silence too`);
  });

  test("is asked at once when the network changes", () => {
    const world = new World();
    const { socket } = opened(world);
    world.run(1_000);
    assert.deepEqual(socket.sent, []);
    world.network.dispatchEvent(new Event("online"));
    assert.deepEqual(socket.sent, ["PING"]);
  });
});

describe("timers that come late prove nothing (L5)", () => {
  test("a page hidden for an hour, its timers once a minute: no false death", () => {
    for (const latencyMs of [0, 200, 5_000, 30_000]) {
      const world = new World(latencyMs + 7);
      world.throttleMs = MINUTE;
      const { line, told } = opened(world, {}, latencyMs);
      world.run(HOUR);
      assert.deepEqual(told.types("beat", "suspect", "revived"), ["connecting", "open"], `latency ${latencyMs}`);
      assert.notEqual(line.state, "away");
      assert.ok(told.of("beat").length >= 58, "it still asks once a minute");
    }
  });

  test("the dead are found in a hidden page too", () => {
    const world = new World();
    world.throttleMs = MINUTE;
    const { told } = opened(world);
    runUntil(world, told, "away", 1_000);
    assert.equal(told.last("away").cause, "silent");
  });

  test("a laptop that sleeps for an hour, a server that lives: nobody dies on waking", () => {
    // Asleep at every moment between two beats, and with answers that lie in the socket until timers have run.
    for (let moment = 0; moment < 61_000; moment += 250) {
      const world = new World(moment);
      const { line, told } = opened(world, {}, 50);
      world.run(moment);
      world.sleep(HOUR);
      world.run(3 * MINUTE);
      assert.equal(told.of("away").length, 0, `asleep after ${moment} ms`);
      assert.equal(line.state, "open");
    }
  });

  test("a server that was stopped for an hour is away, and found again", () => {
    const world = new World();
    world.connected = (socket) => {
      socket.server = answerer(world, socket, 100);
      if (world.now() > HOUR) world.later(() => socket.open(), 5);
    };
    const { line, told } = opened(world);
    world.run(HOUR + 10 * MINUTE);
    assert.equal(line.state, "open");
    assert.equal(told.of("open").length, 2);
    const causes = new Set(told.of("away").map(({ cause }) => cause));
    assert.deepEqual(causes, new Set(["silent", "connect_timeout"]));
  });

  test("after a stop the peer has min(timeout - interval, what was left + the stall), and is asked anew", () => {
    for (const due of [25_000, 40_000, 50_000, 60_000]) {
      for (const stopped of [150, 5_000, 20_000, 34_000, 100_000, HOUR]) {
        const world = new World();
        const { told, socket } = opened(world, { jitterPercent: 0 });
        world.run(due - 1);
        const asked = socket.sent.length;
        world.sleep(1 + stopped);
        world.run(0);
        assert.ok(socket.sent.length > asked, "asked anew");
        const had = runUntil(world, told, "away");
        const owed = Math.min(35_000, 60_000 - due + stopped);
        assert.ok(had >= owed && had <= owed + 2, `${had} ms, stopped for ${stopped} when ${due} was due`);
      }
    }
  });

  test("an overload that makes every turn late still finds the dead", () => {
    const liveness = new Liveness({ asks: true, intervalMs: 25_000, suspectMs: 40_000, timeoutMs: 60_000, jitterPercent: 10 }, () => 0.5, 0);
    let now = 0;
    const verdicts = [];
    while (!verdicts.includes("dead")) {
      now += Math.min(liveness.dueIn(now), 1_000_000) + 1_000;
      for (let verdict; (verdict = liveness.turn(now)); ) {
        verdicts.push(verdict);
        if (verdict === "dead") break;
      }
      assert.ok(now < 10 * MINUTE, "the stalls grant for ever");
    }
    assert.ok(now >= 60_000 + 5_000);
  });

  test("lateness up to 100 ms is jitter and counts", () => {
    const world = new World();
    world.throttleMs = 100;
    const { told } = opened(world);
    world.run(60_300);
    assert.equal(told.last("away").cause, "silent");
  });

  test("a last look saves who has spoken already (L6)", () => {
    const world = new World();
    const { line, told, socket } = opened(world);
    world.later(() => socket.say("just in time"), 60_000);
    world.run(60_000);
    assert.equal(line.state, "open");
    assert.deepEqual(told.types("beat"), ["connecting", "open", "suspect", "revived", "message"]);
  });

  test("becoming visible asks whoever is past its interval, without waiting for the throttled timer", () => {
    const world = new World();
    world.throttleMs = HOUR;
    world.page.visibilityState = "hidden";
    const { socket } = opened(world);
    world.run(10 * MINUTE);
    assert.deepEqual(socket.sent, []);
    world.page.dispatchEvent(new Event("visibilitychange"));
    assert.deepEqual(socket.sent, [], "hidden still");
    world.page.visibilityState = "visible";
    world.throttleMs = 1;
    world.page.dispatchEvent(new Event("visibilitychange"));
    assert.deepEqual(socket.sent, ["PING"]);
  });
});

describe("asks go out earlier than agreed at random, never later (L7)", () => {
  test("the first from half an interval on, the others from nine tenths", () => {
    const [first, others] = [[], []];
    for (let seed = 0; seed < 300; seed++) {
      const world = new World(seed);
      const { told } = opened(world, { timeoutMs: 0 });
      const times = [];
      let before = world.now();
      while (times.length < 2) {
        world.run(10);
        if (told.of("beat").length > times.length) {
          times.push(world.now() - before);
          before = world.now();
        }
      }
      first.push(times[0]);
      others.push(times[1]);
    }
    const within = (times, least) => {
      assert.ok(Math.min(...times) >= least && Math.max(...times) <= 25_010, `${Math.min(...times)} to ${Math.max(...times)}`);
      assert.ok(Math.max(...times) - Math.min(...times) > (25_000 - least) * 0.9, "they are spread");
    };
    within(first, 12_500);
    within(others, 22_490);
  });
});

describe("beats", () => {
  test("the server's asks are answered, and shown to nobody as messages", () => {
    const world = new World();
    const { told, socket } = opened(world);
    socket.say("PING");
    socket.say("PINGS");
    socket.say("PONG");
    assert.deepEqual(socket.sent, ["PONG"]);
    assert.deepEqual(told.of("message").map(({ data }) => data), ["PINGS"]);
    const beats = told.of("beat").map(({ direction, kind }) => `${direction} ${kind}`);
    assert.deepEqual(beats, ["in ask", "out answer", "in answer"]);
  });

  test("bytes are sent as bytes, and known as text or bytes", () => {
    const world = new World();
    const { socket, told } = opened(world, { ask: Uint8Array.of(0x70, 1), answer: Uint8Array.of(0x70, 2).buffer });
    socket.say(Uint8Array.of(0x70, 1).buffer);
    socket.say("p\x01");
    socket.say(Uint8Array.of(0x70, 3).buffer);
    assert.deepEqual(socket.sent, [Uint8Array.of(0x70, 2), Uint8Array.of(0x70, 2)]);
    assert.equal(told.of("message").length, 1);
  });

  test("an ask alone is its own answer, and both ends do not answer each other without end (L14)", () => {
    const world = new World();
    const a = new Beats("beat");
    assert.deepEqual(a.received("beat", 0), { kind: "ask" });
    a.asked(10);
    assert.equal(a.received("data", 15), undefined, "data reduces nothing");
    assert.equal(a.unanswered, 1);
    assert.deepEqual(a.received("beat", 30), { kind: "answer", rttMs: 20 });
    assert.deepEqual(a.received("beat", 31), { kind: "ask" });
    // Two equal ends with data in between, for an hour.
    const { line, socket, told } = opened(world, { ask: "beat", answer: undefined, profile: "im" });
    const other = new Beats("beat");
    let frames = 0;
    socket.server = (data) => {
      frames += 1;
      assert.ok(frames < 10_000);
      if (data !== "beat") return;
      if (other.received("beat", 0).kind === "ask") world.later(() => socket.say("beat"), 20);
    };
    for (let round = 0; round < 600; round++) {
      world.run(6_000);
      socket.say("data");
      if (round % 3 === 0) {
        other.asked(0);
        socket.say("beat");
      }
    }
    assert.equal(line.state, "open");
    assert.ok(frames < 1_200, `${frames} frames in an hour`);
    assert.equal(told.of("message").length, 600);
  });

  test("an answer without an ask is no message, and its round trip unknown", () => {
    const beats = new Beats("a", "b");
    assert.deepEqual(beats.received("b", 5), { kind: "answer", rttMs: undefined });
    beats.asked(0);
    beats.asked(10);
    assert.deepEqual(beats.received("b", 15), { kind: "answer", rttMs: undefined }, "whose answer is it?");
    assert.deepEqual(beats.received("b", 16), { kind: "answer", rttMs: 6 });
  });

  for (const [role, asks, answers] of [["watch", 0, 0], ["answer", 0, 1], ["ask", 1, 0], ["both", 1, 1]]) {
    test(`role ${role}`, () => {
      const world = new World();
      const { told, socket } = opened(world, { role });
      socket.say("PING");
      world.run(30_000);
      assert.deepEqual(socket.sent, [...Array(answers).fill("PONG"), ...Array(asks).fill("PING")]);
      assert.equal(told.of("message").length, 0);
    });
  }

  test("go before what is queued", () => {
    const world = new World();
    const { line, socket } = opened(world);
    socket.bufferedAmount = 1e6;
    line.send("waits");
    socket.say("PING");
    assert.deepEqual(socket.sent, ["PONG"]);
  });
});
