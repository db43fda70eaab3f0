//! A router and the stacks behind it that remember what was done to them, in one list: for tests of the order in
//! which things happen. Under tokio's paused clock.

mod stacks;

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    analysis::{Samples, Series, Side},
    rollout::{
        ladder::{Ladder, Require, Step},
        moves::{By, Course, Move, Start},
        phase::Phase,
        record::{Evidence, Pin, Record, Version},
    },
    weight::Weight,
};

use super::{announce::People, desk::Desk};
use crate::{
    journal::{self, Journal},
    providers::{
        clock::Clock,
        metrics::Metrics,
        traffic::{Capacity, Router, Seen, Shares, WriteError},
    },
};

pub(crate) use stacks::{FakeStacks, autoscaler};

/// What was done, in order: `green 50 %`, `blue AtLeast(10)`.
pub(crate) type Log = Arc<Mutex<Vec<String>>>;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

pub(crate) fn weight(percent: u8) -> Weight {
    Weight::new(percent).expect("a share")
}

pub(crate) fn by() -> By<'static> {
    By {
        run: "run 6",
        actor: "octocat",
        at: at(0),
    }
}

pub(crate) fn course(phase: Phase, weights: &[u8]) -> Course {
    let step = |&percent: &u8| Step {
        weight: weight(percent),
        duration: SignedDuration::from_mins(30),
    };
    Course {
        phase,
        ladder: Ladder::new(weights.iter().map(step).collect(), Require::Proof).expect("a ladder"),
        gates: Vec::new(),
        keep_old: SignedDuration::from_hours(48),
    }
}

pub(crate) fn beginning(course: Course) -> Start {
    let version = |name: &str| Version {
        backend: name.to_owned(),
        version: name.to_owned(),
        images: vec![format!("shop:{name}")],
    };
    Start {
        service: "shop".to_owned(),
        stable: version("blue"),
        candidate: version("green"),
        course,
        evidence: Evidence {
            origin: at(0),
            look: SignedDuration::from_secs(15),
            cluster_size: 1.0,
            ..Evidence::default()
        },
        pin: Pin {
            hash: "abc".to_owned(),
            commit: None,
            tool: "0.1.0".to_owned(),
        },
    }
}

/// A production whose candidate has `percent`, 10 pods of stable having carried everything.
pub(crate) fn holding(percent: u8) -> Record {
    let mut record = Record::start(beginning(course(Phase::Production, &[percent])), None, by());
    record.whole = Some(10);
    record.after(Move::Raise, by()).expect("ready")
}

/// The same after its promotion: green is stable.
pub(crate) fn promoted() -> Record {
    holding(100).after(Move::Promote, by()).expect("at 100 %")
}

/// Keeps what is written to it; its live share is the record's unless somebody set it by hand.
pub(crate) struct FakeRouter {
    pub(crate) log: Log,
    pub(crate) record: Mutex<Option<Record>>,
    pub(crate) by_hand: Mutex<Option<Weight>>,
    pub(crate) up: Option<(u32, u32)>,
    pub(crate) sessions: Mutex<Option<u32>>,
    pub(crate) shares: Shares,
    pub(crate) unreachable: Vec<String>,
    /// So many writes fail first.
    pub(crate) refuses: Mutex<usize>,
    /// So many writes are done, but not in every place, and are answered with an error; the next one mends that.
    pub(crate) half_done: Mutex<usize>,
    /// Places that never confirm a write.
    pub(crate) silent: Vec<String>,
    torn: Mutex<bool>,
}

impl FakeRouter {
    pub(crate) fn new(record: Option<Record>) -> Self {
        Self {
            log: Log::default(),
            record: Mutex::new(record),
            by_hand: Mutex::new(None),
            up: None,
            sessions: Mutex::new(None),
            shares: Shares::Every,
            unreachable: Vec::new(),
            refuses: Mutex::new(0),
            half_done: Mutex::new(0),
            silent: Vec::new(),
            torn: Mutex::new(false),
        }
    }

    pub(crate) fn has(&self) -> Record {
        self.record.lock().expect("no panic").clone().expect("a record")
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().expect("no panic").clone()
    }

    fn seen(&self) -> Seen {
        let record = self.record.lock().expect("no panic").clone();
        let by_hand = *self.by_hand.lock().expect("no panic");
        let recorded = record.as_ref().map_or(Weight::ZERO, |record| record.weight);
        Seen {
            candidate: record
                .as_ref()
                .map_or("green", |record| &record.candidate.backend)
                .to_owned(),
            share: Some(by_hand.unwrap_or(recorded)),
            drift: by_hand.map(|share| format!("somebody set {share}")),
            token: record.as_ref().map(Record::encode).unwrap_or_default(),
            record: Ok(record),
            torn: *self.torn.lock().expect("no panic"),
            unreachable: self.unreachable.clone(),
            capacity: self.up.map(|(stable, candidate)| Capacity {
                stable,
                candidate,
                sessions: *self.sessions.lock().expect("no panic"),
            }),
            shares: self.shares.clone(),
        }
    }
}

#[async_trait::async_trait]
impl Router for FakeRouter {
    async fn read(&self) -> anyhow::Result<Seen> {
        Ok(self.seen())
    }

    async fn write(&self, seen: &Seen, record: &Record) -> Result<Seen, WriteError> {
        let mut refuses = self.refuses.lock().expect("no panic");
        if *refuses > 0 {
            *refuses -= 1;
            return Err(WriteError::Rejected("not today".to_owned()));
        }
        if self.seen().token != seen.token {
            return Err(WriteError::Conflict);
        }
        if let Some(why) = self.shares.refusal(record.weight) {
            return Err(WriteError::Rejected(why));
        }
        // A heartbeat is no news.
        let before = self.record.lock().expect("no panic").replace(record.clone());
        if before.is_none_or(|before| before.state != record.state) {
            let line = format!("{} {}", record.candidate.backend, record.weight);
            self.log.lock().expect("no panic").push(line);
        }
        *self.by_hand.lock().expect("no panic") = None;
        let mut half_done = self.half_done.lock().expect("no panic");
        *self.torn.lock().expect("no panic") = *half_done > 0;
        if *half_done > 0 {
            *half_done -= 1;
            return Err(WriteError::Unreachable(anyhow::anyhow!(
                "the second process hangs"
            )));
        }
        Ok(Seen {
            unreachable: self.silent.clone(),
            ..self.seen()
        })
    }

    fn describe(&self, _: &Seen, records: &[&Record]) -> Vec<String> {
        let change = |record: &&Record| {
            let backend = &record.candidate.backend;
            format!("would give {backend} {}\n", record.weight)
        };
        records.iter().map(change).collect()
    }
}

/// What a metric source has counted each second: 990 requests of stable's, 0.1 % of them failed, and the candidate's.
pub(crate) fn counted(
    origin: Timestamp,
    from: Timestamp,
    to: Timestamp,
    requests: f64,
    error_rate: f64,
) -> Samples {
    let series = |side, per_second: f64| Series {
        key: format!("{side:?}"),
        instance: String::new(),
        side,
        points: (from.as_second() + 1..=to.as_second())
            .filter_map(|second| {
                let count = (second - origin.as_second() + 600) as f64 * per_second;
                Some((Timestamp::from_second(second).ok()?, count.floor()))
            })
            .collect(),
        ..Series::default()
    };
    Samples {
        requests: vec![series(Side::Stable, 990.0), series(Side::Candidate, requests)],
        errors: vec![
            series(Side::Stable, 0.99),
            series(Side::Candidate, requests * error_rate),
        ],
        ..Samples::default()
    }
}

/// A metric source.
pub(crate) struct Meter {
    pub(crate) error_rate: f64,
    pub(crate) down: bool,
}

#[async_trait::async_trait]
impl Metrics for Meter {
    async fn samples(&self, from: Timestamp, to: Timestamp) -> anyhow::Result<Samples> {
        anyhow::ensure!(!self.down, "the source is down");
        Ok(counted(at(0), from, to, 50.0, self.error_rate))
    }

    fn has_past(&self) -> bool {
        true
    }
}

/// A desk without people, whose journal can be read.
pub(crate) struct Office {
    folder: tempfile::TempDir,
    pub(crate) desk: Desk,
}

impl Office {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let desk = Desk {
            run: "run 7".to_owned(),
            actor: "hubot".to_owned(),
            journal: Journal::new(folder.path().to_owned(), |_| {}),
            people: People::default(),
            clock: Clock::starting_at(at(0)),
        };
        Self { folder, desk }
    }

    /// Seconds since it was opened.
    pub(crate) fn second(&self) -> i64 {
        self.desk.clock.now().duration_since(at(0)).as_secs()
    }

    /// The words of all events.
    pub(crate) fn events(&self) -> String {
        let events = journal::read_events(self.folder.path()).expect("a journal");
        events
            .iter()
            .map(|line| format!("{}\n", rollgate_domain::notice::story::log_line(line)))
            .collect()
    }
}
