//! Plain Services as routers, and what goes wrong with them.

mod replica_ratio;
mod service_selector;

use jiff::{SignedDuration, Timestamp};
use rollgate::providers::traffic::{Router, Seen, WriteError};
use rollgate_domain::{
    rollout::{
        ladder::{Ladder, Require, Step},
        moves::{By, Course, Start},
        phase::Phase,
        record::{Evidence, Pin, Record, Version},
    },
    weight::Weight,
};

fn percent(share: u8) -> Weight {
    Weight::new(share).expect("a share")
}

/// A rollout of `backends` by these steps, at 0 %.
fn started([stable, candidate]: [&str; 2], steps: &[u8]) -> Record {
    let version = |backend: &str| Version {
        backend: backend.to_owned(),
        version: format!("the version on {backend}"),
        images: Vec::new(),
    };
    let step = |share: &u8| Step {
        weight: percent(*share),
        duration: SignedDuration::from_hours(6),
    };
    let start = Start {
        service: "shop-api".to_owned(),
        stable: version(stable),
        candidate: version(candidate),
        course: Course {
            phase: Phase::Production,
            ladder: Ladder::new(steps.iter().map(step).collect(), Require::Proof).expect("a ladder"),
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
    };
    let by = By {
        run: "a run",
        actor: "octocat",
        at: Timestamp::UNIX_EPOCH,
    };
    Record::start(start, None, by)
}

/// Looks and writes.
async fn write(router: &dyn Router, record: &Record) -> Result<Seen, WriteError> {
    let seen = router.read().await.expect("what the router has");
    router.write(&seen, record).await
}

#[track_caller]
fn says(error: &anyhow::Error, words: &[&str]) {
    let text = rollgate::error::chain(error);
    for words in words {
        assert!(text.contains(words), "{words} in {text}");
    }
}
