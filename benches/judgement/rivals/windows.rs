//! What the rules' queries answer after each look: sums over the last look, minute and five minutes, and the
//! minutes of the last hour.

use std::collections::VecDeque;

use super::super::weather::latency::{BUCKETS, Histogram, bounds, quantile};
use super::super::weather::{Count, LOOK_S, Look, Seen};
use super::kayenta::{self, Found};

const A_MINUTE: u64 = 60 / LOOK_S;
const FIVE_MINUTES: u64 = 5 * A_MINUTE;

/// Counts of one version over some looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum {
    total: Count,
    latency: Histogram,
}

impl Sum {
    fn new() -> Self {
        Self {
            total: Count::default(),
            latency: [0; BUCKETS],
        }
    }

    fn add(&mut self, seen: &Seen) {
        self.total.requests += seen.total.requests;
        self.total.errors += seen.total.errors;
        for (sum, count) in self.latency.iter_mut().zip(seen.latency) {
            *sum += count;
        }
    }

    fn remove(&mut self, seen: &Seen) {
        self.total.requests -= seen.total.requests;
        self.total.errors -= seen.total.errors;
        for (sum, count) in self.latency.iter_mut().zip(seen.latency) {
            *sum -= count;
        }
    }

    /// 0 to 1; nothing without requests.
    pub(super) fn error_rate(&self) -> Option<f64> {
        (self.total.requests > 0.0).then(|| self.total.errors / self.total.requests)
    }
}

/// A metric of each minute, for canary and baseline.
#[derive(Default)]
struct Series {
    errors: Vec<Option<f64>>,
    p95: Vec<Option<f64>>,
}

/// The answers now.
pub(crate) struct Windows {
    looks: u64,
    bounds: [f64; BUCKETS - 1],
    recent: VecDeque<Seen>,
    open: [Sum; 2],
    series: [Series; 2],
    pub(super) last: Sum,
    /// The last whole minute.
    pub(super) minute: Sum,
    pub(super) p99_of_minute: Option<f64>,
    pub(super) five_minutes: Sum,
    pub(super) p95_of_5_minutes: Option<f64>,
    /// Kayenta's judgement of the error rate, at the look that ends an hour.
    pub(super) errors: Option<Found>,
    /// … and of p95.
    pub(super) latency: Option<Found>,
}

impl Windows {
    pub(crate) fn new() -> Self {
        Self {
            looks: 0,
            bounds: bounds(),
            recent: VecDeque::new(),
            open: [Sum::new(); 2],
            series: [Series::default(), Series::default()],
            last: Sum::new(),
            minute: Sum::new(),
            p99_of_minute: None,
            five_minutes: Sum::new(),
            p95_of_5_minutes: None,
            errors: None,
            latency: None,
        }
    }

    pub(crate) fn add(&mut self, look: &Look) {
        self.looks += 1;
        self.last = Sum::new();
        self.last.add(&look.candidate);
        self.five_minutes.add(&look.candidate);
        self.recent.push_back(look.candidate);
        if self.recent.len() as u64 > FIVE_MINUTES
            && let Some(old) = self.recent.pop_front()
        {
            self.five_minutes.remove(&old);
        }
        self.p95_of_5_minutes = quantile(&self.five_minutes.latency, &self.bounds, 0.95);
        self.open[0].add(&look.candidate);
        self.open[1].add(&look.baseline);
        if self.ends_a_minute() {
            self.close_minute();
        }
        (self.errors, self.latency) = (None, None);
        if kayenta::is_due(self.looks, A_MINUTE) {
            let [canary, baseline] = &self.series;
            let judge = |canary: &[Option<f64>], baseline: &[Option<f64>]| {
                kayenta::compare(&kayenta::last_hour(canary), &kayenta::last_hour(baseline))
            };
            self.errors = Some(judge(&canary.errors, &baseline.errors));
            self.latency = Some(judge(&canary.p95, &baseline.p95));
        }
    }

    pub(super) fn ends_a_minute(&self) -> bool {
        self.looks.is_multiple_of(A_MINUTE)
    }

    pub(super) fn ends_5_minutes(&self) -> bool {
        self.looks.is_multiple_of(FIVE_MINUTES)
    }

    /// Whether five minutes have been seen.
    pub(super) fn are_full(&self) -> bool {
        self.looks >= FIVE_MINUTES
    }

    fn close_minute(&mut self) {
        for (series, open) in self.series.iter_mut().zip(&self.open) {
            series.errors.push(open.error_rate());
            series.p95.push(quantile(&open.latency, &self.bounds, 0.95));
        }
        self.minute = std::mem::replace(&mut self.open[0], Sum::new());
        self.open[1] = Sum::new();
        self.p99_of_minute = quantile(&self.minute.latency, &self.bounds, 0.99);
    }
}
