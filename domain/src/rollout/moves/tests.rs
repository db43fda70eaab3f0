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
            by_hand: false,
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

fn every_move() -> [Move; 18] {
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
        Move::PauseByHand("p".to_owned()),
        Move::Resume,
        Move::Go,
        Move::Signal(Severity::Watch, "s".to_owned()),
        Move::Lower(Weight::new(5).unwrap(), "l".to_owned()),
        Move::RollBack("r".to_owned()),
        Move::Beat,
        Move::Doubt(Timestamp::UNIX_EPOCH),
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
ready for step 2 of 3 (0 %) -PauseByHand(\"p\")-> paused before step 2 of 3: p (0 %)
ready for step 2 of 3 (0 %) -Go-> ready for step 2 of 3 (0 %)
ready for step 2 of 3 (0 %) -Signal(Watch, \"s\")-> ready for step 2 of 3 (0 %)
ready for step 2 of 3 (0 %) -RollBack(\"r\")-> rolled back: r (0 %)
ready for step 2 of 3 (0 %) -Beat-> ready for step 2 of 3 (0 %)
holding step 2 of 3 (5 %) -Take-> holding step 2 of 3 (5 %)
holding step 2 of 3 (5 %) -Advance-> holding step 3 of 3 (10 %)
holding step 2 of 3 (5 %) -Jump(0)-> holding step 1 of 3 (1 %)
holding step 2 of 3 (5 %) -Pause(\"p\")-> paused before step 2 of 3: p (0 %)
holding step 2 of 3 (5 %) -PauseByHand(\"p\")-> paused before step 2 of 3: p (0 %)
holding step 2 of 3 (5 %) -Go-> holding step 2 of 3 (5 %)
holding step 2 of 3 (5 %) -Signal(Watch, \"s\")-> holding step 2 of 3 (5 %)
holding step 2 of 3 (5 %) -Lower(Weight(5), \"l\")-> rolling back, still at 5 %: l (5 %)
holding step 2 of 3 (5 %) -RollBack(\"r\")-> rolled back: r (0 %)
holding step 2 of 3 (5 %) -Beat-> holding step 2 of 3 (5 %)
holding step 2 of 3 (5 %) -Doubt(1970-01-01T00:00:00Z)-> holding step 2 of 3 (5 %)
holding step 3 of 3 (10 %) -Take-> holding step 3 of 3 (10 %)
holding step 3 of 3 (10 %) -Jump(0)-> holding step 1 of 3 (1 %)
holding step 3 of 3 (10 %) -Pass-> passed: every step ended healthy (0 %)
holding step 3 of 3 (10 %) -Pause(\"p\")-> paused before step 3 of 3: p (0 %)
holding step 3 of 3 (10 %) -PauseByHand(\"p\")-> paused before step 3 of 3: p (0 %)
holding step 3 of 3 (10 %) -Go-> holding step 3 of 3 (10 %)
holding step 3 of 3 (10 %) -Signal(Watch, \"s\")-> holding step 3 of 3 (10 %)
holding step 3 of 3 (10 %) -Lower(Weight(5), \"l\")-> rolling back, still at 5 %: l (5 %)
holding step 3 of 3 (10 %) -RollBack(\"r\")-> rolled back: r (0 %)
holding step 3 of 3 (10 %) -Beat-> holding step 3 of 3 (10 %)
holding step 3 of 3 (10 %) -Doubt(1970-01-01T00:00:00Z)-> holding step 3 of 3 (10 %)
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
            Move::PauseByHand("p".to_owned()),
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

#[test]
fn two_rollouts_of_one_second_have_names_of_their_own() {
    let at = |millisecond: i64| Timestamp::from_millisecond(1_800_000_000_000 + millisecond).unwrap();
    assert_eq!(rollout_id("shop", at(7)), "shop-20270115T080000.007Z");
    assert_ne!(rollout_id("shop", at(7)), rollout_id("shop", at(8)));
}

#[test]
fn a_record_that_is_full_of_the_longest_texts_is_small_enough_for_every_router() {
    // A person's name on GitHub has 39 letters at most, and a run's address leads to it.
    let by = By {
        run: "https://github.com/an-organisation/a-repository-with-a-name/actions/runs/12345678901 attempt 1",
        actor: &"o".repeat(39),
        at: at(60),
    };
    for letter in ["x", "ü", "字", "<", "\"", "\n", "\u{1}", "🦀"] {
        let text = letter.repeat(5000);
        let mut full = record(State::Holding {
            step: 1,
            since: at(0),
        });
        let step = |weight| Step {
            weight: Weight::new(weight).unwrap(),
            duration: SignedDuration::from_mins(90),
        };
        full.ladder = Ladder::new((1..=100).map(step).collect(), Require::Proof).unwrap();
        full.stable.images = vec![format!("registry.example.com/a-team/shop@sha256:{}", "0".repeat(64)); 2];
        full.candidate.images.clone_from(&full.stable.images);
        full.gates = undecided([12, 24, 36].map(SignedDuration::from_hours).to_vec());
        full.phase_since = at(-200_000);
        for _ in 0..SIGNALS {
            full = full
                .after(Move::Signal(Severity::Degradation, text.clone()), by)
                .unwrap();
        }
        full = full.after(Move::Go, by).unwrap();
        full = full.after(Move::RollBack(text.clone()), by).unwrap();
        let length = full.encode().len();
        assert!(length <= 11_000, "{letter:?}: {length}");
        let State::RolledBack { reason } = full.state else {
            panic!("{:?}", full.state);
        };
        assert!(reason.starts_with(letter) && reason.ends_with('…'), "{reason}");
        assert_eq!(shortened(reason.clone()), reason);
    }
    assert_eq!(shortened("x".repeat(LONGEST_REASON)), "x".repeat(LONGEST_REASON));
}

#[test]
fn while_the_router_was_not_as_recorded_nobody_knows_the_share() {
    let holding = record(State::Holding {
        step: 1,
        since: at(0),
    });
    let weight = holding.weight;
    let after = holding.after(Move::Doubt(at(600)), by()).unwrap();
    assert_eq!(after.shares, [(at(600), Weight::ZERO), (by().at, weight)]);
    assert_eq!(after.weight, weight);
    assert_eq!(after.tried_at(by().at).0, at(0), "the step is the same");
}

#[test]
fn a_doubt_that_lasts_stands_once() {
    let mut record = record(State::Holding {
        step: 1,
        since: at(0),
    });
    record.shares = vec![(at(0), record.weight)];
    for beat in 1..100 {
        let by = By {
            at: at(600 + 15 * beat),
            ..by()
        };
        record = record.after(Move::Doubt(at(600)), by).unwrap();
    }
    let weight = record.weight;
    let shares = [(at(0), weight), (at(600), Weight::ZERO), (at(2085), weight)];
    assert_eq!(record.shares, shares);
}
