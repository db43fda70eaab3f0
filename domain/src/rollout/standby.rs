//! What a second driver does that stands by: it takes over from one that is silent.

use jiff::{SignedDuration, Timestamp};

use crate::rollout::record::{Record, State};

/// How often a driver writes the record to show that it lives; a look may be longer.
pub const HEARTBEAT: SignedDuration = SignedDuration::from_secs(15);

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Somebody drives, or nobody may.
    By,
    /// Nobody drives any more: take over.
    In,
    /// There is nothing to drive any more.
    Down,
}

/// After which silence the driver of `record` counts as gone: a minute, or two looks and a heartbeat where looks are
/// long, because it writes after a look.
#[must_use]
pub fn patience(record: &Record) -> SignedDuration {
    let looks = record.evidence.look.saturating_mul(2).saturating_add(HEARTBEAT);
    looks.max(SignedDuration::from_mins(1))
}

/// How far from `now` the last sign of the driver of `record` is, if that is too far: long ago, or so long to come
/// (negative) that one of the two clocks is wrong and nothing is known of the driver.
#[must_use]
pub fn silence(record: &Record, now: Timestamp) -> Option<SignedDuration> {
    let silent = now.duration_since(record.driver.heartbeat);
    (silent.abs() > patience(record)).then_some(silent)
}

/// What to do beside `record`, which did not change since `unchanged_since` on this machine's own clock: another
/// machine's clock may be wrong. What people have paused stays paused.
#[must_use]
pub fn stand(record: &Record, unchanged_since: Timestamp, now: Timestamp) -> Stand {
    match record.state {
        State::RolledBack { .. } | State::Passed | State::Promoted { .. } | State::Finished => Stand::Down,
        State::Paused { .. } => Stand::By,
        State::Ready { .. } | State::Holding { .. } | State::RollingBack { .. } => {
            // The last sign was up to a heartbeat older than the look that saw it.
            let waited = now.duration_since(unchanged_since).saturating_add(HEARTBEAT);
            if waited >= patience(record) {
                Stand::In
            } else {
                Stand::By
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rollout::record::tests::{at, record},
        weight::Weight,
    };

    #[test]
    fn it_takes_over_within_a_minute_of_silence_and_never_what_is_paused_or_over() {
        let text = || "r".to_owned();
        for (state, at_44, at_45) in [
            (State::Ready { step: 0 }, Stand::By, Stand::In),
            (
                State::Holding {
                    step: 0,
                    since: at(0),
                },
                Stand::By,
                Stand::In,
            ),
            (
                State::RollingBack {
                    weight: Weight::new(1).unwrap(),
                    reason: text(),
                },
                Stand::By,
                Stand::In,
            ),
            (
                State::Paused {
                    step: 0,
                    by_hand: false,
                    reason: text(),
                },
                Stand::By,
                Stand::By,
            ),
            (State::RolledBack { reason: text() }, Stand::Down, Stand::Down),
            (State::Passed, Stand::Down, Stand::Down),
            (State::Promoted { since: at(0) }, Stand::Down, Stand::Down),
            (State::Finished, Stand::Down, Stand::Down),
        ] {
            let record = record(state);
            assert_eq!(stand(&record, at(0), at(44)), at_44, "{:?}", record.state);
            assert_eq!(stand(&record, at(0), at(45)), at_45, "{:?}", record.state);
        }
    }

    #[test]
    fn a_driver_with_long_looks_is_not_silent_between_them() {
        let mut record = record(State::Ready { step: 0 });
        assert_eq!(silence(&record, at(60)), None);
        assert_eq!(silence(&record, at(61)), Some(SignedDuration::from_secs(61)));
        // A clock that is a little behind is one of everyday.
        assert_eq!(silence(&record, at(-60)), None);
        assert_eq!(silence(&record, at(-61)), Some(SignedDuration::from_secs(-61)));
        record.evidence.look = SignedDuration::from_mins(5);
        assert_eq!(silence(&record, at(615)), None);
        assert!(silence(&record, at(616)).is_some());
    }
}
