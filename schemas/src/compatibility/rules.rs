//! The rules by which a schema breaks another: a code that stays, and what would mend it.

use super::Direction;

/// What is told of a keyword.
pub(super) struct Rule {
    keyword: &'static str,
    /// The code where readers of the new schema refuse what was published.
    backward: &'static str,
    /// The code where readers of the old schema refuse what is published now.
    forward: &'static str,
    mend_backward: &'static str,
    mend_forward: &'static str,
}

impl Rule {
    /// The stable code.
    pub(super) fn code(&self, direction: Direction) -> &'static str {
        match direction {
            Direction::Backward => self.backward,
            Direction::Forward => self.forward,
        }
    }

    /// What would mend it, beside a new major version.
    pub(super) fn mend(&self, direction: Direction) -> &'static str {
        match direction {
            Direction::Backward => self.mend_backward,
            Direction::Forward => self.mend_forward,
        }
    }
}

macro_rules! rules {
    ($($keyword:literal: $backward:literal, $forward:literal, $mend_backward:literal, $mend_forward:literal;)*) => {
        &[$(Rule {
            keyword: $keyword,
            backward: $backward,
            forward: $forward,
            mend_backward: $mend_backward,
            mend_forward: $mend_forward,
        }),*]
    };
}

const RULES: &[Rule] = rules! {
    "type": "type-narrowed", "type-widened", "keep the types that were allowed", "keep to the types that readers know";
    "enum": "enum-narrowed", "enum-widened", "keep the values that were allowed", "keep to the values that readers know; where more are to come, declare a plain type with `examples`";
    "const": "const-changed", "const-changed", "keep the value", "keep the value";
    "minimum": "minimum-raised", "minimum-lowered", "do not raise the bound", "do not lower the bound";
    "exclusiveMinimum": "minimum-raised", "minimum-lowered", "do not raise the bound", "do not lower the bound";
    "maximum": "maximum-lowered", "maximum-raised", "do not lower the bound", "do not raise the bound";
    "exclusiveMaximum": "maximum-lowered", "maximum-raised", "do not lower the bound", "do not raise the bound";
    "multipleOf": "multiple-of-narrowed", "multiple-of-widened", "keep the step, or a divisor of it", "keep the step, or a multiple of it";
    "minLength": "min-length-raised", "min-length-lowered", "do not raise the length", "do not lower the length";
    "maxLength": "max-length-lowered", "max-length-raised", "do not lower the length", "do not raise the length";
    "pattern": "pattern-narrowed", "pattern-widened", "keep the pattern as it was", "keep the pattern as it was";
    "format": "format-narrowed", "format-widened", "keep the format as it was", "keep the format as it was";
    "required": "required-added", "required-removed", "let the property be optional", "keep the property required";
    "minProperties": "min-properties-raised", "min-properties-lowered", "do not raise the number", "do not lower the number";
    "maxProperties": "max-properties-lowered", "max-properties-raised", "do not lower the number", "do not raise the number";
    "minItems": "min-items-raised", "min-items-lowered", "do not raise the number", "do not lower the number";
    "maxItems": "max-items-lowered", "max-items-raised", "do not lower the number", "do not raise the number";
    "uniqueItems": "unique-items-added", "unique-items-removed", "let items be the same, as before", "keep items different";
    "contains": "contains-narrowed", "contains-widened", "ask for no more than before", "keep what arrays must hold";
    "maxContains": "contains-narrowed", "contains-widened", "allow as many as before", "keep how many arrays may hold";
    "property": "property-forbidden", "property-added-to-closed", "keep the property declared, or let the object be open", "the old schema is closed (`additionalProperties: false` or its like), so no property can be added to it";
    "item": "item-forbidden", "item-added-to-closed", "keep the items that were allowed", "the old schema ends its arrays, so no item can be added to them";
    "propertyNames": "property-names-narrowed", "property-names-widened", "keep the names that were allowed", "keep to the names that readers know";
    "dependency": "dependency-added", "dependency-removed", "do not let a property ask for more than before", "keep what the property asks for";
    "anyOf": "any-of-narrowed", "any-of-widened", "keep the branches that were there", "keep to the branches that readers know";
    "oneOf": "one-of-narrowed", "one-of-widened", "keep the branches that were there, and let them not overlap", "keep to the branches that readers know";
    "not": "not-widened", "not-narrowed", "forbid no more than before", "keep what is forbidden";
    "if": "condition-narrowed", "condition-widened", "keep the condition and what follows from it", "keep the condition and what follows from it";
    "": "schema-narrowed", "schema-widened", "keep what was accepted", "keep to what readers accept";
};

/// The rule of a keyword. A schema that accepts nothing is known by the keyword that it stands under.
pub(super) fn of(keyword: &str, pointer: &str) -> &'static Rule {
    let first = keyword.split('/').next().unwrap_or("");
    let name = match first {
        "" => under(pointer),
        "unevaluatedProperties" => "property",
        "unevaluatedItems" => "item",
        "dependencies" | "dependentRequired" | "dependentSchemas" => "dependency",
        other => other,
    };
    RULES
        .iter()
        .find(|rule| rule.keyword == name)
        .unwrap_or(&RULES[RULES.len() - 1])
}

fn under(pointer: &str) -> &'static str {
    let mut words = pointer.rsplit('/');
    let (last, before) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    match (last, before) {
        ("additionalProperties", _) | (_, "properties" | "patternProperties") => "property",
        ("items" | "additionalItems", _) | (_, "prefixItems" | "items") => "item",
        _ => "",
    }
}

/// Every code of schemas, in the order of the table.
pub fn codes() -> impl Iterator<Item = (&'static str, &'static str)> {
    RULES.iter().map(|rule| (rule.backward, rule.forward))
}
