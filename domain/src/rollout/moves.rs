//! Every legal move of a rollout. What is not listed here is refused.

use jiff::{SignedDuration, Timestamp};

use crate::{
    rollout::{
        ladder::Ladder,
        phase::{Decision, Gate, Phase, Severity, Signal},
        record::{Driver, Evidence, Pin, Record, SCHEMA, SIGNALS, State, Unreadable, Version},
    },
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
    /// The canary's last step ended healthy. Share 0, because nobody watches from here on.
    Pass,
    /// From a canary that has passed into the next phase. Raises the generation.
    Enter(Course),
    /// The candidate, which has all the traffic, becomes stable. The share of neither changes.
    Promote,
    /// The old version may go.
    Finish,
    /// Share 0, resumable.
    Pause(String),
    /// Ready again, at the step where it was paused.
    Resume,
    /// A person lets it go on past every gate that is due and every signal that waits.
    Go,
    /// Something was reported from outside.
    Signal(Severity, String),
    /// On the way back: to this share if it is less than the present one. The first one raises the generation.
    Lower(Weight, String),
    /// Share 0 for good; a promotion is undone. Raises the generation.
    RollBack(String),
    /// The driver still lives.
    Beat,
}

/// What a phase is: its steps, where people decide, and how it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// Canary or production.
    pub phase: Phase,
    /// Its steps.
    pub ladder: Ladder,
    /// When people must say `go`, since it began, rising.
    pub gates: Vec<SignedDuration>,
    /// How long the old version stands at least after all traffic has left it.
    pub keep_old: SignedDuration,
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
    /// The phase to begin with.
    pub course: Course,
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
            course,
            evidence,
            pin,
        } = start;
        let Course {
            phase,
            ladder,
            gates,
            keep_old,
        } = course;
        Self {
            schema: SCHEMA,
            generation: previous.map_or(0, |record| record.generation) + 1,
            sequence: previous.map_or(0, |record| record.sequence) + 1,
            rollout: rollout_id(&service, by.at),
            service,
            stable,
            candidate,
            weight: Weight::ZERO,
            phase,
            phase_since: by.at,
            ladder,
            gates: undecided(gates),
            keep_old,
            whole: None,
            baseline: None,
            signals: Vec::new(),
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
        let mut next = self.clone();
        next.state = match (self.state.clone(), &step) {
            (S::Ready { step } | S::Paused { step, .. }, M::Take) => S::Ready { step },
            (here @ (S::Holding { .. } | S::RollingBack { .. }), M::Take | M::Beat) => here,
            (here @ S::Ready { .. }, M::Beat) => here,

            (S::Ready { step }, M::Raise) => S::Holding { step, since: by.at },
            (S::Holding { step, .. }, M::Advance) if self.ladder.step(step + 1).is_some() => S::Holding {
                step: step + 1,
                since: by.at,
            },
            (S::Holding { .. }, &M::Jump(step)) if self.ladder.step(step).is_some() => {
                S::Holding { step, since: by.at }
            }
            (S::Holding { step, .. }, M::Pass)
                if self.ladder.step(step + 1).is_none() && self.phase == Phase::Canary =>
            {
                S::Passed
            }
            (S::Passed, M::Enter(course)) if self.phase == Phase::Canary => {
                next.enter(course.clone(), by.at);
                S::Ready { step: 0 }
            }
            (S::Holding { since, .. }, M::Promote)
                if self.phase == Phase::Production && self.weight == Weight::FULL =>
            {
                std::mem::swap(&mut next.stable, &mut next.candidate);
                S::Promoted { since }
            }
            (S::Promoted { .. }, M::Finish) => S::Finished,

            (S::Ready { step } | S::Holding { step, .. }, M::Pause(reason)) => S::Paused {
                step,
                reason: shortened(reason.clone()),
            },
            (S::Paused { step, .. }, M::Resume) => S::Ready { step },
            (here @ (S::Ready { .. } | S::Holding { .. } | S::Paused { .. } | S::Passed), M::Go) => {
                next.go(by);
                here
            }
            (
                here @ (S::Ready { .. }
                | S::Holding { .. }
                | S::Paused { .. }
                | S::RollingBack { .. }
                | S::Passed
                | S::Promoted { .. }),
                M::Signal(severity, text),
            ) => {
                next.signal(*severity, text, by);
                here
            }

            (S::Holding { .. }, M::Lower(weight, reason)) => S::RollingBack {
                weight: self.weight.min(*weight),
                reason: shortened(reason.clone()),
            },
            (S::RollingBack { weight: here, reason }, &M::Lower(weight, _)) => S::RollingBack {
                weight: here.min(weight),
                reason,
            },
            // The share that was promoted is all of it.
            (S::Promoted { .. }, M::Lower(weight, reason)) => {
                std::mem::swap(&mut next.stable, &mut next.candidate);
                S::RollingBack {
                    weight: *weight,
                    reason: shortened(reason.clone()),
                }
            }
            // From everywhere, also twice: the first reason stays. What is finished has nothing to go back to.
            (here @ (S::RolledBack { .. } | S::Finished), M::RollBack(_)) => here,
            (S::RollingBack { reason, .. }, M::RollBack(_)) => S::RolledBack { reason },
            (S::Promoted { .. }, M::RollBack(reason)) => {
                std::mem::swap(&mut next.stable, &mut next.candidate);
                S::RolledBack {
                    reason: shortened(reason.clone()),
                }
            }
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
        let raises_generation = match &step {
            M::Take | M::Enter(_) | M::RollBack(_) => true,
            M::Lower(..) => !matches!(self.state, S::RollingBack { .. }),
            _ => false,
        };
        next.driver = match &step {
            // A person leaves the driver in its seat.
            M::Jump(_) | M::Pause(_) | M::Resume | M::Go | M::Signal(..) | M::Finish => self.driver.clone(),
            _ if raises_generation => driver(by, by.at),
            _ => driver(by, self.driver.since),
        };
        next.generation += u64::from(raises_generation);
        next.sequence += 1;
        next.weight = next.weight_of_state();
        Ok(next)
    }

    fn enter(&mut self, course: Course, at: Timestamp) {
        let Course {
            phase,
            ladder,
            gates,
            keep_old,
        } = course;
        self.phase = phase;
        self.phase_since = at;
        self.ladder = ladder;
        self.gates = undecided(gates);
        self.keep_old = keep_old;
        // Whole seconds, as at the start: the grid of looks begins anew with the phase.
        self.evidence.origin = Timestamp::from_second(at.as_second()).unwrap_or(at);
        // The candidate has had no user since the canary: its caches are cold again.
        self.evidence.warm_since = None;
        self.baseline = None;
    }

    fn go(&mut self, by: By<'_>) {
        let go = || {
            Some(Decision {
                by: by.actor.to_owned(),
                at: by.at,
            })
        };
        let since = by.at.duration_since(self.phase_since);
        for gate in self.gates.iter_mut().filter(|gate| gate.at <= since) {
            gate.go = gate.go.take().or_else(go);
        }
        for signal in &mut self.signals {
            signal.go = signal.go.take().or_else(go);
        }
    }

    fn signal(&mut self, severity: Severity, text: &str, by: By<'_>) {
        if self.signals.len() >= SIGNALS {
            self.signals.remove(0);
        }
        self.signals.push(Signal {
            severity,
            text: shortened(text.to_owned()),
            by: by.actor.to_owned(),
            at: by.at,
            go: None,
        });
    }
}

fn undecided(gates: Vec<SignedDuration>) -> Vec<Gate> {
    gates.into_iter().map(|at| Gate { at, go: None }).collect()
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
    use crate::rollout::{
        ladder::{Require, Step},
        record::tests::{at, record},
    };

    const BY: By<'static> = By {
        run: "run 8",
        actor: "hubot",
        at: Timestamp::UNIX_EPOCH,
    };

    fn by() -> By<'static> {
        By { at: at(60), ..BY }
    }

    fn every_state() -> [State; 9] {
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
            State::RollingBack {
                weight: Weight::new(3).unwrap(),
                reason: "first".to_owned(),
            },
            State::RolledBack {
                reason: "first".to_owned(),
            },
            State::Passed,
            State::Promoted { since: at(0) },
            State::Finished,
        ]
    }

    /// Ready and Holding of a production, which ends at 100 %.
    fn in_production(state: State) -> Record {
        let mut before = record(State::Passed)
            .after(Move::Enter(production()), by())
            .unwrap();
        before.state = state;
        before.weight = before.weight_of_state();
        before
    }

    fn production() -> Course {
        let step = |weight| Step {
            weight: Weight::new(weight).unwrap(),
            duration: SignedDuration::from_hours(2),
        };
        Course {
            phase: Phase::Production,
            ladder: Ladder::new(vec![step(50), step(100)], Require::Proof).unwrap(),
            gates: vec![SignedDuration::from_hours(1)],
            keep_old: SignedDuration::from_hours(48),
        }
    }

    fn every_move() -> [Move; 16] {
        [
            Move::Take,
            Move::Raise,
            Move::Advance,
            Move::Jump(0),
            Move::Jump(7),
            Move::Pass,
            Move::Enter(production()),
            Move::Promote,
            Move::Finish,
            Move::Pause("p".to_owned()),
            Move::Resume,
            Move::Go,
            Move::Signal(Severity::Watch, "s".to_owned()),
            Move::Lower(Weight::new(5).unwrap(), "l".to_owned()),
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
                    let step = match step {
                        Move::Enter(course) => format!("Enter({})", course.phase),
                        step => format!("{step:?}"),
                    };
                    let line = format!(
                        "{} ({}) -{step}-> {} ({})\n",
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
ready for step 2 of 3 (0 %) -Go-> ready for step 2 of 3 (0 %)
ready for step 2 of 3 (0 %) -Signal(Watch, \"s\")-> ready for step 2 of 3 (0 %)
ready for step 2 of 3 (0 %) -RollBack(\"r\")-> rolled back: r (0 %)
ready for step 2 of 3 (0 %) -Beat-> ready for step 2 of 3 (0 %)
holding step 2 of 3 (5 %) -Take-> holding step 2 of 3 (5 %)
holding step 2 of 3 (5 %) -Advance-> holding step 3 of 3 (10 %)
holding step 2 of 3 (5 %) -Jump(0)-> holding step 1 of 3 (1 %)
holding step 2 of 3 (5 %) -Pause(\"p\")-> paused before step 2 of 3: p (0 %)
holding step 2 of 3 (5 %) -Go-> holding step 2 of 3 (5 %)
holding step 2 of 3 (5 %) -Signal(Watch, \"s\")-> holding step 2 of 3 (5 %)
holding step 2 of 3 (5 %) -Lower(Weight(5), \"l\")-> rolling back, still at 5 %: l (5 %)
holding step 2 of 3 (5 %) -RollBack(\"r\")-> rolled back: r (0 %)
holding step 2 of 3 (5 %) -Beat-> holding step 2 of 3 (5 %)
holding step 3 of 3 (10 %) -Take-> holding step 3 of 3 (10 %)
holding step 3 of 3 (10 %) -Jump(0)-> holding step 1 of 3 (1 %)
holding step 3 of 3 (10 %) -Pass-> passed: every step ended healthy (0 %)
holding step 3 of 3 (10 %) -Pause(\"p\")-> paused before step 3 of 3: p (0 %)
holding step 3 of 3 (10 %) -Go-> holding step 3 of 3 (10 %)
holding step 3 of 3 (10 %) -Signal(Watch, \"s\")-> holding step 3 of 3 (10 %)
holding step 3 of 3 (10 %) -Lower(Weight(5), \"l\")-> rolling back, still at 5 %: l (5 %)
holding step 3 of 3 (10 %) -RollBack(\"r\")-> rolled back: r (0 %)
holding step 3 of 3 (10 %) -Beat-> holding step 3 of 3 (10 %)
paused before step 2 of 3: p (0 %) -Take-> ready for step 2 of 3 (0 %)
paused before step 2 of 3: p (0 %) -Resume-> ready for step 2 of 3 (0 %)
paused before step 2 of 3: p (0 %) -Go-> paused before step 2 of 3: p (0 %)
paused before step 2 of 3: p (0 %) -Signal(Watch, \"s\")-> paused before step 2 of 3: p (0 %)
paused before step 2 of 3: p (0 %) -RollBack(\"r\")-> rolled back: r (0 %)
rolling back, still at 3 %: first (3 %) -Take-> rolling back, still at 3 %: first (3 %)
rolling back, still at 3 %: first (3 %) -Signal(Watch, \"s\")-> rolling back, still at 3 %: first (3 %)
rolling back, still at 3 %: first (3 %) -Lower(Weight(5), \"l\")-> rolling back, still at 3 %: first (3 %)
rolling back, still at 3 %: first (3 %) -RollBack(\"r\")-> rolled back: first (0 %)
rolling back, still at 3 %: first (3 %) -Beat-> rolling back, still at 3 %: first (3 %)
rolled back: first (0 %) -RollBack(\"r\")-> rolled back: first (0 %)
passed: every step ended healthy (0 %) -Enter(production)-> ready for step 1 of 2 (0 %)
passed: every step ended healthy (0 %) -Go-> passed: every step ended healthy (0 %)
passed: every step ended healthy (0 %) -Signal(Watch, \"s\")-> passed: every step ended healthy (0 %)
passed: every step ended healthy (0 %) -RollBack(\"r\")-> rolled back: r (0 %)
promoted: blue has all traffic since 2027-01-15T08:00:00Z, green still stands (0 %) -Finish-> finished: blue is stable (0 %)
promoted: blue has all traffic since 2027-01-15T08:00:00Z, green still stands (0 %) -Signal(Watch, \"s\")-> promoted: blue has all traffic since 2027-01-15T08:00:00Z, green still stands (0 %)
promoted: blue has all traffic since 2027-01-15T08:00:00Z, green still stands (0 %) -Lower(Weight(5), \"l\")-> rolling back, still at 5 %: l (5 %)
promoted: blue has all traffic since 2027-01-15T08:00:00Z, green still stands (0 %) -RollBack(\"r\")-> rolled back: r (0 %)
finished: blue is stable (0 %) -RollBack(\"r\")-> finished: blue is stable (0 %)
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
            for to in [0, 5, 100] {
                let step = Move::Lower(Weight::new(to).unwrap(), "l".to_owned());
                // What was promoted had all of it, whatever its new role's share is.
                let had = match before.state {
                    State::Promoted { .. } => Weight::FULL,
                    _ => before.weight,
                };
                if let Ok(after) = before.after(step, by()) {
                    assert!(after.weight <= had);
                }
            }
        }
    }

    #[test]
    fn a_promotion_swaps_the_roles_and_a_rollback_swaps_them_back() {
        let full = in_production(State::Holding {
            step: 1,
            since: at(7),
        });
        let promoted = full.after(Move::Promote, by()).unwrap();
        assert_eq!(promoted.state, State::Promoted { since: at(7) });
        assert_eq!(
            (&promoted.stable, &promoted.candidate),
            (&full.candidate, &full.stable)
        );
        assert_eq!(promoted.weight, Weight::ZERO);
        let back = promoted.after(Move::RollBack("r".to_owned()), by()).unwrap();
        assert_eq!((&back.stable, &back.candidate), (&full.stable, &full.candidate));
        // Once more changes nothing, and after `finish` there is nothing to go back to.
        let again = back.after(Move::RollBack("r".to_owned()), by()).unwrap();
        assert_eq!((&again.stable, &again.state), (&back.stable, &back.state));
        let finished = promoted.after(Move::Finish, by()).unwrap();
        let after = finished.after(Move::RollBack("r".to_owned()), by()).unwrap();
        assert_eq!((&after.stable, &after.state), (&full.candidate, &State::Finished));
    }

    #[test]
    fn only_a_production_with_all_the_traffic_is_promoted() {
        let promoted = |record: Record| record.after(Move::Promote, by()).is_ok();
        assert!(!promoted(in_production(State::Holding {
            step: 0,
            since: at(7)
        })));
        assert!(!promoted(record(State::Holding {
            step: 2,
            since: at(7)
        })));
    }

    #[test]
    fn a_go_decides_what_is_due_and_answers_every_signal() {
        let mut before = in_production(State::Ready { step: 0 });
        before.phase_since = at(0);
        before = before
            .after(Move::Signal(Severity::Watch, "odd mails".to_owned()), by())
            .unwrap();
        let early = before.after(Move::Go, by()).unwrap();
        assert_eq!((early.gates[0].go.is_none(), early.open_signal()), (true, None));
        let late = By { at: at(3600), ..by() };
        let after = before.after(Move::Go, late).unwrap();
        assert_eq!(after.open_gate(at(99_999)), None);
        assert_eq!(after.generation, before.generation);
    }

    #[test]
    fn a_record_keeps_the_newest_signals_only() {
        let mut here = record(State::Ready { step: 0 });
        for number in 0..20 {
            here = here
                .after(Move::Signal(Severity::Watch, number.to_string()), by())
                .unwrap();
        }
        let kept: Vec<_> = here.signals.iter().map(|signal| signal.text.as_str()).collect();
        assert_eq!(kept, ["12", "13", "14", "15", "16", "17", "18", "19"]);
    }

    #[test]
    fn start_takeover_and_rollback_raise_the_generation_and_nothing_else_does() {
        for state in every_state() {
            let before = record(state);
            for step in every_move() {
                let raises = match (&step, &before.state) {
                    (Move::Lower(..), State::RollingBack { .. }) => false,
                    (Move::Take | Move::Enter(_) | Move::Lower(..) | Move::RollBack(_), _) => true,
                    _ => false,
                };
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
            course: Course {
                phase: known.phase,
                ladder: known.ladder.clone(),
                gates: Vec::new(),
                keep_old: known.keep_old,
            },
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
