//! The table, row by row as the figures come, and whether the goals hold.

use std::time::Duration;

/// Times of one thing that was done again and again.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Does it `runs` times; `one` says how long it took, by whatever clock.
    pub(crate) fn of(runs: usize, mut one: impl FnMut() -> Duration) -> Self {
        (0..runs).map(|_| one()).collect()
    }

    /// The time that so many percent of all runs stayed within.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() * percent).div_ceil(100).saturating_sub(1)]
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        Self(times.into_iter().collect())
    }
}

/// What a figure must keep.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// So many percent of all runs stay below this time.
    Below(usize, Duration),
    /// So many percent of all runs stay below the baseline's, times this.
    Times(usize, f64),
}

impl Goal {
    fn is_kept(self, times: &Times, baseline: &Times) -> bool {
        match self {
            Self::Below(percent, time) => times.percentile(percent) < time,
            Self::Times(percent, factor) => {
                times.percentile(percent) < baseline.percentile(percent).mul_f64(factor)
            }
        }
    }

    fn words(self) -> String {
        match self {
            Self::Below(percent, time) => format!("p{percent} < {} ms", time.as_millis()),
            Self::Times(percent, factor) => format!("p{percent} < {factor} x the baseline's"),
        }
    }
}

pub(crate) struct Table {
    holds: bool,
}

#[expect(clippy::print_stdout, reason = "the table is the result")]
impl Table {
    pub(crate) fn begin() -> Self {
        println!("| what | runs | p50 | p95 | goal | ratio to the baseline (p50) |");
        println!("|---|---:|---:|---:|---|---:|");
        Self { holds: true }
    }

    /// What a figure is compared with.
    pub(crate) fn baseline(&mut self, what: &str, times: &Times) {
        Self::times(what, times, "", "1");
    }

    /// A figure without a goal of its own.
    pub(crate) fn figure(&mut self, what: &str, times: &Times, baseline: &Times) {
        Self::times(what, times, "", &ratio(times, baseline));
    }

    /// A figure that must keep `goals`.
    pub(crate) fn promise(&mut self, what: &str, times: &Times, goals: &[Goal], baseline: &Times) {
        let goals: Vec<_> = goals
            .iter()
            .map(|goal| self.verdict(&goal.words(), goal.is_kept(times, baseline)))
            .collect();
        Self::times(what, times, &goals.join("; "), &ratio(times, baseline));
    }

    /// Memory, in KiB.
    pub(crate) fn memory(&mut self, what: &str, kib: u64, goal: Option<u64>, baseline: u64) {
        let goal = goal.map_or_else(String::new, |goal| {
            self.verdict(&format!("< {} MB", goal / 1024), kib < goal)
        });
        let ratio = format!("{:.1}", mb(kib) / mb(baseline));
        Self::row(what, 1, [&format!("{:.1} MB", mb(kib)), "", &goal, &ratio]);
    }

    /// Memory in the course of one run, in KiB: at the end at most so much more than at first.
    pub(crate) fn course(&mut self, what: &str, course: &[u64], more: u64) {
        let (first, last) = (course.first().copied(), course.last().copied());
        let is_flat = last <= first.map(|first| first + more);
        let goal = format!("the last at most the first + {:.1} MB", mb(more));
        let goal = self.verdict(&goal, is_flat);
        let each: Vec<_> = course.iter().map(|kib| format!("{:.1}", mb(*kib))).collect();
        Self::row(what, 1, [&format!("{} MB", each.join(", ")), "", &goal, ""]);
    }

    /// Something that is counted: the same in each of `runs`, or their mean.
    pub(crate) fn count(&mut self, what: &str, runs: usize, count: f64, baseline: f64) {
        let ratio = format!("{:.2}", count / baseline);
        Self::row(what, runs, [&format!("{count:.1}"), "", "", &ratio]);
    }

    /// Something in words that nothing is compared with.
    pub(crate) fn told(&mut self, what: &str, text: &str) {
        Self::row(what, 1, [text, "", "", ""]);
    }

    /// Whether all goals so far were kept.
    pub(crate) fn holds(&self) -> bool {
        self.holds
    }

    fn verdict(&mut self, goal: &str, kept: bool) -> String {
        self.holds &= kept;
        format!("{goal}: {}", if kept { "kept" } else { "MISSED" })
    }

    fn times(what: &str, times: &Times, goal: &str, ratio: &str) {
        let ms = |percent| format!("{:.1} ms", times.percentile(percent).as_secs_f64() * 1000.0);
        Self::row(what, times.0.len(), [&ms(50), &ms(95), goal, ratio]);
    }

    fn row(what: &str, runs: usize, [p50, p95, goal, ratio]: [&str; 4]) {
        println!("| {what} | {runs} | {p50} | {p95} | {goal} | {ratio} |");
    }
}

fn mb(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn ratio(times: &Times, baseline: &Times) -> String {
    let half = |times: &Times| times.percentile(50).as_secs_f64();
    format!("{:.2}", half(times) / half(baseline))
}
