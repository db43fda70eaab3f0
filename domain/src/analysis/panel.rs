//! The tests that judge a candidate once it is warm: which claims, on what, and what follows when one is disproved.
//!
//! E error rate beside stable, for each endpoint too; A absolute limits; L latency beside stable; Q share of the traffic;
//! the team's own checks; and the warnings of each. What hits both versions moves both sides of a claim that compares
//! them. It disproves an absolute claim as well, so that one needs stable to be proved within the limit in the very looks
//! that show the candidate above it: until then it is a hold. When stable has left, what it was takes its place.

use std::collections::{BTreeSet, VecDeque};

use jiff::Timestamp;

use super::frozen::Frozen;
use super::judge::{Level, Settings};
use super::kernel::{Claim, Evidence};
use super::look::{Counts, REST};
use super::measure::{Measure, Seen};
use super::trial::{Strongest, Traffic, Trial, at_least, at_most};
use super::verdict::{Forecast, TestId};
use super::yardstick::Yardstick;

/// E: room for chance that no team would call a regression.
const MULTIPLE: f64 = 1.5;
const PLUS: f64 = 0.0005;

/// W: how much slower than stable a candidate may be without a word.
const SLOWER: f64 = 1.1;

/// A latency limit is one for 95 % of the requests.
pub(super) const SLOW_PART: f64 = 0.05;

/// Endpoints share a half of E's alpha: 20, and the rest.
const APART: usize = 21;

/// Stable is proved to be within an absolute limit as a healthy candidate is: wrong in one case of 20.
const STABLE_BAR: f64 = 20.0;

/// A hold or a warning ends when the evidence has fallen by this factor below the bar: a look without errors in the
/// middle of an incident is not its end.
const OVER: f64 = 0.01;

/// Stable is well again when so many looks in a row prove it: 5 min at 15 s.
const RECENT: usize = 20;

/// One claim about the candidate and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Test {
    pub(super) trial: Trial,
    pub(super) measure: Measure,
    pub(super) level: Level,
    /// Which endpoint or check it is about.
    pub(super) subject: Option<String>,
    cluster_size: f64,
    /// What stable was, once it has left.
    frozen: Option<Frozen>,
    /// Since when the claim is disproved and stable may have the same trouble.
    pub(super) shared_since: Option<Timestamp>,
    /// Since when people are warned.
    pub(super) warned_since: Option<Timestamp>,
    /// Stable's counts of the last looks, while its trouble is shared.
    recent: VecDeque<Counts>,
}

/// All of them.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    pub(super) tests: Vec<Test>,
    known: BTreeSet<String>,
    is_frozen: bool,
}

impl Panel {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            tests: tests(settings),
            known: BTreeSet::new(),
            is_frozen: false,
        }
    }

    /// Takes in a look.
    pub(super) fn add(&mut self, settings: &Settings, seen: &Seen<'_>) {
        if settings.by_group && !self.is_frozen {
            self.meet(settings, seen);
        }
        for test in &mut self.tests {
            test.add(seen);
        }
    }

    /// A test for each endpoint that is new.
    fn meet(&mut self, settings: &Settings, seen: &Seen<'_>) {
        let groups = [&seen.look.stable.groups, &seen.look.candidate.groups];
        for name in groups.into_iter().flat_map(|groups| groups.keys()) {
            let room = self.known.len() < APART || name == REST;
            if room && self.known.insert(name.clone()) {
                let mut test = Test::new(
                    settings,
                    TestId::Endpoint,
                    Measure::Group(name.clone()),
                    Level::Rollback,
                    at_most(MULTIPLE, PLUS),
                );
                test.trial.bar *= 2.0 * APART as f64;
                test.subject = Some(name.clone());
                self.tests.push(test);
            }
        }
    }

    /// From here on stable has no part in it: every test goes on with what it was. `errors` is all that was counted
    /// of it, by earlier runs too.
    ///
    /// Warnings that compare, and what compares weights, have nothing left to compare with.
    pub(super) fn freeze(&mut self, settings: &Settings, errors: Counts, yardstick: &Yardstick) {
        self.is_frozen = true;
        self.tests.retain(|test| {
            let compares = test.trial.claim.multiple > 0.0;
            !(compares && test.level == Level::Warning) && test.measure != Measure::Share
        });
        for test in &mut self.tests {
            let stable = match &test.measure {
                Measure::Errors => errors,
                measure @ Measure::Slow { .. } => measure
                    .bounds(yardstick)
                    .map_or_else(Counts::default, |slow| yardstick.stable(slow.stable)),
                _ => test.trial.stable,
            };
            test.freeze(settings, stable);
        }
    }

    /// The first rollback test that has its proof. Others that have theirs are held, or warn.
    pub(super) fn finding(&mut self) -> Option<&Test> {
        let mut found = None;
        for (place, test) in self.tests.iter_mut().enumerate() {
            if test.is_found() && found.is_none() {
                found = Some(place);
            }
        }
        found.map(|place| &self.tests[place])
    }

    /// The rollback test with this name.
    pub(super) fn test(&self, id: TestId, subject: Option<&str>) -> Option<&Test> {
        self.tests.iter().find(|test| {
            test.trial.id == id && test.level == Level::Rollback && test.subject.as_deref() == subject
        })
    }

    /// The first that is disproved by what may be stable's trouble too.
    pub(super) fn shared(&self) -> Option<(&Test, Timestamp)> {
        let rollback = self.tests.iter().filter(|test| test.level == Level::Rollback);
        rollback
            .filter_map(|test| Some((test, test.shared_since?)))
            .next()
    }

    /// Those that warn.
    pub(super) fn warnings(&self) -> impl Iterator<Item = (&Test, Timestamp)> {
        self.tests
            .iter()
            .filter_map(|test| Some((test, test.warned_since?)))
    }
}

impl Test {
    fn new(settings: &Settings, id: TestId, measure: Measure, level: Level, claim: Claim) -> Self {
        let cluster_size = match measure {
            Measure::Errors | Measure::Group(_) => settings.cluster_size,
            Measure::Slow { .. } | Measure::SlowerThan(_) => settings.slow_cluster_size,
            Measure::Check(_) => settings.check_cluster_size,
            // The router decides for each request anew.
            Measure::Share => 1.0,
        };
        let bar = match level {
            Level::Warning => settings.warning_bar(),
            Level::Rollback | Level::Proof => settings.bar(),
        };
        Self {
            trial: Trial::new(
                id,
                claim,
                bar,
                cluster_size,
                Some(settings.spread(settings.planned)),
            ),
            measure,
            level,
            subject: None,
            cluster_size,
            frozen: None,
            shared_since: None,
            warned_since: None,
            recent: VecDeque::new(),
        }
    }

    /// How soon `rate` would be found if it began now.
    pub(super) fn forecast(&self, traffic: &Traffic, rate: f64) -> Option<Forecast> {
        let looks = self.trial.looks_until(traffic.failing(rate), traffic)?;
        Some(Forecast {
            error_rate: rate,
            seconds: traffic.time(looks).as_secs(),
        })
    }

    fn is_absolute(&self) -> bool {
        self.trial.claim.multiple <= 0.0
    }

    fn add(&mut self, seen: &Seen<'_>) {
        let [candidate, stable] = self.measure.counts(seen);
        self.trial.add(seen.start, candidate, stable);
        if self.trial.e() < OVER * self.trial.bar {
            self.shared_since = None;
            self.warned_since = None;
        }
        self.part_from(stable);
    }

    /// What was gathered while stable failed too says nothing once it is well again: from there on it stands alone.
    fn part_from(&mut self, stable: Counts) {
        if self.shared_since.is_none() || self.frozen.is_some() {
            self.recent.clear();
            return;
        }
        self.recent.push_back(stable);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        let mut sum = Counts::default();
        for counts in &self.recent {
            sum += *counts;
        }
        if self.recent.len() == RECENT && self.clears(sum) {
            self.trial.forget();
            self.recent.clear();
            self.shared_since = None;
        }
    }

    /// The same test without a stable that could share the blame, or be compared with.
    ///
    /// Both are one test with one share of alpha: the new evidence begins with what the old one has left, at most with
    /// 1, so their product is evidence against "within the limit all along", and its mean stays below 1. For an
    /// absolute test, what was gathered before may come from an incident of both: it is given up as well.
    fn freeze(&mut self, settings: &Settings, stable: Counts) {
        let frozen = Frozen::new(stable, self.cluster_size);
        let fresh = Self::new(
            settings,
            self.trial.id,
            self.measure.clone(),
            self.level,
            self.trial.claim,
        );
        let bar = self.trial.bar;
        let stake = self.trial.e().min(1.0);
        let mut trial = fresh.trial;
        trial.bar = bar;
        let spread = Some(settings.spread(settings.planned));
        self.trial = trial.without_stable(&frozen, stake, spread);
        self.frozen = Some(frozen);
        self.shared_since = None;
        self.warned_since = None;
    }

    /// Whether it has its proof against the candidate. If that may be stable's trouble too, or is a warning, the
    /// evidence stays at the bar, so that it outlives its cause by a few looks only.
    fn is_found(&mut self) -> bool {
        if !self.trial.rejected() {
            return false;
        }
        let Strongest { since, stable, .. } = self.trial.strongest();
        let since = since.unwrap_or(Timestamp::MIN);
        let shared = self.is_absolute()
            && match &self.frozen {
                // To go back to a stable that was above the limit itself would not help.
                Some(frozen) => frozen.at_least(STABLE_BAR) > self.trial.claim.plus,
                None => !self.clears(stable),
            };
        match (shared, self.level) {
            (false, Level::Rollback | Level::Proof) => return true,
            (false, Level::Warning) => {
                self.warned_since.get_or_insert(since);
            }
            (true, _) => {
                self.shared_since.get_or_insert(since);
                self.warned_since = None;
            }
        }
        self.trial.keep_at_bar();
        false
    }

    /// Whether these counts prove stable to be within an absolute limit.
    fn clears(&self, stable: Counts) -> bool {
        let mut evidence = Evidence::once(at_least(0.0, self.trial.claim.plus), self.cluster_size);
        evidence.add(stable, Counts::default());
        evidence.value() >= STABLE_BAR
    }
}

/// The tests in the order in which a person must hear of them.
fn tests(settings: &Settings) -> Vec<Test> {
    use Level::{Rollback, Warning};
    use Measure::{Errors, Slow, SlowerThan};
    let mut tests = Vec::new();
    let mut add = |id, measure, level, claim| tests.push(Test::new(settings, id, measure, level, claim));
    add(TestId::ErrorRate, Errors, Rollback, at_most(MULTIPLE, PLUS));
    add(
        TestId::Critical,
        Errors,
        Rollback,
        at_most(0.0, settings.critical),
    );
    if let Some(slow) = settings.slow {
        let tolerance = 1.0 + slow.above_stable;
        add(TestId::Latency, Slow { tolerance }, Rollback, at_most(1.0, 0.0));
        if let Some(limit) = slow.critical {
            add(
                TestId::LatencyLimit,
                SlowerThan(limit),
                Rollback,
                at_most(0.0, SLOW_PART),
            );
        }
    }
    if let Some(throughput) = settings.throughput {
        let claim = at_least(1.0 - throughput.below_stable, 0.0);
        add(TestId::Throughput, Measure::Share, throughput.level, claim);
    }
    add(TestId::ErrorRate, Errors, Warning, at_most(1.0, 0.0));
    if let Some(rate) = settings.warning {
        add(TestId::Critical, Errors, Warning, at_most(0.0, rate));
    }
    if let Some(slow) = settings.slow {
        let tolerance = SLOWER.min(1.0 + slow.above_stable);
        add(TestId::Latency, Slow { tolerance }, Warning, at_most(1.0, 0.0));
        if let Some(limit) = slow.warning {
            add(
                TestId::LatencyLimit,
                SlowerThan(limit),
                Warning,
                at_most(0.0, SLOW_PART),
            );
        }
    }
    for (place, check) in settings.checks.iter().enumerate() {
        let claim = match check.at_least {
            Some(good) => at_most(0.0, 1.0 - good),
            None => at_most(MULTIPLE, PLUS),
        };
        let mut test = Test::new(settings, TestId::Check, Measure::Check(place), check.level, claim);
        test.subject = Some(check.name.clone());
        tests.push(test);
    }
    if settings.by_group {
        // The other half is the endpoints'.
        tests[0].trial.bar *= 2.0;
    }
    tests
}
