//! Keyed digests and derived secrets.
//!
//! Every key is derived from the store's random secret under a context of its own, so that digests tell nothing to who
//! lacks the secret, and no digest stands for another. The contexts are part of the format: they never change.

use crate::codec::Encoder;
use crate::event::{AttributeRef, Event, NewEvent};
use crate::keys::{IdDigest, KeyDigest};
use crate::record::attribute;
use crate::state::ContentDigest;

/// Room for what is digested of most events besides their data, in bytes.
const USUAL_BYTES: usize = 128;

/// The store's secrets.
#[derive(Clone)]
pub(crate) struct Secrets {
    root: [u8; 32],
    id: [u8; 32],
    source: [u8; 32],
    content: [u8; 32],
    key: [u8; 32],
    key_and_type: [u8; 32],
}

impl Secrets {
    pub(crate) fn new(root: [u8; 32]) -> Self {
        let derive = |context: &str| blake3::derive_key(context, &root);
        Self {
            root,
            id: derive("horizon-store 1 event id"),
            source: derive("horizon-store 1 event source"),
            content: derive("horizon-store 1 event content"),
            key: derive("horizon-store 1 parked key"),
            key_and_type: derive("horizon-store 1 key and type"),
        }
    }

    /// A secret for a purpose outside the store.
    pub(crate) fn derive(&self, context: &str) -> [u8; 32] {
        blake3::derive_key(&format!("horizon-store 1 derived: {context}"), &self.root)
    }

    pub(crate) fn id(&self, id: &str) -> [u8; 8] {
        cut(&blake3::keyed_hash(&self.id, id.as_bytes()))
    }

    /// Of an event's id and source.
    pub(crate) fn identity(&self, id: &str, source: &str) -> IdDigest {
        let source: [u8; 8] = cut(&blake3::keyed_hash(&self.source, source.as_bytes()));
        let mut identity = [0; 16];
        identity[..8].copy_from_slice(&self.id(id));
        identity[8..].copy_from_slice(&source);
        identity
    }

    /// Of an event's type, data, media type and attributes, in whatever order the attributes are.
    pub(crate) fn content(&self, event: &NewEvent) -> ContentDigest {
        let attributes = event.attributes.iter();
        self.digest(
            &event.event_type,
            event.media_type.as_deref(),
            attributes.map(|(name, value)| (&**name, value.as_ref())),
            event.data.as_deref(),
        )
    }

    /// The same, of an event that was read.
    pub(crate) fn stored_content(&self, event: &Event) -> ContentDigest {
        self.digest(
            event.event_type(),
            event.media_type(),
            event.attributes(),
            event.data(),
        )
    }

    fn digest<'a>(
        &self,
        event_type: &str,
        media_type: Option<&str>,
        attributes: impl Iterator<Item = (&'a str, AttributeRef<'a>)>,
        data: Option<&[u8]>,
    ) -> ContentDigest {
        let mut attributes: Vec<_> = attributes.collect();
        attributes.sort_by_key(|(name, _)| *name);
        let mut encoder = Encoder::with_capacity(USUAL_BYTES)
            .text(event_type)
            .optional_text(media_type)
            .number(attributes.len() as u64);
        for (name, value) in attributes {
            encoder = attribute(encoder.text(name), value);
        }
        let mut hasher = blake3::Hasher::new_keyed(&self.content);
        hasher.update(&encoder.byte(u8::from(data.is_some())).finish());
        hasher.update(data.unwrap_or_default());
        cut(&hasher.finalize())
    }

    /// Of a parked key.
    pub(crate) fn key(&self, key: &str) -> KeyDigest {
        cut(&blake3::keyed_hash(&self.key, key.as_bytes()))
    }

    /// Of a key and a public type.
    pub(crate) fn key_and_type(&self, key: &str, event_type: &str) -> KeyDigest {
        cut(&blake3::keyed_hash(
            &self.key_and_type,
            &Encoder::default().text(key).text(event_type).finish(),
        ))
    }
}

fn cut<const N: usize>(hash: &blake3::Hash) -> [u8; N] {
    let mut digest = [0; N];
    for (to, from) in digest.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    digest
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn event(attributes: &[(&str, &str)], data: Option<&'static str>) -> NewEvent {
        NewEvent {
            id: "1".into(),
            source: None,
            event_type: "T".into(),
            attributes: attributes
                .iter()
                .map(|(name, value)| {
                    (
                        (*name).into(),
                        crate::event::AttributeValue::Text((*value).into()),
                    )
                })
                .collect(),
            media_type: None,
            data: data.map(|data| Bytes::from_static(data.as_bytes())),
            flagged: false,
        }
    }

    #[test]
    fn digests_are_these_for_ever() {
        let secrets = Secrets::new([7; 32]);
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let digests = [
            hex(&secrets.identity("id", "source")),
            hex(&secrets.content(&event(&[("a", "b")], Some("{}")))),
            hex(&secrets.key("key")),
            hex(&secrets.key_and_type("key", "type")),
        ];
        assert_eq!(digests, DIGESTS);
    }

    const DIGESTS: [&str; 4] = [
        "af4abb615bc4115d2120a046de221986",
        "3ce924213430ec73f65f6bece4ee7198",
        "982860964e9eebf8bd5d1dd1d0d8f89f",
        "fb776814d8ed4374c7fec831d87c6b6f",
    ];

    #[test]
    fn content_is_the_same_in_any_order_of_attributes_and_differs_by_anything_else() {
        let secrets = Secrets::new([7; 32]);
        let digest = |attributes, data| secrets.content(&event(attributes, data));
        let one = digest(&[("a", "1"), ("b", "2")], Some("x"));
        assert_eq!(one, digest(&[("b", "2"), ("a", "1")], Some("x")));
        assert_ne!(one, digest(&[("a", "2"), ("b", "1")], Some("x")));
        assert_ne!(one, digest(&[("a", "1"), ("b", "2")], Some("y")));
        assert_ne!(digest(&[], Some("")), digest(&[], None));
    }

    #[test]
    fn another_secret_gives_other_digests() {
        assert_ne!(
            Secrets::new([1; 32]).identity("i", "s"),
            Secrets::new([2; 32]).identity("i", "s")
        );
        assert_ne!(
            Secrets::new([1; 32]).derive("a"),
            Secrets::new([1; 32]).derive("b")
        );
    }

    #[test]
    fn a_key_and_a_type_do_not_run_into_each_other() {
        let secrets = Secrets::new([7; 32]);
        assert_ne!(
            secrets.key_and_type("ab", "c"),
            secrets.key_and_type("a", "bc")
        );
    }
}
