//! Private schemas: what may be recorded, by category and event type, in the newest revision and those before it.

use crate::catalog::{EventsWithoutSchema, Rules};
use crate::crossing::Violation;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::doors::{Door, Doors, Unfit};
use crate::schema::check::{self, Schema};
use crate::schema::documents::Documents;
use crate::schema::keywords::DOORS;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// Why an event is not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What its schema says against it; none when there is no schema.
    pub violations: Vec<Violation>,
    /// What would mend it.
    pub help: String,
}

/// How an event may be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// It fits its schema.
    Fits,
    /// Nobody looked: the door is `off` for its type, or its type has no schema.
    Unchecked,
    /// It is to be flagged; this is what its schema says against it.
    Flagged(Vec<Violation>),
}

/// The schemas of one event type.
#[derive(Debug)]
pub(crate) struct TypeSchemas {
    newest: Schema,
    /// Those before it, the last one first.
    kept: Vec<Schema>,
    doors: Doors,
}

/// The private schemas, by category and event type.
#[derive(Debug)]
pub struct PrivateSchemas {
    rules: Rules,
    by_category: HashMap<String, HashMap<String, TypeSchemas>>,
}

impl PrivateSchemas {
    pub(crate) fn new(
        rules: Rules,
        types: impl IntoIterator<Item = (String, String, TypeSchemas)>,
    ) -> Self {
        let mut by_category: HashMap<String, HashMap<String, TypeSchemas>> = HashMap::new();
        for (category, event_type, schemas) in types {
            by_category
                .entry(category)
                .or_default()
                .insert(event_type, schemas);
        }
        Self { rules, by_category }
    }

    fn of(&self, category: &str, event_type: &str) -> Option<&TypeSchemas> {
        self.by_category.get(category)?.get(event_type)
    }

    /// Whether there is a schema for any event type of the category.
    pub fn has_category(&self, category: &str) -> bool {
        self.by_category.contains_key(category)
    }

    /// Whether there is a schema for the event type.
    pub fn has(&self, category: &str, event_type: &str) -> bool {
        self.of(category, event_type).is_some()
    }

    /// Whether a door lets an event in whose data this is, and how; `None` stands for no data, or data that is not JSON.
    /// HTTP asks the newest schema of the event type; import, which carries what was recorded under earlier ones, is
    /// content with any revision kept.
    ///
    /// # Errors
    /// What the newest schema says against it, where the door rejects it, or that there is no such schema.
    pub fn admit(
        &self,
        door: Door,
        category: &str,
        event_type: &str,
        data: Option<&Value>,
    ) -> Result<Admitted, Refusal> {
        let Some(schemas) = self.of(category, event_type) else {
            return self
                .without_schema(category, event_type)
                .map(|()| Admitted::Unchecked);
        };
        let unfit = schemas.doors.at(door);
        if unfit == Unfit::Off {
            return Ok(Admitted::Unchecked);
        }
        let violations = violations(schemas, data);
        let fits_earlier = || {
            let earlier = door == Door::Import;
            let kept = schemas.kept.iter().filter(|_| earlier);
            data.is_some_and(|data| kept.into_iter().any(|kept| kept.fits(data)))
        };
        if violations.is_empty() || fits_earlier() {
            return Ok(Admitted::Fits);
        }
        match unfit {
            Unfit::Flag => Ok(Admitted::Flagged(violations)),
            _ => Err(refusal(category, event_type, violations)),
        }
    }

    /// Checks data against the newest schema of its event type, whatever the doors do; `None` stands for no data, or
    /// data that is not JSON.
    ///
    /// # Errors
    /// What its schema says against it, or that there is no such schema.
    pub fn check(
        &self,
        category: &str,
        event_type: &str,
        data: Option<&Value>,
    ) -> Result<(), Refusal> {
        let Some(schemas) = self.of(category, event_type) else {
            return self.without_schema(category, event_type);
        };
        let violations = violations(schemas, data);
        if violations.is_empty() {
            return Ok(());
        }
        Err(refusal(category, event_type, violations))
    }

    fn without_schema(&self, category: &str, event_type: &str) -> Result<(), Refusal> {
        match self.rules.events_without_schema {
            EventsWithoutSchema::Accept => Ok(()),
            EventsWithoutSchema::Refuse => Err(Refusal {
                violations: Vec::new(),
                help: how_to_declare(category, event_type),
            }),
        }
    }
}

fn violations(schemas: &TypeSchemas, data: Option<&Value>) -> Vec<Violation> {
    match data {
        Some(data) => check::violations(&schemas.newest, data),
        None => vec![Violation {
            pointer: String::new(),
            reason: "must be JSON".to_owned(),
        }],
    }
}

fn refusal(category: &str, event_type: &str, violations: Vec<Violation>) -> Refusal {
    Refusal {
        violations,
        help: format!(
            "send data that fits schemas/private/{category}/{event_type}.json, or change what it asks for"
        ),
    }
}

fn how_to_declare(category: &str, event_type: &str) -> String {
    let usable = |name: &str| {
        !name.is_empty() && !name.starts_with(['.', '_']) && !name.contains(['/', '\\', '\0'])
    };
    if !usable(category) || !usable(event_type) {
        return "the category and the event type must be usable as file names: the schema is \
                schemas/private/<category>/<EventType>.json"
            .to_owned();
    }
    format!("there is no schema for it: write schemas/private/{category}/{event_type}.json")
}

/// The documents that declare event types.
#[derive(Debug, Default)]
pub(crate) struct EventTypes {
    /// The newest of each, by category and event type.
    pub(crate) newest: BTreeMap<(String, String), usize>,
    /// Those before a newest one, by it; in the order of their numbers.
    pub(crate) kept: HashMap<usize, Vec<usize>>,
}

impl EventTypes {
    /// Finds them; reports documents that stand in no such place, and revisions that are missing.
    pub(crate) fn find(documents: &Documents, diagnostics: &mut Diagnostics) -> Self {
        let mut found = Self::default();
        let mut numbered: BTreeMap<(String, String), BTreeMap<u32, usize>> = BTreeMap::new();
        for (nth, document) in documents.iter().enumerate() {
            let Some(below) = document.path.strip_prefix("private/") else {
                continue;
            };
            let parts: Vec<&str> = below.split('/').collect();
            if parts.iter().any(|part| part.starts_with('_')) {
                continue;
            }
            let names = |event_type: &str| (parts[0].to_owned(), event_type.to_owned());
            match parts.as_slice() {
                [category, file] if !category.contains('-') => {
                    let event_type = file.strip_suffix(".json").unwrap_or(file);
                    found.newest.insert(names(event_type), nth);
                }
                [category, event_type, file]
                    if !category.contains('-') && revision(file).is_some() =>
                {
                    let revisions = numbered.entry(names(event_type)).or_default();
                    revisions.extend(revision(file).map(|number| (number, nth)));
                }
                _ => diagnostics.push(
                    Diagnostic::new("schema-place", "no event type has its schema here")
                        .at(&document.span(""))
                        .mend("private/<category>/<EventType>.json, the category without `-`, and private/<category>/<EventType>/1.json and so on for its earlier revisions; begin the name of what is only referred to with `_`"),
                ),
            }
        }
        for (names, revisions) in numbered {
            found.keep(documents, names, &revisions, diagnostics);
        }
        found
    }

    fn keep(
        &mut self,
        documents: &Documents,
        names: (String, String),
        revisions: &BTreeMap<u32, usize>,
        diagnostics: &mut Diagnostics,
    ) {
        let (category, event_type) = &names;
        let below = format!("private/{category}/{event_type}");
        for (expected, (number, nth)) in (1..).zip(revisions) {
            if *number != expected {
                let at = documents.get(*nth).span("");
                diagnostics.push(
                    Diagnostic::new(
                        "schema-revision",
                        format!("revision {expected} of {event_type} is missing before this one"),
                    )
                    .at(&at)
                    .mend(format!(
                        "earlier revisions are {below}/1.json, 2.json and so on, without a gap"
                    )),
                );
                break;
            }
        }
        match (self.newest.get(&names), revisions.values().next()) {
            (Some(newest), _) => {
                self.kept
                    .insert(*newest, revisions.values().copied().collect());
            }
            (None, Some(first)) => diagnostics.push(
                Diagnostic::new(
                    "schema-revision",
                    format!("the newest schema of {event_type} is missing: this is an earlier one"),
                )
                .at(&documents.get(*first).span(""))
                .mend(format!("write {below}.json")),
            ),
            (None, None) => {}
        }
    }

    /// Takes the compiled schemas of the event types out of all that were compiled.
    pub(crate) fn take(
        &self,
        documents: &Documents,
        compiled: &mut HashMap<usize, Schema>,
        doors: Doors,
    ) -> Vec<(String, String, TypeSchemas)> {
        let mut types = Vec::new();
        for ((category, event_type), nth) in &self.newest {
            let Some(newest) = compiled.remove(nth) else {
                continue;
            };
            let kept = self.kept.get(nth).into_iter().flatten().rev();
            let kept = kept.filter_map(|nth| compiled.remove(nth)).collect();
            let schemas = TypeSchemas {
                newest,
                kept,
                doors: doors.with(documents.get(*nth).value.get(DOORS)),
            };
            types.push((category.clone(), event_type.clone(), schemas));
        }
        types
    }
}

/// The number of a kept revision, by the name of its file.
fn revision(file: &str) -> Option<u32> {
    let digits = file.strip_suffix(".json")?;
    let number: u32 = digits.parse().ok()?;
    (number > 0 && number.to_string() == digits).then_some(number)
}
