//! What people do by hand: which move it is, and why it is refused.
//!
//! A person may do less than nothing against the plan: whatever raises the share needs a driver that watches,
//! every `go` that is due, an open window, and the plan that the rollout began with. Whatever lowers it needs none of
//! them. A promotion moves no share and waits for no window, but for people it waits as well.

use jiff::Timestamp;

use crate::{
    rollout::{
        moves::Move,
        next,
        phase::{Phase, Severity},
        record::{Pin, Record, State},
        standby,
        window::Window,
    },
    weight::Weight,
};

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// This share, the weight of a step.
    Set(Weight),
    /// The next step, now.
    Advance,
    /// Share 0, resumable.
    Pause,
    /// Ready again after a pause.
    Resume,
    /// The candidate, which has all the traffic, becomes stable now.
    Promote,
    /// Past every gate that is due and every signal that waits.
    Go,
    /// Something was seen outside.
    Signal(Severity),
}

impl Wish {
    /// Its verb and what it does it to, for what could not be done.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Set(weight) => format!("set {weight}"),
            Self::Advance => "advance".to_owned(),
            Self::Pause => "pause".to_owned(),
            Self::Resume => "resume".to_owned(),
            Self::Promote => "promote".to_owned(),
            Self::Go => "approve go".to_owned(),
            Self::Signal(severity) => format!("signal {}", severity.word()),
        }
    }
}

/// What a wish is measured by.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// When the share may rise; none: always.
    pub window: Option<&'a Window>,
    /// The plan and the rollgate at hand.
    pub pin: &'a Pin,
}

/// The move that `wish` is for `record`, or why there is none, in words.
///
/// # Errors
///
/// Refused, and what to do instead.
pub fn decide(
    wish: &Wish,
    reason: &str,
    record: &Record,
    now: Timestamp,
    terms: Terms<'_>,
) -> Result<Move, String> {
    let here = || format!("the rollout is {}", record.state_in_words());
    match (wish, &record.state) {
        (&Wish::Set(Weight::ZERO) | Wish::Pause, State::Holding { .. }) if record.weight == Weight::FULL => {
            Err(
                "all the traffic is on the candidate and stable may be small by now: \
                 shift-traffic rollback takes it back, with stable's capacity first"
                    .to_owned(),
            )
        }
        (&Wish::Set(Weight::ZERO), State::Holding { .. })
        | (Wish::Pause, State::Ready { .. } | State::Holding { .. }) => {
            Ok(Move::PauseByHand(reason.to_owned()))
        }
        (&Wish::Set(weight), State::Holding { .. }) => {
            let step = step_of(weight, record)?;
            if weight > record.weight {
                may_rise(record, now, terms)?;
            }
            Ok(Move::Jump(step))
        }
        (Wish::Advance, &State::Holding { step, .. }) => {
            if record.ladder.step(step + 1).is_none() {
                return Err(format!(
                    "{} is the last step of the {}: it ends by itself, when its time is over and it is proved healthy",
                    record.weight, record.phase
                ));
            }
            may_rise(record, now, terms)?;
            Ok(Move::Jump(step + 1))
        }
        (Wish::Set(_) | Wish::Advance, _) => Err(format!("{}: shift-traffic run drives it", here())),
        (Wish::Pause, _) => Err(format!("{}: there is nothing to pause", here())),
        (Wish::Resume, State::Paused { .. }) => Ok(Move::Resume),
        (Wish::Resume, _) => Err(format!("{}: only a paused one is resumed", here())),
        (Wish::Promote, State::Holding { .. }) if record.phase == Phase::Canary => Err(format!(
            "{} of its canary: promote belongs to production (shift-traffic start --phase production)",
            here()
        )),
        (Wish::Promote, State::Holding { .. }) if record.weight < Weight::FULL => Err(format!(
            "the candidate has {}: promote moves no traffic, shift-traffic run raises it to 100 %",
            record.weight
        )),
        (Wish::Promote, State::Holding { .. }) => {
            may_go_on(record, now)?;
            record.pin.refusal(terms.pin).map_or(Ok(Move::Promote), Err)
        }
        (Wish::Promote, _) => Err(format!(
            "{}: promote needs a candidate with all the traffic",
            here()
        )),
        (Wish::Go, _) => {
            if next::waits_for_a_person(record, now) {
                // Who may decide stands in the plan: another one could name anybody.
                return record.pin.refusal(terms.pin).map_or(Ok(Move::Go), Err);
            }
            let next = record
                .next_gate_at(now)
                .map_or_else(String::new, |at| format!("; the next gate is at {at:.0}"));
            Err(format!("nothing waits for a decision now{next}"))
        }
        (Wish::Signal(_), State::RolledBack { .. } | State::Finished) => Err(here()),
        (&Wish::Signal(severity), _) => Ok(Move::Signal(severity, reason.to_owned())),
    }
}

fn step_of(weight: Weight, record: &Record) -> Result<usize, String> {
    record.ladder.index_of(weight).ok_or_else(|| {
        let steps: Vec<_> = record
            .ladder
            .steps()
            .iter()
            .map(|step| step.weight.to_string())
            .collect();
        format!(
            "{weight} is no step of this rollout; it has 0 %, {}",
            steps.join(", ")
        )
    })
}

/// What stands for every rise also stands for one by hand.
fn may_rise(record: &Record, now: Timestamp, terms: Terms<'_>) -> Result<(), String> {
    if let Some(silence) = standby::silence(record, now) {
        let seconds = silence.as_secs_f64();
        let when = if seconds < 0.0 {
            format!("{:.0} s from now by this machine's clock: set it", -seconds)
        } else {
            format!("{seconds:.0} s ago; start a driver with shift-traffic run")
        };
        return Err(format!("nobody watches: {} last wrote {when}", record.driver.run));
    }
    may_go_on(record, now)?;
    let refusal = closed(terms.window, now).or_else(|| record.pin.refusal(terms.pin));
    refusal.map_or(Ok(()), Err)
}

/// What waits for a person stands in the way of everything but a way back.
fn may_go_on(record: &Record, now: Timestamp) -> Result<(), String> {
    if let Some(damage) = next::damage(record) {
        return Err(format!(
            "{damage}; shift-traffic rollback takes the traffic back, or first say shift-traffic approve go"
        ));
    }
    match next::question(record, now) {
        Some(what) => Err(format!("{what}; first say shift-traffic approve go")),
        None => Ok(()),
    }
}

/// Why the window lets nothing rise now, in words; none while it is open.
#[must_use]
pub fn closed(window: Option<&Window>, now: Timestamp) -> Option<String> {
    let window = window?;
    let opening = window.opens_next_here(now)?;
    Some(format!(
        "the share rises only {window}; that is next {}",
        opening.strftime("%a %F %H:%M %Q")
    ))
}

#[cfg(test)]
mod tests {
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
}
