//! Whole rollouts, and what they leave.

use rollgate::providers::traffic::{Ids, Preview, Sticky, UserId, Users};
use rollgate_domain::{
    rollout::{
        moves::Move,
        record::{Record, State},
    },
    weight::Weight,
};

use super::story::{BY, assert_is, first, held, percent, read, rollback, start, write, write_by};
use crate::{
    real::beds::Bed,
    support::{
        tool::{Ended, binary, run},
        world::after,
    },
};

/// The record that gives the candidate everything.
pub(super) fn full<B: Bed>() -> Record {
    let last = B::SHARES.len() - 1;
    let mut record = held::<B>();
    for _ in 0..last {
        record = after(&record, Move::Advance);
    }
    record
}

pub(in crate::real::contract) async fn a_promotion_moves_no_traffic_and_a_rollback_undoes_it<B: Bed>(
    bed: &B,
) {
    let full = full::<B>();
    write(bed, &full).await;
    assert_eq!(bed.live(), 100);
    let promoted = after(&full, Move::Promote);
    let seen = write(bed, &promoted).await;
    assert_is(bed, &seen, &promoted);
    assert_eq!(seen.candidate, B::BACKENDS[0]);
    assert_eq!(bed.live(), 100);

    let taken_back = after(&promoted, rollback());
    assert_is(bed, &write(bed, &taken_back).await, &taken_back);
    assert_eq!(bed.live(), 0);
}

pub(in crate::real::contract) async fn the_next_rollout_goes_the_other_way_round<B: Bed>(bed: &B) {
    let mut finished = full::<B>();
    for step in [Move::Promote, Move::Finish] {
        write(bed, &finished).await;
        finished = after(&finished, step);
    }
    assert_is(bed, &write(bed, &finished).await, &finished);
    assert_eq!(bed.live(), 100);

    let [first, second] = B::BACKENDS;
    let ready = Record::start(start::<B>([second, first]), Some(&finished), BY);
    assert_is(bed, &write(bed, &ready).await, &ready);
    assert_eq!(bed.live(), 100);
    let held = after(&ready, Move::Raise);
    assert_is(bed, &write(bed, &held).await, &held);
    assert_eq!(bed.live(), held.weight.rest().percent());
    let taken_back = after(&held, rollback());
    assert_is(bed, &write(bed, &taken_back).await, &taken_back);
    assert_eq!(bed.live(), 100);
}

pub(in crate::real::contract) async fn foreign_things_survive_byte_for_byte<B: Bed>(bed: &B) {
    let foreign = bed.foreign();
    let full = full::<B>();
    let promoted = after(&full, Move::Promote);
    for record in [
        first::<B>(),
        held::<B>(),
        after(&held::<B>(), rollback()),
        full,
        promoted.clone(),
        after(&promoted, Move::Finish),
    ] {
        write(bed, &record).await;
        assert_eq!(bed.foreign(), foreign, "{}", record.state_in_words());
    }
}

pub(in crate::real::contract) async fn rules_for_single_users_leave_nothing_behind_not_even_without_the_plan<
    B: Bed,
>(
    bed: &B,
) {
    let users = Users {
        sticky: Some(Sticky {
            by: UserId::Header("x-user-id".to_owned()),
            ids: Ids::Decimal,
        }),
        preview: Some(Preview {
            header: "x-preview".to_owned(),
            value: "next".to_owned(),
        }),
    };
    let foreign = bed.foreign();
    let [ready, held, full] = [first::<B>(), held::<B>(), full::<B>()];
    for last in [
        after(&held, rollback()),
        after(&full, Move::Promote),
        after(&after(&full, Move::Promote), Move::Finish),
    ] {
        let router = bed.router(users.clone());
        for record in [&ready, &held] {
            let seen = write_by(router.as_ref(), record).await;
            assert_is(bed, &seen, record);
        }
        assert_is(bed, &write(bed, &last).await, &last);
        assert_eq!(bed.foreign(), foreign, "{}", last.state_in_words());
    }
}

pub(in crate::real::contract) async fn a_day_of_heartbeats_leaves_no_trace<B: Bed>(bed: &B) {
    let router = bed.router(Users::default());
    let mut record = held::<B>();
    let mut seen = write(bed, &record).await;
    let (foreign, size) = (bed.foreign(), bed.raw().len());
    for _ in 0..B::WRITES {
        record = after(&record, Move::Beat);
        seen = router.write(&seen, &record).await.expect("a write");
    }
    assert_is(bed, &seen, &record);
    assert_eq!(bed.foreign(), foreign);
    // Counters have more digits than before, and the time of the last write has some.
    let grown = bed.raw().len().saturating_sub(size);
    assert!(grown < 64, "{grown} bytes more after {} writes", B::WRITES);
}

pub(in crate::real::contract) async fn the_tools_find_it_by_the_plan_and_take_it_back<B: Bed>(bed: &B) {
    let held = held::<B>();
    write(bed, &held).await;
    let status = shift_traffic(bed, &["status"]).with(0).stdout;
    assert!(status.contains(&held.weight.to_string()), "{status}");
    shift_traffic(bed, &["rollback"]).with(0);
    let seen = read(bed).await;
    assert_eq!(bed.live(), 0);
    let record = seen.record.expect("a record").expect("a record");
    assert!(matches!(record.state, State::RolledBack { .. }), "{record:?}");
    assert!(record.generation > held.generation);
    shift_traffic(bed, &["rollback"]).with(0);
    assert_is(bed, &read(bed).await, &record);
}

pub(in crate::real::contract) async fn a_gradual_rollback_ends_at_0_whatever_shares_there_are<B: Bed>(
    bed: &B,
) {
    write(bed, &full::<B>()).await;
    let before = bed.raw();
    let shown = shift_traffic(bed, &["rollback", "--gradual", "--dry-run"]).with(0);
    assert_eq!(bed.raw(), before);
    let stops = read(bed).await.shares.at_most(percent(5)) > Weight::ZERO;
    assert_eq!(shown.stdout.contains(" Then:\n"), stops, "{}", shown.stdout);
    let done = shift_traffic(bed, &["rollback", "--gradual"]).with(0);
    let seen = read(bed).await;
    let record = seen.record.expect("a record").expect("a record");
    assert!(matches!(record.state, State::RolledBack { .. }), "{record:?}");
    assert_eq!(bed.live(), 0);
    assert_eq!(
        done.stderr.contains("rolling back, from 100 %"),
        stops,
        "{}",
        done.stderr
    );
}

/// The tool with the bed's plan, and with metrics that nobody serves.
pub(super) fn shift_traffic<B: Bed>(bed: &B, arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let plan = folder.path().join("rollgate.yml");
    let text = format!(
        "service: shop-api\nmetrics:\n  prometheus: {{ url: \"http://127.0.0.1:1\" }}\n  requests: http_requests_total\n  errors: \
         http_errors_total\nrollback: {{ watch: 1s, drain: 100ms }}\n{}",
        bed.plan()
    );
    std::fs::write(&plan, text).expect("the plan");
    let mut command = binary("shift-traffic");
    command
        .envs(bed.variables())
        .args(arguments)
        .arg("--plan")
        .arg(&plan);
    if arguments.contains(&"rollback") {
        command.env("ROLLGATE_OUT", folder.path().join("out"));
    }
    run(command)
}
