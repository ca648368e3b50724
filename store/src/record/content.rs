//! What an event's writer said of it: one piece of memory, read where it lies.

use std::iter;

use bytes::{Bytes, BytesMut};

use super::{
    ATTRIBUTE_FALSE, ATTRIBUTE_INT, ATTRIBUTE_TEXT, ATTRIBUTE_TRUE, DATA_NONE, DATA_RAW,
    event_content,
};
use crate::codec::{Decoder, Encoder, Flaw, NO_OPTION, NO_TEXT};
use crate::event::{AttributeRef, NewEvent};
use crate::names::StreamName;

pub(super) const NO_STREAM: Flaw = Flaw::Content("the stream's name is none");
const NO_ATTRIBUTE: Flaw = Flaw::Content("an attribute is of an unknown kind");

/// Memory for the contents of a page: asked for in pieces, not for each record.
#[derive(Default)]
pub(crate) struct Pool(BytesMut);

impl Pool {
    /// Bytes of a piece, which lives as long as any record in it: small, so that one that is kept holds little.
    const PIECE_BYTES: usize = 32 * 1024;

    pub(super) fn copy(&mut self, bytes: &[u8]) -> Bytes {
        if self.0.capacity() < bytes.len() {
            self.0 = BytesMut::with_capacity(Self::PIECE_BYTES.max(bytes.len()));
        }
        self.0.extend_from_slice(bytes);
        self.0.split().freeze()
    }
}

/// A part of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    from: u32,
    to: u32,
}

impl Span {
    fn of(self, bytes: &[u8]) -> &[u8] {
        let range = self.from as usize..self.to as usize;
        bytes.get(range).unwrap_or_default()
    }
}

/// An event's content as it is stored, from the stream's name on, and where things lie in it.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Content {
    bytes: Bytes,
    pub(crate) parts: Parts,
}

/// Where things lie. All texts were checked, and so were attributes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Parts {
    pub(crate) stream: Span,
    pub(crate) source: Span,
    pub(crate) id: Span,
    pub(crate) event_type: Span,
    pub(crate) attributes: Span,
    pub(crate) media_type: Option<Span>,
    pub(crate) data: Option<Span>,
}

impl Content {
    /// What is read where this event was appended.
    pub(crate) fn of(stream: &StreamName, event: &NewEvent) -> Self {
        let encoder = Encoder::default().text(stream.as_str());
        let bytes = encoder.raw(&event_content(stream, event)).finish();
        // What was just encoded can be decoded.
        let parts = Parts::decode(&bytes).unwrap_or_default();
        Self {
            bytes: bytes.into(),
            parts,
        }
    }

    pub(super) fn decode(bytes: &[u8], pool: &mut Pool) -> Result<Self, Flaw> {
        let parts = Parts::decode(bytes)?;
        Ok(Self {
            bytes: pool.copy(bytes),
            parts,
        })
    }

    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        span.of(&self.bytes)
    }

    pub(crate) fn text(&self, span: Span) -> &str {
        std::str::from_utf8(self.bytes(span)).unwrap_or_default()
    }

    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, AttributeRef<'_>)> {
        let mut decoder = Decoder::new(self.bytes(self.parts.attributes));
        iter::from_fn(move || {
            if decoder.is_empty() {
                return None;
            }
            attribute(&mut decoder).ok()
        })
    }
}

impl Parts {
    fn decode(bytes: &[u8]) -> Result<Self, Flaw> {
        let mut reader = Reader::new(bytes)?;
        let stream = reader.part()?;
        let source = match reader.decoder.byte()? {
            0 => stream,
            1 => reader.part()?,
            _ => return Err(NO_OPTION),
        };
        let id = reader.part()?;
        let event_type = reader.part()?;
        let attributes = reader.attributes()?;
        let media_type = match reader.decoder.byte()? {
            0 => None,
            1 => Some(reader.part()?),
            _ => return Err(NO_OPTION),
        };
        let texts_end = reader.at();
        let data = match reader.decoder.byte()? {
            DATA_NONE => None,
            DATA_RAW => Some(reader.part()?),
            _ => return Err(Flaw::Content("the data is of an unknown kind")),
        };
        reader.decoder.finish()?;
        let parts = Self {
            stream,
            source,
            id,
            event_type,
            attributes,
            media_type,
            data,
        };
        parts.check(bytes, texts_end)?;
        Ok(parts)
    }

    /// Checks that texts are texts, and the stream's name is one.
    fn check(&self, bytes: &[u8], texts_end: u32) -> Result<(), Flaw> {
        // Most are plain throughout, which is told at once.
        let plain = Span {
            from: 0,
            to: texts_end,
        };
        if !plain.of(bytes).is_ascii() {
            let texts = [self.stream, self.source, self.id, self.event_type];
            for text in texts.into_iter().chain(self.media_type) {
                std::str::from_utf8(text.of(bytes)).map_err(|_| NO_TEXT)?;
            }
            let mut attributes = Decoder::new(self.attributes.of(bytes));
            while !attributes.is_empty() {
                attribute(&mut attributes)?;
            }
        }
        if StreamName::is_one(self.stream.of(bytes)) {
            Ok(())
        } else {
            Err(NO_STREAM)
        }
    }
}

/// Reads where things lie, not what they are.
struct Reader<'a> {
    decoder: Decoder<'a>,
    length: u32,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, Flaw> {
        // So every place in it is one of 32 bits.
        let length = u32::try_from(bytes.len());
        Ok(Self {
            decoder: Decoder::new(bytes),
            length: length.map_err(|_| Flaw::Content("the event is over 4 GiB"))?,
        })
    }

    /// How much is read.
    fn at(&self) -> u32 {
        self.length - self.decoder.left() as u32
    }

    /// A text, or bytes.
    #[inline]
    fn part(&mut self) -> Result<Span, Flaw> {
        let length = self.decoder.slice()?.len() as u32;
        let to = self.at();
        let from = to - length;
        Ok(Span { from, to })
    }

    fn attributes(&mut self) -> Result<Span, Flaw> {
        let count = self.decoder.count()?;
        let from = self.at();
        for _ in 0..count {
            self.part()?;
            match self.decoder.byte()? {
                ATTRIBUTE_FALSE | ATTRIBUTE_TRUE => {}
                ATTRIBUTE_INT => {
                    self.decoder.array::<4>()?;
                }
                ATTRIBUTE_TEXT => {
                    self.part()?;
                }
                _ => return Err(NO_ATTRIBUTE),
            }
        }
        let to = self.at();
        Ok(Span { from, to })
    }
}

fn attribute<'a>(decoder: &mut Decoder<'a>) -> Result<(&'a str, AttributeRef<'a>), Flaw> {
    let name = decoder.str()?;
    let value = match decoder.byte()? {
        ATTRIBUTE_FALSE => AttributeRef::Bool(false),
        ATTRIBUTE_TRUE => AttributeRef::Bool(true),
        ATTRIBUTE_INT => AttributeRef::Int(i32::from_be_bytes(decoder.array()?)),
        ATTRIBUTE_TEXT => AttributeRef::Text(decoder.str()?),
        _ => return Err(NO_ATTRIBUTE),
    };
    Ok((name, value))
}
