//! Argo Rollouts: an `AnalysisTemplate` in the background, with one metric, the success rate.
//!
//! - `interval: 5m`, `successCondition: result[0] >= 0.95`, `failureLimit: 3` and the query are the example of
//!   <https://argo-rollouts.readthedocs.io/en/stable/features/analysis/>. The query is an `irate`, the last two
//!   samples, whatever the interval: here the last look.
//! - `failureLimit` is how many measurements may fail: the fourth is a rollback ("failed (3) > failureLimit (2)",
//!   <https://github.com/argoproj/argo-rollouts/issues/1411>).
//! - 0 of 0 is NaN, which is not `>= 0.95`: a failed measurement, for which the documentation offers `isNaN`.
//! - `consecutiveErrorLimit` (4) counts queries that failed, and none fails here.
//! - The variant measures each minute, over that minute, and asks for 99 %.

use super::{Limits, Rival, Windows};

const FAILURE_LIMIT: u32 = 3;

pub(super) struct Argo {
    limits: Limits,
    each_minute: bool,
    failed: u32,
}

impl Argo {
    pub(super) fn each_5_min(limits: Limits) -> Self {
        Self {
            limits,
            each_minute: false,
            failed: 0,
        }
    }

    pub(super) fn each_min(limits: Limits) -> Self {
        Self {
            each_minute: true,
            ..Self::each_5_min(limits)
        }
    }
}

impl Rival for Argo {
    fn rolls_back(&mut self, windows: &Windows) -> bool {
        let rate = if self.each_minute && windows.ends_a_minute() {
            windows.minute.error_rate()
        } else if !self.each_minute && windows.ends_5_minutes() {
            windows.last.error_rate()
        } else {
            return false;
        };
        let passed = rate.is_some_and(|rate| rate <= self.limits.errors);
        self.failed += u32::from(!passed);
        self.failed > FAILURE_LIMIT
    }
}
