/** What `send` takes. */
export type Sendable = string | ArrayBuffer | ArrayBufferView | Blob;
/** A beat as it is sent: as text or as bytes. It is known again in either form. */
export type BeatMessage = string | ArrayBuffer | ArrayBufferView;
export type State = "closed" | "connecting" | "open" | "suspect" | "away";
export type Role = "watch" | "answer" | "ask" | "both";
export type Profile = "lan" | "game" | "im" | "web" | "mobile";
/** Why a connection or an attempt ended; `local`: by `close()`. */
export type Cause = "silent" | "peer_closed" | "connect_error" | "connect_timeout" | "local";

/** Interval, suspect and timeout in milliseconds. */
export declare const PROFILES: Readonly<Record<Profile, readonly [number, number, number]>>;

/** Times are in milliseconds; defaults and bounds are in README.md. */
export interface HeartlineOptions {
  ask?: BeatMessage | undefined;
  answer?: BeatMessage | undefined;
  role?: Role | undefined;
  profile?: Profile | undefined;
  intervalMs?: number | undefined;
  suspectMs?: number | undefined;
  timeoutMs?: number | undefined;
  jitterPercent?: number | undefined;
  protocols?: string | string[] | undefined;
  connectTimeoutMs?: number | undefined;
  retryFirstMs?: number | undefined;
  retryBaseMs?: number | undefined;
  retryCapMs?: number | undefined;
  stableMs?: number | undefined;
  /**
   * After a loss: false stays away for good, true comes back by the usual delays whatever the close code, a number waits at
   * least so many milliseconds (at most a day), undefined leaves it to the close code.
   */
  reconnect?: ((lost: Loss) => boolean | number | undefined | void) | undefined;
  queueBytes?: number | undefined;
  queueCount?: number | undefined;
  bufferBytes?: number | undefined;
  WebSocket?: SocketConstructor | undefined;
  clock?: Clock | undefined;
  /** From 0 (included) to 1 (excluded). */
  random?: (() => number) | undefined;
  /** Dispatches `online` and `pageshow`: the window, or the worker's scope. */
  network?: Source | undefined;
  /** Dispatches `visibilitychange` and `resume`: the document. */
  page?: (Source & { readonly visibilityState: string }) | undefined;
}

/** Where `online` and the like come from. */
export interface Source {
  addEventListener(type: string, listener: (event: Event) => void): void;
  removeEventListener(type: string, listener: (event: Event) => void): void;
}

/** A monotonic clock in milliseconds, and its timers. */
export interface Clock {
  now(): number;
  setTimer(act: () => void, ms: number): unknown;
  clearTimer(timer: unknown): void;
}

/** As much of a WebSocket as is used. */
export interface Socket {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly protocol: string;
  readonly readyState: number;
  onopen: unknown;
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each implementation has types of its own
  send(data: any): void;
  close(code?: number, reason?: string): void;
}
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type SocketConstructor = new (url: any, protocols?: any) => Socket;

/** How a connection or an attempt ended. */
export interface Loss {
  readonly cause: Cause;
  /** The close code; 1006 if there was none. */
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
  /** Of `connect_error`, where the WebSocket or the function for the address says more; browsers do not. */
  readonly error?: unknown;
  /** 0 if it never opened. */
  readonly uptimeMs: number;
  /** Attended time since something came. */
  readonly silenceMs: number;
  /** What the socket had taken and not sent: it, and what was on its way, may be lost. */
  readonly atRiskBytes: number;
}

export declare class HeartlineEvent<T extends string = string> extends Event {
  constructor(type: T, fields: object);
  readonly type: T;
}

type Told<T extends string, Fields = unknown> = HeartlineEvent<T> & Readonly<Fields>;

export interface HeartlineEvents {
  /** `attempt`: how many waits there were since a connection was stable. */
  connecting: Told<"connecting", { attempt: number }>;
  open: Told<"open", { protocol: string; attempt: number }>;
  message: Told<"message", { data: string | ArrayBuffer }>;
  suspect: Told<"suspect", { silenceMs: number }>;
  revived: Told<"revived", { silenceMs: number }>;
  away: Told<"away", Loss & { delayMs: number; attempt: number }>;
  closed: Told<"closed", Loss>;
  /** `rttMs` comes with an answer to the only ask that was unanswered. */
  beat: Told<"beat", { direction: "in" | "out"; kind: "ask" | "answer"; rttMs?: number }>;
  full: Told<"full", { queuedBytes: number; queuedCount: number }>;
  drained: Told<"drained">;
  unsent: Told<"unsent", { messages: Sendable[] }>;
}

export declare class Heartline extends EventTarget {
  /** Throws a TypeError or RangeError where an option, or an address given as text, cannot be meant. */
  constructor(url: string | URL | (() => string | URL | Promise<string | URL>), options?: HeartlineOptions);
  readonly state: State;
  readonly queuedBytes: number;
  readonly queuedCount: number;
  readonly bufferedBytes: number;
  readonly protocol: string;
  open(): void;
  /** False: refused, and nothing of it is kept. Throws a TypeError for what cannot be sent. */
  send(data: Sendable): boolean;
  takeUnsent(): Sendable[];
  /** `code`: 1000, or 3000 to 4999. */
  close(code?: number, reason?: string): void;
  addEventListener<T extends keyof HeartlineEvents>(
    type: T,
    listener: (this: Heartline, event: HeartlineEvents[T]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<T extends keyof HeartlineEvents>(
    type: T,
    listener: (this: Heartline, event: HeartlineEvents[T]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/** What a close code orders where `reconnect` leaves it: false is never, milliseconds are at least. */
export declare function byCloseCode(code: number, random: () => number): false | number | undefined;

/** The parts, for whoever builds another client from them. Milliseconds in, verdicts out. */
export declare class Liveness {
  constructor(
    policy: { asks: boolean; intervalMs: number; suspectMs: number; timeoutMs: number; jitterPercent: number },
    random: () => number,
    now: number,
  );
  readonly suspect: boolean;
  silence(now: number): number;
  heard(now: number): boolean;
  spoke(now: number): void;
  askSoon(): void;
  turn(now: number): "ask" | "suspect" | "dead" | undefined;
  dueIn(now: number): number;
}

export declare class Beats {
  constructor(ask: BeatMessage, answer?: BeatMessage);
  readonly ask: string | Uint8Array;
  readonly answer: string | Uint8Array;
  readonly unanswered: number;
  asked(now: number): void;
  received(
    data: string | ArrayBuffer,
    now: number,
  ): { kind: "ask" } | { kind: "answer"; rttMs: number | undefined } | undefined;
}

export declare class Backoff {
  constructor(
    settings: { retryFirstMs: number; retryBaseMs: number; retryCapMs: number; stableMs: number },
    random: () => number,
  );
  readonly attempt: number;
  reset(): void;
  next(uptimeMs: number): number;
}

export declare class Queue {
  constructor(maxBytes: number, maxCount: number);
  readonly count: number;
  readonly bytes: number;
  push(data: Sendable): boolean;
  shift(): Sendable;
  takeAll(): Sendable[];
}
