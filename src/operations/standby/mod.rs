//! A second driver that stands by: it looks at the record and takes over when nobody writes it any more.

use std::time::Duration;

use rollgate_domain::rollout::{
    record::Record,
    standby::{Stand, stand},
};
use tokio::sync::watch;

use super::desk::Desk;
use crate::{
    error::chain,
    providers::traffic::{Router, Seen},
};

/// How often it looks. The router answers within milliseconds; nobody waits longer than this for nothing.
const LOOK: Duration = Duration::from_secs(2);

/// Why it stands by no longer.
#[derive(Debug)]
pub enum Stood {
    /// Nobody drives: take over.
    In(Record),
    /// The rollout is over, or another one has begun; this is the last that is known.
    Down(Record),
    /// Asked to leave; somebody else drives, or nobody has to.
    Asked,
}

/// Stands by `record` until its driver is silent, the rollout is over, or `interrupt` says so.
pub async fn stand_by(
    router: &dyn Router,
    desk: &Desk,
    mut record: Record,
    interrupt: &mut watch::Receiver<Option<&'static str>>,
) -> Stood {
    desk.journal.say(&format!(
        "standing by {}, which {} drives",
        record.rollout, record.driver.run
    ));
    let mut unchanged_since = desk.clock.now();
    let mut told = None;
    loop {
        match stand(&record, unchanged_since, desk.clock.now()) {
            Stand::In => return Stood::In(record),
            Stand::Down => return Stood::Down(record),
            Stand::By => {}
        }
        tokio::select! {
            biased;
            _ = interrupt.wait_for(Option::is_some) => return Stood::Asked,
            () = tokio::time::sleep(LOOK) => {}
        }
        let now = match router.read().await {
            Ok(Seen {
                record: Ok(Some(now)),
                ..
            }) => now,
            // What cannot be read is not what nobody drives: a driver may be able to.
            Ok(_) => continue,
            Err(error) => {
                let error = chain(&error);
                if told.as_ref() != Some(&error) {
                    desk.journal.say(&format!("router: {error}"));
                    told = Some(error);
                }
                unchanged_since = desk.clock.now();
                continue;
            }
        };
        if now.rollout != record.rollout {
            return Stood::Down(now);
        }
        if now != record {
            unchanged_since = desk.clock.now();
            record = now;
        }
    }
}

#[cfg(test)]
mod tests;
