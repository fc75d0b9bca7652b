// A server that does what tests/websocket_peers/mod.rs says, on npm's ws: node websocket_server.js COMPRESSION

import assert from "node:assert/strict";

import { WebSocketServer } from "./packages.js";

const COMPRESSIONS = { off: false, deflate: { threshold: 0 } };
assert(process.argv[2] in COMPRESSIONS);

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  maxPayload: 0,
  perMessageDeflate: COMPRESSIONS[process.argv[2]],
  handleProtocols: (offered) => ["v2", "v1"].find((spoken) => offered.has(spoken)) ?? false,
});

const orders = {
  "!subprotocol": (socket) => socket.send(socket.protocol || "none"),
  "!ping": (socket, payload) => {
    socket.once("pong", (came) => socket.send(`answered ${came}`));
    socket.ping(payload);
  },
  "!fragments": (socket) => {
    // One byte each: characters are cut too.
    for (const byte of Buffer.from("心跳线")) {
      socket.send(Buffer.of(byte), { binary: false, fin: false });
      socket.ping();
    }
    socket.send("", { fin: true });
  },
  "!close": (socket, rest) => {
    const [code, ...reason] = rest.split(" ");
    socket.close(Number(code), reason.join(" "));
  },
};

server.on("listening", () => console.log(`listening on 127.0.0.1:${server.address().port}`));
server.on("connection", (socket) => {
  assert.equal(socket.extensions.startsWith("permessage-deflate"), process.argv[2] !== "off");
  socket.on("message", (data, isBinary) => {
    const text = isBinary ? "" : data.toString();
    const order = text.split(" ", 1)[0];
    if (text.startsWith("!")) orders[order](socket, text.slice(order.length + 1));
    else socket.send(data, { binary: isBinary });
  });
  socket.on("close", (code, reason) => console.log(`closed ${code === 1006 ? "without a word" : code} ${reason}`));
});
