// Consumes public events over AMQP 0-9-1 (RabbitMQ), each once.
//
//     node amqp.mjs amqp://USER:PASSWORD@HOST:PORT/VHOST QUEUE EXCHANGE ROUTING-KEY INBOX
//
// The queue is this program's own: it outlives the program, keeps what is published meanwhile, and puts what cannot be read
// into QUEUE.dead. Of several such programs one is active, so that order is kept. SIGTERM ends the program cleanly.

import { setTimeout as sleep } from "node:timers/promises";
import amqp from "amqplib";
import { CloudEvent, HTTP } from "cloudevents";
import { Inbox } from "./inbox.mjs";

const PREFETCH = 1; // more than one comes back out of order when this program ends: a quorum queue does not put it back in its place
const DELIVERY_LIMIT = 20;
const RETRY_MILLISECONDS = 1000;

const [url, queue, exchange, routingKey, inboxPath] = process.argv.slice(2);
const inbox = new Inbox(inboxPath);
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());

/** Declares the queue and its dead letters, and binds it to the exchange, which is Horizon's: missing, it is an error. */
async function declare(channel) {
  const dead = `${queue}.dead`;
  await channel.assertExchange(dead, "fanout", { durable: true });
  await channel.assertQueue(dead, { durable: true, arguments: { "x-queue-type": "quorum" } });
  await channel.bindQueue(dead, dead, "");
  await channel.assertQueue(queue, {
    durable: true,
    arguments: {
      "x-queue-type": "quorum",
      "x-single-active-consumer": true,
      "x-delivery-limit": DELIVERY_LIMIT,
      "x-dead-letter-exchange": dead,
    },
  });
  await channel.bindQueue(queue, exchange, routingKey);
}

/** The event in a message. The library has no binding for AMQP: the one for HTTP reads binary mode, with headers that begin with `ce-`. */
function read({ properties: { contentType, headers }, content }) {
  if (contentType.startsWith("application/cloudevents")) return new CloudEvent(JSON.parse(content));
  const renamed = Object.entries(headers).map(([name, value]) => [name.replace(/^cloudEvents[:_]/, "ce-"), value]);
  const event = HTTP.toEvent({ headers: { ...Object.fromEntries(renamed), "content-type": contentType }, body: content.toString() });
  event.validate();
  return event;
}

/** Acknowledges a message when its event is in the inbox, and not before. */
function take(channel, message) {
  if (stop.signal.aborted) return;
  let event;
  try {
    event = read(message);
  } catch (error) {
    console.log(`unreadable, dead-lettered: ${error.message}`);
    return channel.nack(message, false, false);
  }
  inbox.process(event);
  channel.ack(message);
}

/** Consumes over one connection, until it breaks or the program is told to stop. */
async function consume() {
  const connection = await amqp.connect(url);
  try {
    await new Promise((resolve, reject) => {
      stop.signal.onabort = resolve;
      if (stop.signal.aborted) resolve();
      for (const event of ["error", "close"]) connection.on(event, (error) => reject(error ?? new Error("connection closed")));
      begin(connection, reject).catch(reject);
    });
  } finally {
    await connection.close().catch(() => {}); // what was not acknowledged goes back into the queue
  }
}

async function begin(connection, fail) {
  const channel = await connection.createChannel();
  for (const event of ["error", "close"]) channel.on(event, (error) => fail(error ?? new Error("channel closed")));
  await declare(channel);
  await channel.prefetch(PREFETCH);
  await channel.consume(queue, (message) => (message ? take(channel, message) : fail(new Error("the queue is gone"))));
  console.log("subscribed");
}

while (!stop.signal.aborted) {
  try {
    await consume();
  } catch (error) {
    console.log(`not connected: ${error.message}`);
    await sleep(RETRY_MILLISECONDS, undefined, { signal: stop.signal }).catch(() => {});
  }
}
console.log("stopped");
