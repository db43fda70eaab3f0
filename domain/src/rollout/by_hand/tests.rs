use super::*;
use crate::rollout::{
    phase::{Gate, Signal},
    record::tests::{at, record},
};
use jiff::{SignedDuration, tz::TimeZone};

fn holding(step: usize) -> Record {
    record(State::Holding { step, since: at(0) })
}

fn said(wish: &Wish, record: &Record, second: i64) -> String {
    let terms = Terms {
        window: None,
        pin: &record.pin,
    };
    decide(wish, "why", record, at(second), terms).map_or_else(|why| why, |step| format!("{step:?}"))
}

fn percent(weight: u8) -> Weight {
    Weight::new(weight).unwrap()
}

#[test]
fn a_share_is_lowered_at_any_time_and_raised_only_while_a_driver_watches() {
    let record = holding(1);
    assert_eq!(said(&Wish::Set(percent(1)), &record, 9_999), "Jump(0)");
    assert_eq!(said(&Wish::Set(percent(10)), &record, 60), "Jump(2)");
    assert_eq!(said(&Wish::Advance, &record, 60), "Jump(2)");
    for wish in [Wish::Set(percent(10)), Wish::Advance] {
        assert!(said(&wish, &record, 61).starts_with("nobody watches: run 7 last wrote 61 s ago"));
        assert_eq!(
            said(&wish, &record, -61),
            "nobody watches: run 7 last wrote 61 s from now by this machine's clock: set it"
        );
    }
    assert!(said(&Wish::Advance, &holding(2), 60).starts_with("10 % is the last step of the canary"));
}

#[test]
fn nobody_walks_round_a_gate_or_a_signal_by_hand() {
    let mut gated = holding(1);
    gated.gates = vec![Gate {
        at: SignedDuration::from_secs(30),
        go: None,
    }];
    assert_eq!(said(&Wish::Advance, &gated, 29), "Jump(2)");
    assert!(said(&Wish::Advance, &gated, 30).ends_with("first say shift-traffic approve go"));
    assert!(said(&Wish::Set(percent(10)), &gated, 30).contains("approve go"));
    assert_eq!(said(&Wish::Set(percent(1)), &gated, 30), "Jump(0)");
    assert_eq!(said(&Wish::Go, &gated, 30), "Go");
    assert_eq!(
        said(&Wish::Go, &gated, 29),
        "nothing waits for a decision now; the next gate is at 2027-01-15T08:00:30Z"
    );
    assert_eq!(
        said(&Wish::Go, &holding(1), 29),
        "nothing waits for a decision now"
    );
}

#[test]
fn a_rise_by_hand_keeps_to_the_window_and_a_pause_does_not() {
    // 2027-01-15 is a Friday.
    let window = Window::parse("Mon-Thu 09:00-16:00 UTC", |_| Some(TimeZone::UTC)).unwrap();
    let said = |wish: &Wish| {
        let record = holding(1);
        let terms = Terms {
            window: Some(&window),
            pin: &record.pin,
        };
        decide(wish, "why", &record, at(1), terms).map_or_else(|why| why, |step| format!("{step:?}"))
    };
    assert_eq!(
        said(&Wish::Advance),
        "the share rises only Mon,Tue,Wed,Thu 09:00-16:00 UTC; that is next Mon 2027-01-18 09:00 UTC"
    );
    assert_eq!(said(&Wish::Pause), "PauseByHand(\"why\")");
}

#[test]
fn nothing_rises_is_promoted_or_approved_by_another_plan_or_another_rollgate() {
    let mut record = holding(1);
    record.pin.commit = Some("c0ffee".to_owned());
    let ours = record.pin.clone();
    let mut full = record.clone();
    (full.phase, full.weight) = (Phase::Production, Weight::FULL);
    let mut gated = record.clone();
    gated.gates = vec![Gate {
        at: SignedDuration::ZERO,
        go: None,
    }];
    for (hash, tool, why) in [
        (
            "0123456789abcdef",
            "0.1.0",
            "the plan was changed in the middle of the rollout: go on with the one it started with (sha256 abc, commit \
             c0ffee; this one is 0123456789ab), or roll back and start anew",
        ),
        (
            "abc",
            "0.2.0",
            "the rollout was started with rollgate 0.1.0, this is 0.2.0: go on with the same",
        ),
    ] {
        let pin = Pin {
            hash: hash.to_owned(),
            tool: tool.to_owned(),
            ..ours.clone()
        };
        let decide = |wish: Wish, record: &Record| {
            let terms = Terms {
                window: None,
                pin: &pin,
            };
            decide(&wish, "why", record, at(1), terms)
        };
        for wish in [Wish::Advance, Wish::Set(percent(10))] {
            assert_eq!(decide(wish, &record), Err(why.to_owned()));
        }
        assert_eq!(decide(Wish::Promote, &full), Err(why.to_owned()));
        assert_eq!(decide(Wish::Go, &gated), Err(why.to_owned()));
        assert_eq!(decide(Wish::Set(percent(1)), &record), Ok(Move::Jump(0)));
        assert_eq!(
            decide(Wish::Pause, &record),
            Ok(Move::PauseByHand("why".to_owned()))
        );
    }
}

#[test]
fn with_all_the_traffic_on_the_candidate_nothing_is_paused_by_hand() {
    let mut full = holding(2);
    (full.phase, full.weight) = (Phase::Production, Weight::FULL);
    for wish in [Wish::Pause, Wish::Set(Weight::ZERO)] {
        assert!(said(&wish, &full, 1).contains("shift-traffic rollback takes it back"));
    }
}

#[test]
fn nobody_promotes_past_a_gate_a_signal_or_damage() {
    let mut full = holding(2);
    (full.phase, full.weight) = (Phase::Production, Weight::FULL);
    assert_eq!(said(&Wish::Promote, &full, 9_999), "Promote");
    full.gates = vec![Gate {
        at: SignedDuration::from_secs(30),
        go: None,
    }];
    assert_eq!(said(&Wish::Promote, &full, 29), "Promote");
    assert_eq!(
        said(&Wish::Promote, &full, 30),
        "the gate at 30s of the production waits for a go; first say shift-traffic approve go"
    );
    full.gates.clear();
    for (severity, why) in [
        (
            Severity::Watch,
            "signal (watch) from octocat: odd mails (waits for a go); first say shift-traffic approve go",
        ),
        (
            Severity::Critical,
            "signal (critical) from octocat: odd mails; shift-traffic rollback takes the traffic back, or first say \
             shift-traffic approve go",
        ),
    ] {
        full.signals = vec![Signal {
            severity,
            text: "odd mails".to_owned(),
            by: "octocat".to_owned(),
            at: at(1),
            go: None,
        }];
        assert_eq!(said(&Wish::Promote, &full, 9), why);
    }
}

#[test]
fn what_does_not_fit_the_state_is_refused_with_the_state() {
    let paused = record(State::Paused {
        step: 1,
        by_hand: false,
        reason: "p".to_owned(),
    });
    let passed = record(State::Passed);
    for (wish, record, expected) in [
        (Wish::Resume, &paused, "Resume"),
        (
            Wish::Resume,
            &passed,
            "the rollout is passed: every step ended healthy: only a paused one is resumed",
        ),
        (
            Wish::Pause,
            &paused,
            "the rollout is paused before step 2 of 3: p: there is nothing to pause",
        ),
        (
            Wish::Advance,
            &paused,
            "the rollout is paused before step 2 of 3: p: shift-traffic run drives it",
        ),
        (Wish::Signal(Severity::Watch), &passed, "Signal(Watch, \"why\")"),
    ] {
        assert_eq!(said(&wish, record, 1), expected);
    }
}
