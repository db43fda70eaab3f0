//! Who is late does not write.

use std::sync::Arc;

use rollgate::providers::traffic::{Users, WriteError};
use rollgate_domain::rollout::{moves::Move, record::Record};
use tokio::sync::Barrier;

use super::story::{assert_is, first, held, read, rollback, write};
use crate::{real::beds::Bed, support::world::after};

pub(in crate::real::contract) async fn a_write_by_an_old_look_is_a_conflict_and_changes_nothing<B: Bed>(
    bed: &B,
) {
    let router = bed.router(Users::default());
    let before_all = router.read().await.expect("what the router has");
    let [ready, held] = [first::<B>(), held::<B>()];
    let before_held = router.write(&before_all, &ready).await.expect("a write");
    write(bed, &held).await;
    let raw = bed.raw();
    for (old, record) in [(&before_all, &ready), (&before_held, &after(&ready, Move::Beat))] {
        let written = router.write(old, record).await;
        assert!(matches!(written, Err(WriteError::Conflict)), "{written:?}");
        assert_eq!(bed.raw(), raw);
    }
    assert_is(bed, &read(bed).await, &held);
}

pub(in crate::real::contract) async fn a_write_of_an_older_generation_is_lost<B: Bed>(bed: &B) {
    let held = held::<B>();
    let seen_by_driver = write(bed, &held).await;
    let taken_back = after(&held, rollback());
    assert!(taken_back.generation > held.generation);
    write(bed, &taken_back).await;

    let driver = bed.router(Users::default());
    let written = driver.write(&seen_by_driver, &after(&held, Move::Beat)).await;
    assert!(matches!(written, Err(WriteError::Conflict)), "{written:?}");
    assert_is(bed, &read(bed).await, &taken_back);
}

pub(in crate::real::contract) async fn of_two_writers_at_once_one_wins_and_the_other_is_told<B: Bed>(
    bed: &B,
) {
    let mut record = held::<B>();
    write(bed, &record).await;
    for round in 0..20 {
        let next = after(&record, Move::Beat);
        let both_have_looked = Arc::new(Barrier::new(2));
        let writers = ["one", "the other"].map(|name| {
            let mut next = next.clone();
            name.clone_into(&mut next.driver.run);
            let router = bed.router(Users::default());
            let both_have_looked = Arc::clone(&both_have_looked);
            tokio::spawn(async move {
                let seen = router.read().await.expect("what the router has");
                both_have_looked.wait().await;
                (router.write(&seen, &next).await.map(|_| ()), next)
            })
        });
        let mut winners: Vec<Record> = Vec::new();
        for writer in writers {
            match writer.await.expect("a writer") {
                (Ok(()), next) => winners.push(next),
                (Err(WriteError::Conflict), _) => {}
                (Err(error), _) => panic!("round {round}: {error:?}"),
            }
        }
        let [winner] = winners.as_slice() else {
            panic!("round {round}: {} winners", winners.len());
        };
        assert_is(bed, &read(bed).await, winner);
        record = winner.clone();
    }
}

pub(in crate::real::contract) async fn the_same_write_twice_is_the_same_record<B: Bed>(bed: &B) {
    for record in [held::<B>(), after(&held::<B>(), rollback())] {
        let first = write(bed, &record).await;
        let second = write(bed, &record).await;
        assert_is(bed, &first, &record);
        assert_is(bed, &second, &record);
    }
}
