//! What people are told, in words, whatever the channel.

pub mod story;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    analysis::Outcome,
    rollout::event::{Event, Line},
    weight::Weight,
};

/// Who must know: the plan routes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look today.
    Warning,
    /// Somebody must look now.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

/// One message, for every channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Who must know.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What happened, why, and what to do next.
    pub text: String,
    /// Where to look, if there is a page for it.
    pub link: Option<String>,
}

/// The notice for what happened, where people should hear of it at all.
#[must_use]
pub fn of(line: &Line) -> Option<Notice> {
    let rollout = &line.rollout;
    let (severity, title, text) = match &line.event {
        Event::Started => (Severity::Info, "rollout started".to_owned(), "The candidate is at 0 %.".to_owned()),
        Event::Raised { .. } => {
            (Severity::Info, format!("candidate at {}", line.weight), "It is watched; a bad verdict takes it back.".to_owned())
        }
        Event::Passed { .. } => (
            Severity::Info,
            format!("{} passed", line.phase),
            "Every step ended healthy. The candidate is back at 0 % because nobody watches it until the next phase."
                .to_owned(),
        ),
        Event::Entered => (Severity::Info, format!("{} began", line.phase), "The candidate is at 0 %.".to_owned()),
        Event::Promoted => (
            Severity::Info,
            "promoted".to_owned(),
            "The candidate has all the traffic and is stable now. The old version stands until shift-traffic finish; \
             until then a rollback goes back to it."
                .to_owned(),
        ),
        Event::Finished => (Severity::Info, "finished".to_owned(), "The old version may go.".to_owned()),
        Event::Resumed => (Severity::Info, "resumed".to_owned(), format!("{} lets it go on.", line.actor)),
        Event::GateReached { what } => (
            Severity::Warning,
            format!("waits for a person at {}", line.weight),
            format!("{what} Until then it is watched, and taken back if it is bad."),
        ),
        Event::Approved { reason } => (Severity::Info, format!("{} says go", line.actor), reason.clone()),
        Event::Signalled { severity, text } => {
            (Severity::Warning, format!("signal ({}) from {}", severity.word(), line.actor), text.clone())
        }
        Event::Lowered { from, reason } => {
            (Severity::Critical, format!("ROLLING BACK, candidate from {from} to {}", line.weight), reason.clone())
        }
        Event::LeftOver { what } => (Severity::Warning, "something is left to do".to_owned(), format!("{what}.")),
        Event::Unwatched { reason } => (
            Severity::Critical,
            format!("NOBODY WATCHES {}, whose candidate has {}", rollout, line.weight),
            format!("{reason}. Start a driver with shift-traffic run, or roll back with shift-traffic rollback."),
        ),
        Event::Set { from, reason } => {
            (Severity::Warning, format!("{} set the candidate from {from} to {}", line.actor, line.weight), reason.clone())
        }
        Event::Paused { from, reason } => (
            Severity::Warning,
            format!("paused, candidate from {from} to 0 %"),
            format!("{reason}. The next run of this phase goes on at the same step."),
        ),
        Event::Precaution { from, sentence } => (
            Severity::Critical,
            format!("BOTH VERSIONS ARE WORSE, candidate from {from} to 0 % as a precaution"),
            sentence.clone(),
        ),
        Event::RolledBack { from, reason, .. } => {
            (Severity::Critical, format!("ROLLED BACK, candidate from {from} to 0 %"), reason.clone())
        }
        Event::Hindered { obstacles } if !obstacles.is_empty() => {
            (Severity::Warning, "the share does not rise".to_owned(), obstacles.join("; "))
        }
        Event::Overdue { sentence } => (
            Severity::Warning,
            format!("step at {} has had twice its time and is not proved", line.weight),
            format!("{sentence} Decide: wait, set another share (shift-traffic set), or roll back (shift-traffic rollback)."),
        ),
        Event::Judged { outcome: Outcome::Hold, sentence } if line.weight > Weight::ZERO => {
            (Severity::Warning, format!("on hold at {}", line.weight), sentence.clone())
        }
        Event::Judged { outcome: Outcome::Warn, sentence } => {
            (Severity::Warning, format!("a warning at {}", line.weight), sentence.clone())
        }
        Event::SuccessorFailed { error } => (Severity::Warning, "the next driver cannot be started".to_owned(), error.clone()),
        Event::RouterFailed { error } => (Severity::Warning, "the router does not obey".to_owned(), error.clone()),
        Event::Stuck { error } => (
            Severity::Critical,
            "ROLLBACK IS STUCK, a person must come".to_owned(),
            format!("{error}."),
        ),
        Event::Taken
        | Event::Prepared { .. }
        | Event::Hindered { .. }
        | Event::Judged { .. }
        | Event::SuccessorCalled { .. }
        | Event::HandedOver { .. }
        | Event::Fenced { .. }
        | Event::NotTold { .. } => return None,
    };
    Some(Notice {
        severity,
        title: format!("{rollout}: {title}"),
        text,
        link: None,
    })
}
