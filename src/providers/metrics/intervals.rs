//! Sources that count in intervals of one length: which of them a stretch of time holds, and what becomes of them. Pure.
//!
//! An interval belongs to its end. What is asked for begins and ends with whole intervals, so that every look is the
//! same whoever asks for it, in one piece or in several, and nothing is judged by half of an interval.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::analysis::{Distribution, Histogram, Kind, Series, Side};

use super::series::{Labels, check_count, key};

/// The length of a source's intervals, in whole seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grain(i64);

/// Some whole intervals, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    grain: Grain,
    /// Where the first begins.
    pub(super) begin: i64,
    /// Where the last ends.
    pub(super) end: i64,
}

/// Which series an interval's number belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    pub(super) side: Side,
    pub(super) instance: String,
    pub(super) group: String,
}

/// One measure: numbers by the end of their interval. What nobody counted is absent.
pub(super) type Counted = BTreeMap<Who, BTreeMap<Timestamp, f64>>;

impl Grain {
    pub(super) const fn of_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    pub(super) const fn span(self) -> SignedDuration {
        SignedDuration::from_secs(self.0)
    }

    pub(super) const fn seconds(self) -> i64 {
        self.0
    }

    /// The intervals that end in `from < t <= to`, in pieces of at most `most`; none if there is none.
    pub(super) fn pieces(self, from: Timestamp, to: Timestamp, most: i64) -> impl Iterator<Item = Stretch> {
        let floor = |time: Timestamp| {
            let second = time.as_nanosecond().div_euclid(1_000_000_000);
            i64::try_from(second).unwrap_or_default().div_euclid(self.0) * self.0
        };
        let (mut begin, last) = (floor(from), floor(to));
        std::iter::from_fn(move || {
            let end = begin.saturating_add(most.saturating_mul(self.0)).min(last);
            (begin < end).then(|| Stretch {
                grain: self,
                begin: std::mem::replace(&mut begin, end),
                end,
            })
        })
    }
}

impl Stretch {
    /// The end of the interval that begins at this second; none for one outside of the stretch.
    ///
    /// # Errors
    ///
    /// The source's intervals lie otherwise than was asked for.
    pub(super) fn end_of(self, begin: i64) -> Result<Option<Timestamp>> {
        let Grain(length) = self.grain;
        if begin.rem_euclid(length) != 0 {
            bail!("an interval begins at second {begin}, expected a multiple of {length}");
        }
        if begin < self.begin || begin >= self.end {
            return Ok(None);
        }
        Ok(Some(Timestamp::from_second(begin + length)?))
    }
}

/// Notes the number of an interval.
///
/// # Errors
///
/// The interval has one already.
pub(super) fn note(counted: &mut Counted, who: Who, end: Timestamp, value: f64) -> Result<()> {
    if let Some(before) = counted.entry(who).or_default().insert(end, value) {
        bail!("two series for one version and instance ({before} and {value} at {end}), expected one");
    }
    Ok(())
}

/// The same of a number that is a count. No requests are as good as no number: some sources say 0, some say nothing.
///
/// # Errors
///
/// It can be no count, too.
pub(super) fn count(counted: &mut Counted, who: Who, end: Timestamp, value: f64) -> Result<()> {
    check_count(value)?;
    if value > 0.0 {
        note(counted, who, end, value)?;
    }
    Ok(())
}

/// The requests of both versions as series.
///
/// A source that counts what happens says nothing of a version without a request. Where it was heard of the other
/// version it is not silent: there the idle version has 0.
pub(super) fn requests(name: &str, mut counted: Counted) -> Vec<Series> {
    let of = |side: Side, counted: &Counted| -> BTreeMap<Timestamp, f64> {
        let its = counted.iter().filter(|(who, _)| who.side == side);
        its.flat_map(|(_, points)| points.keys().map(|end| (*end, 0.0)))
            .collect()
    };
    let (stable, candidate) = (of(Side::Stable, &counted), of(Side::Candidate, &counted));
    for (side, own, others) in [
        (Side::Stable, &stable, &candidate),
        (Side::Candidate, &candidate, &stable),
    ] {
        let idle: BTreeMap<_, _> = others
            .iter()
            .filter(|(end, _)| !own.contains_key(*end))
            .map(|(end, zero)| (*end, *zero))
            .collect();
        if !idle.is_empty() {
            let nobody = Who {
                side,
                ..Who::default()
            };
            counted.entry(nobody).or_default().extend(idle);
        }
    }
    increments(name, counted)
}

/// What was counted in each interval, as series.
pub(super) fn increments(name: &str, counted: Counted) -> Vec<Series> {
    series(name, counted, Kind::Increment)
}

/// What was seen in each interval, as series.
pub(super) fn levels(name: &str, seen: Counted) -> Vec<Series> {
    series(name, seen, Kind::Level)
}

fn series(name: &str, counted: Counted, kind: Kind) -> Vec<Series> {
    let series = |(who, points): (Who, BTreeMap<Timestamp, f64>)| {
        let key = named(name, &who);
        let Who {
            side,
            instance,
            group,
        } = who;
        Series {
            key,
            instance,
            side,
            kind,
            group,
            points: points.into_iter().collect(),
        }
    };
    counted.into_iter().map(series).collect()
}

/// All requests, and how many of them took at most so many seconds, as histograms of increments.
pub(super) fn histograms(name: &str, total: Counted, at_most: &[(f64, Counted)]) -> Vec<Histogram> {
    let histogram = |(who, points): (Who, BTreeMap<Timestamp, f64>)| {
        let known = |end: &Timestamp| {
            let counts = at_most.iter().map(|(bound, counted)| {
                let count = counted.get(&who).and_then(|points| points.get(end));
                (*bound, count.copied().unwrap_or(0.0))
            });
            counts.collect::<Vec<_>>()
        };
        Histogram {
            key: named(name, &who),
            instance: who.instance.clone(),
            side: who.side,
            kind: Kind::Increment,
            points: points
                .into_iter()
                .map(|(end, total)| (end, Distribution::new(total, known(&end))))
                .collect(),
        }
    };
    total.into_iter().map(histogram).collect()
}

/// A series' name: its measure, and what tells it from the others.
fn named(name: &str, who: &Who) -> String {
    let Who {
        side,
        instance,
        group,
    } = who;
    let side = match side {
        Side::Stable => "stable",
        Side::Candidate => "candidate",
    };
    let labels: Labels = [("side", side), ("instance", instance), ("group", group)]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(label, value)| (label.to_owned(), value.to_owned()))
        .collect();
    format!("{name} {}", key(&labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAIN: Grain = Grain::of_seconds(20);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn stretches(from: i64, to: i64, most: i64) -> Vec<(i64, i64)> {
        GRAIN
            .pieces(at(from), at(to), most)
            .map(|stretch| (stretch.begin, stretch.end))
            .collect()
    }

    fn counted(side: Side, instance: &str, points: &[(i64, f64)]) -> Counted {
        let who = Who {
            side,
            instance: instance.to_owned(),
            ..Who::default()
        };
        let points = points.iter().map(|(second, value)| (at(*second), *value));
        Counted::from([(who, points.collect())])
    }

    #[test]
    fn only_whole_intervals_are_asked_for_and_each_of_them_once() {
        assert_eq!(stretches(0, 60, 300), [(0, 60)]);
        assert_eq!(
            stretches(7, 67, 300),
            [(0, 60)],
            "the one that ends at 20 is after 7"
        );
        assert_eq!(stretches(20, 59, 300), [(20, 40)], "40 to 60 is not over at 59");
        assert_eq!(stretches(21, 39, 300), []);
        assert_eq!(stretches(0, 100, 2), [(0, 40), (40, 80), (80, 100)]);
        for cut in 0..=100 {
            let ends = |from, to| -> Vec<i64> {
                let stretches = stretches(from, to, 300).into_iter();
                stretches
                    .flat_map(|(begin, end)| (begin + 20..=end).step_by(20))
                    .collect()
            };
            assert_eq!(
                [ends(3, cut.max(3)), ends(cut.max(3), 100)].concat(),
                ends(3, 100),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn an_interval_belongs_to_its_end_and_must_lie_on_the_grid() {
        let stretch = GRAIN.pieces(at(20), at(60), 300).next().unwrap();
        assert_eq!(stretch.end_of(20).unwrap(), Some(at(40)));
        assert_eq!(stretch.end_of(40).unwrap(), Some(at(60)));
        assert_eq!(stretch.end_of(60).unwrap(), None, "not over yet");
        assert_eq!(stretch.end_of(0).unwrap(), None);
        assert_eq!(
            stretch.end_of(30).unwrap_err().to_string(),
            "an interval begins at second 30, expected a multiple of 20"
        );
    }

    #[test]
    fn a_version_without_a_request_has_none_where_the_other_was_heard() {
        let mut both = counted(Side::Stable, "a", &[(20, 5.0), (60, 4.0)]);
        both.extend(counted(Side::Candidate, "b", &[(40, 1.0), (60, 2.0)]));
        let points: Vec<_> = requests("hits", both)
            .into_iter()
            .map(|series| (series.key, series.points))
            .collect();
        let key = |text: &str| format!("hits {{{text}}}");
        assert_eq!(
            points,
            [
                (key(r#"side="stable""#), vec![(at(40), 0.0)]),
                (
                    key(r#"instance="a",side="stable""#),
                    vec![(at(20), 5.0), (at(60), 4.0)]
                ),
                (key(r#"side="candidate""#), vec![(at(20), 0.0)]),
                (
                    key(r#"instance="b",side="candidate""#),
                    vec![(at(40), 1.0), (at(60), 2.0)]
                ),
            ]
        );
        assert_eq!(requests("hits", Counted::new()), []);
    }

    #[test]
    fn counts_up_to_bounds_become_a_distribution_of_each_interval() {
        let total = counted(Side::Stable, "a", &[(20, 5.0), (40, 3.0)]);
        let fast = counted(Side::Stable, "a", &[(20, 4.0)]);
        let found = histograms("t", total, &[(0.1, fast)]);
        assert_eq!(
            found[0].points,
            [
                (at(20), Distribution::new(5.0, [(0.1, 4.0)])),
                (at(40), Distribution::new(3.0, [(0.1, 0.0)])),
            ]
        );
        assert_eq!(histograms("t", Counted::new(), &[]), []);
    }

    #[test]
    fn two_numbers_for_one_interval_are_refused_and_no_request_is_no_number() {
        let mut counted = Counted::new();
        count(&mut counted, Who::default(), at(20), 0.0).unwrap();
        assert!(counted.is_empty());
        count(&mut counted, Who::default(), at(20), 1.0).unwrap();
        assert_eq!(
            count(&mut counted, Who::default(), at(20), 2.0)
                .unwrap_err()
                .to_string(),
            "two series for one version and instance (1 and 2 at 1970-01-01T00:00:20Z), expected one"
        );
        assert!(count(&mut counted, Who::default(), at(40), -1.0).is_err());
    }
}
