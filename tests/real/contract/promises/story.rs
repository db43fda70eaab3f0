//! A rollout as a driver would write it, move by move.

use jiff::{SignedDuration, Timestamp};
use rollgate::providers::traffic::{Router, Seen, Users};
use rollgate_domain::{
    rollout::{
        ladder::{Ladder, Require, Step},
        moves::{By, Course, Move, Start},
        phase::Phase,
        record::{Evidence, Pin, Record, Version},
    },
    weight::Weight,
};

use crate::{real::beds::Bed, support::world::after};

pub(super) const BY: By<'static> = By {
    run: "a run",
    actor: "octocat",
    at: Timestamp::UNIX_EPOCH,
};

pub(super) fn percent(share: u8) -> Weight {
    Weight::new(share).expect("a share")
}

/// What a rollout from one backend to the other begins with; its steps are all shares that the bed can give.
pub(super) fn start<B: Bed>([stable, candidate]: [&str; 2]) -> Start {
    let version = |backend: &str| Version {
        backend: backend.to_owned(),
        version: format!("the version on {backend}"),
        images: Vec::new(),
    };
    let step = |share: &u8| Step {
        weight: percent(*share),
        duration: SignedDuration::from_hours(6),
    };
    Start {
        service: "shop-api".to_owned(),
        stable: version(stable),
        candidate: version(candidate),
        course: Course {
            phase: Phase::Production,
            ladder: Ladder::new(B::SHARES.iter().map(step).collect(), Require::Proof).expect("a ladder"),
            gates: Vec::new(),
            keep_old: SignedDuration::ZERO,
        },
        evidence: Evidence {
            origin: Timestamp::UNIX_EPOCH,
            look: SignedDuration::from_secs(15),
            cluster_size: 1.0,
            ..Evidence::default()
        },
        pin: Pin {
            hash: String::new(),
            commit: None,
            tool: String::new(),
        },
    }
}

/// The first record ever.
pub(super) fn first<B: Bed>() -> Record {
    Record::start(start::<B>(B::BACKENDS), None, BY)
}

/// The record that holds the first step.
pub(super) fn held<B: Bed>() -> Record {
    after(&first::<B>(), Move::Raise)
}

/// Why it was taken back.
pub(super) fn rollback() -> Move {
    Move::RollBack("orders fail".to_owned())
}

/// What somebody sees who has just come.
pub(super) async fn read<B: Bed>(bed: &B) -> Seen {
    let router = bed.router(Users::default());
    router.read().await.expect("what the router has")
}

/// Looks and writes, by somebody who has just come.
pub(super) async fn write<B: Bed>(bed: &B, record: &Record) -> Seen {
    write_by(bed.router(Users::default()).as_ref(), record).await
}

/// Looks and writes.
pub(super) async fn write_by(router: &dyn Router, record: &Record) -> Seen {
    let seen = router.read().await.expect("what the router has");
    router.write(&seen, record).await.expect("a write")
}

/// `seen` is `record` and its share, whole, and users get it.
#[track_caller]
pub(super) fn assert_is<B: Bed>(bed: &B, seen: &Seen, record: &Record) {
    assert_eq!(seen.record.as_ref(), Ok(&Some(record.clone())));
    assert_eq!(seen.candidate, record.candidate.backend);
    assert_eq!(seen.share, Some(record.weight));
    assert_eq!((&seen.drift, seen.torn), (&None, false));
    assert_eq!(seen.unreachable, Vec::<String>::new());
    let second = if seen.candidate == B::BACKENDS[1] {
        record.weight
    } else {
        record.weight.rest()
    };
    assert_eq!(bed.live(), second.percent());
}
