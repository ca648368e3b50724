//! The contract language: from YAML to raw contracts, in which every word knows its place.
//!
//! What is here knows the grammar only. Whether a broker, a schema or a field exists is decided in `resolve`.

pub(crate) mod fields;
mod leaf;
mod outlet;
pub(crate) mod raw;
pub(crate) mod yaml;

use fields::Later;

/// Keys that are known and not built yet.
const LATER: &[Later] = &[
    Later {
        key: "datapoints",
        mend: "take it out: transient measurements cannot be published by contract yet",
    },
    Later {
        key: "subject",
        mend: "take it out: a contract cannot set `subject` yet",
    },
    Later {
        key: "time",
        mend: "take it out: `time` is the private event's own",
    },
    Later {
        key: "attributes",
        mend: "take it out: a contract cannot add attributes yet",
    },
    Later {
        key: "waivers",
        mend: "take it out: there is nothing to waive yet",
    },
];
