// Against real sockets: with npm's `ws`, and Node's own WebSocket where there is one; at the other end `ws` and `heartline serve`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { after, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { Heartline } from "../../bindings/js/heartline.js";
import { ROOT, WebSocket, WebSocketServer } from "./packages.js";
import { COMMANDS, Server } from "./process.js";
import { record } from "./world.js";

const PATIENCE_MS = 20_000;
const BEATS = { ask: "PING", answer: "PONG", intervalMs: 200, suspectMs: 400, timeoutMs: 800 };
const FAST = { ...BEATS, retryBaseMs: 20, retryCapMs: 100, stableMs: 300, connectTimeoutMs: 500 };
const IMPLEMENTATIONS = { ws: WebSocket, ...(globalThis.WebSocket && { "Node's own": globalThis.WebSocket }) };

/** The next event of this type, or one that came already and was not asked for yet. */
function next(told, type) {
  const taken = (told.taken ??= new Set());
  const find = () => told.find((event) => event.type === type && !taken.has(event));
  return (async () => {
    const until = Date.now() + PATIENCE_MS;
    for (let event; ; await delay(2)) {
      if ((event = find())) return taken.add(event), event;
      assert.ok(Date.now() < until, `no ${type}, but ${told.types("beat").join(" ")}`);
    }
  })();
}

/** A server in this process, for what it must do by order. */
async function listening(onConnection, options = {}) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, ...options });
  server.on("connection", onConnection);
  await once(server, "listening");
  const stop = () => {
    for (const client of server.clients) client.terminate();
    server.close();
  };
  return { url: `ws://127.0.0.1:${server.address().port}/`, stop };
}

for (const [name, WebSocket] of Object.entries(IMPLEMENTATIONS)) {
  describe(name, () => {
    const lines = [];
    const opened = (url, options = {}) => {
      const line = new Heartline(url, { ...FAST, WebSocket, ...options });
      const told = record(line);
      lines.push(line);
      line.open();
      return { line, told };
    };
    after(() => lines.forEach((line) => line.close()));

    for (const [kind, command] of Object.entries(COMMANDS)) {
      test(`${kind}: a frozen server is found dead although nothing closes; what was sent meanwhile arrives`, async () => {
        const server = await Server.start(command);
        const { line, told } = opened(server.url);
        await next(told, "open");
        line.send("before");
        assert.equal((await next(told, "message")).data, "before");
        const began = performance.now();
        server.freeze();
        await next(told, "suspect");
        const lost = await next(told, "away");
        const took = performance.now() - began;
        assert.equal(lost.cause, "silent");
        assert.ok(took >= 550 && took < 2_500, `found after ${took} ms`);
        assert.ok(line.send("meanwhile 1") && line.send(Uint8Array.of(1, 2, 3)));
        await next(told, "away");
        server.thaw();
        await next(told, "open");
        assert.equal((await next(told, "message")).data, "meanwhile 1");
        assert.deepEqual(new Uint8Array((await next(told, "message")).data), Uint8Array.of(1, 2, 3));
        line.close();
        await server.kill();
      });

      test(`${kind}: a server that is killed and started again`, async () => {
        const server = await Server.start(command);
        const { line, told } = opened(server.url);
        await next(told, "open");
        await server.kill();
        const lost = await next(told, "away");
        assert.deepEqual([lost.cause, lost.code, lost.delayMs, lost.wasClean], ["peer_closed", 1006, 0, false]);
        const messages = Array.from({ length: 50 }, (_, index) => `message ${index}`);
        for (const message of messages) assert.ok(line.send(message));
        await delay(500);
        assert.ok(told.of("away").slice(1).every(({ cause }) => cause === "connect_error"));
        assert.ok(told.of("connecting").length < 60, "it does not spin");
        await server.again();
        await next(told, "open");
        for (const message of messages) assert.equal((await next(told, "message")).data, message);
        line.close();
        await server.kill();
      });

      test(`${kind}: a server that answers beats keeps a silent line for many timeouts`, async () => {
        const server = await Server.start(command);
        const { line, told } = opened(server.url);
        await next(told, "open");
        await delay(3_000);
        assert.equal(line.state, "open");
        assert.deepEqual(told.types("beat", "suspect", "revived"), ["connecting", "open"]);
        assert.ok(told.of("beat").length >= 20);
        line.close();
        await server.kill();
      });
    }

    test("a server that asks is answered, with the same bytes for both too", async () => {
      for (const beats of [{}, { ask: "beat", answer: undefined }]) {
        const { ask, answer = ask } = { ...BEATS, ...beats };
        let [asks, answers] = [0, 0];
        const { url, stop } = await listening((socket) => {
          socket.on("message", (data) => (answers += Number(String(data) === answer)));
          setInterval(() => (asks++, socket.send(ask)), 100).unref();
        });
        const { line, told } = opened(url, beats);
        await next(told, "open");
        while (asks < 12) await delay(10);
        const asked = asks;
        await delay(300);
        // Its own asks may be the same bytes: they come to one in 200 ms.
        assert.ok(answers >= asked - 2 && answers <= 2 * asks + 3, `${answers} answers to ${asks} asks`);
        assert.equal(told.of("message").length, 0);
        line.close();
        stop();
      }
    });

    test("close codes order what comes next", async () => {
      let code = 4001;
      const { url, stop } = await listening((socket) => socket.close(code, "because"));
      const again = opened(url);
      const lost = await next(again.told, "away");
      assert.deepEqual([lost.cause, lost.code, lost.reason, lost.wasClean], ["peer_closed", 4001, "because", true]);
      await next(again.told, "connecting");
      again.line.close();
      code = 1012;
      const later = opened(url);
      assert.ok((await next(later.told, "away")).delayMs >= 5_000);
      later.line.close();
      code = 1008;
      const never = opened(url);
      assert.equal((await next(never.told, "closed")).code, 1008);
      stop();
    });

    test("a server that accepts and closes does not make it spin", async () => {
      let connections = 0;
      const { url, stop } = await listening((socket) => (connections++, socket.close()));
      const { line } = opened(url);
      await delay(2_000);
      assert.ok(connections >= 5 && connections < 150, `${connections} connections in 2 s at a limit of 100 ms`);
      line.close();
      stop();
    });

    test("an upgrade that is refused, and one that never comes", async () => {
      const { url, stop } = await listening(() => {}, { verifyClient: () => false });
      const refused = opened(url);
      assert.equal((await next(refused.told, "away")).cause, "connect_error");
      refused.line.close();
      stop();
      const sockets = [];
      const hole = createServer((socket) => sockets.push(socket.on("error", () => {}))).listen(0, "127.0.0.1");
      await once(hole, "listening");
      const mute = opened(`ws://127.0.0.1:${hole.address().port}/`);
      const began = performance.now();
      assert.equal((await next(mute.told, "away")).cause, "connect_timeout");
      assert.ok(performance.now() - began < 3_000);
      mute.line.close();
      sockets.forEach((socket) => socket.destroy());
      hole.close();
    });

    test("a server that does not read makes it full, not large; then all arrives in order", async () => {
      let server;
      const received = [];
      const { url, stop } = await listening((socket) => {
        server = socket;
        socket.pause();
        socket.on("message", (data) => received.push(data));
      });
      const { line, told } = opened(url, { ask: undefined, answer: undefined, timeoutMs: 0, queueBytes: 1 << 20 });
      await next(told, "open");
      const message = (index) => new Uint8Array(32_768).fill(index & 0xff);
      let taken = 0;
      while (line.send(message(taken))) {
        taken += 1;
        assert.ok(taken < 10_000, "it takes everything");
        if (taken % 16 === 0) await delay(1);
      }
      assert.ok(line.queuedBytes <= 1 << 20 && line.queuedBytes > 900_000);
      assert.ok(line.bufferedBytes <= 65_536 + 33_000, `${line.bufferedBytes} in the socket`);
      server.resume();
      await next(told, "drained");
      const until = Date.now() + PATIENCE_MS;
      while (received.length < taken && Date.now() < until) await delay(5);
      assert.deepEqual(received.map((data) => data[0]), Array.from({ length: taken }, (_, index) => index & 0xff));
      line.close();
      stop();
    });
  });
}

test("a client that is stopped for three timeouts keeps its line", async () => {
  const server = await Server.start(COMMANDS.heartline);
  const program = `
    import { Heartline } from "${ROOT}bindings/js/heartline.js";
    import { WebSocket } from "${ROOT}tests/js/packages.js";
    const line = new Heartline("${server.url}", { ...${JSON.stringify(FAST)}, WebSocket });
    for (const type of ["open", "away", "suspect"]) line.addEventListener(type, (event) => console.log(type, event.cause ?? ""));
    line.open();`;
  const client = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  const said = [];
  const lines = createInterface(client.stdout).on("line", (line) => said.push(line.trim()));
  await once(lines, "line");
  for (let stop = 0; stop < 3; stop++) {
    await delay(500 + stop * 37);
    client.kill("SIGSTOP");
    await delay(2_400);
    client.kill("SIGCONT");
  }
  await delay(1_000);
  assert.deepEqual(said.filter((line) => line !== "suspect"), ["open"]);
  client.kill("SIGKILL");
  await once(client, "exit");
  await server.kill();
});

test("what was closed keeps no process alive", async () => {
  const server = await Server.start(COMMANDS.heartline);
  const program = `
    import { Heartline } from "${ROOT}bindings/js/heartline.js";
    import { WebSocket } from "${ROOT}tests/js/packages.js";
    const line = new Heartline("${server.url}", { ask: "PING", WebSocket });
    line.addEventListener("open", () => line.close());
    line.open();`;
  const began = performance.now();
  const client = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: "inherit" });
  const [status] = await once(client, "exit");
  assert.equal(status, 0);
  assert.ok(performance.now() - began < 10_000);
  await server.kill();
});
