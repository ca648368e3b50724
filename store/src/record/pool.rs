//! What the records of a page share: pieces of memory, a stream's name, and texts that most records have.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use super::stream_name;
use crate::codec::{Decoder, Flaw, NO_TEXT};
use crate::names::StreamName;

/// Memory for the bodies of a page: asked for in pieces, not for each record; and the name of the last record's stream,
/// which most often is the next one's as well where a stream is read.
#[derive(Default)]
pub(crate) struct Pool {
    piece: BytesMut,
    stream: Option<StreamName>,
}

impl Pool {
    /// Bytes of a piece, which lives as long as any record in it: small, so that one that is kept holds little.
    const PIECE_BYTES: usize = 32 * 1024;

    pub(super) fn copy(&mut self, body: &[u8]) -> Bytes {
        if self.piece.capacity() < body.len() {
            self.piece = BytesMut::with_capacity(Self::PIECE_BYTES.max(body.len()));
        }
        self.piece.extend_from_slice(body);
        self.piece.split().freeze()
    }

    pub(super) fn stream(&mut self, name: &str) -> Result<StreamName, Flaw> {
        match &self.stream {
            Some(last) if last.as_str() == name => Ok(last.clone()),
            _ => {
                let stream = stream_name(name)?;
                self.stream = Some(stream.clone());
                Ok(stream)
            }
        }
    }
}

/// A text that shares the body's memory.
pub(super) fn text(body: &Bytes, decoder: &mut Decoder<'_>) -> Result<ByteString, Flaw> {
    ByteString::try_from(body.slice_ref(decoder.slice()?)).map_err(|_| NO_TEXT)
}

/// As [`text`], of a text that most often is one of a few: those cost no share in the body's memory.
pub(super) fn common_text(body: &Bytes, decoder: &mut Decoder<'_>) -> Result<ByteString, Flaw> {
    let slice = decoder.slice()?;
    let common = match slice {
        b"application/json" => "application/json",
        b"dataschema" => "dataschema",
        b"subject" => "subject",
        b"time" => "time",
        b"traceparent" => "traceparent",
        _ => return ByteString::try_from(body.slice_ref(slice)).map_err(|_| NO_TEXT),
    };
    Ok(ByteString::from_static(common))
}
