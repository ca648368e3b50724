//! The functions that expressions may call: total, bounded by their input, and without any source of their own.

use serde_json::Value;

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Null,
    True,
    False,
    Empty,
    Select,
    Map,
    AnyOf,
    AllOf,
    Has,
    Not,
    Length,
    Type,
    ToString,
    ToNumber,
    AsciiDowncase,
    AsciiUpcase,
    Trim,
    LeftTrimText,
    RightTrimText,
    StartsWith,
    EndsWith,
    Split,
    Join,
    Any,
    All,
    Add,
    Min,
    Max,
    Sort,
    Unique,
    Reverse,
    First,
    Last,
    Floor,
    Ceil,
    Round,
    Abs,
}

/// What a function reads.
pub(super) enum Takes {
    /// Nothing: it is a constant.
    Nothing(Value),
    /// Nothing, and it gives nothing.
    Empty,
    /// Its input.
    Input,
    /// Its input and the value of its argument.
    InputAndValue,
    /// What its argument reads; its input goes through.
    Condition,
    /// What its argument reads of each item of its input.
    EachItem,
    /// One field of its input, named by a literal text.
    Name,
}

const TABLE: &[(&str, usize, Function)] = &[
    ("null", 0, Function::Null),
    ("true", 0, Function::True),
    ("false", 0, Function::False),
    ("empty", 0, Function::Empty),
    ("select", 1, Function::Select),
    ("map", 1, Function::Map),
    ("any", 1, Function::AnyOf),
    ("all", 1, Function::AllOf),
    ("has", 1, Function::Has),
    ("not", 0, Function::Not),
    ("length", 0, Function::Length),
    ("type", 0, Function::Type),
    ("tostring", 0, Function::ToString),
    ("tonumber", 0, Function::ToNumber),
    ("ascii_downcase", 0, Function::AsciiDowncase),
    ("ascii_upcase", 0, Function::AsciiUpcase),
    ("trim", 0, Function::Trim),
    ("ltrimstr", 1, Function::LeftTrimText),
    ("rtrimstr", 1, Function::RightTrimText),
    ("startswith", 1, Function::StartsWith),
    ("endswith", 1, Function::EndsWith),
    ("split", 1, Function::Split),
    ("join", 1, Function::Join),
    ("any", 0, Function::Any),
    ("all", 0, Function::All),
    ("add", 0, Function::Add),
    ("min", 0, Function::Min),
    ("max", 0, Function::Max),
    ("sort", 0, Function::Sort),
    ("unique", 0, Function::Unique),
    ("reverse", 0, Function::Reverse),
    ("first", 0, Function::First),
    ("last", 0, Function::Last),
    ("floor", 0, Function::Floor),
    ("ceil", 0, Function::Ceil),
    ("round", 0, Function::Round),
    ("abs", 0, Function::Abs),
];

/// The function of that name with so many arguments.
pub(super) fn find(name: &str, arguments: usize) -> Option<Function> {
    TABLE
        .iter()
        .find(|(own, arity, _)| *own == name && *arity == arguments)
        .map(|(_, _, function)| *function)
}

/// The names of all functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let mut seen = Vec::new();
    TABLE.iter().map(|(name, _, _)| *name).filter(move |name| {
        let new = !seen.contains(name);
        seen.push(*name);
        new
    })
}

/// What would mend a call of a function that is not for contracts.
pub(super) fn mend(name: &str) -> &'static str {
    match name {
        "keys" | "keys_unsorted" | "to_entries" | "from_entries" | "with_entries" | "paths"
        | "getpath" | "del" | "walk" | "recurse" | "tojson" | "path" => {
            "name each path that is needed: a contract cannot take what it does not name"
        }
        "now" | "input" | "inputs" | "env" | "input_filename" | "debug" | "error" | "halt"
        | "localtime" | "mktime" => {
            "the same event must always cross in the same way: use only its data"
        }
        "range" | "repeat" | "until" | "while" | "limit" | "first" | "nth" | "splits" => {
            "use `map`, `select`, `any` or `all`"
        }
        "test" | "match" | "capture" | "scan" | "sub" | "gsub" => {
            "patterns cannot be used in expressions yet; use `startswith`, `endswith` or `split`"
        }
        _ => "use a function of the list",
    }
}

impl Function {
    /// What it reads.
    pub(super) fn takes(self) -> Takes {
        match self {
            Self::Null => Takes::Nothing(Value::Null),
            Self::True => Takes::Nothing(Value::Bool(true)),
            Self::False => Takes::Nothing(Value::Bool(false)),
            Self::Empty => Takes::Empty,
            Self::Select => Takes::Condition,
            Self::Map | Self::AnyOf | Self::AllOf => Takes::EachItem,
            Self::Has => Takes::Name,
            Self::LeftTrimText
            | Self::RightTrimText
            | Self::StartsWith
            | Self::EndsWith
            | Self::Split
            | Self::Join => Takes::InputAndValue,
            _ => Takes::Input,
        }
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        TABLE
            .iter()
            .find(|(_, _, function)| *function == self)
            .map_or("", |(name, _, _)| name)
    }
}
