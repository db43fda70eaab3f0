//! An alert of Prometheus as a gate: error rate over the last 5 min above a limit, or p95 above one.
//!
//! `rate(errors[5m]) / rate(requests[5m]) > 0.01` without requests is NaN, which is above nothing, so silence
//! raises no alert: <https://prometheus.io/docs/prometheus/latest/querying/operators/>. It is not asked before its
//! window is full, to its favour.

use super::{Limits, Rival, Windows, exceeds};

pub(super) struct Fixed {
    limits: Limits,
}

impl Fixed {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits }
    }
}

impl Rival for Fixed {
    fn rolls_back(&mut self, windows: &Windows) -> bool {
        windows.are_full()
            && (exceeds(windows.five_minutes.error_rate(), self.limits.errors)
                || exceeds(windows.p95_of_5_minutes, self.limits.latency))
    }
}
