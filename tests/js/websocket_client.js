// The scenarios of tests/websocket_peers as npm's ws plays them: node websocket_client.js HOST:PORT COMPRESSION SCENARIO...

import assert from "node:assert/strict";
import { once } from "node:events";

import { WebSocket } from "./packages.js";

const [address, compression, ...scenarios] = process.argv.slice(2);
const MIB = 1 << 20;
const COMPRESSIONS = { off: false, deflate: { threshold: 0 } };

async function open(subprotocols = []) {
  assert(compression in COMPRESSIONS);
  const options = { perMessageDeflate: COMPRESSIONS[compression], maxPayload: 0 };
  const socket = new WebSocket(`ws://${address}/chat`, subprotocols, options);
  const inbox = [];
  const waiting = [];
  socket.on("message", (data, isBinary) => {
    const message = isBinary ? data : data.toString();
    if (waiting.length > 0) waiting.shift()(message);
    else inbox.push(message);
  });
  socket.receive = () => (inbox.length > 0 ? inbox.shift() : new Promise((resolve) => waiting.push(resolve)));
  await once(socket, "open");
  same(socket.extensions.startsWith("permessage-deflate"), compression !== "off");
  return socket;
}

async function close(socket, ...how) {
  socket.close(...how);
  const [code, reason] = await once(socket, "close");
  return [code, reason.toString()];
}

async function echoes(socket, message) {
  socket.send(message);
  same(await socket.receive(), message);
}

function same(came, wanted) {
  const both = Buffer.isBuffer(came) && Buffer.isBuffer(wanted);
  assert(both ? came.equals(wanted) : came === wanted, `${String(came).slice(0, 100)}, ${String(wanted).slice(0, 100)}`);
}

// Who waits for what never comes is ended by node with status 13.
const known = {
  async subprotocol() {
    const socket = await open(["v9", "v1", "v2"]);
    same(socket.protocol, "v2");
    await close(socket, 1000);
    // ws itself fails where a subprotocol was offered and none is chosen; it did not ask here.
    const none = await open();
    same(none.protocol, "");
    await close(none, 1000);
  },

  async text() {
    const socket = await open();
    const long = ["é".repeat(62), "é".repeat(63), "é".repeat(40_000)];
    for (const message of ["", "x", "héllo", "心跳线 💓", "\0", ...long]) await echoes(socket, message);
    await close(socket);
  },

  async binary() {
    const socket = await open();
    for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, 65_537, 131_073]) {
      await echoes(socket, Buffer.from({ length: size }, (_, at) => at % 251));
    }
    await close(socket);
  },

  async fragments() {
    const socket = await open();
    const heart = Buffer.from("心跳线");
    for (const binary of [false, true]) {
      // One byte each: characters are cut too.
      for (let at = 0; at < heart.length; at++) {
        socket.send(heart.subarray(at, at + 1), { binary, fin: false });
        socket.ping(`between ${at}`);
        same((await once(socket, "pong"))[0].toString(), `between ${at}`);
      }
      socket.send(Buffer.alloc(0), { binary, fin: true });
      same(await socket.receive(), binary ? heart : heart.toString());
    }
    await close(socket);
  },

  async large() {
    const socket = await open();
    const message = Buffer.alloc(16 * MIB, "sixteen mebibytes of this");
    await echoes(socket, message);
    for (let at = 0; at < message.length; at += MIB) {
      socket.send(message.subarray(at, at + MIB), { fin: at + MIB === message.length });
    }
    same(await socket.receive(), message);
    await close(socket);
  },

  async too_large() {
    const socket = await open();
    socket.on("error", () => {});
    socket.send(Buffer.alloc(16 * MIB + 1));
    same((await once(socket, "close"))[0], 1009);
  },

  async pings() {
    const socket = await open();
    const pongs = [];
    socket.on("pong", (payload) => pongs.push(payload));
    const sent = Array.from({ length: 126 }, (_, at) => Buffer.alloc(at, at));
    for (const payload of sent) socket.ping(payload);
    socket.pong("unasked");
    await echoes(socket, "still here");
    // R4: control goes before data.
    assert.deepEqual(pongs, sent);
    await close(socket);
  },

  async idle() {
    const socket = await open();
    // The server asks meanwhile.
    for (let asked = 0; asked < 3; asked++) await once(socket, "ping");
    await echoes(socket, "still here");
    await close(socket);
  },

  async many() {
    const socket = await open();
    const messages = Array.from({ length: 3000 }, (_, at) => (at % 2 ? `message ${at}` : Buffer.from(String(at))));
    for (const message of messages) socket.send(message);
    for (const message of messages) same(await socket.receive(), message);
    await close(socket);
  },

  async closes() {
    for (const [code, reason] of [[1000, ""], [1001, "going"], [3000, "心跳线"], [4999, "r".repeat(123)]]) {
      // What it is told is the answer: the same code, without the reason.
      assert.deepEqual(await close(await open(), code, reason), [code, ""]);
    }
    assert.deepEqual(await close(await open()), [1005, ""]);
  },

  async closed_by_server() {
    for (const code of [1000, 1001, 1012, 3000, 4999]) {
      const socket = await open();
      socket.send(`!close ${code}`);
      same((await once(socket, "close"))[0], code);
    }
  },
};

for (const scenario of scenarios) {
  await known[scenario]();
  console.log(`done ${scenario}`);
}
