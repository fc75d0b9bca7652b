// Headless Chromium, driven through the two pipes of its DevTools protocol.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class Chromium {
  #child;
  #profile;
  #waiting = new Map();
  #next = 1;

  static async start() {
    const browser = new Chromium();
    browser.#profile = await mkdtemp(join(process.env.HEARTLINE_TEST_FOLDER ?? tmpdir(), "chromium-"));
    const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"];
    const rest = ["--remote-debugging-pipe", `--user-data-dir=${browser.#profile}`, "--window-size=900,800", "about:blank"];
    browser.#child = spawn("chromium", [...flags, ...rest], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
      env: { ...process.env, HOME: browser.#profile },
      detached: true, // a group of its own, for signal()
    });
    await once(browser.#child, "spawn");
    browser.#read();
    return browser;
  }

  /** A new tab, in front, that shows `url`. */
  async open(url) {
    const { targetId } = await this.send("Target.createTarget", { url });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    return new Page(this, targetId, sessionId);
  }

  /** A command of the protocol; its result. */
  send(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    this.#child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject, method }));
  }

  /** To all of its processes. */
  signal(name) {
    process.kill(-this.#child.pid, name);
  }

  async stop() {
    const ended = once(this.#child, "exit");
    this.signal("SIGKILL");
    await ended;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  async #read() {
    let unread = "";
    for await (const part of this.#child.stdio[4].setEncoding("utf8")) {
      const messages = (unread + part).split("\0");
      unread = messages.pop();
      for (const { id, result, error } of messages.map((text) => JSON.parse(text))) {
        const { resolve, reject, method } = this.#waiting.get(id) ?? {};
        this.#waiting.delete(id);
        if (error) reject?.(new Error(`${method}: ${error.message}`));
        else resolve?.(result);
      }
    }
  }
}

export class Page {
  constructor(browser, targetId, sessionId) {
    Object.assign(this, { browser, targetId, sessionId });
  }

  send(method, params) {
    return this.browser.send(method, params, this.sessionId);
  }

  /** The value of an expression in the page. */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, returnByValue: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description}`);
    return result.value;
  }

  /** Brings this tab to the front, which hides the others. */
  show() {
    return this.send("Page.bringToFront");
  }

  async picture() {
    const { data } = await this.send("Page.captureScreenshot", { format: "png" });
    return Buffer.from(data, "base64");
  }
}
