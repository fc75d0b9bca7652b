// The page of examples/browser in Chromium, while its server and its network have a bad day.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, beforeEach, afterEach, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { Chromium } from "./chromium.js";
import { ROOT } from "./packages.js";
import { COMMANDS, Server } from "./process.js";

const PATIENCE_MS = 20_000;
const TIMEOUT_MS = 1_500;
const KINDS = { html: "text/html", js: "text/javascript" };

/** The files of the project, as `python3 -m http.server` in its root gives them. */
const files = createServer(async ({ url }, response) => {
  const path = new URL(url, "http://here").pathname.replace(/\/$/, "/index.html");
  const kind = KINDS[path.split(".").at(-1)];
  if (!kind || !/^\/(examples\/browser|bindings\/js)\/[\w.]+$/.test(path)) return response.writeHead(404).end();
  response.setHeader("content-type", kind).end(await readFile(ROOT + path));
});
let browser, server, page;

before(async () => {
  await once(files.listen(0, "127.0.0.1"), "listening");
  browser = await Chromium.start();
});
after(async () => {
  await browser?.stop();
  files.closeAllConnections();
  files.close();
});
beforeEach(async () => {
  server = await Server.start(COMMANDS.heartline);
  const settings = new URLSearchParams({ server: server.url, timeoutMs: TIMEOUT_MS, retryBaseMs: 100, retryCapMs: 400 });
  page = await browser.open(`http://127.0.0.1:${files.address().port}/examples/browser/?${settings}`);
  await shows("open");
});
afterEach(async () => {
  await browser.send("Target.closeTarget", { targetId: page.targetId });
  await server.kill();
});

const text = (id) => page.evaluate(`document.getElementById(${JSON.stringify(id)})?.textContent ?? ""`);
const state = () => page.evaluate("document.querySelector('#state b')?.textContent");
/** The log, oldest first: type and sentence. */
const log = () => page.evaluate("[...document.querySelectorAll('#log tr')].reverse().map((row) => [...row.cells].slice(1).map((cell) => cell.textContent))");
const types = async (...without) => (await log()).map(([type]) => type).filter((type) => !without.includes(type));

async function until(holds, what) {
  const end = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > end) assert.fail(`not ${what}: ${await state()}\n${(await log()).join("\n")}`);
    await delay(10);
  }
}

const shows = (wanted) => until(async () => (await state()) === wanted, wanted);
const logged = (type, about) =>
  until(async () => (await log()).some((row) => row[0] === type && row[1].startsWith(about)), `${type} ${about}`);

/** As somebody types it. */
function type(message) {
  const fill = `document.forms[0].elements.text.value = ${JSON.stringify(message)}`;
  return page.evaluate(`${fill}; document.forms[0].requestSubmit()`);
}

test("it echoes, beats, and looks like something", async () => {
  await type("hello");
  await logged("message", "hello");
  await until(async () => Number(await text("beat")) >= 4, "beaten");
  assert.match(await text("rtt"), /^\d+\.\d ms$/);
  await delay(3 * TIMEOUT_MS);
  assert.deepEqual(await types(), ["connecting", "open", "message"]);
  const picture = await page.picture();
  assert.ok(picture.length > 10_000, `a picture of ${picture.length} bytes`);
  if (process.env.HEARTLINE_PICTURE) await writeFile(process.env.HEARTLINE_PICTURE, picture);
});

test("a frozen server is suspected, found dead, and found again", async () => {
  server.freeze();
  const began = performance.now();
  await shows("suspect");
  await logged("away", "silent");
  const took = performance.now() - began;
  assert.ok(took < TIMEOUT_MS + 1_000, `after ${took} ms`);
  await type("sent while it was frozen");
  assert.equal(await text("queued"), "1");
  server.thaw();
  await logged("message", "sent while it was frozen");
  assert.equal(await state(), "open");
  assert.equal(await text("queued"), "0");
});

test("a server that is killed and started again", async () => {
  await server.kill();
  await logged("away", "peer_closed, code 1006");
  for (const message of ["one", "two", "three"]) await type(message);
  await delay(1_500);
  await logged("away", "connect_error");
  assert.ok((await types()).length < 40, "it does not spin");
  await server.again();
  await shows("open");
  await logged("message", "three");
  const messages = (await log()).filter(([type]) => type === "message").map(([, about]) => about);
  assert.deepEqual(messages, ["one", "two", "three"]);
});

test("a hidden tab, its timers throttled, keeps its line", async () => {
  const other = await browser.open("about:blank");
  assert.equal(await page.evaluate("document.visibilityState"), "hidden");
  await page.evaluate("globalThis.ticks = 0; setInterval(() => ticks++, 50)");
  await delay(5 * TIMEOUT_MS);
  const ticks = await page.evaluate("ticks");
  assert.ok(ticks <= 12, `its timers are not throttled: ${ticks} ticks in ${5 * TIMEOUT_MS} ms`);
  assert.deepEqual(await types("suspect", "revived"), ["connecting", "open"]);
  // A server that dies meanwhile is found all the same.
  server.freeze();
  await logged("away", "silent");
  server.thaw();
  await shows("open");
  await page.show();
  await browser.send("Target.closeTarget", { targetId: other.targetId });
  assert.equal(await page.evaluate("document.visibilityState"), "visible");
});

test("a machine that sleeps for many timeouts wakes with its line", async () => {
  await page.evaluate("globalThis.longest = 0; globalThis.last = performance.now(); setInterval(() => { longest = Math.max(longest, performance.now() - last); last = performance.now() }, 50)");
  for (let sleep = 0; sleep < 2; sleep++) {
    await delay(500 + sleep * 300);
    browser.signal("SIGSTOP");
    await delay(4 * TIMEOUT_MS);
    browser.signal("SIGCONT");
  }
  await delay(2 * TIMEOUT_MS);
  assert.ok((await page.evaluate("longest")) > 3.5 * TIMEOUT_MS, "the page was not stopped");
  assert.deepEqual(await types("suspect", "revived"), ["connecting", "open"]);
  assert.equal(await state(), "open");
});

test("a page that Chromium freezes, and whose connection it ends, is back when it thaws", async () => {
  await page.evaluate("for (const type of ['freeze', 'resume']) document.addEventListener(type, () => (document.title += ' ' + type))");
  await page.send("Page.setWebLifecycleState", { state: "frozen" });
  await delay(3 * TIMEOUT_MS);
  await page.send("Page.setWebLifecycleState", { state: "active" });
  await until(() => page.evaluate("/ freeze resume$/.test(document.title)"), "thawed");
  await type("after the thaw");
  await logged("message", "after the thaw");
  const lost = (await log()).filter(([type]) => type === "away");
  assert.ok(lost.every(([, about]) => about.startsWith("peer_closed")), `${lost}`);
});

test("a network that goes and comes back", async () => {
  const network = (offline) =>
    page.send("Network.emulateNetworkConditions", { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  await page.send("Network.enable");
  await network(true);
  await until(() => page.evaluate("!navigator.onLine"), "offline");
  await type("sent while offline");
  // Whether an emulated network takes open connections with it is Chromium's affair: this one takes its server with it.
  await server.kill();
  await logged("away", "");
  await server.again();
  await delay(1_500);
  assert.notEqual(await state(), "open", "no attempt gets through");
  await network(false);
  await shows("open");
  await type("sent afterwards");
  await logged("message", "sent afterwards");
});

test("a button closes it for good, and opens it again", async () => {
  await page.evaluate("document.getElementById('switch').click()");
  await shows("closed");
  await delay(1_000);
  assert.deepEqual(await types(), ["connecting", "open", "closed"]);
  await page.evaluate("document.getElementById('switch').click()");
  await shows("open");
});
