// Servers in processes of their own, which can be stopped and killed.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { ROOT } from "./packages.js";

/**
 * The server that the tests and the page talk to: it echoes, answers the ask `PING` with `PONG`, and says
 * `listening on ADDRESS`. This is the only place that knows which program it is.
 */
const serverCommand = (port) => [process.execPath, `${ROOT}tests/js/server.js`, String(port)];

/** One server at a time on one port, which it keeps when it is started again. */
export class Server {
  port = 0;
  #child;

  static async start() {
    const server = new Server();
    await server.again();
    return server;
  }

  get url() {
    return `ws://127.0.0.1:${this.port}/`;
  }

  async again() {
    const [program, ...rest] = serverCommand(this.port);
    this.#child = spawn(program, rest, { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await once(createInterface(this.#child.stdout), "line");
    this.port = Number(/^listening on .*:(\d+)$/.exec(line)[1]);
  }

  /** SIGSTOP: its connections stay, and nothing answers. */
  freeze() {
    this.#child.kill("SIGSTOP");
  }

  thaw() {
    this.#child.kill("SIGCONT");
  }

  async kill() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}
