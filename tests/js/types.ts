// What a user writes in TypeScript. It is compiled with --strict and never run; each @ts-expect-error must be one.

import { Backoff, Beats, Heartline, HeartlineEvent, Liveness, PROFILES, Queue, byCloseCode } from "heartline";
import type { Cause, Clock, HeartlineEvents, HeartlineOptions, Loss, Sendable, SocketConstructor, State } from "heartline";

const options: HeartlineOptions = {
  ask: "PING",
  answer: Uint8Array.of(1),
  profile: "web",
  role: "both",
  WebSocket,
  network: window,
  page: document,
  reconnect: (lost: Loss) => (lost.code === 4001 ? false : undefined),
};
const line = new Heartline(async () => new URL("wss://example.org/ws"), options);
line.addEventListener("message", (event) => {
  const data: string | ArrayBuffer = event.data;
  const sent: boolean = line.send(data);
  void sent;
});
line.addEventListener("away", function ({ cause, delayMs, attempt, atRiskBytes, target }) {
  const why: Cause = cause;
  const sum: number = delayMs + attempt + atRiskBytes;
  this.close(1000, `${why} ${sum}`);
  void target;
});
line.addEventListener("unsent", ({ messages }) => messages.forEach((message: Sendable) => void message));
line.addEventListener("beat", ({ rttMs }) => void (rttMs === undefined ? 0 : rttMs + 1), { once: true });
const listener = (event: HeartlineEvents["closed"]): void => void (event.type satisfies "closed");
line.addEventListener("closed", listener);
line.removeEventListener("closed", listener);
const state: State = line.state;
const wait: false | number | undefined = byCloseCode(1012, Math.random);
const interval: number = PROFILES.im[0];
const clock: Clock = { now: () => 0, setTimer: setTimeout, clearTimer: (timer) => clearTimeout(timer as number) };
const constructor: SocketConstructor = WebSocket;
const liveness = new Liveness({ asks: true, intervalMs: 1, suspectMs: 2, timeoutMs: 3, jitterPercent: 0 }, Math.random, 0);
const verdict: "ask" | "suspect" | "dead" | undefined = liveness.turn(5);
const kind: "ask" | "answer" | undefined = new Beats("a").received("a", 0)?.kind;
const delay: number = new Backoff({ retryFirstMs: 0, retryBaseMs: 1, retryCapMs: 2, stableMs: 3 }, Math.random).next(0);
const queued: boolean = new Queue(1, 1).push("a");
const event: Event = new HeartlineEvent("open", {});
void [state, wait, interval, clock, constructor, verdict, kind, delay, queued, event];

// @ts-expect-error: no such option
new Heartline("ws://a", { timeout: 5 });
// @ts-expect-error: no such profile
new Heartline("ws://a", { profile: "fast" });
// @ts-expect-error: a number cannot be sent
line.send(5);
// @ts-expect-error: the state is read
line.state = "open";
// @ts-expect-error: a message has no delay
line.addEventListener("message", (told) => told.delayMs);
// @ts-expect-error: times are numbers
new Heartline("ws://a", { intervalMs: "25s" });
