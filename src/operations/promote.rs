//! Makes the candidate stable where a person does not wait for the driver to do it. Moves no traffic.

use anyhow::Context as _;
use rollgate_domain::{
    rollout::{event::Event, moves::Move, phase::Phase, record::State},
    weight::Weight,
};

use super::{answer::Answer, desk::Desk};
use crate::providers::traffic::{Router, WriteError};

/// Records the candidate, which must have all the traffic, as stable.
///
/// Idempotent: a rollout that is promoted already is answered as it is.
///
/// # Errors
///
/// The router cannot be read or does not take the write.
pub async fn promote(router: &dyn Router, desk: &mut Desk, dry_run: bool) -> anyhow::Result<Answer> {
    loop {
        let seen = router.read().await?;
        let Some(record) = seen.record.clone()? else {
            return refused("no rollout is recorded: begin one with shift-traffic start".to_owned());
        };
        if let Some(problem) = seen.drift.iter().chain(&seen.unreachable).next() {
            return refused(format!(
                "{problem}; promote needs a router that has what is recorded"
            ));
        }
        let here = record.state_in_words();
        match record.state {
            State::Promoted { .. } if !seen.torn => return Ok(Answer::Recorded(record)),
            State::Holding { .. } if record.phase == Phase::Canary => {
                return refused(format!(
                    "the rollout is {here} of its canary: promote belongs to production (shift-traffic start --phase \
                     production)"
                ));
            }
            State::Holding { .. } if record.weight < Weight::FULL => {
                return refused(format!(
                    "the candidate has {}: promote moves no traffic, shift-traffic run raises it to 100 %",
                    record.weight
                ));
            }
            State::Holding { .. } => {}
            _ => {
                return refused(format!(
                    "the rollout is {here}: promote needs a candidate with all the traffic"
                ));
            }
        }
        let after = record.after(Move::Promote, desk.by())?;
        if dry_run {
            return Ok(Answer::WouldWrite(router.describe(&seen, &after)));
        }
        match router.write(&seen, &after).await {
            Ok(_) => {
                desk.note(&after, Event::Promoted);
                return Ok(Answer::Recorded(after));
            }
            Err(WriteError::Conflict) => {}
            Err(error) => return Err(error).context("record the promotion"),
        }
    }
}

fn refused(why: String) -> anyhow::Result<Answer> {
    Ok(Answer::Refused(why))
}
