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
    // GitHub took the call a minute later; from then on the successor has its time.
    let called = Successor::Called(at(1060));
    assert_eq!(at_end(called, 1000 + 20 * 60), Action::Look);
    assert!(pauses(&at_end(called, 1060 + 20 * 60)));
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
    situation.successor = Successor::Called(at(500));
    assert_eq!(
        next(&situation),
        Action::Stop {
            outcome: Outcome::Done,
            handed_over: true
        }
    );
    for state in [
        State::RolledBack {
            reason: "a person".to_owned(),
        },
        State::RollingBack {
            weight: Weight::new(5).unwrap(),
            reason: "a person, step by step".to_owned(),
        },
    ] {
        let taken_back = Record {
            state,
            ..record.clone()
        };
        let fenced = Situation {
            record: &taken_back,
            ..situation
        };
        assert_eq!(
            next(&fenced),
            Action::Stop {
                outcome: Outcome::Fenced,
                handed_over: false
            }
        );
    }
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
                by_hand: false,
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
