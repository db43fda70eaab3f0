//! Every legal move of a rollout. What is not listed here is refused.

use jiff::{SignedDuration, Timestamp};

use crate::{
    rollout::{
        ladder::Ladder,
        phase::{Decision, Gate, Phase, Severity, Signal},
        record::{
            Driver, Evidence, Pin, Record, SCHEMA, SHARES, SIGNALS, State, Unreadable, Version, as_written,
        },
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
    /// Share 0, resumable: a driver leaves.
    Pause(String),
    /// Share 0 until a person goes on with it.
    PauseByHand(String),
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
    /// The driver still lives, and from then until now the router was not seen to split as recorded.
    Doubt(Timestamp),
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

/// So many bytes of a record a text for people may take, as it is written there: 400 plain letters, 133 Chinese
/// ones, 66 of those that become an escape.
///
/// HAProxy takes the least: 11,000 bytes of a record ([`Record::encode`]), which are 14,700 in base64, and the rest of
/// its command. A reason and all [`SIGNALS`] as long as this, each with who said what and when, are 6,000 of them.
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
            shares: Vec::new(),
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
        // An older rollgate kept more of them than every router takes.
        for signal in &mut next.signals {
            signal.text = shortened(std::mem::take(&mut signal.text));
        }
        next.state = match (self.state.clone(), &step) {
            (S::Ready { step } | S::Paused { step, .. }, M::Take) => S::Ready { step },
            (here @ (S::Holding { .. } | S::RollingBack { .. }), M::Take | M::Beat) => here,
            (here @ S::Ready { .. }, M::Beat) => here,
            (here @ S::Holding { .. }, M::Doubt(_)) => here,

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
                by_hand: false,
                reason: shortened(reason.clone()),
            },
            (S::Ready { step } | S::Holding { step, .. }, M::PauseByHand(reason)) => S::Paused {
                step,
                by_hand: true,
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
            M::Jump(_) | M::Pause(_) | M::PauseByHand(_) | M::Resume | M::Go | M::Signal(..) | M::Finish => {
                self.driver.clone()
            }
            _ if raises_generation => driver(by, by.at),
            _ => driver(by, self.driver.since),
        };
        next.generation += u64::from(raises_generation);
        next.sequence += 1;
        next.weight = next.weight_of_state();
        if let M::Doubt(since) = step {
            // Nobody knows who was sent where: a candidate that lacks traffic has not lost it. A doubt that lasts
            // is written again and again, and stands once.
            next.shares.retain(|(at, _)| *at < since);
            next.share_from(since, Weight::ZERO);
        }
        if next.weight != self.weight || matches!(step, M::Doubt(_)) {
            next.share_from(by.at, next.weight);
        }
        Ok(next)
    }

    /// Notes since when the candidate has had which share.
    fn share_from(&mut self, at: Timestamp, weight: Weight) {
        if self.shares.len() >= SHARES {
            self.shares.remove(0);
        }
        self.shares.push((at, weight));
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
        self.shares.clear();
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

/// `shop-20270115T080000.123Z`: sorts by time, and is fit for a file's or an artifact's name.
///
/// With the millisecond, because a driver knows its rollout by it: a router that was set back may begin its
/// generations anew, and the next rollout within a second must not look like an older record of this one.
fn rollout_id(service: &str, at: Timestamp) -> String {
    format!("{service}-{}", at.strftime("%Y%m%dT%H%M%S%.3fZ"))
}

/// As much of `text` as the record has room for, whatever its letters become in there.
fn shortened(text: String) -> String {
    const CUT: char = '…';
    let needs = |text: &str| {
        let quotes = 2;
        as_written(&text).len() - quotes
    };
    if needs(&text) <= LONGEST_REASON {
        return text;
    }
    let mut used = CUT.len_utf8();
    let fits = |letter: &char| {
        used += needs(&letter.to_string());
        used <= LONGEST_REASON
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{kept}{CUT}")
}

#[cfg(test)]
mod tests;
