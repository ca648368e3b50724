//! Public ids and pseudonyms.

/// The store's secret that public ids and pseudonyms are made under. `Debug` does not show it.
#[derive(Clone)]
pub struct IdSecret([u8; 32]);

impl IdSecret {
    /// From 32 random bytes that are kept with the store.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }
}

impl std::fmt::Debug for IdSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let _ = &self.0;
        f.write_str("IdSecret(..)")
    }
}
