// All that the line tells, shown. Beats are only counted.

import { Heartline } from "../../bindings/js/heartline.js";

const KEPT_ROWS = 100;

const settings = new URLSearchParams(location.search);
const server = settings.get("server") ?? "ws://127.0.0.1:7001/";
settings.delete("server");
const numbers = Object.fromEntries([...settings].map(([name, value]) => [name, Number(value)]));
const line = new Heartline(server, { ask: "PING", answer: "PONG", ...numbers });

const element = (id) => document.getElementById(id);
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

const sentences = {
  connecting: () => `to ${server}`,
  open: () => `to ${server}`,
  message: ({ data }) => (typeof data === "string" ? data : `${data.byteLength} bytes`),
  suspect: ({ silenceMs }) => `nothing has come for ${seconds(silenceMs)}`,
  revived: ({ silenceMs }) => `after ${seconds(silenceMs)}`,
  away: ({ cause, code, delayMs, attempt }) => `${cause}, code ${code}; attempt ${attempt} in ${seconds(delayMs)}`,
  closed: ({ cause, code }) => `${cause}, code ${code}`,
  full: ({ queuedBytes }) => `${queuedBytes} bytes wait: refused`,
  drained: () => "there is room again",
  unsent: ({ messages }) => `${messages.length} messages were never sent`,
};

const counts = {};

function count(type) {
  counts[type] = (counts[type] ?? 0) + 1;
  if (element(type)) element(type).textContent = counts[type];
}

function show(event) {
  const about = sentences[event.type](event);
  count(event.type);
  const row = element("log").insertRow(0);
  for (const text of [new Date().toLocaleTimeString(), event.type, about]) row.insertCell().textContent = text;
  while (element("log").rows.length > KEPT_ROWS) element("log").deleteRow(-1);
  if (event.type !== "message") element("about").textContent = about;
  refresh();
}

function refresh() {
  element("state").className = line.state;
  element("state").firstChild.textContent = line.state;
  element("queued").textContent = line.queuedCount;
  element("switch").textContent = line.state === "closed" ? "Open" : "Close";
}

for (const type of Object.keys(sentences)) line.addEventListener(type, show);
line.addEventListener("beat", ({ rttMs }) => {
  count("beat");
  if (rttMs !== undefined) element("rtt").textContent = `${rttMs.toFixed(1)} ms`;
});
document.forms[0].addEventListener("submit", (event) => {
  event.preventDefault();
  const { text } = event.target.elements;
  if (line.send(text.value)) text.value = "";
  refresh();
});
element("switch").addEventListener("click", () => (line.state === "closed" ? line.open() : line.close()));
line.open();
