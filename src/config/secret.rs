//! A value that must not appear anywhere: no `Debug`, no `Display`, no `Serialize`.

use secrecy::{ExposeSecret, SecretString};

/// Text from a reference (`env:`, `file:`); wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The value, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}
