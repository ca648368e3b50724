//! Whether what is mapped can fit the public schema at all, by what the private schemas say of it.
//!
//! Only what can never fit is told: a constant that is refused, a path whose types are others, an enumeration of which
//! every value is refused. What an expression gives, and what a schema leaves open, is checked event by event.

use crate::crossing::Violation;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::language::raw::{Data, Leaf};
use crate::path::{Path, Step};
use crate::schema::check;
use crate::schema::must::{Must, Place, Types};
use crate::schema::shape::Declared;
use crate::source::{At, Span};
use serde_json::Value;

/// A place of the public data.
#[derive(Clone)]
pub(super) struct Public {
    pub(super) place: Place,
    pub(super) declared: Option<Declared>,
    pub(super) path: Path,
}

/// Where the mapping stands.
pub(super) struct Fits<'f, 'd> {
    pub(super) must: &'f mut Must<'d>,
    /// The private event type.
    pub(super) event: &'f str,
    /// The public schema, by its path below the schemas folder.
    pub(super) schema: &'f str,
    pub(super) diagnostics: &'f mut Diagnostics,
}

impl Fits<'_, '_> {
    /// Checks the fields of an object. `private` are the places that paths begin at, one for each revision.
    pub(super) fn fields(
        &mut self,
        fields: &[&(At<String>, At<Leaf>)],
        private: Vec<Place>,
        public: &Public,
    ) {
        for (name, leaf) in fields {
            let there = self.step(public, Step::Field(name.value.clone()));
            self.leaf(leaf, &private, &there);
        }
    }

    fn step(&mut self, public: &Public, step: Step) -> Public {
        let mut path = public.path.clone();
        path.0.push(step.clone());
        let place = self.must.step(public.place, &step);
        let step = Path(vec![step]);
        let declared = public.declared.as_ref();
        Public {
            place,
            declared: declared.and_then(|declared| declared.find(&step).ok()),
            path,
        }
    }

    fn leaf(&mut self, leaf: &At<Leaf>, private: &[Place], public: &Public) {
        match &leaf.value {
            Leaf::Unreadable | Leaf::Jq(_) => {}
            Leaf::Const(value) => self.constant(value, &leaf.span, public),
            Leaf::Path(text) => self.path(text, &leaf.span, private, public),
            Leaf::Reveal { path } => self.path(&path.value, &path.span, private, public),
            Leaf::PublicId { .. } => {
                self.made("a public id", Types::STRING, &leaf.span, public);
            }
            Leaf::Data(data) => {
                if self.made("`data`", Types::OBJECT, &leaf.span, public) {
                    self.fields(&all(data), private.to_vec(), public);
                }
            }
            Leaf::Each { over, data } => {
                if !self.made("`each`", Types::ARRAY, &leaf.span, public) {
                    return;
                }
                let Ok(mut path) = Path::parse(&over.value) else {
                    return;
                };
                path.0.push(Step::Each);
                let items = private.iter().map(|one| self.must.at(*one, &path));
                let items = items.collect();
                let there = self.step(public, Step::Each);
                self.fields(&all(data), items, &there);
            }
        }
    }

    fn constant(&mut self, value: &Value, span: &Span, public: &Public) {
        let Some(schema) = self.must.schema(public.place) else {
            return;
        };
        let mut value = value.clone();
        if let Some(declared) = &public.declared {
            declared.close(&mut value);
        }
        if let Some(first) = check::violations(&schema, &value).first() {
            let Violation { pointer, reason } = first;
            let at = format!("{}{pointer}", public.path.pointer());
            let told = format!("the constant never fits {} at {at}: {reason}", self.schema);
            self.tell(
                told,
                "write a constant that fits, or change the public schema",
                span,
            );
        }
    }

    fn path(&mut self, text: &str, span: &Span, private: &[Place], public: &Public) {
        let Ok(path) = Path::parse(text) else {
            return;
        };
        let places: Vec<Place> = private
            .iter()
            .map(|one| self.must.at(*one, &path))
            .collect();
        let given = places.iter().map(|place| self.must.types(*place));
        let given = given.reduce(|one, other| one | other).unwrap_or(Types::ALL);
        // What may never be there at all is no matter of the public schema.
        if given == Types::NONE {
            return;
        }
        let allowed = self.must.types(public.place);
        let at = public.path.pointer();
        let (event, schema) = (self.event, self.schema);
        if given & allowed == Types::NONE {
            let told = format!(
                "{path} never fits {schema} at {at}: in {event} it is {given}, and the public schema allows {allowed}"
            );
            return self.tell(
                told,
                "map another path or an expression, or change one of the schemas",
                span,
            );
        }
        if let Some(refused) = self.values(&places, public) {
            let told = format!(
                "{path} never fits {schema} at {at}: in {event} it is one of {refused}, and the public schema refuses each of them"
            );
            self.tell(
                told,
                "map it by an expression, or let the schemas have values in common",
                span,
            );
        }
    }

    /// The only values that may be copied, if there are such and the public schema refuses them all.
    fn values(&mut self, places: &[Place], public: &Public) -> Option<String> {
        let mut values: Vec<Value> = Vec::new();
        for place in places {
            values.extend(self.must.values(*place)?);
        }
        // Of objects and arrays only what is declared is copied: they may fit yet.
        let is_scalar = |value: &Value| !value.is_object() && !value.is_array();
        if values.is_empty() || !values.iter().all(is_scalar) {
            return None;
        }
        let schema = self.must.schema(public.place)?;
        let fits = |value: &Value| spellings(value).iter().any(|one| schema.fits(one));
        if values.iter().any(fits) {
            return None;
        }
        let shown: Vec<String> = values
            .iter()
            .take(MAX_SHOWN)
            .map(Value::to_string)
            .collect();
        let more = if values.len() > MAX_SHOWN {
            ", …"
        } else {
            ""
        };
        Some(format!("{}{more}", shown.join(", ")))
    }

    /// Checks what a leaf makes, whatever the event; tells whether its type is allowed.
    fn made(&mut self, what: &str, types: Types, span: &Span, public: &Public) -> bool {
        let allowed = self.must.types(public.place);
        let fits = allowed & types != Types::NONE;
        if !fits {
            let at = public.path.pointer();
            let told = format!(
                "{what} never fits {} at {at}: it makes {types}, and the public schema allows {allowed}",
                self.schema
            );
            self.tell(
                told,
                "map something else, or change the public schema",
                span,
            );
        }
        fits
    }

    /// What several entries share is told once.
    fn tell(&mut self, message: String, mend: &str, span: &Span) {
        let diagnostic = Diagnostic::new("never-fits", message).at(span).mend(mend);
        if !self.diagnostics.iter().any(|told| *told == diagnostic) {
            self.diagnostics.push(diagnostic);
        }
    }
}

/// How many values of an enumeration are shown.
const MAX_SHOWN: usize = 8;

/// The same value as it may be written: `1` is `1.0`, and draft 4 has only one of them as an integer.
fn spellings(value: &Value) -> Vec<Value> {
    let mut all = vec![value.clone()];
    let whole = value.as_f64().filter(|number| number.fract() == 0.0);
    if let Some(number) = whole.filter(|number| number.abs() < 1e15) {
        let texts = [format!("{number:.0}"), format!("{number:.1}")];
        all.extend(
            texts
                .iter()
                .filter_map(|text| serde_json::from_str(text).ok()),
        );
    }
    all
}

fn all(data: &Data) -> Vec<&(At<String>, At<Leaf>)> {
    data.iter().collect()
}
