// An echo server that answers asks: `node server.js PORT`. It says where it listens, as `heartline serve` does.

import { WebSocketServer } from "./packages.js";

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2] ?? 0) });
server.on("listening", () => console.log(`listening on 127.0.0.1:${server.address().port}`));
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => {
    const isAsk = data.equals(Buffer.from("PING"));
    socket.send(isAsk ? "PONG" : data, { binary: isBinary });
  });
});
