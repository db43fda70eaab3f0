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
mod tests;
