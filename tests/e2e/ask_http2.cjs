// Holds one HTTP/2 connection with a client certificate: follows a path, and appends an event for each line of standard input.
// Writes "following STATUS", the status of each append, "followed EVENTS" when the follow ends, and "closed" when the connection does.
"use strict";
const http2 = require("node:http2");
const fs = require("node:fs");
const readline = require("node:readline");

const [origin, ca, certificate, key, path] = process.argv.slice(2);
const session = http2.connect(origin, { ca: fs.readFileSync(ca), cert: fs.readFileSync(certificate), key: fs.readFileSync(key) });
session.on("error", () => {});
session.on("close", () => console.log("closed"));

const follow = session.request({ ":path": path, accept: "text/event-stream" });
let followed = "";
follow.setEncoding("utf8");
follow.on("response", (headers) => console.log(`following ${headers[":status"]}`));
follow.on("data", (text) => (followed += text));
follow.on("end", () => console.log(`followed ${followed.split("CashDeposited").length - 1}`));
follow.on("error", () => {});

let number = 0;
readline.createInterface({ input: process.stdin }).on("line", () => {
  const data = { transactionId: "1", accountId: "1", amount: 1, currency: "CZK", balance: 1 };
  const event = { id: `http2-${process.pid}-${++number}`, type: "CashDeposited", time: "2026-01-31T12:00:00Z", data };
  const asked = session.request({ ":method": "POST", ":path": "/streams/account-1", "content-type": "application/json" });
  asked.on("response", (headers) => console.log(headers[":status"]));
  asked.on("error", () => console.log("failed"));
  asked.resume();
  asked.end(JSON.stringify(event));
});
