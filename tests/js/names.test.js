// The types name what there is, and all of it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as module from "../../bindings/js/heartline.js";

const types = readFileSync(new URL("../../bindings/js/heartline.d.ts", import.meta.url), "utf8");

test("each export", () => {
  const declared = [...types.matchAll(/^export declare (?:const|class|function) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(declared.sort(), Object.keys(module).sort());
});

test("each member of each class", () => {
  for (const [name, value] of Object.entries(module)) {
    if (!String(value).startsWith("class")) continue;
    const body = types.split(new RegExp(`declare class ${name}\\b`))[1].split("\n}")[0];
    for (const member of Object.getOwnPropertyNames(value.prototype)) {
      assert.match(body, new RegExp(`\\b${member}\\b`), `${name}.${member} has no type`);
    }
  }
});

test("each option in the types has its line in the README, and the other way round", () => {
  const readme = readFileSync(new URL("../../bindings/js/README.md", import.meta.url), "utf8");
  const options = types.split("interface HeartlineOptions {")[1].split("\n}")[0];
  const typed = [...options.matchAll(/^  (\w+)\?/gm)].map(([, name]) => name);
  const table = readme.split("## Options")[1].split("\n## ")[0];
  const rows = [...table.matchAll(/^\| ([^|]+) \|/gm)];
  const told = rows.flatMap(([, cell]) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name));
  assert.deepEqual(told.sort(), typed.sort());
});

test("each event in the types has its line in the README, and the other way round", () => {
  const readme = readFileSync(new URL("../../bindings/js/README.md", import.meta.url), "utf8");
  const events = types.split("interface HeartlineEvents {")[1].split("\n}")[0];
  const typed = [...events.matchAll(/^  (\w+): Told/gm)].map(([, name]) => name);
  const table = readme.split("## Events")[1].split("\n## ")[0];
  const told = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(told.sort(), typed.sort());
});
