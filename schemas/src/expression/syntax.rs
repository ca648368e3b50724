//! From text to jq's syntax tree, with its size bounded before anything recurses over it.

use super::Problem;
use jaq_core::load::lex::{Lexer, StrPart, Tok, Token};
use jaq_core::load::parse::{Parser, Term};
use jaq_core::load::span;

/// The length of an expression.
const MAX_BYTES: usize = 4096;
/// How many brackets it may open; nesting cannot be deeper.
const MAX_BRACKETS: usize = 48;
/// How many words and signs it may have.
const MAX_TOKENS: usize = 256;

/// What mends a text that is not jq.
const MEND: &str = "write an expression such as `.amount > 0` or `.kind == \"cash\"`; in YAML, put it between single quotes";

/// Words that begin what an expression must not do.
const REFUSED_WORDS: [&str; 11] = [
    "def", "reduce", "foreach", "label", "break", "try", "catch", "import", "include", "module",
    "..",
];

/// Parses `text` and hands the tree to `then`.
pub(super) fn parse<T>(
    text: &str,
    then: impl FnOnce(&Term<&str>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let problem = |at: usize, len: usize, message: String, mend| Problem {
        at,
        len,
        code: "expression",
        message,
        mend,
        known: None,
    };
    if text.len() > MAX_BYTES || text.bytes().filter(|b| b"([{".contains(b)).count() > MAX_BRACKETS
    {
        let message =
            format!("an expression has at most {MAX_BYTES} bytes and {MAX_BRACKETS} brackets");
        return Err(problem(
            0,
            text.len(),
            message,
            "compute less here, or record what is needed in the private event",
        ));
    }
    let tokens = Lexer::new(text).lex().map_err(|errors| {
        let rest = errors.first().map_or("", |(_, rest)| *rest);
        let at = if rest.is_empty() { text.len() } else { span(text, rest).start };
        problem(at, 1, "this is no jq expression: nothing that jq knows begins here, or something is not closed".to_owned(), MEND)
    })?;
    let mut count = 0;
    check(&tokens, text, &mut count)?;
    let tree = Parser::new(&tokens)
        .parse(|parser| parser.term())
        .map_err(|errors| {
            let first = errors.first();
            let expected = first.map_or("something else", |(expected, _)| expected.as_str());
            let (at, len) = match first.and_then(|(_, found)| *found) {
                Some(found) => (span(text, found.0).start, found.0.len()),
                None => (text.len().saturating_sub(1), 1),
            };
            problem(
                at,
                len,
                format!("this is no jq expression: {expected} is missing here"),
                MEND,
            )
        })?;
    then(&tree)
}

fn check(tokens: &[Token<&str>], text: &str, count: &mut usize) -> Result<(), Problem> {
    for Token(word, kind) in tokens {
        *count += 1;
        let at = span(text, word).start;
        let refuse = |message: String, mend| {
            Err(Problem {
                at,
                len: word.len(),
                code: "expression",
                message,
                mend,
                known: None,
            })
        };
        if *count > MAX_TOKENS {
            let mend = "compute less here, or record what is needed in the private event";
            return refuse(
                format!("an expression has at most {MAX_TOKENS} words and signs"),
                mend,
            );
        }
        match kind {
            Tok::Word | Tok::Sym if REFUSED_WORDS.contains(word) => {
                return refuse(
                    format!("`{word}` is not for contracts"),
                    "name the paths that are needed and compute with them",
                );
            }
            Tok::Fmt => {
                return refuse(
                    format!("the format `{word}` is not for contracts"),
                    "use `tostring` or \\( ) in a text",
                );
            }
            Tok::Block(inner) => check(inner, text, count)?,
            Tok::Str(parts) => {
                for part in parts {
                    if let StrPart::Term(Token(whole, Tok::Block(inner))) = part {
                        let _ = whole;
                        check(inner, text, count)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The text of a string without computed parts.
pub(super) fn literal_text<T>(parts: &[StrPart<&str, T>]) -> Option<String> {
    parts.iter().try_fold(String::new(), |mut text, part| {
        match part {
            StrPart::Str(own) => text.push_str(own),
            StrPart::Char(own) => text.push(*own),
            StrPart::Term(_) => return None,
        }
        Some(text)
    })
}

/// Some part of the source text, to point at.
pub(super) fn parts_str<'t, T>(parts: &[StrPart<&'t str, T>]) -> &'t str {
    match parts.first() {
        Some(StrPart::Str(text)) => text,
        _ => "",
    }
}
