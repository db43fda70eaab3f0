//! What a driver does next.

use jiff::{SignedDuration, Timestamp};

use crate::{
    exit::Outcome,
    rollout::{
        ladder::Require,
        moves::Move,
        phase::{Phase, Severity, Signal},
        record::{Record, State},
    },
    weight::Weight,
};

/// What the judgement says, as far as moves depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Proved within bounds in this step, on fresh data.
    Healthy,
    /// No harm found, on fresh data.
    Watch,
    /// Neither yes nor no.
    Hold,
    /// Proved bad; the sentence for a person.
    Rollback(String),
}

/// Whether somebody follows when the budget ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Successor {
    /// Nobody was asked for.
    Nobody,
    /// One is to be called when the budget ends.
    ToCall,
    /// It was called and has not taken the generation yet.
    Called,
}

/// All that the next move depends on.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// As the router has it.
    pub record: &'a Record,
    /// The generation this driver took.
    pub generation: u64,
    /// Now.
    pub now: Timestamp,
    /// The last look's.
    pub finding: &'a Finding,
    /// Since when nothing is seen of the candidate, if something should be.
    pub blind_since: Option<Timestamp>,
    /// What forbids a rise, in words: drift, another plan, another rollgate, no capacity.
    pub obstacles: &'a [String],
    /// The signal that asks this driver to leave.
    pub interrupted: Option<&'a str>,
    /// When this run's time is over.
    pub budget_end: Timestamp,
    /// Who follows.
    pub successor: Successor,
    /// The plan's limits of patience.
    pub patience: Patience,
}

/// How long a driver waits for what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a metric source that gives nothing.
    pub blind: SignedDuration,
    /// For a successor that was called.
    pub successor: SignedDuration,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write this move.
    Move(Move),
    /// Call the successor.
    CallSuccessor,
    /// Wait for the next look.
    Look,
    /// Leave the candidate all the traffic with nobody to watch it, and say so; the reason, in words.
    Unwatch(String),
    /// Leave. `handed_over` when a successor is known to drive.
    Stop {
        /// The exit code.
        outcome: Outcome,
        /// A successor drives.
        handed_over: bool,
    },
}

/// What a driver does next.
///
/// The order is the order of importance: who owns the rollout, what is already decided, harm, an order to
/// leave, blindness, time, and only then a rise.
#[must_use]
pub fn next(situation: &Situation<'_>) -> Action {
    let &Situation {
        record,
        generation,
        now,
        finding,
        blind_since,
        obstacles,
        interrupted,
        ..
    } = situation;
    let stop = |outcome| Action::Stop {
        outcome,
        handed_over: false,
    };

    if record.generation != generation {
        return match situation.successor {
            Successor::Called if record.is_active() => Action::Stop {
                outcome: Outcome::Done,
                handed_over: true,
            },
            _ => stop(Outcome::Fenced),
        };
    }
    let (step, since) = match &record.state {
        State::RolledBack { .. } => return stop(Outcome::Refused),
        State::Passed | State::Promoted { .. } | State::Finished => return stop(Outcome::Done),
        State::Paused { .. } => return stop(Outcome::Hold),
        // Begun by somebody who did not finish it.
        State::RollingBack { reason, .. } => return Action::Move(Move::RollBack(reason.clone())),
        &State::Ready { step } => (step, None),
        &State::Holding { step, since } => (step, Some(since)),
    };
    if let Finding::Rollback(sentence) = finding {
        return Action::Move(Move::RollBack(sentence.clone()));
    }
    // Whoever reported it may have died before the rollback.
    if let Some(reason) = damage(record) {
        return Action::Move(Move::RollBack(reason));
    }
    // With all the traffic on the candidate a share of 0 is no safe place: stable may be small by now.
    let leave = |reason: String| {
        if record.weight == Weight::FULL {
            Action::Unwatch(reason)
        } else {
            Action::Move(Move::Pause(reason))
        }
    };
    if let Some(signal) = interrupted {
        return leave(format!("the driver was asked to leave ({signal})"));
    }
    if let Some(blind) = blind_since.filter(|&blind| now.duration_since(blind) >= situation.patience.blind)
        && record.weight < Weight::FULL
    {
        return Action::Move(Move::Pause(format!(
            "nothing has been seen of the candidate since {blind:.0}: nobody can watch it"
        )));
    }
    if now >= situation.budget_end {
        let too_late = now.duration_since(situation.budget_end) >= situation.patience.successor;
        match situation.successor {
            Successor::Nobody => return leave("the driver's time is over".to_owned()),
            _ if too_late => {
                return leave("the driver's time is over and no successor came".to_owned());
            }
            Successor::ToCall => return Action::CallSuccessor,
            Successor::Called => {}
        }
    }
    // From here on the share could rise, and only from here on.
    if !obstacles.is_empty() || blind_since.is_some() || waits_for_a_person(record, now) {
        return Action::Look;
    }
    let Some(since) = since else {
        return Action::Move(Move::Raise);
    };
    let Some(here) = record.ladder.step(step) else {
        return Action::Look;
    };
    let proved = match (finding, record.ladder.require()) {
        (Finding::Healthy, _) | (Finding::Watch, Require::NoHarm) => true,
        (Finding::Watch | Finding::Hold | Finding::Rollback(_), _) => false,
    };
    if !proved || now.duration_since(since) < here.duration {
        return Action::Look;
    }
    match (record.ladder.step(step + 1), record.phase) {
        (Some(_), _) => Action::Move(Move::Advance),
        (None, Phase::Canary) => Action::Move(Move::Pass),
        (None, Phase::Production) if record.weight == Weight::FULL => Action::Move(Move::Promote),
        // A record that another hand made; the plan's production ends at 100 %.
        (None, Phase::Production) => Action::Look,
    }
}

/// Whether a gate is due or a signal waits, and nobody has said `go`.
#[must_use]
pub fn waits_for_a_person(record: &Record, now: Timestamp) -> bool {
    record.open_gate(now).is_some() || record.open_signal().is_some()
}

/// The signal by which a driver takes the traffic back, in words.
fn damage(record: &Record) -> Option<String> {
    let hurts = |signal: &&Signal| {
        signal.go.is_none() && matches!(signal.severity, Severity::Critical | Severity::Corruption)
    };
    record.signals.iter().find(hurts).map(Signal::in_words)
}

/// What a person has to decide before the share rises again, in words; none if nothing waits.
#[must_use]
pub fn question(record: &Record, now: Timestamp) -> Option<String> {
    let gate = record
        .open_gate(now)
        .map(|gate| format!("the gate at {:#} of the {} waits for a go", gate.at, record.phase));
    let signal = record
        .open_signal()
        .map(|signal| format!("{} (waits for a go)", signal.in_words()));
    match (gate, signal) {
        (Some(gate), Some(signal)) => Some(format!("{gate}; {signal}")),
        (gate, signal) => gate.or(signal),
    }
}

/// The share that the driver will write next if nothing stands in the way; none where it rises no more.
#[must_use]
pub fn next_share(record: &Record) -> Option<Weight> {
    let step = match record.state {
        State::Ready { step } => step,
        State::Holding { step, .. } => step + 1,
        _ => return None,
    };
    record.ladder.step(step).map(|step| step.weight)
}

/// Whether a step has had twice its time and is still not proved: a person is to be asked.
#[must_use]
pub fn is_overdue(record: &Record, now: Timestamp) -> bool {
    match record.state {
        State::Holding { step, since } => record
            .ladder
            .step(step)
            .is_some_and(|step| now.duration_since(since) >= step.duration.saturating_mul(2)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::record::tests::{at, record};

    fn holding() -> Record {
        record(State::Holding {
            step: 1,
            since: at(0),
        })
    }

    /// A driver at `second`, everything in order, judged `finding`.
    fn situation<'a>(record: &'a Record, second: i64, finding: &'a Finding) -> Situation<'a> {
        Situation {
            record,
            generation: 1,
            now: at(second),
            finding,
            blind_since: None,
            obstacles: &[],
            interrupted: None,
            budget_end: at(100_000),
            successor: Successor::ToCall,
            patience: Patience {
                blind: SignedDuration::from_mins(15),
                successor: SignedDuration::from_mins(20),
            },
        }
    }

    fn pauses(action: &Action) -> bool {
        matches!(action, Action::Move(Move::Pause(_)))
    }

    #[test]
    fn a_step_ends_when_its_time_is_over_and_health_is_proved() {
        let record = holding();
        for (second, finding, expected) in [
            (599, Finding::Healthy, Action::Look),
            (600, Finding::Healthy, Action::Move(Move::Advance)),
            (600, Finding::Watch, Action::Look),
            (600, Finding::Hold, Action::Look),
            (60_000, Finding::Watch, Action::Look),
        ] {
            assert_eq!(
                next(&situation(&record, second, &finding)),
                expected,
                "{second} {finding:?}"
            );
        }
    }

    #[test]
    fn without_demand_for_proof_watch_is_enough_but_hold_is_not() {
        let mut record = holding();
        let steps = record.ladder.steps().to_vec();
        record.ladder = crate::rollout::ladder::Ladder::new(steps, Require::NoHarm).unwrap();
        assert_eq!(
            next(&situation(&record, 600, &Finding::Watch)),
            Action::Move(Move::Advance)
        );
        assert_eq!(next(&situation(&record, 600, &Finding::Hold)), Action::Look);
    }

    #[test]
    fn the_last_step_passes() {
        let record = record(State::Holding {
            step: 2,
            since: at(0),
        });
        assert_eq!(
            next(&situation(&record, 600, &Finding::Healthy)),
            Action::Move(Move::Pass)
        );
    }

    #[test]
    fn harm_comes_before_an_order_to_leave_blindness_and_the_end_of_time() {
        let record = holding();
        let bad = Finding::Rollback("errors".to_owned());
        let obstacles = ["drift".to_owned()];
        let situation = Situation {
            interrupted: Some("SIGINT"),
            blind_since: Some(at(0)),
            obstacles: &obstacles,
            ..situation(&record, 200_000, &bad)
        };
        assert_eq!(
            next(&situation),
            Action::Move(Move::RollBack("errors".to_owned()))
        );
    }

    #[test]
    fn an_obstacle_stops_rises_and_only_rises() {
        let obstacles = ["the plan was changed".to_owned()];
        for record in [holding(), record(State::Ready { step: 0 })] {
            let situation = Situation {
                obstacles: &obstacles,
                ..situation(&record, 600, &Finding::Healthy)
            };
            assert_eq!(next(&situation), Action::Look);
            assert!(pauses(&next(&Situation {
                interrupted: Some("SIGTERM"),
                ..situation
            })));
        }
    }

    #[test]
    fn a_blind_driver_raises_nothing_and_leaves_nothing_behind() {
        let ready = record(State::Ready { step: 0 });
        let holding = holding();
        let blind = |record, second| {
            next(&Situation {
                blind_since: Some(at(0)),
                ..situation(record, second, &Finding::Hold)
            })
        };
        assert_eq!(blind(&ready, 10), Action::Look);
        assert_eq!(blind(&holding, 899), Action::Look);
        assert!(pauses(&blind(&holding, 900)));
        assert!(pauses(&blind(&ready, 900)));
    }

    #[test]
    fn the_end_of_the_budget_calls_a_successor_and_waits_for_it() {
        let record = holding();
        let finding = Finding::Watch;
        let at_end = |successor, second| {
            let end = Situation {
                budget_end: at(1000),
                successor,
                ..situation(&record, second, &finding)
            };
            next(&end)
        };
        assert_eq!(at_end(Successor::ToCall, 1000), Action::CallSuccessor);
        assert_eq!(at_end(Successor::Called, 1001), Action::Look);
        assert!(pauses(&at_end(Successor::Called, 1000 + 20 * 60)));
        assert!(pauses(&at_end(Successor::ToCall, 1000 + 20 * 60)));
        assert!(pauses(&at_end(Successor::Nobody, 1000)));
    }

    #[test]
    fn a_driver_leaves_when_another_has_the_generation() {
        let mut record = holding();
        record.generation = 2;
        let finding = Finding::Healthy;
        let mut situation = situation(&record, 600, &finding);
        assert_eq!(
            next(&situation),
            Action::Stop {
                outcome: Outcome::Fenced,
                handed_over: false
            }
        );
        situation.successor = Successor::Called;
        assert_eq!(
            next(&situation),
            Action::Stop {
                outcome: Outcome::Done,
                handed_over: true
            }
        );
        let mut rolled_back = record.clone();
        rolled_back.state = State::RolledBack {
            reason: "a person".to_owned(),
        };
        situation.record = &rolled_back;
        assert_eq!(
            next(&situation),
            Action::Stop {
                outcome: Outcome::Fenced,
                handed_over: false
            }
        );
    }

    #[test]
    fn what_is_over_is_over() {
        let finding = Finding::Healthy;
        for (state, outcome) in [
            (
                State::RolledBack {
                    reason: String::new(),
                },
                Outcome::Refused,
            ),
            (State::Passed, Outcome::Done),
            (State::Promoted { since: at(0) }, Outcome::Done),
            (State::Finished, Outcome::Done),
            (
                State::Paused {
                    step: 0,
                    reason: String::new(),
                },
                Outcome::Hold,
            ),
        ] {
            let record = record(state);
            assert_eq!(
                next(&situation(&record, 0, &finding)),
                Action::Stop {
                    outcome,
                    handed_over: false
                }
            );
        }
    }

    /// A production at 100 %, its last step.
    fn at_full() -> Record {
        let mut record = record(State::Holding {
            step: 0,
            since: at(0),
        });
        let step = crate::rollout::ladder::Step {
            weight: Weight::FULL,
            duration: SignedDuration::from_secs(600),
        };
        record.phase = Phase::Production;
        record.ladder = crate::rollout::ladder::Ladder::new(vec![step], Require::Proof).unwrap();
        record.weight = Weight::FULL;
        record
    }

    #[test]
    fn the_last_step_of_a_production_promotes() {
        let record = at_full();
        assert_eq!(
            next(&situation(&record, 600, &Finding::Healthy)),
            Action::Move(Move::Promote)
        );
        assert_eq!(next(&situation(&record, 599, &Finding::Healthy)), Action::Look);
    }

    #[test]
    fn with_all_the_traffic_on_the_candidate_a_driver_that_leaves_calls_for_people() {
        let record = at_full();
        let finding = Finding::Watch;
        let here = situation(&record, 10, &finding);
        let asked = Situation {
            interrupted: Some("SIGINT"),
            ..here.clone()
        };
        assert!(matches!(next(&asked), Action::Unwatch(_)));
        let over = Situation {
            budget_end: at(5),
            successor: Successor::Nobody,
            ..here.clone()
        };
        assert!(matches!(next(&over), Action::Unwatch(_)));
        let blind = Situation {
            blind_since: Some(at(-9999)),
            ..here
        };
        assert_eq!(next(&blind), Action::Look);
    }

    #[test]
    fn a_rollback_that_somebody_began_is_finished() {
        let record = record(State::RollingBack {
            weight: Weight::new(5).unwrap(),
            reason: "orders fail".to_owned(),
        });
        assert_eq!(
            next(&situation(&record, 0, &Finding::Healthy)),
            Action::Move(Move::RollBack("orders fail".to_owned()))
        );
    }

    #[test]
    fn while_a_gate_waits_nothing_rises_and_harm_still_takes_it_back() {
        let mut record = holding();
        record.gates = vec![crate::rollout::phase::Gate {
            at: SignedDuration::from_secs(300),
            go: None,
        }];
        assert_eq!(next(&situation(&record, 600, &Finding::Healthy)), Action::Look);
        let bad = Finding::Rollback("errors".to_owned());
        assert!(matches!(
            next(&situation(&record, 600, &bad)),
            Action::Move(Move::RollBack(_))
        ));
        record.gates[0].go = Some(crate::rollout::phase::Decision {
            by: "octocat".to_owned(),
            at: at(400),
        });
        assert_eq!(
            next(&situation(&record, 600, &Finding::Healthy)),
            Action::Move(Move::Advance)
        );
    }

    #[test]
    fn damage_that_was_reported_is_taken_back_by_the_driver_too() {
        let by = crate::rollout::moves::By {
            run: "a button",
            actor: "octocat",
            at: at(9),
        };
        for (severity, taken_back) in [
            (Severity::Critical, true),
            (Severity::Corruption, true),
            // Whoever reports it lowers the share step by step.
            (Severity::Degradation, false),
            (Severity::Watch, false),
        ] {
            let signalled = holding()
                .after(Move::Signal(severity, "orders fail".to_owned()), by)
                .unwrap();
            let action = next(&situation(&signalled, 600, &Finding::Healthy));
            let reason = format!("signal ({}) from octocat: orders fail", severity.word());
            let expected = if taken_back {
                Action::Move(Move::RollBack(reason))
            } else {
                Action::Look
            };
            assert_eq!(action, expected);
            let answered = signalled.after(Move::Go, by).unwrap();
            assert_eq!(
                next(&situation(&answered, 600, &Finding::Healthy)),
                Action::Move(Move::Advance)
            );
        }
    }

    #[test]
    fn twice_its_time_makes_a_step_overdue() {
        assert!(!is_overdue(&holding(), at(1199)));
        assert!(is_overdue(&holding(), at(1200)));
    }
}
