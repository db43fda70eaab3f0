//! Plays rollouts, with all rules watching the same looks, on all processors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::rivals::{Limits, Rule, Windows};
use super::rollgate::Rollgate;
use super::weather::{Fault, LOOK_S, Rollout, Scenario, WARM_UP};

/// Who watches beside rollgate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entrant {
    pub(crate) rule: Rule,
    pub(crate) limits: Limits,
}

/// The look at which each took the candidate back, in one rollout.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    pub(crate) rollgate: Option<u64>,
    /// The look after which rollgate first warned, or took it back.
    pub(crate) warned: Option<u64>,
    /// In the order of the entrants.
    pub(crate) rivals: Vec<Option<u64>>,
}

/// Plays each scenario so many times; the answer is in their order.
pub(crate) fn play_all(scenarios: &[Scenario], rollouts: usize, entrants: &[Entrant]) -> Vec<Vec<Played>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut played = Vec::new();
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            let Some(scenario) = scenarios.get(job / rollouts) else {
                return played;
            };
            // Another seed for each, so that no two scenarios share their luck.
            played.push((job, play(*scenario, job as u64, entrants)));
        }
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let mut played: Vec<(usize, Played)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..processors).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a thread that plays"))
            .collect()
    });
    played.sort_unstable_by_key(|(job, _)| *job);
    let played: Vec<Played> = played.into_iter().map(|(_, played)| played).collect();
    played.chunks(rollouts).map(<[Played]>::to_vec).collect()
}

fn play(scenario: Scenario, seed: u64, entrants: &[Entrant]) -> Played {
    let mut rollout = Rollout::new(scenario, seed);
    let mut rollgate = Rollgate::begin(&rollout.past(), scenario.fault == Some(Fault::Endpoint));
    let mut windows = Windows::new();
    let mut rivals: Vec<_> = entrants
        .iter()
        .map(|entrant| entrant.rule.begin(entrant.limits))
        .collect();
    let mut played = Played {
        rollgate: None,
        warned: None,
        rivals: vec![None; entrants.len()],
    };
    for _ in 0..scenario.looks {
        let look = rollout.look();
        if played.rollgate.is_none() && rollgate.rolls_back(&look) {
            played.rollgate = Some(look.index);
        }
        if played.warned.is_none() && (played.rollgate.is_some() || rollgate.warns()) {
            played.warned = Some(look.index);
        }
        windows.add(&look);
        for (rival, found) in rivals.iter_mut().zip(&mut played.rivals) {
            if found.is_none() && rival.rolls_back(&windows) {
                *found = Some(look.index);
            }
        }
        if played.rollgate.is_some() && played.rivals.iter().all(Option::is_some) {
            break;
        }
    }
    played
}

/// How soon a fault was found, over many rollouts.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    /// Seconds since the fault began, in order; not those that were taken back before it, nor those that never were.
    found: Vec<u64>,
    /// Taken back before there was a fault.
    early: usize,
    rollouts: usize,
}

impl Times {
    pub(crate) fn of(found: impl Iterator<Item = Option<u64>>) -> Self {
        let mut times = Self {
            found: Vec::new(),
            early: 0,
            rollouts: 0,
        };
        for look in found {
            times.rollouts += 1;
            match look {
                Some(look) if look < WARM_UP => times.early += 1,
                Some(look) => times.found.push((look + 1 - WARM_UP) * LOOK_S),
                None => {}
            }
        }
        times.found.sort_unstable();
        times
    }

    /// The time within which so many percent of all rollouts were taken back; nothing if fewer were.
    pub(crate) fn percentile(&self, percent: usize) -> Option<u64> {
        let place = (self.rollouts * percent).div_ceil(100).saturating_sub(1);
        self.found.get(place).copied()
    }

    pub(crate) fn missed(&self) -> usize {
        self.rollouts - self.early - self.found.len()
    }

    pub(crate) fn early(&self) -> usize {
        self.early
    }

    pub(crate) fn rollouts(&self) -> usize {
        self.rollouts
    }
}
