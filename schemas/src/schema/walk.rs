//! Walking over schemas: what is directly inside one, which data it speaks of, and which of them may apply at all.

use super::documents::{Documents, Spot};
use super::keywords::{self, Verdict};
use crate::path::escape;
use serde_json::Value;
use std::collections::HashSet;

/// Of which data below its own a schema inside another one speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Below {
    /// Of the property with this name.
    Name(String),
    /// Of properties whose names match.
    Pattern(String),
    /// Of the properties that the schema around it neither names nor matches.
    Further,
    /// Of the item with this number.
    Item(usize),
    /// Of the items from this number on.
    Items(usize),
    /// Of the names of properties.
    Names,
    /// Of none: it applies to the same data, or only where it is referred to.
    Nothing,
}

/// The schemas directly inside a schema, and of which data they speak.
pub(super) fn inside(documents: &Documents, spot: &Spot) -> Vec<(Below, Spot)> {
    let Some(Value::Object(schema)) = documents.schema(spot) else {
        return Vec::new();
    };
    let draft = documents.get(spot.document).draft;
    let first_items = ["prefixItems", "items"]
        .into_iter()
        .find_map(|keyword| schema.get(keyword)?.as_array())
        .map_or(0, Vec::len);
    let mut found = Vec::new();
    for (keyword, value) in schema {
        let Verdict::Known(holds) = keywords::verdict(draft, keyword) else {
            continue;
        };
        let below = format!("{}/{}", spot.pointer, escape(keyword));
        keywords::inner(holds, value, &below, &mut |pointer, _| {
            let last = pointer.rsplit('/').next().unwrap_or_default();
            let name = || last.replace("~1", "/").replace("~0", "~");
            let of = match keyword.as_str() {
                "properties" => Below::Name(name()),
                "patternProperties" => Below::Pattern(name()),
                "additionalProperties" => Below::Further,
                "prefixItems" => Below::Item(last.parse().unwrap_or(0)),
                "items" if value.is_array() => Below::Item(last.parse().unwrap_or(0)),
                "items" | "additionalItems" => Below::Items(first_items),
                "contains" => Below::Items(0),
                "propertyNames" => Below::Names,
                _ => Below::Nothing,
            };
            let spot = Spot {
                document: spot.document,
                pointer,
            };
            found.push((of, spot));
        });
    }
    found
}

/// The schemas that may apply to data that `start` is asked about, at any depth: not those that are only defined.
pub(super) fn applied(documents: &Documents, start: Spot) -> Vec<Spot> {
    let mut seen = HashSet::from([start.clone()]);
    let mut all = vec![start];
    let mut next = 0;
    while let Some(spot) = all.get(next).cloned() {
        next += 1;
        let below = inside(documents, &spot).into_iter();
        let below = below.filter(|(of, _)| *of != Below::Nothing);
        for found in documents
            .at_same_place(&spot)
            .into_iter()
            .chain(below.map(|(_, spot)| spot))
        {
            if seen.insert(found.clone()) {
                all.push(found);
            }
        }
    }
    all
}
