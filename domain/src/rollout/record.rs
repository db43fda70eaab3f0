//! The record: everything the next driver needs, in one value on the router.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{rollout::ladder::Ladder, weight::Weight};

/// The schema that this version writes. Older ones are read; newer ones are refused for everything but a rollback.
pub const SCHEMA: u32 = 1;

/// One of the two versions of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// The router's name for it.
    pub backend: String,
    /// The metrics' name for it.
    pub version: String,
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
        /// In words.
        reason: String,
    },
    /// Share 0, for good.
    RolledBack {
        /// In words.
        reason: String,
    },
    /// The last step ended healthy. Share 0: nobody watches now.
    Passed,
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
    /// The candidate's first counted request: a new driver is no new warm-up.
    pub warm_since: Option<Timestamp>,
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
    /// `canary`.
    pub phase: String,
    /// The phase's steps.
    pub ladder: Ladder,
    /// Where in it.
    pub state: State,
    /// How evidence is counted.
    pub evidence: Evidence,
    /// What successors must use.
    pub pin: Pin,
    /// Who drives.
    pub driver: Driver,
}

/// Why a text is not a record that this version may drive. Only a rollback goes on from here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A newer rollgate wrote it.
    #[error(
        "the record has schema {schema}, this rollgate reads up to {SCHEMA}: use the version that started the rollout"
    )]
    Newer {
        /// Its schema.
        schema: u32,
        /// Its generation.
        generation: u64,
    },
    /// Its seal does not fit: a person or another tool wrote it.
    #[error("the record was changed by something other than rollgate (its seal does not fit)")]
    Edited {
        /// The generation it claims.
        generation: Option<u64>,
    },
    /// Not a record at all.
    #[error("no rollgate record: {0}")]
    Foreign(String),
}

impl Unreadable {
    /// The generation it claims, for a rollback that must be above it.
    #[must_use]
    pub const fn generation(&self) -> Option<u64> {
        match self {
            Self::Newer { generation, .. } => Some(*generation),
            Self::Edited { generation } => *generation,
            Self::Foreign(_) => None,
        }
    }
}

/// What every schema has.
#[derive(Deserialize)]
struct Header {
    schema: u32,
    generation: u64,
}

/// Length of the seal: a CRC-32 in hex.
const SEAL: usize = 8;

impl Record {
    /// The record as text: JSON and behind it a seal, by which an edit by hand is seen.
    ///
    /// The seal is no secret and keeps nobody out; it tells an own write from a foreign one.
    #[must_use]
    pub fn encode(&self) -> String {
        // A struct of strings, numbers and times has no way to fail.
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{json}{:08x}", crc32fast::hash(json.as_bytes()))
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] says what a person should know, and the generation where it has one.
    pub fn decode(text: &str) -> Result<Self, Unreadable> {
        let split = text
            .len()
            .checked_sub(SEAL)
            .filter(|&at| text.is_char_boundary(at));
        let Some((json, seal)) = split.map(|at| text.split_at(at)) else {
            return Err(Unreadable::Foreign("it is too short".to_owned()));
        };
        let header = serde_json::from_str::<Header>(json);
        if let Ok(Header { schema, generation }) = header
            && schema > SCHEMA
        {
            return Err(Unreadable::Newer { schema, generation });
        }
        if seal != format!("{:08x}", crc32fast::hash(json.as_bytes())) {
            return Err(match header {
                Ok(Header { generation, .. }) => Unreadable::Edited {
                    generation: Some(generation),
                },
                Err(_) if json.starts_with('{') => Unreadable::Edited { generation: None },
                Err(error) => Unreadable::Foreign(error.to_string()),
            });
        }
        serde_json::from_str(json).map_err(|error| Unreadable::Foreign(error.to_string()))
    }

    /// The step's share if the state gives the candidate any, else 0: what `weight` must be.
    #[must_use]
    pub fn weight_of_state(&self) -> Weight {
        match self.state {
            State::Holding { step, .. } => self.ladder.step(step).map_or(Weight::ZERO, |step| step.weight),
            State::Ready { .. } | State::Paused { .. } | State::RolledBack { .. } | State::Passed => {
                Weight::ZERO
            }
        }
    }

    /// Whether a driver may go on with it: neither rolled back nor passed.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(
            self.state,
            State::Ready { .. } | State::Holding { .. } | State::Paused { .. }
        )
    }

    /// The present step, from 0, where there is one.
    #[must_use]
    pub const fn step(&self) -> Option<usize> {
        match self.state {
            State::Ready { step } | State::Holding { step, .. } | State::Paused { step, .. } => Some(step),
            State::RolledBack { .. } | State::Passed => None,
        }
    }

    /// The state in a few words, for people.
    #[must_use]
    pub fn state_in_words(&self) -> String {
        let of = |step: &usize| format!("step {} of {}", step + 1, self.ladder.steps().len());
        match &self.state {
            State::Ready { step } => format!("ready for {}", of(step)),
            State::Holding { step, .. } => format!("holding {}", of(step)),
            State::Paused { step, reason } => format!("paused before {}: {reason}", of(step)),
            State::RolledBack { reason } => format!("rolled back: {reason}"),
            State::Passed => "passed: every step ended healthy".to_owned(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::rollout::ladder::{Require, Step};

    pub(crate) fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    pub(crate) fn record(state: State) -> Record {
        let step = |weight: u8| Step {
            weight: Weight::try_from(weight).unwrap(),
            duration: SignedDuration::from_secs(600),
        };
        let version = |backend: &str, version: &str| Version {
            backend: backend.to_owned(),
            version: version.to_owned(),
        };
        let mut record = Record {
            schema: SCHEMA,
            generation: 1,
            sequence: 1,
            rollout: "shop-20270115T080000Z".to_owned(),
            service: "shop".to_owned(),
            stable: version("blue", "v1"),
            candidate: version("green", "v2"),
            weight: Weight::ZERO,
            phase: "canary".to_owned(),
            ladder: Ladder::new(vec![step(1), step(5), step(10)], Require::Proof).unwrap(),
            state,
            evidence: Evidence {
                origin: at(0),
                look: SignedDuration::from_secs(15),
                cluster_size: 1.0,
                warm_since: None,
            },
            pin: Pin {
                hash: "abc".to_owned(),
                commit: None,
                tool: "0.1.0".to_owned(),
            },
            driver: Driver {
                run: "run 7".to_owned(),
                actor: "octocat".to_owned(),
                since: at(0),
                heartbeat: at(0),
            },
        };
        record.weight = record.weight_of_state();
        record
    }

    #[test]
    fn a_record_survives_the_way_through_the_router() {
        let states = [
            State::Ready { step: 0 },
            State::Holding {
                step: 2,
                since: at(9),
            },
            State::Paused {
                step: 1,
                reason: "SIGINT \"quoted\" | ünïcode".to_owned(),
            },
            State::RolledBack {
                reason: "errors".to_owned(),
            },
            State::Passed,
        ];
        for state in states {
            let record = record(state);
            assert_eq!(Record::decode(&record.encode()), Ok(record));
        }
    }

    #[test]
    fn a_record_edited_by_hand_is_seen() {
        let text = record(State::Holding {
            step: 0,
            since: at(0),
        })
        .encode();
        let edited = text.replace("\"step\":0", "\"step\":2");
        assert_eq!(
            Record::decode(&edited),
            Err(Unreadable::Edited { generation: Some(1) })
        );
        // Torn in the middle: it begins like ours and has no end.
        assert_eq!(
            Record::decode(&text[..text.len() / 2]),
            Err(Unreadable::Edited { generation: None })
        );
    }

    #[test]
    fn a_newer_record_is_named_with_its_generation() {
        let text = r#"{"schema":2,"generation":41,"what":"is to come"}00000000"#;
        assert_eq!(
            Record::decode(text),
            Err(Unreadable::Newer {
                schema: 2,
                generation: 41
            })
        );
    }

    #[test]
    fn what_is_no_record_is_foreign() {
        for text in [
            "",
            "hello",
            "hello world, how are you",
            "ééééé",
            "[1,2,3] and more",
        ] {
            assert!(
                matches!(Record::decode(text), Err(Unreadable::Foreign(_))),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_record_is_small_enough_for_one_map_entry() {
        let reason = "x".repeat(500);
        // HAProxy's default tune.bufsize is 16 KiB and base64 adds a third.
        assert!(record(State::RolledBack { reason }).encode().len() < 4096);
    }
}
