//! How values are written: a format version, a body, and a checksum over key and body.
//!
//! A value is `version: u8, body, crc32c: u32` (big-endian); the checksum covers the key, the version and the body, so
//! that a value under a wrong key is told as well. Numbers in bodies are unsigned LEB128, texts and bytes are preceded
//! by their length. A body is read to its last byte; anything else is a [`Flaw`].

use bytes::Bytes;

/// The version of values that is written.
const VERSION: u8 = 1;

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("the checksum does not hold")]
    Checksum,
    #[error("the value ends early")]
    Short,
    #[error("the value has bytes after its end")]
    Long,
    #[error("the value has format version {0}, which this version cannot read")]
    Version(u8),
    #[error("{0}")]
    Content(&'static str),
}

pub(crate) const NO_TEXT: Flaw = Flaw::Content("a text is not UTF-8");
pub(crate) const NO_OPTION: Flaw = Flaw::Content("an optional text is neither there nor absent");

/// Encodes a body in its envelope, at the end of a buffer.
pub(crate) fn seal(key: &[u8], into: &mut Vec<u8>, body: impl FnOnce(Encoder) -> Encoder) {
    let start = into.len();
    into.push(VERSION);
    *into = body(Encoder::resume(std::mem::take(into))).finish();
    let sealed = into.get(start..).unwrap_or_default();
    let checksum = crc32c::crc32c_append(crc32c::crc32c(key), sealed);
    into.extend_from_slice(&checksum.to_be_bytes());
}

/// Takes a body out of its envelope.
pub(crate) fn unseal<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Flaw> {
    let (sealed, checksum) = value.split_last_chunk::<4>().ok_or(Flaw::Short)?;
    if crc32c::crc32c_append(crc32c::crc32c(key), sealed) != u32::from_be_bytes(*checksum) {
        return Err(Flaw::Checksum);
    }
    match sealed.split_first() {
        Some((&VERSION, body)) => Ok(body),
        Some((version, _)) => Err(Flaw::Version(*version)),
        None => Err(Flaw::Short),
    }
}

/// Writes a body.
#[derive(Debug, Default)]
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Goes on after what was written before.
    pub(crate) fn resume(body: Vec<u8>) -> Self {
        Self(body)
    }

    pub(crate) fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    pub(crate) fn number(mut self, mut number: u64) -> Self {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push((number & 0x7f) as u8);
        self
    }

    /// Bytes without their length.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        self.number(bytes.len() as u64).raw(bytes)
    }

    pub(crate) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// 0, or 1 and the text.
    pub(crate) fn optional_text(self, text: Option<&str>) -> Self {
        match text {
            None => self.byte(0),
            Some(text) => self.byte(1).text(text),
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a body.
#[derive(Debug)]
pub(crate) struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, Flaw> {
        let (byte, rest) = self.0.split_first().ok_or(Flaw::Short)?;
        self.0 = rest;
        Ok(*byte)
    }

    #[inline]
    pub(crate) fn number(&mut self) -> Result<u64, Flaw> {
        // Most are small.
        match self.0.split_first() {
            Some((byte, rest)) if *byte < 0x80 => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> Result<u64, Flaw> {
        const LONG: Flaw = Flaw::Content("a number is over 64 bits");
        let mut number = 0_u64;
        let mut rest = self.0;
        for shift in [0, 7, 14, 21, 28, 35, 42, 49, 56, 63] {
            let (byte, after) = rest.split_first().ok_or(Flaw::Short)?;
            rest = after;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(LONG);
            }
            number |= bits << shift;
            if *byte < 0x80 {
                self.0 = rest;
                return Ok(number);
            }
        }
        Err(LONG)
    }

    #[inline]
    pub(crate) fn small_number(&mut self) -> Result<u32, Flaw> {
        u32::try_from(self.number()?).map_err(|_| Flaw::Content("a number is over 32 bits"))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let (array, rest) = self.0.split_first_chunk::<N>().ok_or(Flaw::Short)?;
        self.0 = rest;
        Ok(*array)
    }

    #[inline]
    pub(crate) fn slice(&mut self) -> Result<&'a [u8], Flaw> {
        let length = usize::try_from(self.number()?).map_err(|_| Flaw::Short)?;
        let (slice, rest) = self.0.split_at_checked(length).ok_or(Flaw::Short)?;
        self.0 = rest;
        Ok(slice)
    }

    pub(crate) fn bytes(&mut self) -> Result<Bytes, Flaw> {
        Ok(Bytes::copy_from_slice(self.slice()?))
    }

    #[inline]
    pub(crate) fn str(&mut self) -> Result<&'a str, Flaw> {
        std::str::from_utf8(self.slice()?).map_err(|_| NO_TEXT)
    }

    pub(crate) fn text(&mut self) -> Result<String, Flaw> {
        Ok(self.str()?.to_owned())
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<String>, Flaw> {
        match self.byte()? {
            0 => Ok(None),
            1 => Ok(Some(self.text()?)),
            _ => Err(NO_OPTION),
        }
    }

    /// How many items follow, of at least one byte each: so a wrong count cannot ask for memory.
    pub(crate) fn count(&mut self) -> Result<usize, Flaw> {
        let count = usize::try_from(self.number()?).map_err(|_| Flaw::Short)?;
        if count > self.0.len() {
            Err(Flaw::Short)
        } else {
            Ok(count)
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes are not read yet.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    /// What is not read yet.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn finish(self) -> Result<(), Flaw> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Flaw::Long)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_flipped_bit_of_key_or_value_is_told() {
        let key = b"key";
        let mut value = Vec::new();
        seal(key, &mut value, |encoder| encoder.raw(b"body"));
        assert_eq!(unseal(key, &value), Ok(&b"body"[..]));
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unseal(key, &flipped), Err(Flaw::Checksum), "bit {bit}");
        }
        assert_eq!(unseal(b"kez", &value), Err(Flaw::Checksum));
        for length in 0..value.len() {
            assert!(unseal(key, &value[..length]).is_err());
        }
    }

    #[test]
    fn a_newer_version_of_a_value_is_refused_as_such() {
        let mut value = vec![2, 7];
        let checksum = crc32c::crc32c_append(crc32c::crc32c(b"k"), &value);
        value.extend_from_slice(&checksum.to_be_bytes());
        assert_eq!(unseal(b"k", &value), Err(Flaw::Version(2)));
    }

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), 1 << 53, u64::MAX] {
            let body = Encoder::default().number(number).finish();
            let mut decoder = Decoder::new(&body);
            assert_eq!(decoder.number(), Ok(number));
            assert_eq!(decoder.finish(), Ok(()));
        }
        assert!(Decoder::new(&[0xff; 11]).number().is_err());
        assert!(
            Decoder::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2])
                .number()
                .is_err()
        );
    }

    #[test]
    fn a_length_beyond_the_end_asks_for_no_memory() {
        let body = Encoder::default().number(u64::MAX).finish();
        assert_eq!(Decoder::new(&body).slice(), Err(Flaw::Short));
        assert_eq!(Decoder::new(&body).count(), Err(Flaw::Short));
    }
}
