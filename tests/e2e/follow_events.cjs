// Follows an address of the daemon with npm's eventsource, as a browser would.
//
//     node follow_events.cjs NODE-MODULES URL
//
// Prints one line of JSON for each server-sent event, with its name, id and data, and one for each time that it is connected. It comes
// back by itself, as an EventSource does. Ends on SIGTERM.

const { createRequire } = require("node:module");
const path = require("node:path");

const [nodeModules, url] = process.argv.slice(2);
const load = createRequire(path.join(path.resolve(nodeModules), "any.js"));
const { EventSource } = load("eventsource");

function tell(line) {
  console.log(JSON.stringify(line));
}

const source = new EventSource(url);
for (const name of ["message", "caught-up", "position", "epoch"]) {
  source.addEventListener(name, (event) => tell({ event: name, id: event.lastEventId, data: JSON.parse(event.data) }));
}
source.onopen = () => tell({ event: "connected" });
source.onerror = (event) => tell({ event: "error", code: event.code, closed: source.readyState === EventSource.CLOSED });
