//! How much traffic each version should have had: weight times time, beside the requests that came.
//!
//! Only looks count in which every process that is known was heard, for a process that was not asked has had requests
//! all the same: until then looks are joined, and judged as one longer look. So silence is never a lack of traffic.

use jiff::{SignedDuration, Timestamp};

use super::look::{Counts, Look};
use crate::weight::Weight;

/// Since when the candidate has which share.
pub(super) type Shares = Vec<(Timestamp, Weight)>;

/// A router may take so long until all of it splits as it was told.
const SETTLING: SignedDuration = SignedDuration::from_mins(2);

/// What is not judged yet.
#[derive(Clone, Copy, Debug, Default)]
struct Joined {
    seconds: f64,
    candidate: f64,
    stable: f64,
}

/// Joins looks until they can be judged.
#[derive(Clone, Debug, Default)]
pub(super) struct Exposure {
    joined: Option<(Weight, Joined)>,
}

impl Exposure {
    /// The candidate's and stable's weight in percent-seconds as requests, and their requests as errors; none as long
    /// as that is not known.
    pub(super) fn look(&mut self, look: &Look, length: SignedDuration, shares: &Shares) -> [Counts; 2] {
        let start = look.end - length;
        let Some(weight) = share(shares, start - length.max(SETTLING), look.end) else {
            self.joined = None;
            return [Counts::default(); 2];
        };
        let mut joined = match self.joined.take() {
            Some((before, joined)) if before == weight => joined,
            _ => Joined::default(),
        };
        joined.seconds += length.as_secs_f64();
        joined.candidate += look.candidate.requests;
        joined.stable += look.stable.requests;
        if !(look.candidate.complete && look.stable.complete) {
            self.joined = Some((weight, joined));
            return [Counts::default(); 2];
        }
        let percent = f64::from(weight.percent());
        [
            Counts {
                requests: percent * joined.seconds,
                errors: joined.candidate,
            },
            Counts {
                requests: (100.0 - percent) * joined.seconds,
                errors: joined.stable,
            },
        ]
    }
}

/// The share between two times, if it was one, and neither nothing nor all.
fn share(shares: &Shares, from: Timestamp, to: Timestamp) -> Option<Weight> {
    let (since, weight) = shares.iter().rev().find(|(at, _)| *at <= to)?;
    (*since <= from && *weight > Weight::ZERO && *weight < Weight::FULL).then_some(*weight)
}
