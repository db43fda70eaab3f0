//! Whatever a foreign hand does is seen, and a rollback needs none of it.

use rollgate::providers::traffic::{Users, WriteError};
use rollgate_domain::{
    rollout::{
        moves::Move,
        record::{Record, Unreadable},
    },
    weight::Weight,
};

use super::{
    rollouts::{full, shift_traffic},
    story::{BY, assert_is, first, held, percent, read, rollback, start, write},
};
use crate::{real::beds::Bed, support::world::after};

pub(in crate::real::contract) async fn a_share_changed_by_hand_is_drift_and_a_rollback_overwrites_it<
    B: Bed,
>(
    bed: &B,
) {
    let highest = *B::SHARES.last().expect("a share");
    for (record, by_hand) in [(first::<B>(), highest), (held::<B>(), highest), (held::<B>(), 0)] {
        write(bed, &record).await;
        if record.weight == percent(by_hand) {
            continue;
        }
        bed.by_hand(by_hand);
        let seen = read(bed).await;
        assert_eq!(seen.share, Some(percent(by_hand)));
        assert_eq!(seen.record.as_ref(), Ok(&Some(record.clone())));
        let drift = seen.drift.expect("drift");
        assert!(drift.contains(&percent(by_hand).to_string()), "{drift}");
        assert!(drift.contains(&record.weight.to_string()), "{drift}");

        let taken_back = after(&record, rollback());
        assert_is(bed, &write(bed, &taken_back).await, &taken_back);
    }
}

pub(in crate::real::contract) async fn a_heartbeat_does_not_undo_a_hand_that_was_faster<B: Bed>(bed: &B) {
    let record = held::<B>();
    let seen = write(bed, &record).await;
    bed.by_hand(0);
    let driver = bed.router(Users::default());
    let written = driver.write(&seen, &after(&record, Move::Beat)).await;
    assert!(matches!(written, Err(WriteError::Conflict)), "{written:?}");
    assert_eq!(bed.live(), 0);
}

pub(in crate::real::contract) async fn a_record_edited_by_hand_is_seen_and_a_rollback_overwrites_it<
    B: Bed,
>(
    bed: &B,
) {
    let record = held::<B>();
    write(bed, &record).await;
    bed.edit_record();
    let seen = read(bed).await;
    assert_eq!(seen.share, Some(record.weight));
    let unreadable = seen.record.expect_err("a record that nobody can read");
    rescued(bed, &unreadable).await;
}

pub(in crate::real::contract) async fn a_record_that_is_gone_is_seen_and_a_rollback_writes_a_new_one<
    B: Bed,
>(
    bed: &B,
) {
    let record = held::<B>();
    let seen_before = write(bed, &record).await;
    bed.forget();
    let seen = read(bed).await;
    assert_eq!(seen.record, Ok(None));
    assert_eq!(seen.share, Some(Weight::ZERO));
    let driver = bed.router(Users::default());
    let written = driver.write(&seen_before, &after(&record, Move::Beat)).await;
    assert!(matches!(written, Err(WriteError::Conflict)), "{written:?}");
    rescued(bed, &Unreadable::Foreign("no record".to_owned())).await;
}

/// After a promotion the first backend is the candidate: to guess by the plan's order would give it everybody.
pub(in crate::real::contract) async fn an_edited_record_still_says_who_the_candidate_was<B: Bed>(bed: &B) {
    let mut finished = full::<B>();
    for step in [Move::Promote, Move::Finish] {
        write(bed, &finished).await;
        finished = after(&finished, step);
    }
    write(bed, &finished).await;
    let [first, second] = B::BACKENDS;
    let ready = Record::start(start::<B>([second, first]), Some(&finished), BY);
    write(bed, &ready).await;
    let held = after(&ready, Move::Raise);
    write(bed, &held).await;
    bed.edit_record();
    let seen = read(bed).await;
    assert_eq!((seen.candidate.as_str(), seen.share), (first, Some(held.weight)));
    shift_traffic(bed, &["rollback"]).with(0);
    assert_eq!(bed.live(), 100);
}

/// A rollback that has nothing to go by.
async fn rescued<B: Bed>(bed: &B, unreadable: &Unreadable) {
    let record = Record::rescue(start::<B>(B::BACKENDS), unreadable, "orders fail".to_owned(), BY);
    assert_is(bed, &write(bed, &record).await, &record);
    assert_is(bed, &read(bed).await, &record);
}
