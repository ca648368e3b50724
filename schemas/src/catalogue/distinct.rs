//! Names of a document's parts, told apart where two parts would have the same.

use std::collections::{BTreeMap, BTreeSet};

/// A name for each part: the one that is wanted for it, with a number after it where an earlier part has that one.
pub(super) fn distinct<K: Ord>(
    wanted: impl IntoIterator<Item = (K, String)>,
) -> BTreeMap<K, String> {
    let wanted: Vec<(K, String)> = wanted.into_iter().collect();
    // A numbered name is none that another part wants.
    let mut taken: BTreeSet<String> = wanted.iter().map(|(_, name)| name.clone()).collect();
    let mut given = BTreeSet::new();
    let mut names = BTreeMap::new();
    for (part, name) in wanted {
        let own = if given.insert(name.clone()) {
            name
        } else {
            let numbered = (2_usize..).map(|nth| format!("{name}-{nth}"));
            let mut free = numbered.filter(|name| taken.insert(name.clone()));
            free.next().unwrap_or(name)
        };
        names.insert(part, own);
    }
    names
}
