//! One move by a person: read, decide, write, and read again after a conflict. The driver stays in its seat.

use anyhow::{Context as _, bail};
use rollgate_domain::{
    rollout::{
        by_hand::{Wish, decide},
        event::Event,
        moves::Move,
        record::Record,
        window::Window,
    },
    weight::Weight,
};

use super::{answer::Answer, desk::Desk};
use crate::providers::traffic::{Router, Seen, WriteError};

/// Does what `wish` says, once, on whatever the router holds then. `window`: when the share may rise.
///
/// # Errors
///
/// The router does not answer or does not obey, or its record cannot be read.
pub async fn by_hand(
    router: &dyn Router,
    desk: &mut Desk,
    wish: &Wish,
    reason: &str,
    window: Option<&Window>,
    dry_run: bool,
) -> anyhow::Result<Answer> {
    loop {
        let seen = router.read().await?;
        let Some(record) = seen.record.clone()? else {
            return Ok(Answer::Refused(
                "no rollout is recorded: begin one with shift-traffic start".to_owned(),
            ));
        };
        let decided = decide(wish, reason, &record, desk.clock.now(), window).and_then(|step| {
            let after = record
                .after(step.clone(), desk.by())
                .map_err(|illegal| illegal.to_string())?;
            Ok((step, after))
        });
        let (step, after) = match decided {
            Ok(decided) => decided,
            Err(why) => return Ok(Answer::Refused(why)),
        };
        if let Some(why) = in_the_way(&seen, &record, &after) {
            return Ok(Answer::Refused(why));
        }
        if dry_run {
            return Ok(Answer::WouldWrite(router.describe(&seen, &[&after]).concat()));
        }
        match router.write(&seen, &after).await {
            Ok(_) => {
                desk.note(&after, event_of(step, record.weight, reason));
                return Ok(Answer::Recorded(after));
            }
            Err(WriteError::Conflict) => {}
            Err(WriteError::Rejected(why)) => bail!("{}: {why}", wish.in_words()),
            Err(error) => return Err(error).with_context(|| wish.in_words()),
        }
    }
}

/// Why the router as it is must not be given `after`, in words.
fn in_the_way(seen: &Seen, before: &Record, after: &Record) -> Option<String> {
    if let Some(drift) = &seen.drift {
        // Writing would raise what somebody has lowered by hand.
        return Some(format!("{drift}; shift-traffic rollback overwrites it"));
    }
    if let Some(refusal) = seen.shares.refusal(after.weight) {
        return Some(refusal);
    }
    let (stable, candidate) = (&before.stable.backend, &before.candidate.backend);
    let rises = after.weight > before.weight && seen.up(candidate) == Some(0);
    let falls = after.weight < before.weight && seen.up(stable) == Some(0) && seen.up(candidate) > Some(0);
    let empty = match (rises, falls) {
        (true, _) => candidate,
        (_, true) => stable,
        _ => return None,
    };
    Some(format!(
        "{empty} has no server up: users would be turned away; bring {empty} up first"
    ))
}

fn event_of(step: Move, from: Weight, reason: &str) -> Event {
    let reason = reason.to_owned();
    match step {
        Move::Pause(_) => Event::Paused { from, reason },
        Move::Resume => Event::Resumed,
        Move::Go => Event::Approved { reason },
        Move::Signal(severity, text) => Event::Signalled { severity, text },
        _ => Event::Set { from, reason },
    }
}
