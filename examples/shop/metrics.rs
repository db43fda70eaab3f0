//! What a Prometheus server scrapes from this service; its `Display` is the text format.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Upper bounds of the histogram in seconds: the ten of the client libraries, and two below, since a
/// request here takes well under a millisecond.
const BOUNDS: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

pub(crate) struct Metrics {
    version: String,
    started: SystemTime,
    ok: u64,
    failed: u64,
    /// Requests in each bucket alone, not cumulative; the last one has no upper bound.
    buckets: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

impl Metrics {
    pub(crate) fn new(version: String) -> Self {
        let started = SystemTime::now();
        Self {
            version,
            started,
            ok: 0,
            failed: 0,
            buckets: [0; _],
            sum: Duration::ZERO,
        }
    }

    pub(crate) fn count(&mut self, failed: bool, took: Duration) {
        if failed {
            self.failed += 1;
        } else {
            self.ok += 1;
        }
        let seconds = took.as_secs_f64();
        self.buckets[BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
        self.sum += took;
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            started,
            ok,
            failed,
            buckets,
            sum,
        } = self;
        let labels = format!("service=\"shop-api\",version=\"{version}\"");

        writeln!(f, "# HELP http_requests_total Requests of users, by status code.")?;
        writeln!(f, "# TYPE http_requests_total counter")?;
        // Both from the start: a series that appears with its first error hides that error from rate().
        for (code, count) in [("200", ok), ("500", failed)] {
            writeln!(f, "http_requests_total{{{labels},code=\"{code}\"}} {count}")?;
        }

        let name = "http_request_duration_seconds";
        writeln!(f, "# HELP {name} Time from a request's head to its answer.")?;
        writeln!(f, "# TYPE {name} histogram")?;
        let mut so_far = 0;
        for (bound, count) in BOUNDS.iter().zip(buckets) {
            so_far += count;
            writeln!(f, "{name}_bucket{{{labels},le=\"{bound}\"}} {so_far}")?;
        }
        let all = ok + failed;
        writeln!(f, "{name}_bucket{{{labels},le=\"+Inf\"}} {all}")?;
        writeln!(f, "{name}_sum{{{labels}}} {}", sum.as_secs_f64())?;
        writeln!(f, "{name}_count{{{labels}}} {all}")?;

        let started = started
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs_f64();
        writeln!(
            f,
            "# HELP process_start_time_seconds Start of this process, in seconds since 1970."
        )?;
        writeln!(f, "# TYPE process_start_time_seconds gauge")?;
        writeln!(f, "process_start_time_seconds {started:.3}")
    }
}
