//! The only `now()`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The time as the driver sees it: the wall clock, or tokio's paused clock in tests.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: Timestamp,
    began: tokio::time::Instant,
}

impl Clock {
    /// A clock that says `wall` now and goes on from there with tokio's time.
    #[must_use]
    pub fn starting_at(wall: Timestamp) -> Self {
        Self {
            wall,
            began: tokio::time::Instant::now(),
        }
    }

    /// The machine's clock, read once: a later jump of the wall clock (NTP, a person) moves no deadline.
    #[must_use]
    pub fn system() -> Self {
        Self::starting_at(Timestamp::now())
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.elapsed()).unwrap_or(SignedDuration::MAX);
        self.wall.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// Returns at `time`, or at once if it is over.
    pub async fn sleep_until(&self, time: Timestamp) {
        let left = Duration::try_from(time.duration_since(self.now())).unwrap_or(Duration::ZERO);
        tokio::time::sleep(left).await;
    }
}
