// Servers in processes of their own, which can be stopped and killed.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { ROOT } from "./packages.js";

const BEATS = "ask=PING,answer=PONG";

/**
 * The servers that the tests and the page talk to: they echo, answer the ask `PING` with `PONG`, and say `listening on ADDRESS`.
 * This is the only place that knows which programs they are. HEARTLINE_BIN: the `heartline` to be tested.
 */
export const COMMANDS = {
  ws: (at) => [process.execPath, `${ROOT}tests/js/server.js`, at],
  heartline: (at) => [binary(), "serve", "--listen", at, "--frame", `websocket,${BEATS}`, "--app", "echo"],
};

function binary() {
  const { HEARTLINE_BIN } = process.env;
  if (!HEARTLINE_BIN) throw new Error("HEARTLINE_BIN is not set: cargo test --test system_browser sets it");
  return HEARTLINE_BIN;
}

/** One server at a time on one port, which it keeps when it is started again. */
export class Server {
  port = 0;
  #command;
  #child;

  /** `command`: one of COMMANDS. */
  static async start(command) {
    const server = new Server();
    server.#command = command;
    await server.again();
    return server;
  }

  get url() {
    return `ws://127.0.0.1:${this.port}/`;
  }

  async again() {
    const [program, ...rest] = this.#command(`127.0.0.1:${this.port}`);
    this.#child = spawn(program, rest, { stdio: ["ignore", "pipe", "ignore"] });
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
