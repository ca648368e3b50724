// Consumes public events over MQTT 5, each once.
//
//     node mqtt.mjs mqtt://USER:PASSWORD@HOST:PORT CLIENT-ID TOPIC-FILTER INBOX
//
// The session outlives the connection: what is published meanwhile waits at the broker. Two programs with one client id throw
// each other out. SIGTERM ends the program cleanly.

import { MQTT } from "cloudevents";
import mqtt from "mqtt";
import { Inbox } from "./inbox.mjs";

const SESSION_SECONDS = 7 * 24 * 3600; // longer than this program is ever away
const IN_FLIGHT = 100;

const [url, clientId, topicFilter, inboxPath] = process.argv.slice(2);
const inbox = new Inbox(inboxPath);

const client = mqtt.connect(url, {
  clientId,
  protocolVersion: 5,
  clean: false,
  properties: { sessionExpiryInterval: SESSION_SECONDS, receiveMaximum: IN_FLIGHT },
  reconnectPeriod: 1000,
  reconnectOnConnackError: true,
  resubscribe: false, // done below
});

// The library acknowledges a message when the callback is called, and hands over the next one then.
client.handleMessage = (packet, acknowledge) => {
  const { contentType, userProperties } = packet.properties ?? {};
  let event;
  try {
    // Structured or binary content mode: either way the payload is JSON.
    const body = JSON.parse(packet.payload);
    event = MQTT.toEvent({ PUBLISH: { "Content Type": contentType }, headers: { ...userProperties }, body }, true);
    event.validate();
  } catch (error) {
    console.log(`unreadable at ${packet.topic}: ${error.message}`); // MQTT has no dead letters: said, and passed over
    return acknowledge();
  }
  inbox.process(event);
  acknowledge();
};

client.on("connect", async () => {
  try {
    // Without a session this begins one; with one it changes nothing.
    const [granted] = await client.subscribeAsync(topicFilter, { qos: 1 });
    console.log(granted.qos < 128 ? "subscribed" : `not subscribed: ${granted.qos}`);
  } catch (error) {
    console.log(`not subscribed: ${error.message}`);
  }
});
client.on("error", (error) => console.log(`not connected: ${error.message}`));

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, async () => {
    await client.endAsync();
    console.log("stopped");
  });
}
