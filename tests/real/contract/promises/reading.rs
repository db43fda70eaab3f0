//! What is seen is what is there.

use rollgate::providers::traffic::{Users, WriteError};
use rollgate_domain::{
    rollout::{moves::Move, record::Record},
    weight::Weight,
};

use super::story::{assert_is, first, held, percent, read, write};
use crate::{real::beds::Bed, support::world::after};

pub(in crate::real::contract) async fn a_router_without_a_record_is_at_0_and_has_none<B: Bed>(bed: &B) {
    let seen = read(bed).await;
    assert_eq!(seen.record, Ok(None));
    assert_eq!(seen.candidate, B::BACKENDS[1]);
    assert_eq!(seen.share, Some(Weight::ZERO));
    assert_eq!((seen.drift, seen.torn), (None, false));
    assert_eq!(seen.unreachable, Vec::<String>::new());
    assert_eq!(bed.live(), 0);
}

pub(in crate::real::contract) async fn what_was_written_is_read_back_by_everybody_and_is_what_users_get<
    B: Bed,
>(
    bed: &B,
) {
    let mut record = first::<B>();
    let rises = [Move::Raise]
        .into_iter()
        .chain(B::SHARES.iter().skip(1).map(|_| Move::Advance));
    for step in [Move::Take].into_iter().chain(rises) {
        record = after(&record, step);
        assert_is(bed, &write(bed, &record).await, &record);
        assert_is(bed, &read(bed).await, &record);
    }
    assert_eq!(record.weight, Weight::FULL);
}

pub(in crate::real::contract) async fn describing_a_change_touches_nothing<B: Bed>(bed: &B) {
    let before = bed.raw();
    let router = bed.router(Users::default());
    let seen = router.read().await.expect("what the router has");
    let (first, held) = (first::<B>(), held::<B>());
    let both = router.describe(&seen, &[&first, &held]);
    assert_eq!(both.len(), 2);
    assert_eq!(both[..1], router.describe(&seen, &[&first]));
    assert_eq!(bed.raw(), before);
    // The second one is what is described once the first is written.
    let seen = write(bed, &first).await;
    assert_eq!(both[1..], router.describe(&seen, &[&held]));
    assert_ne!(both[0], both[1]);
}

pub(in crate::real::contract) async fn shares_it_cannot_give_are_named_and_not_written<B: Bed>(bed: &B) {
    let seen = write(bed, &first::<B>()).await;
    for share in B::SHARES.iter().chain(&[0]) {
        assert_eq!(seen.shares.refusal(percent(*share)), None);
    }
    let Some(cannot) = B::CANNOT else { return };
    let said = seen.shares.refusal(percent(cannot)).expect("a refusal");
    assert!(said.contains("cannot be given here: "), "{said}");
    let before = bed.raw();
    let record = Record {
        weight: percent(cannot),
        ..held::<B>()
    };
    let written = bed.router(Users::default()).write(&seen, &record).await;
    assert!(matches!(written, Err(WriteError::Rejected(_))), "{written:?}");
    assert_eq!(bed.raw(), before);
}
