//! What is wrong with a contract or a schema, told so that it can be mended.
//!
//! Each diagnostic names a stable code, the place (file, line, column, the line itself), what is known there, the
//! nearest known word, and what would mend it. All of them are gathered before anything is reported.

use crate::source::Span;
use std::fmt;

/// How many diagnostics are kept; the rest are counted.
const MAX_KEPT: usize = 1000;
/// How many diagnostics are printed; the rest are counted.
const MAX_SHOWN: usize = 100;
/// How many characters of a source line are shown.
const MAX_LINE_CHARACTERS: usize = 160;
/// How many known words are listed.
const MAX_KNOWN: usize = 24;

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    file: String,
    line: usize,
    column: usize,
    text: String,
    covered: usize,
}

/// One thing that is wrong in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    code: &'static str,
    message: String,
    place: Option<Place>,
    known: Vec<String>,
    nearest: Option<String>,
    mend: Option<String>,
    /// The files that take this place over as their own.
    inherited_by: Vec<String>,
}

impl Diagnostic {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            place: None,
            known: Vec::new(),
            nearest: None,
            mend: None,
            inherited_by: Vec::new(),
        }
    }

    /// Points to a stretch of a source.
    pub(crate) fn at(mut self, span: &Span) -> Self {
        let (line, column, text, covered) = span.locate();
        let file = span.source.name.clone();
        self.place = Some(Place {
            file,
            line,
            column,
            text: text.to_owned(),
            covered,
        });
        self
    }

    /// Points to a file as a whole.
    pub(crate) fn in_file(mut self, file: impl Into<String>) -> Self {
        self.place = Some(Place {
            file: file.into(),
            line: 0,
            column: 0,
            text: String::new(),
            covered: 0,
        });
        self
    }

    /// Lists what is known there, and the word nearest to `word`.
    pub(crate) fn known<W: AsRef<str>>(
        mut self,
        known: impl IntoIterator<Item = W>,
        word: &str,
    ) -> Self {
        self.known = known
            .into_iter()
            .map(|one| one.as_ref().to_owned())
            .collect();
        self.nearest = nearest(&self.known, word);
        self
    }

    /// Says what would mend it.
    pub(crate) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// A short, stable name of what is wrong.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The file, as it was named when it was read.
    pub fn file(&self) -> Option<&str> {
        self.place.as_ref().map(|place| place.file.as_str())
    }

    /// The line and the column, both from 1; the column counts characters.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        self.place
            .as_ref()
            .filter(|place| place.line > 0)
            .map(|place| (place.line, place.column))
    }

    /// What is known in this place.
    pub fn known_words(&self) -> &[String] {
        &self.known
    }

    /// The known word that is nearest to what was written.
    pub fn nearest(&self) -> Option<&str> {
        self.nearest.as_deref()
    }

    /// The contracts that inherit what is wrong, where it stands in `_defaults.yaml`.
    pub fn inherited_by(&self) -> &[String] {
        &self.inherited_by
    }

    /// What would mend it.
    pub fn mend_text(&self) -> Option<&str> {
        self.mend.as_deref()
    }
}

/// The first words of a list, and how many more there are.
fn shorten(words: &[String]) -> String {
    let shown = words
        .iter()
        .take(MAX_KNOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match words.len().saturating_sub(MAX_KNOWN) {
        0 => shown,
        more => format!("{shown}, and {more} more"),
    }
}

/// The known word that `word` was probably meant to be.
fn nearest(known: &[String], word: &str) -> Option<String> {
    if word.len() > 256 {
        return None;
    }
    let lower = word.to_lowercase();
    known
        .iter()
        .map(|one| {
            (
                strsim::damerau_levenshtein(&one.to_lowercase(), &lower),
                one,
            )
        })
        .filter(|(distance, one)| {
            *distance <= (one.chars().count().max(lower.chars().count()) / 3).max(1)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, one)| one.clone())
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error[{}]: {}", self.code, self.message)?;
        let mut margin = 1;
        if let Some(place) = &self.place {
            if place.line == 0 {
                writeln!(f, " --> {}", place.file)?;
            } else {
                margin = place.line.to_string().len();
                place.write_snippet(f, margin)?;
            }
        }
        let note = |f: &mut fmt::Formatter<'_>, name: &str, text: &str| {
            writeln!(f, "{:margin$} = {name}: {text}", "")
        };
        if !self.known.is_empty() {
            note(f, "known", &shorten(&self.known))?;
        }
        if let Some(nearest) = &self.nearest {
            note(f, "nearest", nearest)?;
        }
        if !self.inherited_by.is_empty() {
            let shown = shorten(&self.inherited_by);
            note(f, "inherited by", &shown)?;
        }
        if let Some(mend) = &self.mend {
            note(f, "mend", mend)?;
        }
        Ok(())
    }
}

impl Place {
    fn write_snippet(&self, f: &mut fmt::Formatter<'_>, margin: usize) -> fmt::Result {
        let skipped = self
            .column
            .saturating_sub(1)
            .saturating_sub(MAX_LINE_CHARACTERS / 2);
        let skipped = if self.text.chars().count() > MAX_LINE_CHARACTERS {
            skipped
        } else {
            0
        };
        let shown: String = self
            .text
            .chars()
            .skip(skipped)
            .take(MAX_LINE_CHARACTERS)
            .map(|c| if c == '\t' || c.is_control() { ' ' } else { c })
            .collect();
        let indent = self.column - 1 - skipped;
        let covered = self
            .covered
            .min(shown.chars().count().saturating_sub(indent))
            .max(1);
        writeln!(
            f,
            "{:margin$}--> {}:{}:{}",
            "", self.file, self.line, self.column
        )?;
        writeln!(f, "{:margin$} |", "")?;
        writeln!(f, "{} | {}", self.line, shown.trim_end())?;
        writeln!(f, "{:margin$} | {:indent$}{}", "", "", "^".repeat(covered))
    }
}

/// All that is wrong, by file and place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics {
    all: Vec<Diagnostic>,
    not_kept: usize,
}

impl Diagnostics {
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.all.len() >= MAX_KEPT {
            self.not_kept += 1;
        } else if !self.all.contains(&diagnostic) {
            self.all.push(diagnostic);
        }
    }

    /// Takes over what is wrong with one contract. What stands in a file of which `is_inherited` holds is told once, with every
    /// contract that inherits it.
    pub(crate) fn absorb(
        &mut self,
        contract: Self,
        file: &str,
        is_inherited: impl Fn(&str) -> bool,
    ) {
        self.not_kept += contract.not_kept;
        for mut diagnostic in contract.all {
            if diagnostic.file().is_some_and(&is_inherited) {
                let same = |own: &&mut Diagnostic| {
                    (own.code, &own.message, &own.place)
                        == (diagnostic.code, &diagnostic.message, &diagnostic.place)
                };
                if let Some(own) = self.all.iter_mut().find(same) {
                    own.inherited_by.push(file.to_owned());
                    continue;
                }
                diagnostic.inherited_by.push(file.to_owned());
            }
            self.push(diagnostic);
        }
    }

    /// Takes in what else is wrong.
    pub(crate) fn extend(&mut self, others: Diagnostics) {
        self.not_kept += others.not_kept;
        others.all.into_iter().for_each(|one| self.push(one));
    }

    /// Puts them in the order of files and places.
    pub(crate) fn sort(&mut self) {
        self.all.sort_by(|a, b| {
            let key = |d: &Diagnostic| d.place.as_ref().map(|p| (p.file.clone(), p.line, p.column));
            key(a).cmp(&key(b))
        });
    }

    /// Each of them, up to 1,000.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.all.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len() + self.not_kept
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, diagnostic) in self.all.iter().take(MAX_SHOWN).enumerate() {
            if nth > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        if self.len() > MAX_SHOWN {
            writeln!(f, "\nand {} more", self.len() - MAX_SHOWN)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
