//! A real nginx in front of two versions of a service.

mod bad_input;
mod interrupted;
mod traffic;

use jiff::Timestamp;
use rollgate::providers::traffic::{Router as _, Seen, Users, WriteError};
use rollgate_domain::rollout::{moves::Move, record::Record};

use crate::support::{nginx::NginxWorld, world::after};

/// Runs `future` as a tool would.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// What a driver sees.
#[track_caller]
fn seen(world: &NginxWorld) -> Seen {
    block_on(world.router(Users::default()).read()).expect("what nginx has")
}

/// The record that the file holds.
#[track_caller]
fn record(world: &NginxWorld) -> Record {
    seen(world).record.expect("a record").expect("a record")
}

/// Writes `record` as a driver with the plan does.
fn write(world: &NginxWorld, users: &Users, record: &Record) -> Result<Seen, WriteError> {
    let router = world.router(users.clone());
    block_on(async {
        let seen = router.read().await.map_err(WriteError::Unreachable)?;
        router.write(&seen, record).await
    })
}

/// A recorded rollout, driven to its step `step` and left alone.
#[track_caller]
fn abandoned_at(world: &NginxWorld, users: &Users, step: usize) -> Record {
    world.shift(["start"]).with(0);
    let mut record = record(world);
    for step in [Move::Take, Move::Raise]
        .into_iter()
        .chain(std::iter::repeat_n(Move::Advance, step))
    {
        record = after(&record, step);
    }
    write(world, users, &record).expect("a write");
    record
}

/// Now, for what is compared with the crowd's report.
fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
