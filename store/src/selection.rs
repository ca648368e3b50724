//! Selections: which records of a log are read.

use crate::event::Record;

/// Which records of a log are read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Selection {
    /// All, system records and markers included.
    #[default]
    All,
    /// The events of the streams of a category.
    Category(String),
    /// The events of a type.
    EventType(String),
}

impl Selection {
    /// Whether no record can ever be selected: no name has control characters, and no key could hold them.
    pub(crate) fn is_impossible(&self) -> bool {
        match self {
            Self::All => false,
            Self::Category(name) | Self::EventType(name) => name.contains(char::is_control),
        }
    }

    /// Whether a record that an index names is one of these. A marker tells nothing of what stood in its place.
    pub(crate) fn fits(&self, record: &Record) -> bool {
        match (self, record) {
            (Self::All, _) | (_, Record::Marker { .. }) => true,
            (_, Record::System { .. }) => false,
            (Self::Category(category), Record::Event(event)) => event.category() == category,
            (Self::EventType(event_type), Record::Event(event)) => event.event_type() == event_type,
        }
    }
}
