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
        self.row(what, times, "", "1");
    }

    /// A figure without a goal of its own.
    pub(crate) fn figure(&mut self, what: &str, times: &Times, baseline: &Times) {
        self.row(what, times, "", &ratio(times, baseline));
    }

    /// A figure of which so many percent of all runs must stay below a goal.
    pub(crate) fn promise(
        &mut self,
        what: &str,
        times: &Times,
        (percent, goal): (usize, Duration),
        baseline: &Times,
    ) {
        let kept = times.percentile(percent) < goal;
        self.holds &= kept;
        let verdict = if kept { "kept" } else { "MISSED" };
        let goal = format!("p{percent} < {} ms: {verdict}", goal.as_millis());
        self.row(what, times, &goal, &ratio(times, baseline));
    }

    /// Memory, in KiB.
    pub(crate) fn memory(&mut self, what: &str, kib: u64, goal: Option<u64>, baseline: u64) {
        let goal = goal.map_or_else(String::new, |goal| {
            let kept = kib < goal;
            self.holds &= kept;
            format!("< {} MB: {}", goal / 1024, if kept { "kept" } else { "MISSED" })
        });
        let mb = |kib: u64| kib as f64 / 1024.0;
        println!(
            "| {what} | 1 | {:.1} MB | | {goal} | {:.1} |",
            mb(kib),
            mb(kib) / mb(baseline)
        );
    }

    /// Whether all goals so far were kept.
    pub(crate) fn holds(&self) -> bool {
        self.holds
    }

    fn row(&mut self, what: &str, times: &Times, goal: &str, ratio: &str) {
        let ms = |percent| times.percentile(percent).as_secs_f64() * 1000.0;
        let runs = times.0.len();
        println!(
            "| {what} | {runs} | {:.1} ms | {:.1} ms | {goal} | {ratio} |",
            ms(50),
            ms(95)
        );
    }
}

fn ratio(times: &Times, baseline: &Times) -> String {
    let half = |times: &Times| times.percentile(50).as_secs_f64();
    format!("{:.2}", half(times) / half(baseline))
}
