//! Counts answers, by second and by version.

use std::cell::Ref;
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::report::{Move, Plan, Report, Second, Slice, Total};
use crate::users::{Users, Version};

/// The version of answers that name none.
const NONE: &str = "none";

/// What came back for one request.
pub(crate) struct Answer {
    pub(crate) version: Option<String>,
    /// Status 500 or above.
    pub(crate) failed: bool,
    /// Why the answer did not come, or not in full.
    pub(crate) broken: Option<String>,
}

impl Answer {
    pub(crate) fn broken(why: String) -> Self {
        Self {
            version: None,
            failed: false,
            broken: Some(why),
        }
    }
}

/// The second that is being counted, by version.
#[derive(Default)]
struct Open {
    second: Second,
    counts: Vec<Count>,
    moves: BTreeMap<(Version, Version), u64>,
}

#[derive(Clone, Default)]
struct Count {
    errors: u64,
    transport_errors: u64,
    took: Vec<Duration>,
}

pub(crate) struct Tally {
    plan: Plan,
    began: Timestamp,
    /// Unix time and `Instant` of one moment: reading one clock per answer is enough.
    zero: (Duration, Instant),
    progress: bool,
    due: u64,
    sent: u64,
    skipped: u64,
    answered: u64,
    late_max: Duration,
    reconnects: u64,
    resent: u64,
    transport_errors: u64,
    first_transport_error: Option<String>,
    names: Vec<String>,
    totals: Vec<Total>,
    users: Vec<Vec<u32>>,
    open: Open,
    timeline: Vec<Second>,
}

impl Tally {
    pub(crate) fn new(plan: Plan, began: Timestamp, progress: bool) -> Self {
        let zero = (began.as_duration().unsigned_abs(), Instant::now());
        let mut tally = Self {
            plan,
            began,
            zero,
            progress,
            due: 0,
            sent: 0,
            skipped: 0,
            answered: 0,
            late_max: Duration::ZERO,
            reconnects: 0,
            resent: 0,
            transport_errors: 0,
            first_transport_error: None,
            names: Vec::new(),
            totals: Vec::new(),
            users: Vec::new(),
            open: Open::default(),
            timeline: Vec::new(),
        };
        tally.open.second.t = tally.ms(zero.1) / 1000 * 1000;
        tally
    }

    /// Requests that became due, and those among them or before them that are given up.
    pub(crate) fn due(&mut self, due: u64, skipped: u64) {
        self.turn(Instant::now());
        self.due += due;
        self.skipped += skipped;
        self.open.second.due += due;
        self.open.second.skipped += skipped;
    }

    /// A request goes out, `late` after it was due.
    pub(crate) fn sent(&mut self, late: Duration) {
        self.sent += 1;
        self.late_max = self.late_max.max(late);
        self.open.second.sent += 1;
        self.open.second.late_max_ms = self.open.second.late_max_ms.max(millis(late));
    }

    pub(crate) fn reconnected(&mut self) {
        self.reconnects += 1;
    }

    pub(crate) fn resent(&mut self) {
        self.resent += 1;
    }

    /// The end of `user`'s request that was sent at `sent`.
    pub(crate) fn answered(&mut self, users: &mut Users, user: Option<u32>, sent: Instant, answer: Answer) {
        let now = Instant::now();
        self.turn(now);
        let Answer {
            version,
            failed,
            broken,
        } = answer;
        let id = self.id(version.as_deref().unwrap_or(NONE));
        let index = usize::from(id);
        let (now_ms, sent_ms) = (self.ms(now), self.ms(sent));

        self.answered += 1;
        let total = &mut self.totals[index];
        total.first_ms = if total.requests == 0 {
            now_ms
        } else {
            total.first_ms
        };
        (total.last_ms, total.last_sent_ms) = (now_ms, sent_ms);
        total.requests += 1;
        total.errors += u64::from(failed);
        total.transport_errors += u64::from(broken.is_some());
        total.hurt += u64::from(failed || broken.is_some());

        let counts = &mut self.open.counts;
        counts.resize(counts.len().max(index + 1), Count::default());
        counts[index].errors += u64::from(failed);
        counts[index].transport_errors += u64::from(broken.is_some());
        counts[index].took.push(now - sent);

        if let Some(why) = broken {
            self.transport_errors += 1;
            self.first_transport_error.get_or_insert(why);
        }
        if let Some(left) = users.answered(user, version.is_some().then_some(id)) {
            *self.open.moves.entry((left, id)).or_default() += 1;
        }
    }

    /// The last second ends; who met which version last is noted.
    pub(crate) fn close(&mut self, users: Ref<'_, Users>) {
        self.shut(0);
        self.users = (0..).zip(&self.names).map(|(id, _)| users.of(id)).collect();
    }

    pub(crate) fn report(&mut self, ended: Timestamp, ended_by: &'static str) -> Report<'_> {
        let late = self.late_max > Duration::from_millis(100);
        let names = || self.names.iter().map(String::as_str);
        Report {
            plan: &self.plan,
            began_ms: self.began.as_millisecond(),
            ended_ms: ended.as_millisecond(),
            ended_by,
            due: self.due,
            sent: self.sent,
            skipped: self.skipped,
            unanswered: self.sent - self.answered,
            late_max_ms: millis(self.late_max),
            fell_behind: late || self.skipped > 0,
            reconnects: self.reconnects,
            resent: self.resent,
            transport_errors: self.transport_errors,
            first_transport_error: &self.first_transport_error,
            versions: names().zip(&self.totals).collect(),
            timeline: &self.timeline,
            users: names()
                .zip(self.users.iter().map(Vec::as_slice))
                .filter(|(name, _)| *name != NONE)
                .collect(),
        }
    }

    fn ms(&self, moment: Instant) -> i64 {
        let (unix, instant) = self.zero;
        i64::try_from((unix + (moment - instant)).as_millis()).unwrap_or(i64::MAX)
    }

    fn id(&mut self, name: &str) -> Version {
        let index = self
            .names
            .iter()
            .position(|known| known == name)
            .unwrap_or_else(|| {
                self.names.push(name.to_owned());
                self.totals.push(Total::default());
                self.names.len() - 1
            });
        // A service that names a new version with each answer is not what this crowd is for.
        Version::try_from(index).unwrap_or(Version::MAX)
    }

    /// Ends the open second if `now` is beyond it.
    fn turn(&mut self, now: Instant) {
        let second = self.ms(now) / 1000 * 1000;
        if second > self.open.second.t {
            self.shut(second);
        }
    }

    /// Ends the open second; the next one is `t`.
    fn shut(&mut self, t: i64) {
        let next = Open {
            second: Second {
                t,
                ..Second::default()
            },
            ..Open::default()
        };
        let Open {
            mut second,
            counts,
            moves,
        } = std::mem::replace(&mut self.open, next);
        for (name, mut count) in self.names.iter().zip(counts) {
            if !count.took.is_empty() {
                second.versions.insert(name.clone(), count.slice());
            }
        }
        for ((from, to), users) in moves {
            let [from, to] = [from, to].map(|id| self.names[usize::from(id)].clone());
            second.moves.push(Move { from, to, users });
        }
        if self.progress {
            // A closed stderr is no reason to lose the report.
            let _ = writeln!(io::stderr(), "{}", second.line(self.began));
        }
        self.timeline.push(second);
    }
}

impl Count {
    fn slice(&mut self) -> Slice {
        self.took.sort_unstable();
        // Nearest rank: the smallest time that at least this share did not exceed.
        let rank = |percent: usize| millis(self.took[(self.took.len() * percent).div_ceil(100) - 1]);
        Slice {
            requests: u64::try_from(self.took.len()).unwrap_or(u64::MAX),
            errors: self.errors,
            transport_errors: self.transport_errors,
            p50_ms: rank(50),
            p95_ms: rank(95),
            max_ms: rank(100),
        }
    }
}

/// Milliseconds with three decimals.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
