//! What a run has left: the looks of its `samples.jsonl`, for `replay` and `compare` without the source that was asked.
//!
//! A look becomes samples that make the same look again: what was counted in it, at its end.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::analysis::{
    CheckSamples, Counts, Histogram, Kind, Look, Measured, Samples, Series, Side,
};
use serde::Deserialize;

use super::Metrics;
use super::ahead::part;

/// The looks of one rollout, as samples.
pub struct Recorded {
    samples: Samples,
}

/// What is needed of a line; the rest tells what was judged.
#[derive(Deserialize)]
struct Line {
    rollout: String,
    look: Look,
}

impl Recorded {
    /// The looks in `file`, of one run of a rollout or of several, one after the other.
    ///
    /// # Errors
    ///
    /// The file cannot be read, holds no look, or a line of it is none; the message names the line.
    pub fn read(file: &Path) -> Result<Self> {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(|| format!("read {shown}"))?;
        Ok(Self {
            samples: samples(&looks(&text, &shown)?),
        })
    }
}

#[async_trait::async_trait]
impl Metrics for Recorded {
    async fn samples(&self, from: Timestamp, to: Timestamp) -> Result<Samples> {
        Ok(part(&self.samples, from, to))
    }

    fn has_past(&self) -> bool {
        true
    }

    async fn probe(&self, _now: Timestamp) -> Result<()> {
        bail!("a recorded file tells nothing of what runs now: it is for replay, compare and check --now")
    }
}

/// The looks in order of time, each once: a later run of the rollout counts those of the runs before it anew.
fn looks(text: &str, shown: &str) -> Result<BTreeMap<Timestamp, Look>> {
    let mut looks = BTreeMap::new();
    let mut first: Option<String> = None;
    let count = text.lines().count();
    for (index, line) in text.lines().enumerate() {
        let place = || format!("{shown}:{}", index + 1);
        let Line { rollout, look } = match serde_json::from_str(line) {
            Ok(line) => line,
            // A run that is killed cuts its last line off.
            Err(_) if index + 1 == count && !text.ends_with('\n') => break,
            Err(error) => return Err(error).with_context(|| format!("{}: not a look", place())),
        };
        match &first {
            Some(first) if *first != rollout => {
                bail!(
                    "{}: of rollout {rollout}, and the lines before are of {first}",
                    place()
                );
            }
            _ => first = Some(rollout),
        }
        looks.entry(look.end).or_insert(look);
    }
    if looks.is_empty() {
        bail!("{shown}: there is no look in it");
    }
    Ok(looks)
}

/// Series under construction, by side and key.
type Many = BTreeMap<(Side, String), Series>;

/// A process that was not heard for so many looks is not missed any more.
const GONE: usize = 20;

/// Far less than is counted, and something to fall from.
const TINY: f64 = 1e-9;

/// Whoever was heard of one side: a look is complete if all of them are heard again.
#[derive(Default)]
struct Voices {
    /// In which look each one was heard last.
    last: BTreeMap<String, usize>,
}

fn samples(looks: &BTreeMap<Timestamp, Look>) -> Samples {
    let (mut requests, mut errors) = (Many::new(), Many::new());
    let mut latency: BTreeMap<Side, Histogram> = BTreeMap::new();
    let mut checks: Vec<[Many; 2]> = Vec::new();
    let mut gauges: Vec<Many> = Vec::new();
    let mut voices: BTreeMap<Side, Voices> = BTreeMap::new();
    for (place, (end, look)) in looks.iter().enumerate() {
        let Look {
            index: _,
            end: _,
            stable,
            candidate,
            dropped,
        } = look;
        for number in 0..*dropped {
            let at = (Side::Stable, format!("no number {number}"));
            put(&mut errors, at, "", Kind::Increment, (*end, f64::NAN));
        }
        for (side, measured) in [(Side::Stable, stable), (Side::Candidate, candidate)] {
            let Measured {
                requests: asked,
                errors: failed,
                complete,
                groups,
                latency: took,
                checks: checked,
                gauges: shown,
                restarts,
            } = measured;
            counted(&mut requests, side, *end, *asked, groups, |counts| {
                counts.requests
            });
            counted(&mut errors, side, *end, *failed, groups, |counts| counts.errors);
            let voices = voices.entry(side).or_default();
            voices.hear(
                &mut requests,
                side,
                place,
                *end,
                *complete,
                *asked > 0.0,
                restarts,
            );
            if took.total() > 0.0 {
                let new = || Histogram {
                    key: "recorded".to_owned(),
                    side,
                    kind: Kind::Increment,
                    ..Histogram::default()
                };
                latency
                    .entry(side)
                    .or_insert_with(new)
                    .points
                    .push((*end, took.clone()));
            }
            if checks.len() < checked.len() {
                checks.resize_with(checked.len(), Default::default);
            }
            for ([good, total], counts) in checks.iter_mut().zip(checked) {
                let each = [(good, counts.requests - counts.errors), (total, counts.requests)];
                for (series, count) in each.into_iter().filter(|(_, count)| *count > 0.0) {
                    let at = (side, "recorded".to_owned());
                    put(series, at, "", Kind::Increment, (*end, count));
                }
            }
            if gauges.len() < shown.len() {
                gauges.resize_with(shown.len(), Many::new);
            }
            for (series, processes) in gauges.iter_mut().zip(shown) {
                for (instance, values) in processes {
                    for (nth, value) in values.iter().enumerate() {
                        let at = (side, format!("{instance} {nth:04}"));
                        put(series, at, instance, Kind::Level, (*end, *value));
                    }
                }
            }
        }
    }
    let series = |many: Many| many.into_values().collect();
    Samples {
        requests: series(requests),
        errors: series(errors),
        latency: latency.into_values().collect(),
        checks: checks
            .into_iter()
            .map(|[good, total]| CheckSamples {
                good: series(good),
                total: series(total),
            })
            .collect(),
        gauges: gauges.into_iter().map(series).collect(),
    }
}

fn put(many: &mut Many, (side, key): (Side, String), instance: &str, kind: Kind, point: (Timestamp, f64)) {
    let new = || Series {
        key: key.clone(),
        instance: instance.to_owned(),
        side,
        kind,
        ..Series::default()
    };
    many.entry((side, key.clone()))
        .or_insert_with(new)
        .points
        .push(point);
}

/// A count, each group's part of it under the group's name.
fn counted(
    many: &mut Many,
    side: Side,
    end: Timestamp,
    all: f64,
    groups: &BTreeMap<String, Counts>,
    of: impl Fn(&Counts) -> f64,
) {
    let mut rest = all;
    for (group, counts) in groups.iter().filter(|(_, counts)| of(counts) > 0.0) {
        let name = (side, format!("recorded of {group}"));
        put(many, name.clone(), "", Kind::Increment, (end, of(counts)));
        if let Some(series) = many.get_mut(&name) {
            series.group.clone_from(group);
        }
        rest -= of(counts);
    }
    if rest > 0.0 {
        put(
            many,
            (side, "recorded".to_owned()),
            "",
            Kind::Increment,
            (end, rest),
        );
    }
}

impl Voices {
    /// Lets be heard in this look who makes it complete, or somebody who will be missed; and who began anew, as often.
    #[expect(clippy::too_many_arguments, reason = "one look, spelt out")]
    fn hear(
        &mut self,
        many: &mut Many,
        side: Side,
        place: usize,
        end: Timestamp,
        complete: bool,
        served: bool,
        restarts: &BTreeMap<String, u32>,
    ) {
        self.last.retain(|_, last| place - *last < GONE);
        if complete {
            self.last.insert("all".to_owned(), place);
        } else if served {
            self.last.insert(format!("missing {place}"), place);
        }
        for (instance, times) in restarts {
            self.last.insert(instance.clone(), place);
            // Each fall is a beginning: one in a millisecond, the last at the look's end.
            for left in (1..=*times).rev() {
                let time = end.saturating_sub(SignedDuration::from_millis(left.into()));
                let point = (time.unwrap_or(end), TINY * f64::from(left));
                put(many, (side, instance.clone()), instance, Kind::Level, point);
            }
        }
        for (instance, last) in &mut self.last {
            if complete || *last == place {
                *last = place;
                put(many, (side, instance.clone()), instance, Kind::Level, (end, 0.0));
            }
        }
    }
}
