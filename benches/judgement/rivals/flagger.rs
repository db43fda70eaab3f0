//! Flagger: each minute two checks over the last minute, five failures in all are a rollback.
//!
//! - Interval, threshold and both checks are those of its examples: success rate at least 99 %, p99 at most
//!   500 ms, `threshold: 5`, "max number of failed metric checks before rollback"
//!   (<https://docs.flagger.app/usage/metrics>, <https://docs.flagger.app/usage/how-it-works>). The count is not
//!   reset by a check that passes.
//! - Without traffic there is no value, and that is a failed check: "Halt advancement no values found … probably
//!   … is not receiving traffic" (<https://github.com/fluxcd/flagger/issues/883>); a NaN likewise
//!   (<https://github.com/fluxcd/flagger/pull/1095>). So it is here.
//! - It rolls back at the interval after the fifth failure; here with the fifth, to its favour. A run whose first
//!   check fails does not ask the second.

use super::{Limits, Rival, Windows};

const THRESHOLD: u32 = 5;

pub(super) struct Flagger {
    limits: Limits,
    failed: u32,
}

impl Flagger {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, failed: 0 }
    }
}

impl Rival for Flagger {
    fn rolls_back(&mut self, windows: &Windows) -> bool {
        if !windows.ends_a_minute() {
            return false;
        }
        let keeps = |value: Option<f64>, limit| value.is_some_and(|value| value <= limit);
        let passed = keeps(windows.minute.error_rate(), self.limits.errors)
            && keeps(windows.p99_of_minute, self.limits.latency);
        self.failed += u32::from(!passed);
        self.failed >= THRESHOLD
    }
}
