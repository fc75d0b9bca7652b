// An echo server that answers asks: `node server.js HOST:PORT`. It says where it listens, as `heartline serve` does.

import { WebSocketServer } from "./packages.js";

const [host, port] = process.argv[2].split(":");
const server = new WebSocketServer({ host, port: Number(port) });
server.on("listening", () => console.log(`listening on ${host}:${server.address().port}`));
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => {
    const isAsk = data.equals(Buffer.from("PING"));
    socket.send(isAsk ? "PONG" : data, { binary: isBinary });
  });
});
