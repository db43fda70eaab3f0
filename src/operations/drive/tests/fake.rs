//! A router and a metric source that remember, and a driver beside them.

use std::sync::Mutex;

use jiff::Timestamp;
use rollgate_domain::{
    analysis::{Samples, Settings, Side},
    rollout::{
        ladder::{Ladder, Require, Step},
        moves::Course,
        phase::Phase,
        record::{Evidence, Version},
    },
};

use super::super::*;
use crate::{
    journal::{self, Journal},
    operations::{
        announce::People,
        tests::{FakeStacks, counted},
    },
    providers::{
        clock::Clock,
        metrics::Metrics,
        stacks::Stacks,
        traffic::{Capacity, Shares},
    },
};

/// Router and metric source in one: it has what was written to it, and serves 10 and 990 requests a second.
pub(super) struct Fake {
    pub(super) state: Mutex<FakeState>,
    pub(super) clock: Clock,
    pub(super) origin: Timestamp,
    /// The candidate's requests a second.
    pub(super) requests: f64,
    /// The candidate's share of failed requests.
    pub(super) error_rate: f64,
    /// From this second on both versions fail 5 % more.
    pub(super) incident: i64,
    /// The metric source fails in this stretch of time, in seconds since the origin.
    pub(super) blind: std::ops::Range<i64>,
    /// The router fails in this stretch of time.
    pub(super) deaf: std::ops::Range<i64>,
    /// One of the router's processes fails in this stretch of time.
    pub(super) crippled: std::ops::Range<i64>,
    /// What another process does when the driver reads for the so many-th time.
    pub(super) intruder: Option<(usize, Act)>,
    /// What runs behind it, where that can be asked.
    pub(super) stacks: Option<FakeStacks>,
}

/// What somebody else makes of the record.
pub(super) type Act = fn(&Record) -> Record;

pub(super) struct FakeState {
    pub(super) record: Record,
    pub(super) shares: Vec<u8>,
    pub(super) reads: usize,
}

impl Fake {
    pub(super) fn second(&self) -> i64 {
        self.clock.now().duration_since(self.origin).as_secs()
    }

    pub(super) fn shares(&self) -> Vec<u8> {
        self.state.lock().expect("no panic").shares.clone()
    }

    fn seen(record: &Record) -> Seen {
        Seen {
            candidate: record.candidate.backend.clone(),
            share: Some(record.weight),
            record: Ok(Some(record.clone())),
            drift: None,
            torn: false,
            unreachable: Vec::new(),
            capacity: Some(Capacity {
                stable: 1,
                candidate: 1,
                sessions: None,
            }),
            shares: Shares::Every,
            token: record.encode(),
        }
    }
}

#[async_trait::async_trait]
impl Router for Fake {
    async fn read(&self) -> anyhow::Result<Seen> {
        anyhow::ensure!(!self.deaf.contains(&self.second()), "the router is deaf");
        let mut state = self.state.lock().expect("no panic");
        state.reads += 1;
        if let Some((read, act)) = self.intruder
            && state.reads == read
        {
            state.record = act(&state.record);
        }
        let mut seen = Self::seen(&state.record);
        if self.crippled.contains(&self.second()) {
            seen.unreachable.push("haproxy-2 does not answer".to_owned());
        }
        Ok(seen)
    }

    async fn write(&self, seen: &Seen, record: &Record) -> Result<Seen, WriteError> {
        if self.deaf.contains(&self.second()) {
            return Err(WriteError::Unreachable(anyhow::anyhow!("the router is deaf")));
        }
        let mut state = self.state.lock().expect("no panic");
        if state.record.encode() != seen.token {
            return Err(WriteError::Conflict);
        }
        if state.record.weight != record.weight {
            state.shares.push(record.weight.percent());
            if let Some(stacks) = &self.stacks {
                let line = format!("{} {}", record.candidate.backend, record.weight);
                stacks.log.lock().expect("no panic").push(line);
            }
        }
        state.record = record.clone();
        Ok(Self::seen(record))
    }

    fn describe(&self, _: &Seen, _: &[&Record]) -> Vec<String> {
        Vec::new()
    }
}

#[async_trait::async_trait]
impl Metrics for Fake {
    async fn samples(&self, from: Timestamp, to: Timestamp) -> anyhow::Result<Samples> {
        anyhow::ensure!(!self.blind.contains(&self.second()), "the source is down");
        let mut samples = counted(self.origin, from, to, self.requests, self.error_rate);
        for series in &mut samples.errors {
            let requests = match series.side {
                Side::Stable => 990.0,
                Side::Candidate => self.requests,
            };
            for (time, count) in &mut series.points {
                let second = time.as_second() - self.origin.as_second();
                *count += (second.saturating_sub(self.incident).max(0) as f64 * 0.05 * requests).floor();
            }
        }
        Ok(samples)
    }

    fn has_past(&self) -> bool {
        true
    }
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

pub(super) fn start() -> Start {
    let step = |weight| Step {
        weight: Weight::new(weight).expect("a share"),
        duration: SignedDuration::from_mins(30),
    };
    let version = |name: &str| Version {
        backend: name.to_owned(),
        version: name.to_owned(),
        images: Vec::new(),
    };
    Start {
        service: "shop".to_owned(),
        stable: version("blue"),
        candidate: version("green"),
        course: Course {
            phase: Phase::Canary,
            ladder: Ladder::new(vec![step(1), step(5), step(10)], Require::Proof).expect("a ladder"),
            gates: Vec::new(),
            keep_old: SignedDuration::ZERO,
        },
        evidence: Evidence {
            origin: at(0),
            look: SignedDuration::from_secs(15),
            cluster_size: 1.0,
            ..Evidence::default()
        },
        pin: pin(),
    }
}

pub(super) fn pin() -> Pin {
    Pin {
        hash: "abc".to_owned(),
        commit: None,
        tool: "0.1.0".to_owned(),
    }
}

/// A world in good order.
pub(super) fn fake() -> Fake {
    let by = rollgate_domain::rollout::moves::By {
        run: "start",
        actor: "octocat",
        at: at(0),
    };
    Fake {
        state: Mutex::new(FakeState {
            record: Record::start(start(), None, by),
            shares: Vec::new(),
            reads: 0,
        }),
        clock: Clock::starting_at(at(0)),
        origin: at(0),
        requests: 10.0,
        error_rate: 0.001,
        incident: i64::MAX,
        blind: 0..0,
        deaf: 0..0,
        crippled: 0..0,
        intruder: None,
        stacks: None,
    }
}

/// How a driver with a budget of so many minutes ended, and the words of its events.
pub(super) async fn driven(
    fake: &Fake,
    minutes: i64,
    signal_after: Option<u64>,
    orders: fn(&mut Orders),
) -> (Ended, String) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let mut desk = Desk {
        run: "run 7".to_owned(),
        actor: "octocat".to_owned(),
        journal: Journal::new(folder.path().to_owned(), |_| {}),
        people: People::default(),
        clock: fake.clock,
    };
    let (rollout, last_sign) = {
        let record = &fake.state.lock().expect("no panic").record;
        (record.rollout.clone(), record.driver.heartbeat)
    };
    let record = match take(fake, &mut desk, &rollout, &start(), false)
        .await
        .expect("a rollout")
    {
        Ok(record) => record,
        Err(ended) => return (ended, String::new()),
    };
    let settings = Settings {
        planned: SignedDuration::from_hours(3),
        ..Settings::default()
    };
    let (sender, interrupt) = watch::channel(None);
    let behind = Behind {
        stacks: fake.stacks.as_ref().map(|stacks| stacks as &dyn Stacks),
        scale_up: true,
    };
    let world = World {
        router: fake,
        behind,
        afterwards: Afterwards {
            behind,
            sampler: None,
            drain: SignedDuration::from_secs(1),
            scale_down: false,
        },
        watcher: Watcher::new(fake, settings, &record, fake.clock.now()),
        dispatcher: None,
        interrupt,
    };
    let mut told = Orders {
        budget: SignedDuration::from_mins(minutes),
        patience: Patience {
            blind: SignedDuration::from_mins(15),
            successor: SignedDuration::from_mins(20),
        },
        pin: pin(),
        blank: start(),
        window: None,
        last_sign,
        capacity_within: SignedDuration::from_mins(2),
    };
    orders(&mut told);
    let signal = async {
        match signal_after {
            Some(seconds) => tokio::time::sleep(std::time::Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
        let _ = sender.send(Some("SIGINT"));
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        ended = drive(record, world, &mut desk, &told) => ended,
        () = signal => unreachable!("it waits for ever"),
    };
    let events = journal::read_events(folder.path()).expect("a journal");
    let words = events
        .iter()
        .map(|line| format!("{}\n", rollgate_domain::notice::story::log_line(line)))
        .collect();
    (ended, words)
}
