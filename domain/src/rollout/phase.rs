//! The phases of a rollout that have traffic, and the gates in them.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Which part of the rollout this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// A small part of the users; ends at share 0.
    Canary,
    /// Up to all users; ends with the candidate in stable's place.
    Production,
}

impl Phase {
    /// Its word in the plan, the step outputs and the names of artifacts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// A time from which on a person must have said `go` before the share rises again. `no-go` is a rollback, so
/// only `go` is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Since the phase began.
    pub at: SignedDuration,
    /// Who said `go`.
    pub go: Option<Decision>,
}

/// Somebody's decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What people and other systems report, and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Users are hurt now, or a vulnerability: level 1, traffic back at once.
    Critical,
    /// The service is worse for a while already: level 2, traffic back step by step.
    Degradation,
    /// Data is being damaged: traffic back at once, and level 3 has to be considered by a person.
    Corruption,
    /// Worth knowing: nothing rises until a person says `go`.
    Watch,
}

impl Severity {
    /// Its word on the command line and in the journal.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Degradation => "degradation",
            Self::Corruption => "corruption",
            Self::Watch => "watch",
        }
    }
}

/// A signal from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// How bad.
    pub severity: Severity,
    /// In words.
    pub text: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Who said `go` in spite of it; only a [`Severity::Watch`] waits for that.
    pub go: Option<Decision>,
}

impl Signal {
    /// Who reported what.
    #[must_use]
    pub fn in_words(&self) -> String {
        format!(
            "signal ({}) from {}: {}",
            self.severity.word(),
            self.by,
            self.text
        )
    }
}
