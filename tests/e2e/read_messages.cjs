// Reads messages with npm's mqtt (5.0 and 3.1.1) and amqplib, and makes events of them with npm's cloudevents.
//
//     node read_messages.cjs NODE-MODULES MQTT-PORT TOPIC-FILTER AMQP-PORT EXCHANGE[,EXCHANGE...]
//
// Prints `subscribed` when all three listen, then one line of JSON for each message: who read it, where it came, what it was on the
// wire, and the event that the library made of it, or why it made none. Ends on SIGTERM.

const { createRequire } = require("node:module");
const path = require("node:path");

const [nodeModules, mqttPort, topicFilter, amqpPort, exchanges] = process.argv.slice(2);
const load = createRequire(path.join(path.resolve(nodeModules), "any.js"));
const { CloudEvent, HTTP, MQTT } = load("cloudevents");
const mqtt = load("mqtt");
const amqp = load("amqplib");

function told(reader, place, payload, contentType, properties, more, makeEvent) {
  const line = { reader, place, payload: payload.toString("base64"), contentType, properties, more };
  try {
    const event = makeEvent();
    event.validate();
    line.event = { ...event };
  } catch (error) {
    line.error = error.message;
  }
  console.log(JSON.stringify(line));
}

function listen(reader, protocolVersion) {
  const client = mqtt.connect({ host: "127.0.0.1", port: Number(mqttPort), protocolVersion });
  client.on("message", (topic, payload, packet) => {
    const { contentType, userProperties = {}, ...more } = packet.properties ?? {};
    const pairs = Object.entries(userProperties).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
    const message = { PUBLISH: { "Content Type": contentType }, headers: { ...userProperties }, body: payload.toString() };
    told(reader, topic, payload, contentType, pairs, { ...more, retain: packet.retain, qos: packet.qos }, () =>
      protocolVersion === 5 && contentType ? MQTT.toEvent(message, true) : new CloudEvent(JSON.parse(payload)),
    );
  });
  return client.subscribeAsync(topicFilter, { qos: 1 });
}

/** npm's cloudevents has no binding for AMQP: its binding for HTTP reads headers that begin with `ce-`; others are renamed. */
function fromHeaders(headers, contentType, payload) {
  const renamed = Object.entries(headers).map(([name, value]) => [name.replace(/^(cloudEvents[:_]|ce-)/, "ce-"), value]);
  return HTTP.toEvent({ headers: { ...Object.fromEntries(renamed), "content-type": contentType }, body: payload.toString() });
}

async function consume(reader) {
  const channel = await (await amqp.connect({ port: Number(amqpPort) })).createChannel();
  const { queue } = await channel.assertQueue("", { exclusive: true });
  for (const exchange of exchanges.split(",")) {
    await channel.assertExchange(exchange, "topic", { durable: true });
    await channel.bindQueue(queue, exchange, "#");
  }
  await channel.consume(queue, ({ fields, properties, content }) => {
    const { headers, contentType, ...others } = properties;
    const more = Object.fromEntries(Object.entries(others).filter(([, value]) => value !== undefined));
    const structured = contentType.startsWith("application/cloudevents");
    told(reader, `${fields.exchange}/${fields.routingKey}`, content, contentType, Object.entries(headers), more, () =>
      structured ? new CloudEvent(JSON.parse(content)) : fromHeaders(headers, contentType, content),
    );
  }, { noAck: true });
}

Promise.all([listen("npm mqtt 5.0", 5), listen("npm mqtt 3.1.1", 4), consume("npm amqplib")]).then(() => console.log("subscribed"));
process.once("SIGTERM", () => process.exit(0));
