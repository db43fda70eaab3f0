//! A rollout in the middle of its canary, written as a driver writes it: the start of every figure of a rollback.

use jiff::{SignedDuration, Timestamp};
use rollgate::plan::Plan;
use rollgate::providers::traffic::Router;
use rollgate_domain::rollout::ladder::{Ladder, Require, Step};
use rollgate_domain::rollout::moves::{By, Course, Move, Start};
use rollgate_domain::rollout::phase::Phase;
use rollgate_domain::rollout::record::{Evidence, Pin, Record, Version};
use rollgate_domain::weight::Weight;

/// `router` gives the second of `backends` so many percent since `since`, whatever was there before.
pub(crate) async fn hold(
    router: &dyn Router,
    plan: &Plan,
    backends: [&str; 2],
    percent: u8,
    since: Timestamp,
) {
    let step = Step {
        weight: Weight::new(percent).expect("a weight"),
        duration: SignedDuration::from_hours(96),
    };
    let ladder = Ladder::new(vec![step], Require::Proof).expect("a ladder");
    let by = by(since);
    let seen = router.read().await.expect("what the router has");
    let before = seen.record.clone().expect("a record or none");
    let record = Record::start(start(plan, backends, ladder, since), before.as_ref(), by);
    let record = record.after(Move::Raise, by).expect("the first step");
    router.write(&seen, &record).await.expect("a write");
}

/// `router` has a rollout with these steps, begun and not raised yet.
pub(crate) async fn begin(
    router: &dyn Router,
    plan: &Plan,
    backends: [&str; 2],
    steps: Vec<Step>,
    now: Timestamp,
) {
    let ladder = Ladder::new(steps, Require::Proof).expect("a ladder");
    let seen = router.read().await.expect("what the router has");
    let record = Record::start(start(plan, backends, ladder, now), None, by(now));
    router.write(&seen, &record).await.expect("a write");
}

fn start(plan: &Plan, [stable, candidate]: [&str; 2], ladder: Ladder, origin: Timestamp) -> Start {
    let version = |backend: &str, version: &str| Version {
        backend: backend.to_owned(),
        version: version.to_owned(),
        images: Vec::new(),
    };
    Start {
        service: plan.service.clone(),
        stable: version(stable, "v1"),
        candidate: version(candidate, "v2"),
        course: Course {
            phase: Phase::Canary,
            ladder,
            gates: Vec::new(),
            keep_old: SignedDuration::ZERO,
        },
        evidence: Evidence {
            origin,
            look: plan.judgement.look,
            cluster_size: plan.judgement.cluster_size.unwrap_or(1.0),
            ..Evidence::default()
        },
        pin: Pin {
            hash: plan.hash.clone(),
            commit: None,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
        },
    }
}

const fn by(at: Timestamp) -> By<'static> {
    By {
        run: "bench",
        actor: "bench",
        at,
    }
}
