//! A process of the candidate that begins anew again and again, while none of stable's does.
//!
//! A rule and no evidence. One restart is an accident, and what stable does too is no regression.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::look::Look;

const WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// So many restarts of one process in the window are a loop: Kubernetes waits 10, 20, 40, 80 s in between.
const LOOP: u32 = 4;

/// A single restart of stable's in that time says nothing about the candidate's.
const ACCIDENT: u32 = 1;

/// Restarts of the last minutes.
#[derive(Clone, Debug, Default)]
pub(super) struct CrashLoop {
    candidate: Restarts,
    stable: Restarts,
}

#[derive(Clone, Debug, Default)]
struct Restarts {
    recent: VecDeque<(Timestamp, String, u32)>,
    total: u64,
}

/// A process that does not stay up.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Looping {
    pub(super) instance: String,
    pub(super) restarts: u32,
    pub(super) since: Timestamp,
}

impl CrashLoop {
    pub(super) fn add(&mut self, look: &Look) {
        self.candidate.add(look.end, &look.candidate.restarts);
        self.stable.add(look.end, &look.stable.restarts);
    }

    pub(super) fn found(&self) -> Option<Looping> {
        if self.stable.most(ACCIDENT + 1).is_some() {
            return None;
        }
        self.candidate.most(LOOP)
    }

    /// All restarts so far, stable's and the candidate's.
    pub(super) fn total(&self) -> [u64; 2] {
        [self.stable.total, self.candidate.total]
    }
}

impl Restarts {
    fn add(&mut self, end: Timestamp, restarts: &BTreeMap<String, u32>) {
        for (instance, count) in restarts {
            self.recent.push_back((end, instance.clone(), *count));
            self.total += u64::from(*count);
        }
        while self
            .recent
            .front()
            .is_some_and(|(at, ..)| end.duration_since(*at) >= WINDOW)
        {
            self.recent.pop_front();
        }
    }

    /// A process with at least so many.
    fn most(&self, least: u32) -> Option<Looping> {
        let mut counts: BTreeMap<&str, (u32, Timestamp)> = BTreeMap::new();
        for (at, instance, count) in &self.recent {
            counts.entry(instance).or_insert((0, *at)).0 += count;
        }
        let (instance, (restarts, since)) = counts.into_iter().find(|(_, (count, _))| *count >= least)?;
        Some(Looping {
            instance: instance.to_owned(),
            restarts,
            since,
        })
    }
}
