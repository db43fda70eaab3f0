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
    /// Both versions are worse since a rise: no share until a person says on.
    Precaution(String),
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
    /// It was called, then, and has not taken the generation yet.
    Called(Timestamp),
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
            // What is on its way back was taken from both by a rollback.
            Successor::Called(_)
                if record.is_active() && !matches!(record.state, State::RollingBack { .. }) =>
            {
                Action::Stop {
                    outcome: Outcome::Done,
                    handed_over: true,
                }
            }
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
    if let Finding::Precaution(sentence) = finding
        && record.weight > Weight::ZERO
        && record.weight < Weight::FULL
    {
        return Action::Move(Move::PauseByHand(sentence.clone()));
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
        let too_late = |since| now.duration_since(since) >= situation.patience.successor;
        match situation.successor {
            Successor::Nobody => return leave("the driver's time is over".to_owned()),
            Successor::ToCall if !too_late(situation.budget_end) => return Action::CallSuccessor,
            Successor::Called(at) if !too_late(at) => {}
            Successor::ToCall | Successor::Called(_) => {
                return leave("the driver's time is over and no successor came".to_owned());
            }
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
        (Finding::Watch | Finding::Hold | Finding::Precaution(_) | Finding::Rollback(_), _) => false,
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
#[must_use]
pub fn damage(record: &Record) -> Option<String> {
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
mod tests;
