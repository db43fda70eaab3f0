//! A foreign hand on an object: fifty writes a second, as far as the API server keeps up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// From one write to the next. A late one is made up for, so that the rate stays what it is on a busy machine.
const PACE: Duration = Duration::from_millis(20);

/// The API server takes longer than that for a write, so several are under way at once.
const HANDS: usize = 2;

/// Writes until it is dropped.
pub(crate) struct Writer {
    name: &'static str,
    began: Instant,
    writes: Arc<[AtomicU32; HANDS]>,
    over: Arc<AtomicBool>,
    hands: Vec<JoinHandle<()>>,
}

impl Writer {
    /// Each of its hands, 0 and 1, calls `write` with its number and 1, 2, 3 …, one call after the other. The answer:
    /// whether the API server took it.
    pub(crate) fn start(
        name: &'static str,
        write: impl Fn(usize, u32) -> bool + Send + Sync + 'static,
    ) -> Self {
        let began = Instant::now();
        let writes: Arc<[AtomicU32; HANDS]> = Arc::default();
        let (over, write) = (Arc::new(AtomicBool::new(false)), Arc::new(write));
        let hand = |hand: usize| {
            let (writes, over, write) = (Arc::clone(&writes), Arc::clone(&over), Arc::clone(&write));
            thread::spawn(move || {
                let mut due = began + PACE * u32::try_from(hand).expect("few hands");
                for number in 1.. {
                    due += PACE * u32::try_from(HANDS).expect("few hands");
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    writes[hand].fetch_add(u32::from(write(hand, number)), Ordering::SeqCst);
                }
            })
        };
        Self {
            name,
            began,
            hands: (0..HANDS).map(hand).collect(),
            writes,
            over,
        }
    }

    /// How many writes of each hand the API server has taken so far.
    pub(crate) fn writes(&self) -> [u32; HANDS] {
        self.writes.each_ref().map(|writes| writes.load(Ordering::SeqCst))
    }

    /// Ends and tells its figures: the writes of each hand, and how many there were a second.
    #[expect(clippy::print_stderr, reason = "the rate is a result")]
    #[track_caller]
    pub(crate) fn stop(mut self) -> ([u32; HANDS], f64) {
        self.over.store(true, Ordering::SeqCst);
        for hand in self.hands.drain(..) {
            hand.join().expect("writes that the API server answers");
        }
        let (writes, time) = (self.writes(), self.began.elapsed());
        let count: u32 = writes.iter().sum();
        let rate = f64::from(count) / time.as_secs_f64();
        eprintln!(
            "{}: {count} foreign writes in {time:.1?}, {rate:.0} a second",
            self.name
        );
        (writes, rate)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        for hand in self.hands.drain(..) {
            let _ = hand.join();
        }
    }
}
