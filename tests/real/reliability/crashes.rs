//! `kill -9` at every boundary to the outside, of every verb that writes, on every kind of router: users never have
//! a share that is not recorded, and whoever comes next brings it to the end that it has without the crash.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use super::place::{At, Place, canary};
use crate::{
    real::beds::{Bed, gateway_api::GatewayApi, haproxy::Haproxy, istio::Istio, nginx::Nginx},
    support::strace::killed,
};

/// The calls by which something outside can change: a request that leaves, a file that takes another's place or goes to
/// disk, a lock, a program that is started. Where a process dies between two of them is all the same to whoever comes
/// next.
const CHANGING: &[&str] = &[
    "writev", "sendto", "rename", "fsync", "flock", "vfork", "clone", "clone3",
];

/// Beside them: the request is on its way and its answer is never heard, so that what it does may come late.
const HEARING: &[&str] = &["connect", "recvfrom"];

/// More of one call than any of these commands makes, on a slow machine too.
const MOST: u32 = 400;

/// So many cases of one story at once: they wait more than they work.
const AT_ONCE: usize = 3;

/// A command that is killed, and how it goes on.
struct Story {
    verb: &'static str,
    at: At,
    calls: &'static [&'static str],
    /// Whether the candidate is bad, from the moment on at which the command begins.
    bad: bool,
    /// Who comes next, in turns, and how they may end. The first one's end is everybody's.
    next: &'static [(&'static str, &'static [i32])],
    /// Shares of green on the way, of `[0, the canary's steps, 100]`.
    shares: fn(&[u8]) -> Vec<u8>,
}

/// The share was `from` (counted in the canary's steps), and may have become `to`.
fn between(shares: &[u8], from: usize, to: usize) -> Vec<u8> {
    let (low, high) = (from.min(to), from.max(to));
    shares[low..=high].to_vec()
}

const START: Story = Story {
    verb: "start",
    at: At::Nothing,
    calls: CHANGING,
    bad: false,
    // Recorded already, or not yet.
    next: &[("start", &[0, 3])],
    shares: |shares| between(shares, 0, 0),
};

const ADVANCE: Story = Story {
    verb: "advance",
    at: At::FirstStep,
    calls: CHANGING,
    bad: false,
    // Done already, or not yet.
    next: &[("advance", &[0, 3])],
    shares: |shares| between(shares, 1, 2),
};

const RUN: Story = Story {
    verb: "run",
    at: At::Start,
    calls: CHANGING,
    bad: false,
    next: &[("run", &[0])],
    shares: |shares| between(shares, 0, 2),
};

const BAD_RUN: Story = Story {
    verb: "run",
    at: At::FirstStep,
    calls: CHANGING,
    bad: true,
    next: &[("run", &[3])],
    shares: |shares| between(shares, 0, 1),
};

const ROLLBACK: Story = Story {
    verb: "rollback",
    at: At::FirstStep,
    calls: CHANGING,
    bad: true,
    next: &[("rollback", &[0]), ("run", &[3])],
    shares: |shares| between(shares, 0, 1),
};

const PROMOTE: Story = Story {
    verb: "promote",
    at: At::Full,
    calls: CHANGING,
    bad: false,
    next: &[("promote", &[0])],
    shares: |_| vec![100],
};

const ROLLBACK_OF_A_PROMOTION: Story = Story {
    verb: "rollback",
    at: At::Promoted,
    calls: CHANGING,
    bad: true,
    next: &[("rollback", &[0])],
    shares: |_| vec![0, 100],
};

const FINISH: Story = Story {
    verb: "finish",
    at: At::Promoted,
    calls: CHANGING,
    bad: false,
    next: &[("finish", &[0])],
    shares: |_| vec![100],
};

/// What is left to do, call by call.
struct Points {
    /// The call, by its place in the story's, and the number of it that comes next.
    next: Mutex<(usize, u32)>,
    /// The first number of each call that the command did not come to.
    survived: Vec<AtomicU32>,
}

impl Points {
    fn of(story: &Story) -> Self {
        Self {
            next: Mutex::new((0, 1)),
            survived: story.calls.iter().map(|_| AtomicU32::new(MOST)).collect(),
        }
    }

    fn take(&self) -> Option<(usize, u32)> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        while next.1 >= self.survived.get(next.0)?.load(Ordering::SeqCst) {
            *next = (next.0 + 1, 1);
        }
        let point = *next;
        next.1 += 1;
        Some(point)
    }

    fn survives(&self, (call, when): (usize, u32)) {
        self.survived[call].fetch_min(when, Ordering::SeqCst);
    }
}

/// Kills the story's command before each of its calls, one by one, and looks what is left and how it ends.
#[expect(clippy::print_stderr, reason = "the size of the matrix is a result")]
fn killed_anywhere<B: Bed>(story: &Story) {
    let points = Points::of(story);
    let endings = thread::scope(|scope| {
        let working: Vec<_> = (0..AT_ONCE)
            .map(|_| scope.spawn(|| works::<B>(story, &points)))
            .collect();
        working
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect::<Option<Vec<_>>>()
    });
    if endings.is_none() {
        return;
    }
    let name = std::any::type_name::<B>().rsplit("::").next().unwrap_or_default();
    let counts: Vec<_> = points
        .survived
        .iter()
        .zip(story.calls)
        .map(|(survived, call)| {
            let survived = survived.load(Ordering::SeqCst);
            assert!(survived < MOST, "{} makes {MOST} calls of {call}", story.verb);
            (call, survived - 1)
        })
        .filter(|(_, count)| *count > 0)
        .collect();
    let all: u32 = counts.iter().map(|(_, count)| count).sum();
    assert!(all > 2, "{} was killed at {all} places only", story.verb);
    eprintln!(
        "| {} from {:?} | {name} | {all} | {counts:?} |",
        story.verb, story.at
    );
}

/// Takes points until there are none. None where a part is missing.
fn works<B: Bed>(story: &Story, points: &Points) -> Option<()> {
    let place = Place::<B>::make()?;
    let shares: Vec<u8> = [0].into_iter().chain(canary::<B>()).chain([100]).collect();
    let allowed = (story.shares)(&shares);

    let finish = |turn: u32, what: &str| {
        let (verb, codes) = story.next[turn as usize % story.next.len()];
        let again = place.shift([verb]);
        let code = again.code.unwrap_or(-1);
        assert!(
            codes.contains(&code),
            "{what}, then {verb}: {code}\n{}",
            again.stderr
        );
        place.ending()
    };
    let begin = || {
        place.put(story.at);
        place.pages.green_fails(story.bad);
    };
    begin();
    place.shift([story.verb]);
    let expected = finish(0, "not killed");

    while let Some((call, when)) = points.take() {
        begin();
        let what = format!("{} killed at {} {when}", story.verb, story.calls[call]);
        if !killed(&place.command([story.verb]), story.calls[call], when)? {
            points.survives((call, when));
        }
        place.is_consistent(&allowed, &what);
        assert_eq!(finish(when, &what), expected, "{what}");
    }
    Some(())
}

/// The stories of people on one router.
macro_rules! killed_anywhere {
    ($name:ident, $bed:ty) => {
        mod $name {
            use super::*;

            #[test]
            fn a_start_that_is_killed_anywhere_can_be_repeated() {
                killed_anywhere::<$bed>(&START);
            }

            #[test]
            fn an_advance_that_is_killed_anywhere_can_be_repeated() {
                killed_anywhere::<$bed>(&ADVANCE);
            }

            /// argo-rollouts, flagger: after a restart they go on with the canary.
            #[test]
            fn restart_forgets_a_rollback_in_progress() {
                killed_anywhere::<$bed>(&ROLLBACK);
            }

            #[test]
            fn a_promotion_that_is_killed_anywhere_can_be_repeated() {
                killed_anywhere::<$bed>(&PROMOTE);
            }

            #[test]
            fn a_rollback_of_a_promotion_that_is_killed_anywhere_can_be_repeated() {
                killed_anywhere::<$bed>(&ROLLBACK_OF_A_PROMOTION);
            }

            #[test]
            fn a_finish_that_is_killed_anywhere_can_be_repeated() {
                killed_anywhere::<$bed>(&FINISH);
            }
        }
    };
}

killed_anywhere!(on_gateway_api, GatewayApi);
killed_anywhere!(on_istio, Istio);
killed_anywhere!(on_haproxy, Haproxy);
killed_anywhere!(on_nginx, Nginx);

/// The stories of drivers on one router.
macro_rules! driver_killed_anywhere {
    ($name:ident, $bed:ty) => {
        mod $name {
            use super::*;

            #[test]
            fn a_healthy_run_that_is_killed_anywhere_is_finished_by_the_next() {
                killed_anywhere::<$bed>(&RUN);
            }

            #[test]
            fn a_run_with_a_bad_candidate_that_is_killed_anywhere_is_finished_by_the_next() {
                killed_anywhere::<$bed>(&BAD_RUN);
            }
        }
    };
}

driver_killed_anywhere!(driver_on_gateway_api, GatewayApi);
driver_killed_anywhere!(driver_on_haproxy, Haproxy);
driver_killed_anywhere!(driver_on_nginx, Nginx);

#[test]
fn an_answer_that_is_never_heard_and_a_write_that_comes_late_change_nothing_about_the_end() {
    for story in [ADVANCE, ROLLBACK, PROMOTE, FINISH] {
        killed_anywhere::<GatewayApi>(&Story {
            calls: HEARING,
            ..story
        });
    }
}
