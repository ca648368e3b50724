// Appends events with npm's cloudevents and Node's fetch.
//
//     node append_cloudevents.cjs NODE-MODULES http://ADDRESS binary|structured|batched
//
// Each line of standard input is an event: its `id`, `stream`, `attributes`, and `data` as `json`, `text` or `bytes` (base64). Prints the
// answer to each, a line of JSON with `status` and `body`.

const { createRequire } = require("node:module");
const path = require("node:path");
const readline = require("node:readline");

const [nodeModules, address, mode] = process.argv.slice(2);
const load = createRequire(path.join(path.resolve(nodeModules), "any.js"));
const { CloudEvent, HTTP } = load("cloudevents");

function eventOf({ id, attributes, data }) {
  const held = "bytes" in data ? new Uint8Array(Buffer.from(data.bytes, "base64")) : (data.json ?? data.text);
  return new CloudEvent({ id, ...attributes, data: held });
}

function message(event) {
  if (mode === "binary") {
    const { headers, body } = HTTP.binary(event);
    // The library leaves it to the sender to write text as JSON.
    const isJson = typeof body === "string" && typeof event.data === "string" && /json/.test(event.datacontenttype);
    return { headers, body: isJson ? JSON.stringify(body) : body };
  }
  if (mode === "structured") return HTTP.structured(event);
  // The library reads batches, and has no emitter for them.
  return { headers: { "content-type": "application/cloudevents-batch+json" }, body: JSON.stringify([event]) };
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const sent = JSON.parse(line);
    const { headers, body } = message(eventOf(sent));
    const answer = await fetch(`${address}/streams/${sent.stream}`, { method: "POST", headers, body });
    console.log(JSON.stringify({ status: answer.status, body: await answer.text() }));
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
