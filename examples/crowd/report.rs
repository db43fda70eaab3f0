//! The form of the report.
//!
//! Times are Unix milliseconds; a second is the one in which the answer came. An answer without the
//! header `x-version` belongs to the version `none`: a router's own 503, or no answer at all.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

/// What the crowd was told to do.
#[derive(Clone, Serialize)]
pub(crate) struct Plan {
    pub(crate) url: String,
    pub(crate) rate: u32,
    pub(crate) users: u32,
    pub(crate) connections: u32,
    pub(crate) seed: u64,
}

#[derive(Serialize)]
pub(crate) struct Report<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) began_ms: i64,
    pub(crate) ended_ms: i64,
    /// `time`, `SIGINT` or `SIGTERM`.
    pub(crate) ended_by: &'static str,
    /// Requests that the rate asked for: sent + skipped.
    pub(crate) due: u64,
    pub(crate) sent: u64,
    /// Due but never sent: the crowd was more than a second behind, or it ended before.
    pub(crate) skipped: u64,
    /// Sent but neither answered nor broken a second after the end.
    pub(crate) unanswered: u64,
    /// The longest that a request was sent after it was due.
    pub(crate) late_max_ms: f64,
    /// Whether users asked less than `rate` says, or more than 100 ms late.
    pub(crate) fell_behind: bool,
    /// Connections that the other end had closed between two requests.
    pub(crate) reconnects: u64,
    /// Requests sent once more because the other end closed a kept connection at that moment; no error,
    /// since a browser does the same.
    pub(crate) resent: u64,
    pub(crate) transport_errors: u64,
    pub(crate) first_transport_error: &'a Option<String>,
    pub(crate) versions: BTreeMap<&'a str, &'a Total>,
    pub(crate) timeline: &'a [Second],
    /// The users whose last answer came from each version, rising.
    pub(crate) users: BTreeMap<&'a str, &'a [u32]>,
}

/// All answers of one version.
#[derive(Default, Serialize)]
pub(crate) struct Total {
    pub(crate) requests: u64,
    /// Status 500 or above.
    pub(crate) errors: u64,
    pub(crate) transport_errors: u64,
    /// Requests that ended badly for a user: errors + transport errors.
    pub(crate) hurt: u64,
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    /// When the request was sent that was answered last; a request on its way during a switch may be
    /// answered after it.
    pub(crate) last_sent_ms: i64,
}

/// One second of the timeline.
#[derive(Default, Serialize)]
pub(crate) struct Second {
    pub(crate) t: i64,
    pub(crate) due: u64,
    pub(crate) sent: u64,
    pub(crate) skipped: u64,
    pub(crate) late_max_ms: f64,
    pub(crate) versions: BTreeMap<String, Slice>,
    pub(crate) moves: Vec<Move>,
}

/// One version in one second. Times from sending to the end of the answer.
#[derive(Serialize)]
pub(crate) struct Slice {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) transport_errors: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
    pub(crate) max_ms: f64,
}

/// Users whose answer came from another version than their answer before.
#[derive(Serialize)]
pub(crate) struct Move {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) users: u64,
}

impl Second {
    /// The second as a line of progress.
    pub(crate) fn line(&self, began: Timestamp) -> String {
        let mut line = format!("{:>4} s", (self.t - began.as_millisecond() / 1000 * 1000) / 1000);
        for (
            name,
            Slice {
                requests,
                errors,
                transport_errors,
                p95_ms,
                ..
            },
        ) in &self.versions
        {
            line += &format!(
                "  {name} {requests} (hurt {}, p95 {p95_ms} ms)",
                errors + transport_errors
            );
        }
        if self.skipped > 0 {
            line += &format!("  skipped {}", self.skipped);
        }
        line
    }
}
