//! Finding the place of a JSON pointer in the text of a document that is known to be JSON, and keys written twice.

use crate::path::escape;
use std::collections::{HashMap, HashSet};

/// How deep a schema document may nest.
const MAX_DEPTH: usize = 64;

/// Where each value begins and ends, by JSON pointer, and the pointers of keys that were written twice.
#[derive(Debug, Default)]
pub(crate) struct Places {
    values: HashMap<String, (usize, usize)>,
    pub(crate) repeated: Vec<(String, usize, usize)>,
    pub(crate) too_deep: bool,
}

impl Places {
    /// The stretch of the value at `pointer`, or of the nearest value above it.
    pub(crate) fn find(&self, pointer: &str) -> (usize, usize) {
        let mut pointer = pointer;
        loop {
            if let Some((start, end)) = self.values.get(pointer) {
                return (*start, *end);
            }
            match pointer.rfind('/') {
                Some(at) => pointer = &pointer[..at],
                None => return (0, 0),
            }
        }
    }
}

/// Reads the places of a document that `serde_json` has accepted.
pub(crate) fn places(text: &str) -> Places {
    let mut scan = Scan {
        text: text.as_bytes(),
        at: 0,
        places: Places::default(),
    };
    scan.value(&mut String::new(), 0);
    scan.places
}

struct Scan<'t> {
    text: &'t [u8],
    at: usize,
    places: Places,
}

impl Scan<'_> {
    fn peek(&mut self) -> u8 {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn value(&mut self, pointer: &mut String, depth: usize) {
        if depth > MAX_DEPTH {
            self.places.too_deep = true;
            self.at = self.text.len();
            return;
        }
        let opening = self.peek();
        let start = self.at;
        let mut end = None;
        match opening {
            b'{' => {
                self.entries(pointer, depth);
                end = Some(start + 1);
            }
            b'[' => {
                self.items(pointer, depth);
                end = Some(start + 1);
            }
            b'"' => self.string(),
            _ => {
                while self
                    .text
                    .get(self.at)
                    .is_some_and(|b| !b",]} \t\r\n".contains(b))
                {
                    self.at += 1;
                }
            }
        }
        self.places
            .values
            .insert(pointer.clone(), (start, end.unwrap_or(self.at)));
    }

    fn entries(&mut self, pointer: &mut String, depth: usize) {
        self.at += 1;
        let mut seen = HashSet::new();
        while self.peek() == b'"' {
            let start = self.at;
            self.string();
            let name: String = std::str::from_utf8(&self.text[start..self.at])
                .ok()
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default();
            let length = pointer.len();
            pointer.push('/');
            pointer.push_str(&escape(&name));
            if !seen.insert(name) {
                self.places.repeated.push((pointer.clone(), start, self.at));
            }
            if self.peek() == b':' {
                self.at += 1;
            }
            self.value(pointer, depth + 1);
            pointer.truncate(length);
            if self.peek() == b',' {
                self.at += 1;
            }
        }
        self.close(b'}');
    }

    fn items(&mut self, pointer: &mut String, depth: usize) {
        self.at += 1;
        let mut nth = 0;
        while !matches!(self.peek(), b']' | 0) {
            let length = pointer.len();
            pointer.push_str(&format!("/{nth}"));
            self.value(pointer, depth + 1);
            pointer.truncate(length);
            nth += 1;
            if self.peek() == b',' {
                self.at += 1;
            }
        }
        self.close(b']');
    }

    fn close(&mut self, closing: u8) {
        if self.peek() == closing {
            self.at += 1;
        }
    }

    fn string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.text.get(self.at) {
            self.at += match byte {
                b'\\' => 2,
                b'"' => {
                    self.at += 1;
                    return;
                }
                _ => 1,
            };
        }
        self.at = self.at.min(self.text.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_found_in_the_text() {
        let text = r#"{ "a": [1, {"b/c": "x\"y"}], "a": true }"#;
        let places = places(text);
        let (start, end) = places.find("/a/1/b~1c");
        assert_eq!(&text[start..end], r#""x\"y""#);
        assert_eq!(places.repeated.len(), 1);
        let (start, _) = places.find("/a/1/none/here");
        assert!(text[start..].starts_with("{\"b/c\""));
    }

    #[test]
    fn a_deep_document_is_told_and_not_followed() {
        assert!(places(&"[".repeat(100)).too_deep);
        assert!(!places("{\"a\":").too_deep);
    }
}
