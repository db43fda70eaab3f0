//! What is done when the traffic is back: workers, a check by requests, open sessions, pods.
//!
//! None of it delays or undoes the rollback, and none of it changes how the run ended: what cannot be done is said,
//! and the next rollback tries it again.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    exit::Outcome,
    rollout::{
        event::Event,
        record::{Record, State},
    },
    weight::Weight,
};
use tokio::time::timeout;

use super::RolledBack;
use crate::{
    error::chain,
    operations::{capacity::Behind, desk::Desk},
    providers::{sampling::Sampler, stacks::Wish, traffic::Router},
};

/// For each thing that is asked of the platform.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many requests show a share of 15 % that is not 0 in 96 of 100 cases.
const REQUESTS: usize = 20;

/// Between two looks at open sessions.
const AGAIN: Duration = Duration::from_millis(500);

/// What is done, and with what.
#[derive(Clone, Copy)]
pub struct Afterwards<'a> {
    /// Where workers and pods are.
    pub behind: Behind<'a>,
    /// Sends requests as a user does.
    pub sampler: Option<&'a Sampler>,
    /// How long open sessions may go on before pods are taken away.
    pub drain: SignedDuration,
    /// Whether the candidate is to have no pods, rather than those it had before the rollout.
    pub scale_down: bool,
}

impl Afterwards<'_> {
    /// Puts everything in order behind a rollback that is done; nothing for one that is not. May be repeated.
    pub async fn put_in_order(&self, router: &dyn Router, desk: &mut Desk, done: &RolledBack) {
        let RolledBack {
            outcome,
            record,
            unconfirmed,
        } = done;
        if *outcome != Outcome::Done || !matches!(record.state, State::RolledBack { .. }) {
            return;
        }
        let (stable, candidate) = (&record.stable.backend, &record.candidate.backend);
        // In this order: two versions never work at the same queues.
        self.ask(desk, record, candidate, Wish::WorkersQuiet).await;
        self.ask(desk, record, stable, Wish::WorkersAsBefore(0)).await;
        let verified = self.verify(desk, record).await;
        if !verified || !unconfirmed.is_empty() {
            let what = format!(
                "{candidate} keeps its pods: it is not sure that no user meets it; run shift-traffic rollback again when \
                 it is"
            );
            desk.note(record, Event::LeftOver { what });
            return;
        }
        let wish = if self.scale_down {
            Wish::Nothing
        } else {
            Wish::AsBefore
        };
        if self.is_changed_by(candidate, wish).await {
            self.drained(router, desk, record).await;
            self.ask(desk, record, candidate, wish).await;
        } else if self.behind.stacks.is_none() {
            self.drained(router, desk, record).await;
        }
        self.ask(desk, record, stable, Wish::Settled).await;
    }

    /// The same in words, for `--dry-run`.
    ///
    /// # Errors
    ///
    /// What is there could not be read.
    pub async fn describe(&self, record: &Record) -> anyhow::Result<String> {
        let (stable, candidate) = (record.stable.backend.as_str(), record.candidate.backend.as_str());
        let wish = if self.scale_down {
            Wish::Nothing
        } else {
            Wish::AsBefore
        };
        self.behind
            .describe(&[
                (candidate, Wish::WorkersQuiet),
                (stable, Wish::WorkersAsBefore(0)),
                (candidate, wish),
                (stable, Wish::Settled),
            ])
            .await
    }

    async fn ask(&self, desk: &mut Desk, record: &Record, backend: &str, wish: Wish) {
        let event = match timeout(PATIENCE, self.behind.ask(backend, wish)).await {
            Ok(Ok(None)) => return,
            Ok(Ok(Some(what))) => Event::Prepared { what },
            Ok(Err(what)) => Event::LeftOver { what },
            Err(_) => Event::LeftOver {
                what: format!(
                    "{backend}: {wish:?} was not answered within {} s",
                    PATIENCE.as_secs()
                ),
            },
        };
        desk.note(record, event);
    }

    async fn is_changed_by(&self, backend: &str, wish: Wish) -> bool {
        let Some(stacks) = self.behind.stacks else {
            return false;
        };
        // What cannot be described is asked for, and says itself why not.
        !matches!(
            timeout(PATIENCE, stacks.describe(backend, wish)).await,
            Ok(Ok(None))
        )
    }

    /// Asks the service itself who answers; false if the candidate does.
    async fn verify(&self, desk: &mut Desk, record: &Record) -> bool {
        let Some(sampler) = self.sampler else {
            return true;
        };
        let stable = [&record.stable.backend, &record.stable.version];
        match sampler.sample(REQUESTS).await {
            Ok(answers) => {
                let others: BTreeSet<_> = answers.iter().filter(|answer| !stable.contains(answer)).collect();
                if others.is_empty() {
                    let what = format!(
                        "{} of {} requests were answered by stable",
                        answers.len(),
                        answers.len()
                    );
                    desk.note(record, Event::Prepared { what });
                    return true;
                }
                let others: Vec<_> = others.into_iter().map(|other| format!("\"{other}\"")).collect();
                let what = format!(
                    "the router gives {} to {}, but requests to {} were answered by {}: is there another router before \
                     it, or a cache",
                    Weight::FULL,
                    record.stable.backend,
                    sampler.url(),
                    others.join(", ")
                );
                desk.note(record, Event::LeftOver { what });
                false
            }
            Err(error) => {
                let what = format!("who answers users could not be checked: {}", chain(&error));
                desk.note(record, Event::LeftOver { what });
                true
            }
        }
    }

    /// Waits until the candidate has no open session, where the router tells, and at most as long as the plan says.
    async fn drained(&self, router: &dyn Router, desk: &mut Desk, record: &Record) {
        let until = desk
            .clock
            .now()
            .saturating_add(self.drain)
            .unwrap_or(Timestamp::MAX);
        let mut open = None;
        while desk.clock.now() < until {
            let capacity = router.read().await.ok().and_then(|seen| seen.capacity);
            match capacity.and_then(|capacity| capacity.sessions) {
                Some(0) => return,
                Some(sessions) => open = Some(sessions),
                // Kubernetes does not tell: the time has to pass, for those that scale down after it.
                None if self.behind.stacks.is_some() => {
                    desk.clock.sleep_until(until).await;
                    return;
                }
                None => return,
            }
            tokio::time::sleep(AGAIN).await;
        }
        if let Some(open) = open {
            let what = format!(
                "{} still has {open} requests that it has not answered after {:#}",
                record.candidate.backend, self.drain
            );
            desk.note(record, Event::LeftOver { what });
        }
    }
}
