// A `tidemill start` process and clients for it, in the two ways that the SDK for JavaScript speaks.
//
// What must hold: the port is the system's choice, a server that was started is stopped, and waiting is for
// a condition with a deadline.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { KinesisClient } from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";

const BINARY = process.env.TIDEMILL_BINARY ?? fileURLToPath(new URL("../../target/debug/tidemill", import.meta.url));
const START_SECONDS = 30;
let names = 0;

// By itself the SDK speaks HTTP/2, without TLS to a plain address; many configure HTTP/1.1.
export const WAYS = {
  "HTTP/2": () => ({}),
  "HTTP/1.1": () => ({ requestHandler: new NodeHttpHandler() }),
};

export class Server {
  async start() {
    this.port = await freePort();
    const options = ["start", "--ephemeral", "--limits", "none", "--port", String(this.port)];
    this.process = spawn(BINARY, options, { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: this.process.stdout });
    await new Promise((ready, failed) => {
      const timer = setTimeout(() => failed(new Error(`not ready within ${START_SECONDS} s`)), START_SECONDS * 1000);
      lines.on("line", (line) => line === "Ready." && (clearTimeout(timer), ready()));
      this.process.on("error", failed);
      this.process.on("exit", (status) => failed(new Error(`ended with ${status} before it was ready`)));
    });
  }

  client(way, accessKeyId = "test") {
    return new KinesisClient({
      endpoint: `http://127.0.0.1:${this.port}`,
      region: "us-east-1",
      credentials: { accessKeyId, secretAccessKey: "test" },
      maxAttempts: 1,
      ...WAYS[way](),
    });
  }

  async stop() {
    const ended = new Promise((end) => this.process.on("exit", end));
    this.process.kill("SIGTERM");
    assert.equal(await ended, 0, "the server ends well");
  }
}

function freePort() {
  return new Promise((found) => {
    const probe = createServer();
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => found(port));
    });
  });
}

/** A name that no other test has. */
export function unique(word) {
  names += 1;
  return `${word}-${process.pid}-${names}`;
}

/** Asks until `condition` answers something truthy and gives that; fails at the deadline. */
export async function eventually(condition, what, seconds = 30) {
  const deadline = Date.now() + seconds * 1000;
  for (let pause = 10; ; pause = Math.min(pause * 1.5, 250)) {
    const answer = await condition();
    if (answer) return answer;
    assert(Date.now() < deadline, `after ${seconds} s still not: ${what}`);
    await new Promise((wake) => setTimeout(wake, pause));
  }
}
