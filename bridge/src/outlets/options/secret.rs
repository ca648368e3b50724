//! Secrets: where they are, and what keeps them from being shown.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{FieldError, Surroundings};

/// Where a secret is: never in the configuration itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum SecretSource {
    /// Somewhere else.
    Elsewhere(SecretPlace),
    /// Written out, which is refused. Whatever it is, it is dropped here, so that no error text repeats it.
    WrittenOut(IgnoredAny),
}

/// The places that a secret can be in.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum SecretPlace {
    /// In an environment variable of this name.
    Env(String),
    /// In a file. One line end at its end is not part of the secret.
    File(PathBuf),
}

/// The variables of secrets that are not set here, where options are only checked: what is in them was not looked at.
#[derive(Debug, Default)]
pub(crate) struct Unset(RefCell<BTreeSet<String>>);

impl Unset {
    /// Their names; none, if all are set.
    pub(crate) fn names(&self) -> Option<String> {
        let names = self.0.borrow();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }
}

/// A secret, which shows itself to nobody who only prints it.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// The secret itself, for the client library.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A user and a password.
#[derive(Debug, Clone)]
pub(in crate::outlets) struct Credentials {
    pub(in crate::outlets) username: String,
    pub(in crate::outlets) password: Secret,
}

impl Credentials {
    /// The credentials of a `username` and a `password` field: both, or neither.
    pub(super) fn resolve(
        username: Option<&str>,
        password: Option<&SecretSource>,
        surroundings: &Surroundings<'_>,
    ) -> Result<Option<Self>, FieldError> {
        match (username, password) {
            (None, None) => Ok(None),
            (Some(username), Some(source)) => Ok(Some(Self {
                username: username.to_owned(),
                password: source.read("password", surroundings)?,
            })),
            (Some(_), None) => Err(FieldError {
                field: "password",
                problem: "missing: a username needs one, as { env: NAME } or { file: PATH }"
                    .to_owned(),
            }),
            (None, Some(_)) => Err(FieldError {
                field: "username",
                problem: "missing: a password needs one".to_owned(),
            }),
        }
    }
}

impl SecretSource {
    /// The file that it is in, if it is in one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Elsewhere(SecretPlace::File(path)) => Some(path),
            _ => None,
        }
    }

    /// Reads the secret of a field; where options are only checked and its variable is not set, something in its place.
    pub(crate) fn read(
        &self,
        field: &'static str,
        surroundings: &Surroundings<'_>,
    ) -> Result<Secret, FieldError> {
        let found = self.find(field, surroundings)?;
        Ok(found.unwrap_or_else(|| Secret("unset".to_owned())))
    }

    /// Reads the secret of a field. None: options are only checked, and its variable is not set.
    pub(crate) fn find(
        &self,
        field: &'static str,
        surroundings: &Surroundings<'_>,
    ) -> Result<Option<Secret>, FieldError> {
        let wrong = |problem: String| FieldError { field, problem };
        let place = match self {
            Self::Elsewhere(place) => place,
            Self::WrittenOut(_) => {
                return Err(wrong(
                    "a secret is never written here: use { env: NAME } or { file: PATH }"
                        .to_owned(),
                ));
            }
        };
        let text = match place {
            SecretPlace::Env(name) => {
                match ((surroundings.environment)(name), surroundings.unset) {
                    (Some(text), _) => text,
                    (None, Some(unset)) => {
                        unset.0.borrow_mut().insert(name.clone());
                        return Ok(None);
                    }
                    (None, None) => {
                        return Err(wrong(format!("the environment variable {name} is not set")));
                    }
                }
            }
            SecretPlace::File(path) => {
                let path = surroundings.folder.join(path);
                let mut text = std::fs::read_to_string(&path)
                    .map_err(|error| wrong(format!("{}: {error}", path.display())))?;
                if text.ends_with('\n') {
                    text.pop();
                    if text.ends_with('\r') {
                        text.pop();
                    }
                }
                text
            }
        };
        if text.is_empty() {
            return Err(wrong("the secret is empty".to_owned()));
        }
        Ok(Some(Secret(text)))
    }
}
