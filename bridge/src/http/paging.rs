//! How the pages of the log and of public streams follow each other. (Those of a stream go by revision, and have neighbours of their
//! own: `read.rs`.)

use super::form::Form;
use super::page::{Address, refuse};
use super::problem::Problem;

/// What a query says besides what is wanted, as far as it may contradict itself.
#[derive(Default)]
pub(super) struct Said {
    pub(super) after: bool,
    pub(super) since: bool,
    pub(super) before: bool,
    pub(super) limit: bool,
    pub(super) wait: bool,
    pub(super) is_back: bool,
}

impl Said {
    /// Refuses what contradicts itself.
    pub(super) fn check(&self, form: Form, mend: &str) -> Result<(), Problem> {
        if self.is_back {
            let said = [
                ("after", self.after),
                ("since", self.since),
                ("wait", self.wait),
            ];
            refuse(&said, "means nothing backwards", mend)?;
        } else {
            let said = [("before", self.before)];
            refuse(&said, "means something backwards only", mend)?;
        }
        let both = self.after && self.since;
        refuse(&[("since", both)], "and `after` are two beginnings", mend)?;
        self.check_follow(form, mend)
    }

    /// Refuses what belongs to pages where events are followed.
    pub(super) fn check_follow(&self, form: Form, mend: &str) -> Result<(), Problem> {
        if form != Form::Follow {
            return Ok(());
        }
        let said = [
            ("limit", self.limit),
            ("wait", self.wait),
            ("direction", self.is_back),
        ];
        refuse(&said, "means nothing where events are followed", mend)
    }
}

/// How pages are asked for.
pub(super) struct Paging {
    pub(super) limit: usize,
    pub(super) is_back: bool,
    /// Seconds of a long poll.
    pub(super) wait: Option<u64>,
    /// The epoch that the address names.
    pub(super) epoch: Option<u64>,
}

/// Where a page ends.
pub(super) struct End {
    /// Everything up to here was looked at; backwards, everything from here on.
    pub(super) through: u64,
    pub(super) head: u64,
    /// Whether there is more before a page that goes backwards.
    pub(super) has_more_before: bool,
    /// The present epoch.
    pub(super) epoch: u64,
}

impl Paging {
    /// The first page, and the next one if there is or may be one; `base` says what is wanted.
    pub(super) fn links(&self, base: Address, end: &End) -> Vec<(&'static str, Address)> {
        let base = base.with("limit", self.limit).with("epoch", end.epoch);
        let (first, next) = if self.is_back {
            let base = base.with("direction", "backwards");
            let next = end
                .has_more_before
                .then(|| base.with("before", end.through));
            (base, next)
        } else {
            let next = base.with("after", end.through);
            let next = match self.wait {
                _ if end.through < end.head => Some(next.with_some("wait", self.wait)),
                Some(wait) => Some(next.with("wait", wait)),
                None => None,
            };
            (base.with("after", 0), next)
        };
        let next = next.map(|next| ("next", next));
        [("first", first)].into_iter().chain(next).collect()
    }

    /// Whether a page stays what it is. The document tells the head, which moves on. Without it, a page that others come after is
    /// what it is for as long as the epoch lasts, which the address must name; one backwards, where it begins at what is there.
    pub(super) fn is_settled(&self, form: Form, has_next: bool, begins_within: bool) -> bool {
        form != Form::Json
            && has_next
            && self.wait.is_none()
            && self.epoch.is_some()
            && (!self.is_back || begins_within)
    }
}
