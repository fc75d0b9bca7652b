/**
 * A WebSocket that stays: it notices a dead connection although `onclose` never fires, comes back by policy, and keeps what
 * was sent meanwhile. One module without dependencies, for browsers and for Node; options, events and limits are in README.md,
 * types in heartline.d.ts. L5, R4 and the like are rules of Heartline's design, which the code of the server keeps too.
 *
 * Heartline at the end joins four parts that know neither sockets nor clocks: Liveness, Beats, Backoff and Queue.
 */

/** Interval / suspect / timeout in milliseconds (L12). */
export const PROFILES = Object.freeze({
  lan: [2_000, 4_000, 8_000],
  game: [5_000, 8_000, 20_000],
  im: [10_000, 15_000, 35_000],
  web: [25_000, 40_000, 60_000],
  mobile: [180_000, 240_000, 400_000],
});

const ROLES = { watch: [false, false], answer: [false, true], ask: [true, false], both: [true, true] };

/** What a timer may come late before it tells of a page that was hidden, throttled or asleep (L5). */
const GRANULARITY_MS = 100;
/** How often to look whether the socket has room again: no event tells. */
const ROOM_MS = 20;
const DAYS_MS = 24 * 3_600_000;
const OPEN = 1;

/**
 * The silence of one peer, in attended time: milliseconds in, verdicts out.
 *
 * Whoever uses it calls `turn(now)` until it has no verdict left, then sets one timer for `dueIn(now)`: a promise. What the
 * next turn comes later than promised was our absence, not the peer's (L5). A byte needs no new timer: one that comes early
 * only asks for the next.
 */
export class Liveness {
  #policy;
  #random;
  /** What counts for nobody so far: attended time is `now` less this. */
  #away = 0;
  #promised = Infinity;
  // In attended time.
  #heard;
  #spoke;
  #asked = -Infinity;
  /** Silence that stalls have forgiven since the last byte. */
  #granted = 0;
  /** After this much quiet the next ask goes out. */
  #askAfter;
  #askAnew = false;
  #looked = false;
  #suspect = false;

  /** `policy`: intervalMs, suspectMs, timeoutMs (0: never judged), jitterPercent, asks. */
  constructor(policy, random, now) {
    this.#policy = policy;
    this.#random = random;
    this.#heard = this.#spoke = now;
    // L7: peers that came together do not beat together.
    this.#askAfter = this.#spread(policy.jitterPercent === 0 ? 0 : 50);
  }

  get suspect() { return this.#suspect; }

  /** How long nothing has come, in attended milliseconds. */
  silence(now) {
    return Math.max(0, now - this.#away - this.#heard);
  }

  /** Something came (L1). True if that revives a suspect. */
  heard(now) {
    const revived = this.#suspect;
    this.#heard = now - this.#away;
    this.#granted = 0;
    this.#askAnew = this.#looked = this.#suspect = false;
    return revived;
  }

  /** Something was sent. It proves nothing to us, but our life to the peer. */
  spoke(now) {
    this.#spoke = now - this.#away;
  }

  /** The network has changed: ask in the next turn, whatever was heard. */
  askSoon() {
    this.#askAnew = this.#policy.asks;
  }

  /** The next verdict: "ask", "suspect", "dead", or undefined if nothing is due at `now`. */
  turn(now) {
    this.#wake(now);
    const [at, verdict] = this.#next();
    if (at > now - this.#away) return undefined;
    if (verdict === "ask") {
      this.#asked = this.#spoke = now - this.#away;
      this.#askAfter = this.#spread(this.#policy.jitterPercent);
      this.#askAnew = false;
    } else if (verdict === "suspect") {
      this.#suspect = true;
    } else if (!this.#looked) {
      // L6: one more turn of the loop, in which what has come already is delivered.
      this.#looked = true;
      return undefined;
    }
    return verdict;
  }

  /** In how many milliseconds the next turn is wanted; Infinity: never. This is the promise. */
  dueIn(now) {
    const [at] = this.#next();
    const ms = Math.max(0, Math.ceil(at + this.#away - now));
    this.#promised = now + ms;
    return ms;
  }

  #next() {
    const { asks, intervalMs, suspectMs, timeoutMs } = this.#policy;
    let [at, verdict] = [Infinity, undefined];
    if (timeoutMs > 0) {
      const from = this.#heard + this.#granted;
      [at, verdict] = this.#suspect ? [from + timeoutMs, "dead"] : [from + suspectMs, "suspect"];
    }
    if (asks) {
      // Who only listens asks too, since the peer judges us as we judge it.
      const quiet = Math.min(Math.max(this.#heard, this.#asked), this.#spoke);
      const ask = this.#askAnew ? -Infinity : quiet + Math.min(this.#askAfter, intervalMs);
      if (ask <= at) return [ask, "ask"];
    }
    return [at, verdict];
  }

  #wake(now) {
    const late = now - this.#promised;
    this.#promised = Infinity;
    if (late <= GRANULARITY_MS) return;
    this.#away += late;
    const attended = now - this.#away;
    this.#heard = Math.min(this.#heard, attended);
    this.#spoke = Math.min(this.#spoke, attended);
    this.#asked = Math.min(this.#asked, attended);
    const { asks, intervalMs, timeoutMs } = this.#policy;
    const silence = this.silence(now);
    this.#askAnew ||= asks && silence >= intervalMs;
    if (timeoutMs === 0) return;
    // At least min(timeout - interval, what was left + the stall) lies before the peer; all stalls of one silence together
    // grant no more than timeout - interval, so that the dead are found in a hidden page too.
    const most = timeoutMs - intervalMs;
    const left = timeoutMs + this.#granted - silence;
    const grant = Math.min(late, most - left, most - this.#granted);
    if (grant > 0) {
      this.#granted += grant;
      this.#looked = false;
    }
  }

  #spread(earlierPercent) {
    return this.#policy.intervalMs * (1 - (this.#random() * earlierPercent) / 100);
  }
}

/** Which messages are beats, and how many asks are unanswered. */
export class Beats {
  #ask;
  #answer;
  #unanswered = 0;
  #askedAt = 0;

  constructor(ask, answer = ask) {
    this.#ask = bothForms(ask);
    this.#answer = bothForms(answer);
  }

  get ask() { return this.#ask.given; }

  get answer() { return this.#answer.given; }

  get unanswered() { return this.#unanswered; }

  /** An ask goes out. */
  asked(now) {
    this.#unanswered += 1;
    this.#askedAt = now;
  }

  /** What this message is: `{ kind: "ask" }`, `{ kind: "answer", rttMs }`, or undefined for a message of the application. */
  received(data, now) {
    const isAnswer = isSame(this.#answer, data);
    // L14: where both are the same bytes, an answer while an ask is unanswered. Only answers reduce their number: if
    // messages did, two equal ends would answer each other without end.
    if (isSame(this.#ask, data) && !(isAnswer && this.#unanswered > 0)) return { kind: "ask" };
    if (!isAnswer) return undefined;
    const rttMs = this.#unanswered === 1 ? now - this.#askedAt : undefined;
    this.#unanswered = Math.max(0, this.#unanswered - 1);
    return { kind: "answer", rttMs };
  }
}

/** How long to wait before each attempt: the cap first, then full jitter, so that a crowd never comes back in step. */
export class Backoff {
  #settings;
  #random;
  #attempt = 0;

  /** `settings`: retryFirstMs, retryBaseMs, retryCapMs, stableMs. */
  constructor(settings, random) {
    this.#settings = settings;
    this.#random = random;
  }

  /** How many waits there were since a connection was stable. */
  get attempt() { return this.#attempt; }

  reset() {
    this.#attempt = 0;
  }

  /** After a connection that was open for `uptimeMs`: milliseconds until the next attempt. */
  next(uptimeMs) {
    const { retryFirstMs, retryBaseMs, retryCapMs, stableMs } = this.#settings;
    if (uptimeMs >= stableMs) this.#attempt = 0;
    const doublings = this.#attempt - 1;
    this.#attempt += 1;
    const most = doublings < 0 ? retryFirstMs : Math.min(retryCapMs, retryBaseMs * 2 ** doublings);
    return this.#random() * most;
  }
}

/** What waits to be sent, in order, within limits. */
export class Queue {
  #maxBytes;
  #maxCount;
  #waiting = [];
  #bytes = 0;

  constructor(maxBytes, maxCount) {
    this.#maxBytes = maxBytes;
    this.#maxCount = maxCount;
  }

  get count() { return this.#waiting.length; }

  get bytes() { return this.#bytes; }

  /** Copies what the caller may change. False: it does not fit, and nothing was kept. */
  push(data) {
    const size = sizeOf(data);
    if (this.#waiting.length >= this.#maxCount || this.#bytes + size > this.#maxBytes) return false;
    this.#waiting.push({ data: copyOf(data), size });
    this.#bytes += size;
    return true;
  }

  shift() {
    const { data, size } = this.#waiting.shift();
    this.#bytes -= size;
    return data;
  }

  takeAll() {
    const all = this.#waiting.map(({ data }) => data);
    this.#waiting = [];
    this.#bytes = 0;
    return all;
  }
}

/** What Heartline dispatches: the fields of each type are in heartline.d.ts. */
export class HeartlineEvent extends Event {
  constructor(type, fields) {
    super(type);
    Object.assign(this, fields);
  }
}

/** What a close code orders unless the option `reconnect` says otherwise: false is never, milliseconds are at least. */
export function byCloseCode(code, random) {
  // Policy violation, and an extension that we do not have: the next attempt would end in the same way.
  if (code === 1008 || code === 1010) return false;
  // IANA: after a service restart, come back within 5 to 30 s at random. Try again later: no sooner.
  if (code === 1012 || code === 1013) return 5_000 + random() * 25_000;
  return undefined;
}

/** One lasting connection to `url`. Nothing happens before `open()`. */
export class Heartline extends EventTarget {
  #url;
  #options;
  #clock;
  #policy;
  #backoff;
  #queue;
  #state = "closed";
  /** The attempt or connection of now; whatever an earlier one still says is not heard. */
  #link;
  /** The next thing to do: give up connecting, come back, or judge. */
  #timer;
  #roomTimer;
  #isFull = false;
  /** While `open` is told, what is sent goes before what was queued. */
  #isGreeting = false;
  /** The server set the time of the next attempt. */
  #isOrdered = false;

  constructor(url, options = {}) {
    super();
    if (typeof url !== "function") new URL(url, globalThis.location?.href);
    this.#url = url;
    this.#options = checked(options);
    this.#clock = this.#options.clock;
    this.#policy = this.#options.policy;
    this.#backoff = new Backoff(this.#options, this.#options.random);
    this.#queue = new Queue(this.#options.queueBytes, this.#options.queueCount);
  }

  /** "closed", "connecting", "open", "suspect" or "away". */
  get state() { return this.#state; }

  /** What waits here, in bytes. */
  get queuedBytes() { return this.#queue.bytes; }

  get queuedCount() { return this.#queue.count; }

  /** What the socket has taken and not yet sent, in bytes. */
  get bufferedBytes() { return this.#link?.socket?.bufferedAmount ?? 0; }

  /** The subprotocol that the server chose, or "". */
  get protocol() { return this.#link?.socket?.protocol ?? ""; }

  /** Connects, now and again. Does nothing unless closed. */
  open() {
    if (this.#state !== "closed") return;
    this.#backoff.reset();
    this.#forEachSource("addEventListener");
    this.#connect();
  }

  /**
   * Sends a text, an ArrayBuffer, a view (copied if it has to wait) or a Blob. True: the socket has it, or it waits to be
   * sent. False: refused, nothing of it is kept: the queue is full, or the line is closed.
   */
  send(data) {
    checkSendable(data);
    if (this.#state === "closed") return false;
    if (this.#hasRoom() && (this.#queue.count === 0 || this.#isGreeting)) {
      this.#put(data);
      return true;
    }
    const isTaken = this.#queue.push(data);
    if (!isTaken && !this.#isFull) {
      this.#isFull = true;
      this.#tell("full", { queuedBytes: this.#queue.bytes, queuedCount: this.#queue.count });
    }
    this.#awaitRoom();
    return isTaken;
  }

  /** Gives back what waits and was never sent, and forgets it. */
  takeUnsent() {
    return this.#queue.takeAll();
  }

  /** Ends the line for good (until `open()`), without waiting for the server. What was queued comes back in `unsent`. */
  close(code = 1000, reason = "") {
    if (this.#state === "closed") return;
    const lost = this.#loss({ cause: "local", code, reason, wasClean: true });
    this.#link?.socket?.close(code, reason); // it throws at a code that nobody may send: then nothing has changed
    this.#detach();
    this.#end(lost);
  }

  #connect() {
    const link = { socket: undefined, liveness: undefined, beats: undefined, openedAt: undefined };
    this.#link = link;
    this.#become("connecting", { attempt: this.#backoff.attempt });
    if (link !== this.#link) return;
    this.#giveUpAt(link, this.#clock.now() + this.#options.connectTimeoutMs, true);
    if (typeof this.#url !== "function") return this.#dial(link, this.#url);
    const asked = new Promise((resolve) => resolve(this.#url()));
    asked.then(
      (url) => this.#dial(link, url),
      (error) => this.#lose(link, { cause: "connect_error", error }),
    );
  }

  #dial(link, url) {
    if (link !== this.#link) return;
    const { WebSocket, protocols } = this.#options;
    let socket;
    try {
      socket = new WebSocket(url, protocols);
    } catch (error) {
      // An address that is none, or one that this page must not use: another attempt cannot help.
      const lost = this.#loss({ cause: "connect_error", error });
      this.#detach();
      return this.#end(lost);
    }
    link.socket = socket;
    socket.binaryType = "arraybuffer";
    const ifOurs = (act) => (event) => link === this.#link && act(event);
    socket.onopen = ifOurs(() => this.#opened(link));
    socket.onmessage = ifOurs(({ data }) => this.#received(link, data));
    // Of an attempt `close` says no more than `error`, and does not follow in Node 22. Of a connection it says why.
    socket.onerror = ifOurs(({ error }) => {
      if (link.openedAt === undefined) this.#lose(link, { cause: "connect_error", error });
    });
    socket.onclose = ifOurs(({ code, reason, wasClean }) => {
      const cause = link.openedAt === undefined ? "connect_error" : "peer_closed";
      this.#lose(link, { cause, code, reason: String(reason), wasClean });
    });
  }

  #giveUpAt(link, at, mayWait) {
    this.#setTimer(at - this.#clock.now(), () => {
      const isLate = this.#clock.now() - at > GRANULARITY_MS;
      // L5: we were away. Once more, since it may open as soon as we look.
      if (isLate && mayWait) this.#giveUpAt(link, this.#clock.now() + this.#options.connectTimeoutMs, false);
      else this.#lose(link, { cause: "connect_timeout" });
    });
  }

  #opened(link) {
    const now = this.#clock.now();
    link.openedAt = now;
    link.liveness = new Liveness(this.#policy, this.#options.random, now);
    if (this.#options.ask !== undefined) link.beats = new Beats(this.#options.ask, this.#options.answer);
    this.#judge(link);
    this.#isGreeting = true;
    this.#become("open", { protocol: link.socket.protocol, attempt: this.#backoff.attempt });
    this.#isGreeting = false;
    if (link === this.#link) this.#pump();
  }

  #received(link, data) {
    const now = this.#clock.now();
    const silenceMs = link.liveness.silence(now);
    if (link.liveness.heard(now)) {
      this.#become("open", { silenceMs }, "revived");
      if (link !== this.#link) return;
    }
    const beat = link.beats?.received(data, now);
    if (!beat) this.#tell("message", { data });
    else this.#beat(link, beat);
    if (link === this.#link && this.#queue.count > 0) this.#pump();
  }

  #beat(link, beat) {
    this.#tell("beat", { direction: "in", ...beat });
    if (beat.kind === "ask" && this.#policy.answers && link === this.#link) {
      this.#sendBeat(link, "answer");
    }
  }

  /** A beat never waits behind what is queued (R4). */
  #sendBeat(link, kind) {
    if (link.socket.readyState !== OPEN) return;
    if (kind === "ask") link.beats.asked(this.#clock.now());
    this.#put(link.beats[kind]);
    this.#tell("beat", { direction: "out", kind });
  }

  #judge(link) {
    const { liveness } = link;
    for (;;) {
      const verdict = liveness.turn(this.#clock.now());
      const silenceMs = liveness.silence(this.#clock.now());
      if (!verdict) break;
      if (verdict === "dead") return this.#lose(link, { cause: "silent" });
      if (verdict === "ask") this.#sendBeat(link, "ask");
      else this.#become("suspect", { silenceMs });
      if (link !== this.#link) return;
    }
    const ms = liveness.dueIn(this.#clock.now());
    this.#setTimer(ms, () => this.#judge(link));
  }

  /** The connection, or the attempt, is over. Whether and when there is another. */
  #lose(link, why) {
    if (link !== this.#link) return;
    const lost = this.#loss(why);
    const { socket, openedAt } = link;
    this.#detach();
    // Without waiting: a browser may take minutes to close what is dead. npm's ws can abort.
    if (socket?.terminate) socket.terminate();
    else socket?.close();
    const order = this.#orderAfter(lost);
    if (order === false) return this.#end(lost);
    const delayMs = this.#backoff.next(openedAt === undefined ? 0 : lost.uptimeMs) + (order ?? 0);
    this.#isOrdered = order !== undefined;
    this.#setTimer(delayMs, () => this.#connect());
    this.#become("away", { ...lost, delayMs, attempt: this.#backoff.attempt });
  }

  #orderAfter(lost) {
    const { reconnect, random } = this.#options;
    try {
      const order = reconnect?.(lost);
      if (order === true) return undefined;
      if (order === false || order >= 0) return order && Math.min(order, DAYS_MS);
    } catch (error) {
      // Their fault is told where such faults are told, and does not end the line.
      queueMicrotask(() => {
        throw error;
      });
    }
    return byCloseCode(lost.code, random);
  }

  #loss(why) {
    const now = this.#clock.now();
    const { openedAt, liveness } = this.#link ?? {};
    return {
      code: 1006,
      reason: "",
      wasClean: false,
      ...why,
      uptimeMs: openedAt === undefined ? 0 : now - openedAt,
      silenceMs: liveness?.silence(now) ?? 0,
      atRiskBytes: this.bufferedBytes,
    };
  }

  #end(lost) {
    this.#forEachSource("removeEventListener");
    this.#state = "closed";
    this.#isFull = false;
    const messages = this.#queue.takeAll();
    if (messages.length > 0) this.#tell("unsent", { messages });
    if (this.#state === "closed") this.#tell("closed", lost);
  }

  /** From here on nothing that the old socket says reaches us. */
  #detach() {
    const { socket } = this.#link ?? {};
    if (socket) socket.onopen = socket.onmessage = socket.onclose = socket.onerror = () => {};
    this.#link = undefined;
    this.#clearTimers();
  }

  #hasRoom() {
    const socket = this.#link?.socket;
    // A socket that is closing throws away what it is given, and does not say so.
    return socket?.readyState === OPEN && socket.bufferedAmount < this.#options.bufferBytes;
  }

  #put(data) {
    this.#link.socket.send(data);
    this.#link.liveness.spoke(this.#clock.now());
  }

  /** Sends what waits while there is room. */
  #pump() {
    while (this.#queue.count > 0 && this.#hasRoom()) this.#put(this.#queue.shift());
    const isLow = this.#queue.count === 0 && this.bufferedBytes * 2 <= this.#options.bufferBytes;
    if (this.#isFull && isLow) {
      this.#isFull = false;
      this.#tell("drained", {});
    }
    this.#awaitRoom();
  }

  #awaitRoom() {
    const isOpen = this.#link?.openedAt !== undefined;
    if (!isOpen || this.#roomTimer !== undefined || !(this.#queue.count > 0 || this.#isFull)) return;
    this.#roomTimer = this.#clock.setTimer(() => {
      this.#roomTimer = undefined;
      this.#pump();
    }, ROOM_MS);
  }

  /** The network is back, or the page is looked at again. */
  #wake = ({ type }) => {
    if (type !== "online" && this.#options.page?.visibilityState === "hidden") return;
    if (this.#state === "away" && !this.#isOrdered) {
      this.#clearTimers();
      this.#connect();
    } else if (this.#link?.openedAt !== undefined) {
      if (type === "online") this.#link.liveness.askSoon();
      this.#judge(this.#link);
    }
  };

  #forEachSource(method) {
    const { network, page } = this.#options;
    for (const type of ["online", "pageshow"]) network?.[method](type, this.#wake);
    for (const type of ["visibilitychange", "resume"]) page?.[method](type, this.#wake);
  }

  #setTimer(ms, act) {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timer = ms === Infinity ? undefined : this.#clock.setTimer(act, ms);
  }

  #clearTimers() {
    for (const timer of [this.#timer, this.#roomTimer]) if (timer !== undefined) this.#clock.clearTimer(timer);
    this.#timer = this.#roomTimer = undefined;
  }

  #become(state, fields, type = state) {
    this.#state = state;
    this.#tell(type, fields);
  }

  #tell(type, fields) {
    this.dispatchEvent(new HeartlineEvent(type, fields));
  }
}

/** Of each number: what it is unless given (times of the policy: by profile), the least and the most that it can be. */
const NUMBERS = {
  intervalMs: [undefined, 20, 7 * DAYS_MS],
  suspectMs: [undefined, 20, 7 * DAYS_MS],
  timeoutMs: [undefined, 0, 7 * DAYS_MS],
  jitterPercent: [10, 0, 50],
  connectTimeoutMs: [20_000, 1, DAYS_MS],
  retryFirstMs: [0, 0, DAYS_MS],
  retryBaseMs: [500, 1, DAYS_MS],
  retryCapMs: [20_000, 1, DAYS_MS],
  stableMs: [60_000, 1, DAYS_MS],
  queueBytes: [1024 * 1024, 0, Number.MAX_SAFE_INTEGER],
  queueCount: [1024, 0, Number.MAX_SAFE_INTEGER],
  bufferBytes: [64 * 1024, 1, Number.MAX_SAFE_INTEGER],
};
const OTHERS = ["ask", "answer", "role", "profile", "reconnect", "protocols", "WebSocket", "random", "network", "page", "clock"];

function defaults() {
  return {
    ...Object.fromEntries(Object.entries(NUMBERS).map(([name, [usual]]) => [name, usual])),
    protocols: [],
    WebSocket: globalThis.WebSocket,
    random: Math.random,
    network: globalThis.addEventListener ? globalThis : undefined,
    page: globalThis.document,
    clock: {
      now: () => performance.now(),
      setTimer: (act, ms) => setTimeout(act, ms),
      clearTimer: (timer) => clearTimeout(timer),
    },
  };
}

/** All options, with a whole policy; what cannot be meant is an error now, not later (F6). */
function checked(options) {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    if (OTHERS.includes(name)) continue;
    if (!Object.hasOwn(NUMBERS, name)) throw new TypeError(`heartline: there is no option "${name}"`);
    const [, least, most] = NUMBERS[name];
    if (!(value >= least && value <= most)) throw new RangeError(`heartline: ${name} ${value} is not within ${least} and ${most}`);
  }
  const all = { ...defaults(), ...Object.fromEntries(given) };
  if (!all.WebSocket) throw new TypeError("heartline: there is no WebSocket here: give one as option `WebSocket`");
  if (all.answer !== undefined && all.ask === undefined) throw new TypeError("heartline: `answer` without `ask`");
  if (all.ask !== undefined) new Beats(all.ask, all.answer);
  return { ...all, policy: policyOf(all) };
}

function policyOf({ ask, role, profile, jitterPercent, ...times }) {
  const name = profile ?? "web";
  if (!Object.hasOwn(PROFILES, name)) throw new TypeError(`heartline: there is no profile "${name}"`);
  // A setting of `ask` is the agreement to beat (L13).
  role ??= ask === undefined ? "watch" : "both";
  if (!Object.hasOwn(ROLES, role)) throw new TypeError(`heartline: there is no role "${role}"`);
  const [asks, answers] = ROLES[role];
  if ((asks || answers) && ask === undefined) throw new TypeError(`heartline: role "${role}" needs \`ask\``);
  const [interval, suspect, timeout] = PROFILES[name];
  // Without a beat nobody is judged unless that is said (L12).
  const isJudged = ask !== undefined || profile !== undefined;
  const timeoutMs = times.timeoutMs ?? (isJudged ? timeout : 0);
  // A timeout given alone scales the other two.
  const scale = timeoutMs === 0 ? 1 : timeoutMs / timeout;
  const { intervalMs = interval * scale, suspectMs = suspect * scale } = times;
  if (timeoutMs > 0 && !(intervalMs < suspectMs && suspectMs < timeoutMs)) {
    throw new RangeError(`heartline: intervalMs ${intervalMs} < suspectMs ${suspectMs} < timeoutMs ${timeoutMs} does not hold`);
  }
  return { asks, answers, intervalMs, suspectMs, timeoutMs, jitterPercent };
}

function checkSendable(data) {
  const isBlob = typeof Blob !== "undefined" && data instanceof Blob;
  if (typeof data === "string" || data instanceof ArrayBuffer || ArrayBuffer.isView(data) || isBlob) return;
  throw new TypeError("heartline: send() takes a string, an ArrayBuffer, a view of one or a Blob");
}

function sizeOf(data) {
  return typeof data === "string" ? new TextEncoder().encode(data).length : (data.byteLength ?? data.size);
}

function copyOf(data) {
  if (data instanceof ArrayBuffer) return data.slice(0);
  return ArrayBuffer.isView(data) ? bytesOf(data).slice() : data;
}

function bytesOf(data) {
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
}

/** A beat as it is sent, and both forms in which it may come: a server need not tell text from bytes. */
function bothForms(given) {
  if (typeof given === "string") return { given, text: given, bytes: new TextEncoder().encode(given) };
  if (!(given instanceof ArrayBuffer || ArrayBuffer.isView(given))) throw new TypeError("heartline: a beat is a text or bytes");
  const bytes = bytesOf(given).slice();
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    text = undefined; // no text can be these bytes
  }
  return { given: bytes, text, bytes };
}

function isSame(beat, data) {
  if (typeof data === "string") return data === beat.text;
  if (data.byteLength !== beat.bytes.length) return false;
  return bytesOf(data).every((byte, index) => byte === beat.bytes[index]);
}
