//! The way of a rollout as a plan gives it.

use jiff::SignedDuration;
use rollgate_domain::{
    rollout::{
        ladder::{Ladder, Require, Step},
        moves::Course,
        phase::Phase,
    },
    weight::Weight,
};

/// A production of one step, all the traffic, whose old version may go at once.
pub(crate) fn production() -> Course {
    let all = Step {
        weight: Weight::FULL,
        duration: SignedDuration::from_hours(1),
    };
    Course {
        phase: Phase::Production,
        ladder: Ladder::new(vec![all], Require::Proof).expect("a ladder"),
        gates: Vec::new(),
        keep_old: SignedDuration::ZERO,
    }
}
