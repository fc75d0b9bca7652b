// npm's packages lie under target/js, where scripts/install-tools puts them.

import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export const { WebSocket, WebSocketServer } = createRequire(`${ROOT}target/js/`)("ws");
