//! Every legal move of a rollout. What is not listed here is refused.

use jiff::Timestamp;

use crate::{
    rollout::ladder::Ladder,
    rollout::record::{Driver, Evidence, Pin, Record, SCHEMA, State, Unreadable, Version},
    weight::Weight,
};

/// A change of the record, and with it of the share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// A driver takes over; a paused rollout is resumed. Raises the generation.
    Take,
    /// Out of `Ready`: the candidate gets its step's share.
    Raise,
    /// To the next step.
    Advance,
    /// A person sets the share of this step, from 0, up or down, while a driver watches.
    Jump(usize),
    /// The last step ended healthy. Share 0, because nobody watches from here on.
    Pass,
    /// Share 0, resumable.
    Pause(String),
    /// Share 0 for good. Raises the generation.
    RollBack(String),
    /// The driver still lives.
    Beat,
}

/// A move that the state does not allow: two drivers, or a mistake of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{attempt:?} is not possible while the rollout is {state}")]
pub struct IllegalMove {
    /// What was asked for.
    pub attempt: Move,
    /// Where the rollout stands.
    pub state: String,
}

/// Who moves, and when.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// The run, unique for a process.
    pub run: &'a str,
    /// The person or robot behind it.
    pub actor: &'a str,
    /// Now.
    pub at: Timestamp,
}

/// What a new rollout begins with.
#[derive(Clone, Debug)]
pub struct Start {
    /// The plan's `service`; first part of the rollout's id.
    pub service: String,
    /// Has the traffic.
    pub stable: Version,
    /// Is to be tried.
    pub candidate: Version,
    /// The phase's steps.
    pub ladder: Ladder,
    /// How evidence is counted.
    pub evidence: Evidence,
    /// What successors must use.
    pub pin: Pin,
}

/// Reasons are for people; longer ones would not fit a router's entry.
const LONGEST_REASON: usize = 400;

impl Record {
    /// The first record of a rollout: share 0, ready for the first step, a generation above `previous`.
    #[must_use]
    pub fn start(start: Start, previous: Option<&Self>, by: By<'_>) -> Self {
        let Start {
            service,
            stable,
            candidate,
            ladder,
            evidence,
            pin,
        } = start;
        Self {
            schema: SCHEMA,
            generation: previous.map_or(0, |record| record.generation) + 1,
            sequence: previous.map_or(0, |record| record.sequence) + 1,
            rollout: rollout_id(&service, by.at),
            service,
            stable,
            candidate,
            weight: Weight::ZERO,
            phase: "canary".to_owned(),
            ladder,
            state: State::Ready { step: 0 },
            evidence,
            pin,
            driver: driver(by, by.at),
        }
    }

    /// The record of a rollback where none can be read: share 0 and a generation above whatever was there.
    ///
    /// Where not even the generation can be read it is taken from the clock (seconds since 1970), which is
    /// above every count.
    #[must_use]
    pub fn rescue(start: Start, unreadable: &Unreadable, reason: String, by: By<'_>) -> Self {
        let generation = unreadable
            .generation()
            .unwrap_or_else(|| by.at.as_second().unsigned_abs());
        let mut record = Self::start(start, None, by);
        record.generation = generation.saturating_add(1);
        record.sequence = by.at.as_second().unsigned_abs();
        record.state = State::RolledBack {
            reason: shortened(reason),
        };
        record
    }

    /// The record after `step`, with the share that belongs to it.
    ///
    /// # Errors
    ///
    /// [`IllegalMove`] if `step` cannot follow the present state.
    pub fn after(&self, step: Move, by: By<'_>) -> Result<Self, IllegalMove> {
        use Move as M;
        use State as S;
        let here = self.state.clone();
        let state = match (here, &step) {
            (S::Ready { step } | S::Paused { step, .. }, M::Take) => S::Ready { step },
            (here @ S::Holding { .. }, M::Take | M::Beat) => here,
            (here @ S::Ready { .. }, M::Beat) => here,

            (S::Ready { step }, M::Raise) => S::Holding { step, since: by.at },
            (S::Holding { step, .. }, M::Advance) if self.ladder.step(step + 1).is_some() => S::Holding {
                step: step + 1,
                since: by.at,
            },
            (S::Holding { .. }, &M::Jump(step)) if self.ladder.step(step).is_some() => {
                S::Holding { step, since: by.at }
            }
            (S::Holding { step, .. }, M::Pass) if self.ladder.step(step + 1).is_none() => S::Passed,

            (S::Ready { step } | S::Holding { step, .. }, M::Pause(reason)) => S::Paused {
                step,
                reason: shortened(reason.clone()),
            },
            // From everywhere, also twice: the first reason stays.
            (S::RolledBack { reason }, M::RollBack(_)) => S::RolledBack { reason },
            (_, M::RollBack(reason)) => S::RolledBack {
                reason: shortened(reason.clone()),
            },

            _ => {
                return Err(IllegalMove {
                    attempt: step,
                    state: self.state_in_words(),
                });
            }
        };
        let takes = matches!(step, M::Take);
        let raises_generation = takes || matches!(step, M::RollBack(_));
        // A person's jump or pause leaves the driver in its seat.
        let driver = match step {
            M::Jump(_) | M::Pause(_) => self.driver.clone(),
            _ if raises_generation => driver(by, by.at),
            _ => driver(by, self.driver.since),
        };
        let mut next = Self {
            generation: self.generation + u64::from(raises_generation),
            sequence: self.sequence + 1,
            state,
            driver,
            ..self.clone()
        };
        next.weight = next.weight_of_state();
        Ok(next)
    }
}

fn driver(by: By<'_>, since: Timestamp) -> Driver {
    Driver {
        run: by.run.to_owned(),
        actor: by.actor.to_owned(),
        since,
        heartbeat: by.at,
    }
}

/// `shop-20270115T080000Z`: sorts by time, and is fit for a file's or an artifact's name.
fn rollout_id(service: &str, at: Timestamp) -> String {
    format!("{service}-{}", at.strftime("%Y%m%dT%H%M%SZ"))
}

fn shortened(reason: String) -> String {
    match reason.char_indices().nth(LONGEST_REASON) {
        None => reason,
        Some((end, _)) => format!("{}…", &reason[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::record::tests::{at, record};

    const BY: By<'static> = By {
        run: "run 8",
        actor: "hubot",
        at: Timestamp::UNIX_EPOCH,
    };

    fn by() -> By<'static> {
        By { at: at(60), ..BY }
    }

    fn every_state() -> [State; 6] {
        [
            State::Ready { step: 1 },
            State::Holding {
                step: 1,
                since: at(0),
            },
            State::Holding {
                step: 2,
                since: at(0),
            },
            State::Paused {
                step: 1,
                reason: "p".to_owned(),
            },
            State::RolledBack {
                reason: "first".to_owned(),
            },
            State::Passed,
        ]
    }

    fn every_move() -> [Move; 9] {
        [
            Move::Take,
            Move::Raise,
            Move::Advance,
            Move::Jump(0),
            Move::Jump(7),
            Move::Pass,
            Move::Pause("p".to_owned()),
            Move::RollBack("r".to_owned()),
            Move::Beat,
        ]
    }

    #[test]
    fn every_legal_move_is_in_this_table_and_everything_else_is_refused() {
        let mut table = String::new();
        for state in every_state() {
            let before = record(state);
            for step in every_move() {
                if let Ok(after) = before.after(step.clone(), by()) {
                    let line = format!(
                        "{} ({}) -{step:?}-> {} ({})\n",
                        before.state_in_words(),
                        before.weight,
                        after.state_in_words(),
                        after.weight
                    );
                    table.push_str(&line);
                }
            }
        }
        let expected = "\
ready for step 2 of 3 (0 %) -Take-> ready for step 2 of 3 (0 %)
ready for step 2 of 3 (0 %) -Raise-> holding step 2 of 3 (5 %)
ready for step 2 of 3 (0 %) -Pause(\"p\")-> paused before step 2 of 3: p (0 %)
ready for step 2 of 3 (0 %) -RollBack(\"r\")-> rolled back: r (0 %)
ready for step 2 of 3 (0 %) -Beat-> ready for step 2 of 3 (0 %)
holding step 2 of 3 (5 %) -Take-> holding step 2 of 3 (5 %)
holding step 2 of 3 (5 %) -Advance-> holding step 3 of 3 (10 %)
holding step 2 of 3 (5 %) -Jump(0)-> holding step 1 of 3 (1 %)
holding step 2 of 3 (5 %) -Pause(\"p\")-> paused before step 2 of 3: p (0 %)
holding step 2 of 3 (5 %) -RollBack(\"r\")-> rolled back: r (0 %)
holding step 2 of 3 (5 %) -Beat-> holding step 2 of 3 (5 %)
holding step 3 of 3 (10 %) -Take-> holding step 3 of 3 (10 %)
holding step 3 of 3 (10 %) -Jump(0)-> holding step 1 of 3 (1 %)
holding step 3 of 3 (10 %) -Pass-> passed: every step ended healthy (0 %)
holding step 3 of 3 (10 %) -Pause(\"p\")-> paused before step 3 of 3: p (0 %)
holding step 3 of 3 (10 %) -RollBack(\"r\")-> rolled back: r (0 %)
holding step 3 of 3 (10 %) -Beat-> holding step 3 of 3 (10 %)
paused before step 2 of 3: p (0 %) -Take-> ready for step 2 of 3 (0 %)
paused before step 2 of 3: p (0 %) -RollBack(\"r\")-> rolled back: r (0 %)
rolled back: first (0 %) -RollBack(\"r\")-> rolled back: first (0 %)
passed: every step ended healthy (0 %) -RollBack(\"r\")-> rolled back: r (0 %)
";
        assert_eq!(table, expected);
    }

    #[test]
    fn a_rollback_and_a_pause_never_raise_the_share() {
        for state in every_state() {
            let before = record(state);
            for step in [
                Move::RollBack("r".to_owned()),
                Move::Pause("p".to_owned()),
                Move::Pass,
            ] {
                if let Ok(after) = before.after(step, by()) {
                    assert_eq!(after.weight, Weight::ZERO);
                }
            }
        }
    }

    #[test]
    fn start_takeover_and_rollback_raise_the_generation_and_nothing_else_does() {
        for state in every_state() {
            let before = record(state);
            for step in every_move() {
                let raises = matches!(step, Move::Take | Move::RollBack(_));
                if let Ok(after) = before.after(step, by()) {
                    assert_eq!(after.generation, before.generation + u64::from(raises));
                    assert_eq!(after.sequence, before.sequence + 1);
                }
            }
        }
    }

    #[test]
    fn a_person_who_sets_a_share_does_not_take_the_drivers_seat() {
        let before = record(State::Holding {
            step: 1,
            since: at(0),
        });
        assert_eq!(before.after(Move::Jump(2), by()).unwrap().driver, before.driver);
        assert_eq!(before.after(Move::Beat, by()).unwrap().driver.run, "run 8");
    }

    #[test]
    fn a_rescue_is_above_every_generation_there_was() {
        let known = record(State::Ready { step: 0 });
        let start = || Start {
            service: known.service.clone(),
            stable: known.stable.clone(),
            candidate: known.candidate.clone(),
            ladder: known.ladder.clone(),
            evidence: known.evidence,
            pin: known.pin.clone(),
        };
        let rescued = |unreadable: &Unreadable| Record::rescue(start(), unreadable, "r".to_owned(), by());
        assert_eq!(
            rescued(&Unreadable::Newer {
                schema: 2,
                generation: 41
            })
            .generation,
            42
        );
        assert!(rescued(&Unreadable::Foreign(String::new())).generation > 1_000_000_000);
        assert_eq!(rescued(&Unreadable::Foreign(String::new())).weight, Weight::ZERO);
    }
}
