//! Texts that match a pattern: a few, found by reading the pattern. What is not understood gives none.

use std::iter::Peekable;
use std::str::Chars;

/// How often a part without an upper bound is repeated at most.
const MORE: usize = 2;
/// How often any part is repeated at most.
const MAX_REPEATED: usize = 256;
/// Characters to choose from where a class excludes some.
const CHARACTERS: &str = "a0A-_ .é/b1B";

/// A part of a pattern.
#[derive(Debug, Clone)]
enum Part {
    /// One of these characters.
    Class(Vec<(char, char)>, bool),
    /// One of these sequences.
    Choice(Vec<Vec<Part>>),
    /// A part, repeated.
    Repeated(Box<Part>, usize, usize),
}

/// Some texts that may match the pattern. The caller checks that they do.
pub(super) fn matching(pattern: &str) -> Vec<String> {
    let mut chars = pattern.chars().peekable();
    let Some(choice) = choice(&mut chars, 0).filter(|_| chars.next().is_none()) else {
        return Vec::new();
    };
    let mut texts: Vec<String> = Vec::new();
    for variant in 0..6 {
        let mut text = String::new();
        write(&Part::Choice(choice.clone()), variant, &mut text);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

fn write(part: &Part, variant: usize, text: &mut String) {
    match part {
        Part::Class(ranges, excluded) => text.extend(character(ranges, *excluded, variant)),
        Part::Choice(ways) => {
            let way = ways.get(variant % ways.len().max(1));
            for part in way.into_iter().flatten() {
                write(part, variant, text);
            }
        }
        Part::Repeated(part, least, most) => {
            let count = match variant % 2 {
                0 => *least,
                _ => *most,
            };
            (0..count.min(MAX_REPEATED)).for_each(|_| write(part, variant, text));
        }
    }
}

fn character(ranges: &[(char, char)], excluded: bool, variant: usize) -> Option<char> {
    let within = |c: char| ranges.iter().any(|(from, to)| (*from..=*to).contains(&c));
    if excluded {
        let mut free = CHARACTERS.chars().cycle().skip(variant).take(24);
        return free.find(|c| !within(*c));
    }
    let (from, to) = ranges.get(variant / 2 % ranges.len().max(1))?;
    Some(if variant.is_multiple_of(2) {
        *from
    } else {
        *to
    })
}

fn choice(chars: &mut Peekable<Chars<'_>>, depth: usize) -> Option<Vec<Vec<Part>>> {
    let mut ways = vec![Vec::new()];
    while let Some(next) = chars.peek().copied() {
        match next {
            ')' if depth > 0 => break,
            '|' => {
                chars.next();
                ways.push(Vec::new());
            }
            '^' | '$' => {
                chars.next();
            }
            _ => {
                let part = repeated(chars, depth)?;
                ways.last_mut()?.push(part);
            }
        }
    }
    Some(ways)
}

fn repeated(chars: &mut Peekable<Chars<'_>>, depth: usize) -> Option<Part> {
    let part = one(chars, depth)?;
    let (least, most) = match chars.peek() {
        Some('*') => (0, MORE),
        Some('+') => (1, 1 + MORE),
        Some('?') => (0, 1),
        Some('{') => {
            let counts: String = chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
            let (least, most) = match counts.split_once(',') {
                None => (counts.parse().ok()?, counts.parse().ok()?),
                Some((least, "")) => (least.parse().ok()?, least.parse::<usize>().ok()? + MORE),
                Some((least, most)) => (least.parse().ok()?, most.parse().ok()?),
            };
            return Some(Part::Repeated(Box::new(part), least, most));
        }
        _ => return Some(part),
    };
    chars.next();
    // A lazy repetition matches the same texts.
    chars.next_if_eq(&'?');
    Some(Part::Repeated(Box::new(part), least, most))
}

fn one(chars: &mut Peekable<Chars<'_>>, depth: usize) -> Option<Part> {
    match chars.next()? {
        '.' => Some(Part::Class(vec![('\n', '\n')], true)),
        '\\' => escaped(chars.next()?),
        '[' => class(chars),
        '(' => {
            if chars.next_if_eq(&'?').is_some() && chars.next()? != ':' {
                return None;
            }
            let ways = choice(chars, depth + 1)?;
            (chars.next()? == ')').then_some(Part::Choice(ways))
        }
        plain => Some(Part::Class(vec![(plain, plain)], false)),
    }
}

fn escaped(letter: char) -> Option<Part> {
    let word = vec![('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')];
    Some(match letter {
        'd' => Part::Class(vec![('0', '9')], false),
        'D' => Part::Class(vec![('0', '9')], true),
        'w' => Part::Class(word, false),
        'W' => Part::Class(word, true),
        's' => Part::Class(vec![(' ', ' ')], false),
        'S' => Part::Class(vec![(' ', ' ')], true),
        'n' => Part::Class(vec![('\n', '\n')], false),
        't' => Part::Class(vec![('\t', '\t')], false),
        letter if letter.is_ascii_alphanumeric() => return None,
        sign => Part::Class(vec![(sign, sign)], false),
    })
}

fn class(chars: &mut Peekable<Chars<'_>>) -> Option<Part> {
    let excluded = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        let from = match chars.next()? {
            ']' => break,
            '\\' => match escaped(chars.next()?)? {
                Part::Class(own, false) if own.len() == 1 && own[0].0 == own[0].1 => own[0].0,
                Part::Class(own, false) => {
                    ranges.extend(own);
                    continue;
                }
                _ => return None,
            },
            plain => plain,
        };
        let mut ahead = chars.clone();
        ahead.next();
        if chars.peek() == Some(&'-') && ahead.peek() != Some(&']') {
            chars.next();
            let to = match chars.next()? {
                '\\' => chars.next()?,
                to => to,
            };
            ranges.push((from, to));
        } else {
            ranges.push((from, from));
        }
    }
    Some(Part::Class(ranges, excluded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_for_the_patterns_that_people_write() {
        for (pattern, expected) in [
            ("^[A-Z]{3}$", "AAA"),
            ("^(cash|card)$", "card"),
            (r"^\d{4}-\d{2}$", "0000-00"),
            ("^x-", "x-"),
            ("^[^0-9]+$", "a"),
            ("^[a-z-]{2}$", "aa"),
        ] {
            let found = matching(pattern);
            assert!(
                found.iter().any(|text| text == expected),
                "{pattern}: {found:?}"
            );
        }
        assert!(matching("(?=a)b").is_empty());
    }
}
