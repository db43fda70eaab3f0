//! The record: everything the next driver needs, in one value on the router.

mod text;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    analysis::Counts,
    rollout::{
        ladder::{Ladder, Step},
        phase::{Gate, Phase, Signal},
    },
    weight::Weight,
};

pub use text::Unreadable;
pub(super) use text::as_written;

/// The schema that this version writes. Older ones are read; newer ones are refused for everything but a rollback.
pub const SCHEMA: u32 = 2;

/// One of the two versions of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// The router's name for it.
    pub backend: String,
    /// The metrics' name for it.
    pub version: String,
    /// The images that its pods ran when the rollout began, sorted; empty where the router's platform tells none.
    #[serde(default)]
    pub images: Vec<String>,
}

/// Where the rollout stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", deny_unknown_fields)]
pub enum State {
    /// Share 0; the next driver raises to this step.
    Ready {
        /// From 0.
        step: usize,
    },
    /// The candidate has this step's share and is watched.
    Holding {
        /// From 0.
        step: usize,
        /// When the share was written.
        since: Timestamp,
    },
    /// Share 0, not judged bad; the next run resumes at this step.
    Paused {
        /// From 0.
        step: usize,
        /// A person paused it, so it is a person who goes on with it: no successor that was called before.
        ///
        /// Schema 2 got this later. A rollgate that does not know it reads every record without it, and a record with
        /// it not at all, so that it does not go on either.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        by_hand: bool,
        /// In words.
        reason: String,
    },
    /// On the way back, at a share that does not rise any more: by steps, or because stable cannot carry all yet.
    RollingBack {
        /// What is left to the candidate, not more than it had.
        weight: Weight,
        /// In words.
        reason: String,
    },
    /// Share 0, for good.
    RolledBack {
        /// In words.
        reason: String,
    },
    /// The canary's last step ended healthy. Share 0: nobody watches now.
    Passed,
    /// The candidate has become stable and has all the traffic. What was stable is the record's candidate now,
    /// with share 0; while it stands a rollback changes them back.
    Promoted {
        /// When it got all the traffic.
        since: Timestamp,
    },
    /// The old version may be gone: there is no way back from here, only a new rollout.
    Finished,
}

/// The plan as it was at `start`; successors use this one and no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// sha256 of the plan file, hex.
    pub hash: String,
    /// The commit to check out for it, if known.
    pub commit: Option<String>,
    /// Version of rollgate.
    pub tool: String,
}

impl Pin {
    /// Never two truths: why whoever has another plan or another rollgate may watch and roll back, and nothing else.
    #[must_use]
    pub fn refusal(&self, ours: &Self) -> Option<String> {
        let short = |hash: &str| hash.chars().take(12).collect::<String>();
        if self.hash != ours.hash {
            let commit = self.commit.as_ref();
            let from = commit.map_or_else(String::new, |commit| format!(", commit {commit}"));
            return Some(format!(
                "the plan was changed in the middle of the rollout: go on with the one it started with (sha256 {}{from}; \
                 this one is {}), or roll back and start anew",
                short(&self.hash),
                short(&ours.hash)
            ));
        }
        (self.tool != ours.tool).then(|| {
            format!(
                "the rollout was started with rollgate {}, this is {}: go on with the same",
                self.tool, ours.tool
            )
        })
    }
}

/// How this rollout's evidence is counted; measured once, so that every driver counts alike.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Looks lie on a grid that begins here.
    pub origin: Timestamp,
    /// Length of a look.
    pub look: SignedDuration,
    /// `m` of the kernel: mean size of a cluster of errors, 1 to 20.
    pub cluster_size: f64,
    /// The same of slow requests, where they are judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_cluster_size: Option<f64>,
    /// The same of the team's own checks, where there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_cluster_size: Option<f64>,
    /// What stable did in the hours before the rollout, where the source has a past.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Counts>,
    /// The candidate's first counted request: a new driver is no new warm-up.
    pub warm_since: Option<Timestamp>,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            origin: Timestamp::UNIX_EPOCH,
            look: SignedDuration::from_secs(15),
            cluster_size: 1.0,
            slow_cluster_size: None,
            check_cluster_size: None,
            before: None,
            warm_since: None,
        }
    }
}

/// Who drives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Driver {
    /// The run: unique for a process, and where a person finds it.
    pub run: String,
    /// The person or robot behind it.
    pub actor: String,
    /// When it took the generation.
    pub since: Timestamp,
    /// When it last wrote.
    pub heartbeat: Timestamp,
}

/// The rollout as the router holds it. A few hundred bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Fences writers: start, take-over and rollback raise it.
    pub generation: u64,
    /// Counts the writes, over all generations.
    pub sequence: u64,
    /// Names the rollout, and its artifacts.
    pub rollout: String,
    /// The plan's `service`.
    pub service: String,
    /// Takes the traffic back.
    pub stable: Version,
    /// Is being tried.
    pub candidate: Version,
    /// The share that was written together with this record.
    pub weight: Weight,
    /// Canary or production.
    pub phase: Phase,
    /// When it began; gates are counted from here.
    pub phase_since: Timestamp,
    /// The phase's steps.
    pub ladder: Ladder,
    /// Where a person has to say `go`.
    pub gates: Vec<Gate>,
    /// How long the old version stands at least after all traffic has left it.
    pub keep_old: SignedDuration,
    /// How many pods or servers of stable carried all the traffic when the phase began, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<u32>,
    /// What was counted of stable in this phase while it had traffic, for a source that cannot be asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Counts>,
    /// Since when the candidate has had which share in this phase, the newest [`SHARES`]: what the share of the traffic
    /// and damage to both versions are judged by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<(Timestamp, Weight)>,
    /// What was reported from outside; the newest [`SIGNALS`].
    pub signals: Vec<Signal>,
    /// Where in it.
    pub state: State,
    /// How evidence is counted.
    pub evidence: Evidence,
    /// What successors must use.
    pub pin: Pin,
    /// Who drives.
    pub driver: Driver,
}

/// So many shares are kept: a plan has fewer steps, and a record must fit where it is kept.
pub const SHARES: usize = 16;

/// So many signals are kept: a record is to stay small, and the journal has all of them.
pub const SIGNALS: usize = 8;

impl Record {
    /// What was tried at `at`: since when health was to be proved, and the step, if there was one.
    #[must_use]
    pub fn tried_at(&self, at: Timestamp) -> (Timestamp, Option<Step>) {
        let nothing = (self.evidence.origin, None);
        match &self.state {
            // Nothing has come after it.
            &State::Holding { step, since } if since <= at => (since, self.ladder.step(step)),
            _ => {
                let last = self.shares.iter().rev().find(|(since, _)| *since <= at);
                let tried = last.and_then(|(since, weight)| {
                    let step = self.ladder.steps().iter().find(|step| step.weight == *weight)?;
                    Some((*since, Some(*step)))
                });
                tried.unwrap_or(nothing)
            }
        }
    }

    /// The step's share if the state gives the candidate any, else 0: what `weight` must be.
    #[must_use]
    pub fn weight_of_state(&self) -> Weight {
        match self.state {
            State::Holding { step, .. } => self.ladder.step(step).map_or(Weight::ZERO, |step| step.weight),
            State::RollingBack { weight, .. } => weight,
            State::Ready { .. }
            | State::Paused { .. }
            | State::RolledBack { .. }
            | State::Passed
            | State::Promoted { .. }
            | State::Finished => Weight::ZERO,
        }
    }

    /// Whether a driver may go on with it, be it to take it back.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(
            self.state,
            State::Ready { .. } | State::Holding { .. } | State::Paused { .. } | State::RollingBack { .. }
        )
    }

    /// Whether the candidate may still come to have traffic: only then do rules for single users stand.
    #[must_use]
    pub const fn is_tried(&self) -> bool {
        matches!(
            self.state,
            State::Ready { .. } | State::Holding { .. } | State::Paused { .. }
        )
    }

    /// The first gate that is due and that nobody has decided.
    #[must_use]
    pub fn open_gate(&self, now: Timestamp) -> Option<&Gate> {
        self.gates
            .iter()
            .find(|gate| gate.go.is_none() && now.duration_since(self.phase_since) >= gate.at)
    }

    /// When the first gate that nobody has decided is due, or was.
    #[must_use]
    pub fn gate_at(&self) -> Option<Timestamp> {
        let gate = self.gates.iter().find(|gate| gate.go.is_none())?;
        self.phase_since.checked_add(gate.at).ok()
    }

    /// When a person has to say `go` next, if that is still to come.
    #[must_use]
    pub fn next_gate_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.gate_at().filter(|at| *at > now)
    }

    /// A signal that forbids rises until somebody says `go`.
    #[must_use]
    pub fn open_signal(&self) -> Option<&Signal> {
        self.signals.iter().find(|signal| signal.go.is_none())
    }

    /// The present step, from 0, where there is one.
    #[must_use]
    pub const fn step(&self) -> Option<usize> {
        match self.state {
            State::Ready { step } | State::Holding { step, .. } | State::Paused { step, .. } => Some(step),
            State::RollingBack { .. }
            | State::RolledBack { .. }
            | State::Passed
            | State::Promoted { .. }
            | State::Finished => None,
        }
    }

    /// The state in a few words, for people.
    #[must_use]
    pub fn state_in_words(&self) -> String {
        let of = |step: &usize| format!("step {} of {}", step + 1, self.ladder.steps().len());
        match &self.state {
            State::Ready { step } => format!("ready for {}", of(step)),
            State::Holding { step, .. } => format!("holding {}", of(step)),
            State::Paused {
                step,
                by_hand: _,
                reason,
            } => format!("paused before {}: {reason}", of(step)),
            State::RollingBack { weight, reason } => format!("rolling back, still at {weight}: {reason}"),
            State::RolledBack { reason } => format!("rolled back: {reason}"),
            State::Passed => "passed: every step ended healthy".to_owned(),
            State::Promoted { since } => format!(
                "promoted: {} has all traffic since {since:.0}, {} still stands",
                self.stable.backend, self.candidate.backend
            ),
            State::Finished => format!("finished: {} is stable", self.stable.backend),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
