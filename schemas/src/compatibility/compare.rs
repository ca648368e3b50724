//! Two revisions of a public schema in one direction: what breaks, and a value that shows it.

use super::arena::{Id, Side};
use super::clause::{Content, Node};
use super::engine::{Break, Engine};
use super::rules;
use super::schemas::Schemas;
use super::{Direction, Finding, Published};
use crate::diagnostics::Diagnostics;
use crate::schema::documents::Spot;
use serde_json::Value;

/// How many characters of a keyword's value are told.
const MAX_SHOWN: usize = 80;

/// A revision of a public schema: the schemas of its side, and its path below the schemas folder.
#[derive(Debug, Clone, Copy)]
pub struct Revision<'s> {
    /// The schemas among which its references lead.
    pub schemas: &'s Schemas,
    /// The path, such as `public/bank.accounts/opened.v1.json`.
    pub path: &'s str,
}

/// What of the old revision breaks with the new one in a direction: nothing when every value that the one side publishes is
/// accepted by the other as it is written.
///
/// # Errors
/// One of the files is not there.
pub fn compare(
    old: Revision<'_>,
    new: Revision<'_>,
    direction: Direction,
    published: Published,
) -> Result<Vec<Finding>, Diagnostics> {
    let (publisher, reader) = match direction {
        Direction::Backward => (old, new),
        Direction::Forward => (new, old),
    };
    let find = |side: Revision<'_>| {
        let found = side.schemas.at_path(side.path);
        found.ok_or_else(|| Schemas::missing(side.path))
    };
    let (from, to) = (find(publisher)?, find(reader)?);
    let mut engine = Engine::new(publisher.schemas, reader.schemas);
    let content = match published {
        Published::AsWritten => Content::Open,
        Published::ClosedOnLeaving => match publisher.schemas.declared(from) {
            Some(place) => Content::Closed(place),
            None => Content::Open,
        },
    };
    let spot = Spot {
        document: to,
        pointer: String::new(),
    };
    let (Some(node), Some(root)) = (
        engine.root(from, content),
        engine.arena.at(Side::Reader, spot),
    ) else {
        return Err(Schemas::missing(reader.path));
    };
    let breaks = engine.node_in(&node, None, root);
    let mut found: Vec<Finding> = Vec::new();
    for one in breaks {
        let finding = engine.finding(&node, root, one, direction, reader.path);
        let place = |one: &Finding| (one.rule, one.document.clone(), one.pointer.clone());
        // What breaks at several depths of the data is told once, by the shortest value.
        let length = |one: &Finding| match &one.counterexample {
            Some(value) => value.to_string().len(),
            None => usize::MAX,
        };
        match found
            .iter_mut()
            .find(|known| place(known) == place(&finding))
        {
            Some(known) if length(&finding) < length(known) => *known = finding,
            Some(_) => {}
            None => found.push(finding),
        }
    }
    found.sort_by(|a, b| (&a.pointer, a.rule).cmp(&(&b.pointer, b.rule)));
    Ok(found)
}

impl Engine<'_> {
    fn finding(
        &mut self,
        node: &Node,
        root: Id,
        one: Break,
        direction: Direction,
        path: &str,
    ) -> Finding {
        let schema = self.arena.get(one.reader);
        let document = match self.arena.side(schema.side) {
            Some(side) => side.document(schema.spot.document).path.clone(),
            None => path.to_owned(),
        };
        let place = &schema.spot.pointer;
        let pointer = match one.keyword.as_str() {
            "" => place.clone(),
            keyword => format!("{place}/{keyword}"),
        };
        let rule = rules::of(&one.keyword, place);
        let word = schema.value.pointer(&format!("/{}", one.keyword));
        let counterexample = self.shown(node, root, one);
        let refusing = match counterexample {
            Some(_) => "refuses",
            None => "may refuse",
        };
        let by = match word {
            Some(value) => format!("`{}` {}", last(&pointer), shortened(value)),
            None => format!("`{}`", last(&pointer)),
        };
        let mut message = match direction {
            Direction::Backward => {
                format!("the new schema {refusing}, by {by}, what is published under the old one")
            }
            Direction::Forward => {
                format!("the old schema {refusing}, by {by}, what is published under the new one")
            }
        };
        if counterexample.is_none() {
            message.push_str("; it could not be decided, and counts as breaking");
        }
        Finding {
            direction,
            rule: rule.code(direction),
            document,
            pointer,
            message,
            counterexample,
            mend: format!(
                "{}, or publish it as a new major version beside this one",
                rule.mend(direction)
            ),
        }
    }

    /// The shortest value that is published and refused.
    fn shown(&mut self, node: &Node, root: Id, one: Break) -> Option<Value> {
        let (reader, keyword) = (one.reader, one.keyword.clone());
        let shortest = |values: Vec<Value>| {
            values
                .into_iter()
                .min_by_key(|value| value.to_string().len())
        };
        let known = one.values.into_iter();
        let known: Vec<Value> = known
            .filter(|value| self.separates(node, root, value))
            .collect();
        if !known.is_empty() {
            return shortest(known);
        }
        let candidates = self.many(node, root);
        let mut found = Vec::new();
        for value in candidates {
            if self.separates(node, root, &value) {
                let refusal = self.refusal(root, &value, 0);
                if refusal.reader == reader && refusal.keyword == keyword {
                    found.push(value);
                }
            }
        }
        shortest(found)
    }

    /// Whether a value is published by the one side and refused by the other, as `jsonschema` sees it.
    fn separates(&mut self, node: &Node, root: Id, value: &Value) -> bool {
        let published = node
            .all
            .iter()
            .all(|id| self.arena.accepts(*id, value) == Some(true));
        published && node.content.keeps(value) && self.arena.accepts(root, value) == Some(false)
    }
}

fn last(pointer: &str) -> &str {
    pointer
        .rsplit('/')
        .next()
        .filter(|word| !word.is_empty())
        .unwrap_or("the schema")
}

fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.chars().count() > MAX_SHOWN {
        true => format!("{}…", text.chars().take(MAX_SHOWN).collect::<String>()),
        false => text,
    }
}
