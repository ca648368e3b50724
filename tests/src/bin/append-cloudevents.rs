//! Appends events with the `cloudevents-sdk` crate.
//!
//!     append-cloudevents http://ADDRESS binary|structured|batched
//!
//! Each line of standard input is an event: its `id`, `stream`, `attributes`, and `data` as `json`, `text` or `bytes` (base64). Prints
//! the answer to each, a line of JSON with `status` and `body`.
//!
//! The crate's own HTTP binding comes with a feature that brings a second, long dead version of `futures`; what it writes into
//! headers is given by the same calls.

use std::error::Error;
use std::io::{Read as _, Write as _, stdin};
use std::net::TcpStream;

use cloudevents::event::SpecVersion;
use cloudevents::message::{
    BinaryDeserializer as _, BinarySerializer, MessageAttributeValue, Result as MessageResult,
};
use cloudevents::{Data, Event, EventBuilder as _, EventBuilderV10};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A request's headers and body.
#[derive(Default)]
struct Message {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl BinarySerializer<Message> for Message {
    fn set_spec_version(mut self, version: SpecVersion) -> MessageResult<Self> {
        self.headers
            .push(("ce-specversion".to_owned(), version.to_string()));
        Ok(self)
    }

    fn set_attribute(mut self, name: &str, value: MessageAttributeValue) -> MessageResult<Self> {
        let name = match name {
            "datacontenttype" => "content-type".to_owned(),
            name => format!("ce-{name}"),
        };
        self.headers.push((name, value.to_string()));
        Ok(self)
    }

    fn set_extension(self, name: &str, value: MessageAttributeValue) -> MessageResult<Self> {
        self.set_attribute(name, value)
    }

    fn end_with_data(mut self, bytes: Vec<u8>) -> MessageResult<Message> {
        self.body = bytes;
        Ok(self)
    }

    fn end(self) -> MessageResult<Message> {
        Ok(self)
    }
}

fn event_of(line: &Value) -> Outcome<Event> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut event = EventBuilderV10::new().id(text(&line["id"]));
    let mut media_type = "application/json".to_owned();
    for (name, value) in line["attributes"].as_object().ok_or("no attributes")? {
        event = match name.as_str() {
            "source" => event.source(text(value)),
            "type" => event.ty(text(value)),
            "subject" => event.subject(text(value)),
            "time" => event.time(text(value)),
            "datacontenttype" | "dataschema" => event,
            name => event.extension(name, text(value)),
        };
    }
    if let Some(given) = line["attributes"]["datacontenttype"].as_str() {
        given.clone_into(&mut media_type);
    }
    let data = match &line["data"] {
        data if data["json"] != Value::Null => Data::Json(data["json"].clone()),
        data if data["text"] != Value::Null => Data::String(text(&data["text"])),
        data => Data::Binary(bytes(&text(&data["bytes"]))?),
    };
    event = match line["attributes"]["dataschema"].as_str() {
        Some(schema) => event.data_with_schema(media_type, schema.to_owned(), data),
        None => event.data(media_type, data),
    };
    Ok(event.build()?)
}

/// What an event in the JSON format holds for these bytes: the crate decodes Base64 itself.
fn bytes(base64: &str) -> Outcome<Vec<u8>> {
    let event = json!({"specversion": "1.0", "id": "1", "source": "/", "type": "t", "datacontenttype": "a/b", "data_base64": base64});
    let event: Event = serde_json::from_value(event)?;
    match event.data() {
        Some(Data::Binary(bytes)) => Ok(bytes.clone()),
        _ => Err("no bytes".into()),
    }
}

fn message(event: Event, mode: &str) -> Outcome<Message> {
    let (media_type, body) = match mode {
        "binary" => return Ok(event.deserialize_binary(Message::default())?),
        "structured" => ("application/cloudevents+json", serde_json::to_vec(&event)?),
        _ => (
            "application/cloudevents-batch+json",
            serde_json::to_vec(&[event])?,
        ),
    };
    let headers = vec![("content-type".to_owned(), media_type.to_owned())];
    Ok(Message { headers, body })
}

/// Sends a request and prints its answer.
fn send(address: &str, stream: &str, message: &Message) -> Outcome<Value> {
    let mut request =
        format!("POST /streams/{stream} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in &message.headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n", message.body.len()));
    let mut connection = TcpStream::connect(address)?;
    connection.write_all(request.as_bytes())?;
    connection.write_all(&message.body)?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let status: u16 = answer.split(' ').nth(1).ok_or("no status")?.parse()?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(json!({"status": status, "body": body}))
}

#[expect(
    clippy::print_stdout,
    reason = "the answers are what this program is for"
)]
fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(mode)) = (arguments.next(), arguments.next()) else {
        return Err("append-cloudevents http://ADDRESS binary|structured|batched".into());
    };
    let address = address.strip_prefix("http://").unwrap_or(&address);
    for line in stdin().lines() {
        let line: Value = serde_json::from_str(&line?)?;
        let stream = line["stream"].as_str().unwrap_or_default();
        let message = message(event_of(&line)?, &mode)?;
        println!("{}", send(address, stream, &message)?);
    }
    Ok(())
}
