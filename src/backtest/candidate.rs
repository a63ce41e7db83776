//! Candidates: other limits, each under a name.

use crate::domain::Limits;

/// Maximum number of candidates.
pub const CANDIDATES_MAX: usize = 32;

/// Maximum length of a candidate's name, in characters.
pub const NAME_CHARACTERS_MAX: usize = 64;

/// The name of the limits that candidates are compared with. No candidate has it.
pub const BASE_NAME: &str = "base";

/// Limits that are compared with the base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The name, unique among the candidates.
    pub name: String,
    /// The limits, in place of the base's.
    pub limits: Limits,
}

/// The candidates of a backtest, in order: at least one, at most [`CANDIDATES_MAX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates(Vec<Candidate>);

/// Reason why some limits cannot be candidates together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CandidateError {
    /// There is no candidate.
    #[error("there is no candidate: nothing to compare with the base")]
    None,
    /// There are more candidates than a backtest takes.
    #[error("there are {count} candidates; at most {CANDIDATES_MAX} are allowed")]
    TooMany {
        /// Their number.
        count: usize,
    },
    /// A name is empty, too long, or has a character that cannot be printed.
    #[error("the name of candidate {number} must be 1 to {NAME_CHARACTERS_MAX} printable characters")]
    BadName {
        /// The candidate's number, from 1.
        number: usize,
    },
    /// A candidate has the name of the base.
    #[error("candidate {number} must not be called {BASE_NAME}: that is the name of the limits it is compared with")]
    BaseName {
        /// The candidate's number, from 1.
        number: usize,
    },
    /// Two candidates have the same name.
    #[error("candidates {first} and {second} have the same name")]
    SameName {
        /// The first candidate's number, from 1.
        first: usize,
        /// The second candidate's number, from 1.
        second: usize,
    },
}

impl Candidates {
    /// Checks candidates, and combines them.
    ///
    /// # Errors
    /// [`CandidateError`] of the first candidate whose name is not valid, or when there are none or too many.
    pub fn new(candidates: Vec<Candidate>) -> Result<Candidates, CandidateError> {
        match candidates.len() {
            0 => return Err(CandidateError::None),
            1..=CANDIDATES_MAX => {}
            count => return Err(CandidateError::TooMany { count }),
        }
        for (number, candidate) in (1..).zip(&candidates) {
            if !is_printable(&candidate.name) {
                return Err(CandidateError::BadName { number });
            }
            if candidate.name == BASE_NAME {
                return Err(CandidateError::BaseName { number });
            }
            let mut with_name = (1..).zip(&candidates).filter(|(_, other)| other.name == candidate.name);
            if let Some((first, _)) = with_name.next().filter(|(first, _)| *first < number) {
                return Err(CandidateError::SameName { first, second: number });
            }
        }
        Ok(Candidates(candidates))
    }

    /// Returns the candidates, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Candidate> {
        self.0.iter()
    }
}

fn is_printable(name: &str) -> bool {
    let is_visible = !name.trim().is_empty();
    is_visible && name.chars().count() <= NAME_CHARACTERS_MAX && !name.chars().any(super::numbers::is_unprintable)
}
