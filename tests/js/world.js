// A world in which an hour takes a moment: a clock that is only moved by hand, a network, and sockets that do as they are told.

/**
 * As an event loop does, a turn runs the timers that are due and then delivers what has come. `throttleMs` lets timers fire
 * only at multiples of it, as a hidden page does; what the network brings is not throttled.
 */
export class World {
  throttleMs = 1;
  sockets = [];
  network = new EventTarget();
  page = Object.assign(new EventTarget(), { visibilityState: "visible" });
  #now = 1_000;
  #waiting = [];
  #seed;

  constructor(seed = 1) {
    this.#seed = seed;
  }

  now = () => this.#now;

  /** The same numbers for the same seed (mulberry32). */
  random = () => {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let x = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };

  /** The options that put a Heartline into this world. */
  options(more = {}) {
    const world = this;
    class WebSocket extends FakeSocket {
      constructor(url, protocols) {
        super(world, url, protocols);
      }
    }
    const clock = { now: this.now, setTimer: (act, ms) => this.#wait(act, ms, true), clearTimer: (timer) => this.#cancel(timer) };
    return { WebSocket, clock, random: this.random, network: this.network, page: this.page, ...more };
  }

  get socket() {
    return this.sockets.at(-1);
  }

  get timers() {
    return this.#waiting.filter(({ isTimer }) => isTimer).length;
  }

  /** Something that the network brings in `ms`. */
  later(act, ms) {
    this.#wait(act, ms, false);
  }

  /** Time passes, and the page runs. */
  run(ms) {
    const until = this.#now + ms;
    for (let turns = 0; ; turns++) {
      if (turns > 100_000) throw new Error(`it spins: ${turns} turns within ${ms} ms`);
      const next = Math.min(...this.#waiting.map((entry) => this.#runsAt(entry)));
      if (next > until) break;
      this.#now = Math.max(this.#now, next);
      for (const isTimer of [true, false]) {
        const due = this.#waiting.filter((entry) => entry.isTimer === isTimer && this.#runsAt(entry) <= this.#now);
        for (const entry of due.sort((a, b) => a.at - b.at)) if (this.#cancel(entry)) entry.act();
      }
    }
    this.#now = until;
  }

  /** Time passes, and nothing runs: the process is stopped, the laptop asleep. */
  sleep(ms) {
    this.#now += ms;
  }

  #runsAt({ at, isTimer }) {
    const aligned = isTimer ? Math.ceil(at / this.throttleMs) * this.throttleMs : at;
    return Math.max(aligned, this.#now);
  }

  #wait(act, ms, isTimer) {
    if (!(ms >= 0 && ms < 2 ** 31)) throw new RangeError(`a timer of ${ms} ms`);
    const entry = { act, at: this.#now + ms, isTimer };
    this.#waiting.push(entry);
    return entry;
  }

  #cancel(entry) {
    const index = this.#waiting.indexOf(entry);
    if (index >= 0) this.#waiting.splice(index, 1);
    return index >= 0;
  }
}

/** A browser's WebSocket as seen from the page. It never closes by itself, as one does not whose network is gone. */
class FakeSocket {
  readyState = 0;
  bufferedAmount = 0;
  protocol = "";
  sent = [];
  isAbandoned = false;
  /** What the server does with a message. */
  server = () => {};

  constructor(world, url, protocols) {
    Object.assign(this, { url: String(url), protocols });
    world.sockets.push(this);
    world.connected?.(this);
  }

  send(data) {
    if (this.readyState !== 1) throw new Error(`sent in state ${this.readyState}: a browser would throw or lose it`);
    this.sent.push(data);
    this.server(data);
  }

  close(code) {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) throw new Error("InvalidAccessError");
    this.isAbandoned = true;
    this.readyState = 2;
  }

  // What the world does to it.

  open() {
    this.readyState = 1;
    this.onopen({});
  }

  say(data) {
    this.onmessage({ data });
  }

  end(code = 1006, reason = "") {
    this.readyState = 3;
    this.onerror({});
    this.onclose({ code, reason, wasClean: code !== 1006 });
  }
}

const TYPES = ["connecting", "open", "message", "suspect", "revived", "away", "closed", "beat", "full", "drained", "unsent"];

/** All that a line tells, as it comes. */
export function record(line) {
  const told = [];
  for (const type of TYPES) line.addEventListener(type, (event) => told.push(event));
  return Object.assign(told, {
    types: (...without) => told.map(({ type }) => type).filter((type) => !without.includes(type)),
    of: (type) => told.filter((event) => event.type === type),
    last: (type) => told.filter((event) => event.type === type).at(-1),
  });
}
