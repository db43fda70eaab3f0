//! The loop against a world of fakes that remember, under tokio's paused clock: days in milliseconds.

use std::sync::Mutex;

use jiff::Timestamp;
use rollgate_domain::{
    analysis::{Samples, Series, Settings, Side},
    rollout::{
        ladder::{Ladder, Require, Step},
        record::{Evidence, Version},
    },
};

use super::*;
use crate::{
    journal::{self, Journal},
    operations::announce::People,
    providers::{clock::Clock, metrics::Metrics, traffic::Capacity},
};

/// Router and metric source in one: it has what was written to it, and serves 10 and 990 requests a second.
struct Fake {
    state: Mutex<FakeState>,
    clock: Clock,
    origin: Timestamp,
    /// The candidate's requests a second.
    requests: f64,
    /// The candidate's share of failed requests.
    error_rate: f64,
    /// The metric source fails in this stretch of time, in seconds since the origin.
    blind: std::ops::Range<i64>,
    /// The router fails in this stretch of time.
    deaf: std::ops::Range<i64>,
    /// What another process does when the driver reads for the so-manieth time.
    intruder: Option<(usize, Act)>,
}

/// What somebody else makes of the record.
type Act = fn(&Record) -> Record;

struct FakeState {
    record: Record,
    shares: Vec<u8>,
    reads: usize,
}

impl Fake {
    fn second(&self) -> i64 {
        self.clock.now().duration_since(self.origin).as_secs()
    }

    fn shares(&self) -> Vec<u8> {
        self.state.lock().expect("no panic").shares.clone()
    }

    fn seen(record: &Record) -> Seen {
        Seen {
            share: Some(record.weight),
            record: Ok(Some(record.clone())),
            drift: None,
            torn: false,
            unreachable: Vec::new(),
            capacity: Some(Capacity {
                stable: 1,
                candidate: 1,
            }),
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
        Ok(Self::seen(&state.record))
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
        }
        state.record = record.clone();
        Ok(Self::seen(record))
    }

    fn describe(&self, _: &Record) -> String {
        String::new()
    }
}

#[async_trait::async_trait]
impl Metrics for Fake {
    async fn samples(&self, from: Timestamp, to: Timestamp) -> anyhow::Result<Samples> {
        anyhow::ensure!(!self.blind.contains(&self.second()), "the source is down");
        let series = |side, per_second: f64| Series {
            key: format!("{side:?}"),
            instance: String::new(),
            side,
            points: (from.as_second() + 1..=to.as_second())
                .filter_map(|second| {
                    let count = (second - self.origin.as_second() + 600) as f64 * per_second;
                    Some((Timestamp::from_second(second).ok()?, count.floor()))
                })
                .collect(),
        };
        Ok(Samples {
            requests: vec![
                series(Side::Stable, 990.0),
                series(Side::Candidate, self.requests),
            ],
            errors: vec![
                series(Side::Stable, 0.99),
                series(Side::Candidate, self.requests * self.error_rate),
            ],
        })
    }

    fn has_past(&self) -> bool {
        true
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

fn start() -> Start {
    let step = |weight| Step {
        weight: Weight::new(weight).expect("a share"),
        duration: SignedDuration::from_mins(30),
    };
    let version = |name: &str| Version {
        backend: name.to_owned(),
        version: name.to_owned(),
    };
    Start {
        service: "shop".to_owned(),
        stable: version("blue"),
        candidate: version("green"),
        ladder: Ladder::new(vec![step(1), step(5), step(10)], Require::Proof).expect("a ladder"),
        evidence: Evidence {
            origin: at(0),
            look: SignedDuration::from_secs(15),
            cluster_size: 1.0,
            warm_since: None,
        },
        pin: pin(),
    }
}

fn pin() -> Pin {
    Pin {
        hash: "abc".to_owned(),
        commit: None,
        tool: "0.1.0".to_owned(),
    }
}

/// A world in good order.
fn fake() -> Fake {
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
        blind: 0..0,
        deaf: 0..0,
        intruder: None,
    }
}

/// How a driver with a budget of so many minutes ended, and the words of its events.
async fn driven(
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
    let rollout = fake.state.lock().expect("no panic").record.rollout.clone();
    let record = match take(fake, &mut desk, &rollout, &start())
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
    let world = World {
        router: fake,
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

const AS_IS: fn(&mut Orders) = |_| {};

#[tokio::test(start_paused = true)]
async fn a_good_canary_climbs_every_step_and_leaves_nothing_behind() {
    let fake = fake();
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 5, 10, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Done);
    assert_eq!(ended.record.state, State::Passed);
}

#[tokio::test(start_paused = true)]
async fn a_bad_canary_ends_with_no_traffic() {
    let fake = Fake {
        error_rate: 0.02,
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Refused);
    assert!(events.contains("ROLLBACK - errors."), "{events}");
}

#[tokio::test(start_paused = true)]
async fn time_alone_never_advances() {
    // Twice stable's rate is not disproved as harm for hours, and never proved as health.
    let fake = Fake {
        error_rate: 0.0055,
        ..fake()
    };
    let (ended, events) = driven(&fake, 90, None, AS_IS).await;
    assert!(!fake.shares().contains(&5), "{events}");
    assert_eq!(fake.shares().last(), Some(&0));
    assert!(ended.outcome == Outcome::Hold || ended.outcome == Outcome::Refused);
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_nothing_is_seen_of_is_not_left_with_traffic() {
    // Its metrics carry another version than the rollout was started with.
    let fake = Fake {
        requests: 0.0,
        ..fake()
    };
    let (ended, events) = driven(&fake, 180, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
    assert!(events.contains("nobody can watch it"), "{events}");
    assert!(fake.second() < 20 * 60, "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_step_without_proof_never_ends_and_a_person_is_asked_once() {
    // A request in 100 s: 36 in an hour prove nothing.
    let fake = Fake {
        requests: 0.01,
        ..fake()
    };
    let (ended, events) = driven(&fake, 180, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
    assert_eq!(events.matches("a person must decide").count(), 1, "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_changed_plan_lets_nobody_in() {
    let fake = fake();
    let orders: fn(&mut Orders) = |orders| orders.pin.hash = "another plan".to_owned();
    let (ended, events) = driven(&fake, 60, None, orders).await;
    assert!(fake.shares().is_empty(), "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
    assert!(
        events.contains("the plan was changed in the middle of the rollout"),
        "{events}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_changed_plan_stops_rises_and_is_still_taken_back() {
    let fake = Fake {
        error_rate: 0.02,
        ..fake()
    };
    {
        let mut state = fake.state.lock().expect("no panic");
        let by = rollgate_domain::rollout::moves::By {
            run: "old",
            actor: "octocat",
            at: at(0),
        };
        state.record = state.record.after(Move::Raise, by).expect("ready");
    }
    let orders: fn(&mut Orders) = |orders| orders.pin.hash = "another plan".to_owned();
    let (ended, events) = driven(&fake, 600, None, orders).await;
    assert_eq!(fake.shares(), [0], "{events}");
    assert_eq!(ended.outcome, Outcome::Refused);
}

#[tokio::test(start_paused = true)]
async fn a_metrics_outage_holds_and_then_leaves_nothing_behind() {
    let fake = Fake {
        blind: 600..100_000,
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
    assert!(events.contains("nobody can watch it"), "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_short_metrics_outage_only_costs_time() {
    let fake = Fake {
        blind: 600..900,
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 5, 10, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_down_from_the_start_lets_nobody_in() {
    let fake = Fake {
        blind: 0..100_000,
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert!(fake.shares().is_empty(), "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
}

#[tokio::test(start_paused = true)]
async fn a_router_that_is_deaf_for_a_while_is_rolled_back_as_soon_as_it_listens() {
    let fake = Fake {
        error_rate: 0.02,
        deaf: 60..500,
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Refused);
    assert!(events.contains("ROLLBACK STUCK"), "{events}");
    assert!(fake.second() < 510, "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_router_that_stays_deaf_needs_a_person() {
    let fake = Fake {
        error_rate: 0.02,
        deaf: 60..100_000,
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(ended.outcome, Outcome::Stuck, "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_is_asked_to_leave_leaves_weight_0_and_the_next_resumes_the_step() {
    let fake = fake();
    let (ended, events) = driven(&fake, 600, Some(2400), AS_IS).await;
    assert_eq!(fake.shares(), [1, 5, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Hold);
    assert!(matches!(ended.record.state, State::Paused { step: 1, .. }));

    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 5, 0, 5, 10, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_budget_without_a_successor_leaves_weight_0() {
    let fake = fake();
    let (ended, events) = driven(&fake, 10, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 0], "{events}");
    assert_eq!((ended.outcome, ended.handed_over), (Outcome::Hold, false));
}

#[tokio::test(start_paused = true)]
async fn a_driver_whose_generation_is_taken_leaves_and_names_the_owner() {
    let steals: fn(&Record) -> Record = |record| {
        let by = rollgate_domain::rollout::moves::By {
            run: "run 8",
            actor: "hubot",
            at: at(300),
        };
        record.after(Move::Take, by).expect("active")
    };
    let fake = Fake {
        intruder: Some((20, steals)),
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(ended.outcome, Outcome::Fenced);
    assert!(
        events.contains("fenced: run 8 (hubot) owns the rollout"),
        "{events}"
    );
    // It is the other's candidate now: nothing is lowered.
    assert_eq!(fake.shares(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_write_of_the_same_generation_is_read_again() {
    let beats: fn(&Record) -> Record = |record| {
        let mut record = record.clone();
        record.sequence += 1;
        record
    };
    let fake = Fake {
        intruder: Some((3, beats)),
        ..fake()
    };
    let (ended, events) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(fake.shares(), [1, 5, 10, 0], "{events}");
    assert_eq!(ended.outcome, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_router_that_went_back_to_an_older_record_stops_rises() {
    let restores: fn(&Record) -> Record = |record| {
        let mut record = record.clone();
        record.sequence = 1;
        record
    };
    let fake = Fake {
        intruder: Some((30, restores)),
        ..fake()
    };
    let (_, events) = driven(&fake, 120, None, AS_IS).await;
    assert!(events.contains("went back to an older record"), "{events}");
    assert!(!fake.shares().contains(&5), "{events}");
    assert_eq!(fake.shares().last(), Some(&0));
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_over_is_not_driven() {
    let fake = Fake {
        error_rate: 0.02,
        ..fake()
    };
    driven(&fake, 600, None, AS_IS).await;
    let (ended, _) = driven(&fake, 600, None, AS_IS).await;
    assert_eq!(ended.outcome, Outcome::Refused);
    assert_eq!(fake.shares(), [1, 0]);
}
