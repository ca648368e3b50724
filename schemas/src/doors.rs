//! The doors through which private events come in, and what each does with an event that does not fit its schema.

use serde_json::Value;

/// A door through which private events come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Services that record what happens now; they can mend what is refused.
    Http,
    /// `horizon import`, which carries facts that already happened.
    Import,
}

impl Door {
    /// Every door.
    pub const ALL: [Self; 2] = [Self::Http, Self::Import];

    /// Its name, as it is configured and asked for.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Import => "import",
        }
    }

    /// The door of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|door| door.name() == name)
    }
}

/// What a door does with an event that does not fit its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It is refused.
    Reject,
    /// It is recorded, and flagged.
    Flag,
    /// Nobody looks: events are recorded unchecked.
    Off,
}

impl Unfit {
    /// All that a door can do.
    pub const ALL: [Self; 3] = [Self::Reject, Self::Flag, Self::Off];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Flag => "flag",
            Self::Off => "off",
        }
    }

    /// What the word stands for.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unfit| unfit.word() == word)
    }
}

/// What each door does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doors {
    /// Over HTTP; rejects unless told otherwise.
    pub http: Unfit,
    /// By `horizon import`; flags unless told otherwise.
    pub import: Unfit,
}

impl Default for Doors {
    fn default() -> Self {
        Self {
            http: Unfit::Reject,
            import: Unfit::Flag,
        }
    }
}

impl Doors {
    /// What a door does.
    #[must_use]
    pub fn at(&self, door: Door) -> Unfit {
        match door {
            Door::Http => self.http,
            Door::Import => self.import,
        }
    }

    /// These, with what a schema's `x-doors` says of its own type; that was checked when the schema was read.
    pub(crate) fn with(mut self, own: Option<&Value>) -> Self {
        let say = |door: Door| Unfit::of_word(own?.get(door.name())?.as_str()?);
        self.http = say(Door::Http).unwrap_or(self.http);
        self.import = say(Door::Import).unwrap_or(self.import);
        self
    }
}
