//! Preconditions of changes.

/// Requirement of a change on the present version (RFC 9110, section 13).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: the change is based on what is read just before it.
    #[default]
    Unset,
    /// There is one (`If-Match: *`).
    Any,
    /// It is one of these (`If-Match: "7", "8"`).
    Is(Vec<u64>),
    /// There is none (`If-None-Match: *`).
    None,
}

impl Precondition {
    /// Returns true if the present version, `None` if there is none, is as required.
    pub fn holds(&self, present: Option<u64>) -> bool {
        match self {
            Precondition::Unset => true,
            Precondition::Any => present.is_some(),
            Precondition::Is(versions) => present.is_some_and(|present| versions.contains(&present)),
            Precondition::None => present.is_none(),
        }
    }
}
