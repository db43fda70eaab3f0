//! Users who ask all the time, each at moments of its own that no answer changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::connection::Connection;

/// 800 requests a second, so that half of them show an end to 2.5 ms; the routers and services that answer share two
/// processors with them.
const USERS: u32 = 8;
const EACH: Duration = Duration::from_millis(10);

/// The version that is taken back.
const CANDIDATE: &str = "green";

#[derive(Default)]
struct Met {
    asked: AtomicU64,
    candidate: AtomicU64,
    /// Nanoseconds after the crowd's beginning.
    last_candidate: AtomicU64,
    over: AtomicBool,
}

pub(super) struct Crowd {
    began: Instant,
    met: Arc<Met>,
    users: Vec<JoinHandle<Vec<String>>>,
}

impl Crowd {
    /// Asks `front` (HOST:PORT) for `host` until it goes home.
    pub(super) fn ask(front: &str, host: &str) -> Self {
        let (began, met) = (Instant::now(), Arc::new(Met::default()));
        let user = |number: u32| {
            let (mut connection, met) = (Connection::to(front, host), Arc::clone(&met));
            let first = began + EACH / USERS * number;
            thread::spawn(move || stay(&mut connection, &met, began, first))
        };
        Self {
            users: (0..USERS).map(user).collect(),
            began,
            met,
        }
    }

    /// How many answers the candidate gave so far.
    pub(super) fn met_candidate(&self) -> u64 {
        self.met.candidate.load(Ordering::SeqCst)
    }

    /// When it gave the last of them.
    pub(super) fn last_candidate(&self) -> Instant {
        self.began + Duration::from_nanos(self.met.last_candidate.load(Ordering::SeqCst))
    }

    /// How many requests there were.
    ///
    /// # Panics
    ///
    /// One of them failed.
    pub(super) fn go_home(self) -> u64 {
        self.met.over.store(true, Ordering::SeqCst);
        let failures = self
            .users
            .into_iter()
            .flat_map(|user| user.join().expect("a user"));
        let failures: Vec<_> = failures.collect();
        let asked = self.met.asked.load(Ordering::SeqCst);
        assert!(failures.is_empty(), "of {asked} requests failed: {failures:?}");
        asked
    }
}

/// One user, until the crowd goes home; what failed.
fn stay(connection: &mut Connection, met: &Met, began: Instant, first: Instant) -> Vec<String> {
    let (mut failures, mut due) = (Vec::new(), first);
    while !met.over.load(Ordering::SeqCst) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += EACH;
        met.asked.fetch_add(1, Ordering::SeqCst);
        match connection.ask() {
            Ok(version) if version == CANDIDATE => {
                let at = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
                met.last_candidate.fetch_max(at, Ordering::SeqCst);
                met.candidate.fetch_add(1, Ordering::SeqCst);
            }
            Ok(_) => {}
            Err(failure) => failures.push(failure),
        }
    }
    failures
}
