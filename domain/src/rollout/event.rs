//! What happens in a rollout, as the journal keeps it and people are told.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    analysis::Outcome,
    rollout::{phase::Severity, record::Record},
    weight::Weight,
};

/// Something that happened. The names are API: `events.jsonl` is read by others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A rollout began, at share 0.
    Started,
    /// A driver took the generation.
    Taken,
    /// The candidate has a new, higher share.
    Raised {
        /// The share before.
        from: Weight,
    },
    /// A person set the share.
    Set {
        /// The share before.
        from: Weight,
        /// Why.
        reason: String,
    },
    /// Share 0, resumable.
    Paused {
        /// The share before.
        from: Weight,
        /// Why.
        reason: String,
    },
    /// Share 0 until a person goes on: both versions are worse since a rise.
    Precaution {
        /// The share before.
        from: Weight,
        /// The judge's words.
        sentence: String,
    },
    /// Share 0, for good.
    RolledBack {
        /// The share before.
        from: Weight,
        /// Why.
        reason: String,
        /// From the decision to the router's confirmation, in milliseconds.
        took_ms: u64,
    },
    /// Every step ended healthy; share 0 until the next phase.
    Passed {
        /// The share before.
        from: Weight,
    },
    /// The next phase began, at share 0.
    Entered,
    /// The candidate became stable.
    Promoted,
    /// The old version may go.
    Finished,
    /// It may go on after a pause.
    Resumed,
    /// A person has to say `go` before the share rises again.
    GateReached {
        /// What they have to decide, in words.
        what: String,
    },
    /// A person said `go`.
    Approved {
        /// Why.
        reason: String,
    },
    /// Something was reported from outside.
    Signalled {
        /// How bad.
        severity: Severity,
        /// What.
        text: String,
    },
    /// On the way back, at a lower share.
    Lowered {
        /// The share before.
        from: Weight,
        /// Why.
        reason: String,
    },
    /// Something is done to what runs behind the router: scaled, held, released, quieted.
    Prepared {
        /// What, in words.
        what: String,
    },
    /// The traffic is where it belongs, but something behind the router is not as it should be.
    LeftOver {
        /// What, in words.
        what: String,
    },
    /// The driver leaves while the candidate has users: they stay, and nobody watches.
    Unwatched {
        /// Why it leaves.
        reason: String,
    },
    /// The verdict's outcome or its reason changed.
    Judged {
        /// The verdict's outcome.
        outcome: Outcome,
        /// The sentence for a person.
        sentence: String,
    },
    /// A rise is forbidden, and why; empty when nothing forbids it any more.
    Hindered {
        /// In words.
        obstacles: Vec<String>,
    },
    /// A step has had twice its time without a proof: a person must decide.
    Overdue {
        /// What the verdict says.
        sentence: String,
    },
    /// The budget ended and a successor was called.
    SuccessorCalled {
        /// Its run, if the platform told. `run` is the line's own.
        #[serde(rename = "successor")]
        run: Option<String>,
    },
    /// Calling it went wrong; tried again.
    SuccessorFailed {
        /// Why.
        error: String,
    },
    /// A successor has taken the generation.
    HandedOver {
        /// To whom. `run` is the line's own.
        #[serde(rename = "successor")]
        run: String,
    },
    /// Somebody newer owns the rollout.
    Fenced {
        /// Who.
        by: String,
    },
    /// The router did not answer or did not obey.
    RouterFailed {
        /// Why.
        error: String,
    },
    /// The rollback cannot be done now; tried again.
    Stuck {
        /// Why.
        error: String,
    },
    /// A channel could not be reached. It stops nothing.
    NotTold {
        /// Which.
        channel: String,
        /// Why.
        error: String,
    },
}

/// One line of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// Which rollout.
    pub rollout: String,
    /// The record's generation.
    pub generation: u64,
    /// The record's sequence.
    pub sequence: u64,
    /// The share after it.
    pub weight: Weight,
    /// The record's phase.
    pub phase: String,
    /// Whose run wrote this line.
    pub run: String,
    /// On whose behalf.
    pub actor: String,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

impl Line {
    /// The line for `event` while the router has `record`.
    #[must_use]
    pub fn new(record: &Record, event: Event, run: &str, actor: &str, at: Timestamp) -> Self {
        Self {
            at,
            rollout: record.rollout.clone(),
            generation: record.generation,
            sequence: record.sequence,
            weight: record.weight,
            phase: record.phase.word().to_owned(),
            run: run.to_owned(),
            actor: actor.to_owned(),
            event,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::record::{
        State,
        tests::{at, record},
    };

    /// A key twice in a line would make the journal unreadable.
    #[test]
    fn every_event_is_read_as_it_was_written() {
        let (from, text) = (Weight::ZERO, || "why".to_owned());
        for event in [
            Event::Started,
            Event::Taken,
            Event::Raised { from },
            Event::Set { from, reason: text() },
            Event::Paused { from, reason: text() },
            Event::Precaution {
                from,
                sentence: text(),
            },
            Event::RolledBack {
                from,
                reason: text(),
                took_ms: 7,
            },
            Event::Passed { from },
            Event::Entered,
            Event::Promoted,
            Event::Finished,
            Event::Resumed,
            Event::GateReached { what: text() },
            Event::Approved { reason: text() },
            Event::Signalled {
                severity: Severity::Watch,
                text: text(),
            },
            Event::Lowered { from, reason: text() },
            Event::Prepared { what: text() },
            Event::LeftOver { what: text() },
            Event::Unwatched { reason: text() },
            Event::Judged {
                outcome: Outcome::Watch,
                sentence: text(),
            },
            Event::Hindered {
                obstacles: vec![text()],
            },
            Event::Overdue { sentence: text() },
            Event::SuccessorCalled { run: Some(text()) },
            Event::SuccessorCalled { run: None },
            Event::SuccessorFailed { error: text() },
            Event::HandedOver { run: text() },
            Event::Fenced { by: text() },
            Event::RouterFailed { error: text() },
            Event::Stuck { error: text() },
            Event::NotTold {
                channel: text(),
                error: text(),
            },
        ] {
            let line = Line::new(&record(State::Passed), event, "run 7", "octocat", at(5));
            let written = serde_json::to_string(&line).unwrap();
            assert_eq!(serde_json::from_str::<Line>(&written).unwrap(), line, "{written}");
        }
    }
}
