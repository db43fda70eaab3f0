//! Ends a rollout whose candidate is stable: from here on there is no way back, and the old version may go.

pub mod manifests;

use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::rollout::{
    event::Event,
    moves::Move,
    record::{Record, State},
};

use self::manifests::{Manifest, Routed};
use super::{answer::Answer, capacity::Behind, desk::Desk};
use crate::providers::{
    stacks::Wish,
    traffic::{Router, WriteError},
};

/// What is to be ended, and what must not speak against it.
pub struct Finish<'a> {
    /// Where the old version's pods and workers are.
    pub behind: Behind<'a>,
    /// The routed object, and what the team's own manifests say of it; none for a router without such.
    pub team: Option<(Routed, Vec<Manifest>)>,
    /// Whether the old version is to have no pods, rather than those it had before the rollout.
    pub scale_down_old: bool,
    /// Shows and touches nothing.
    pub dry_run: bool,
}

/// Records that there is no way back, leaves background work to stable, and gives it back to its autoscaler. May be
/// repeated: what was cut off behind the record is done then.
///
/// # Errors
///
/// The router or the platform cannot be read, or does not take the change.
pub async fn finish(router: &dyn Router, desk: &mut Desk, finish: &Finish<'_>) -> anyhow::Result<Answer> {
    loop {
        let seen = router.read().await?;
        let Some(record) = seen.record.clone()? else {
            return refused("no rollout is recorded: there is nothing to finish".to_owned());
        };
        if let Some(problem) = seen.drift.iter().chain(&seen.unreachable).next() {
            return refused(format!(
                "{problem}; finish needs a router that has what is recorded"
            ));
        }
        let is_finished = record.state == State::Finished && !seen.torn;
        let after = match record.state {
            State::Finished => record,
            State::Promoted { since } => {
                if let Some(why) = too_early(&record, since, desk.clock.now()) {
                    return refused(why);
                }
                if let Some((routed, manifests)) = &finish.team
                    && let Some(why) = manifests::refusal(
                        routed,
                        manifests,
                        &record.stable.backend,
                        &record.candidate.backend,
                    )
                {
                    return refused(why);
                }
                record.after(Move::Finish, desk.by())?
            }
            _ => {
                return refused(format!(
                    "the rollout is {}: finish ends one whose candidate was promoted",
                    record.state_in_words()
                ));
            }
        };
        if finish.dry_run {
            let change = if is_finished {
                String::new()
            } else {
                router.describe(&seen, &[&after]).concat()
            };
            let behind = finish.behind.describe(&finish.wishes(&after).await).await?;
            return Ok(Answer::WouldWrite(change + &behind));
        }
        if !is_finished {
            match router.write(&seen, &after).await {
                Ok(_) => desk.note(&after, Event::Finished),
                Err(WriteError::Conflict) => continue,
                Err(error) => return Err(error).context("record that the rollout is finished"),
            }
        }
        finish.put_in_order(&after, desk).await?;
        return Ok(Answer::Recorded(after));
    }
}

impl Finish<'_> {
    async fn wishes<'r>(&self, record: &'r Record) -> [(&'r str, Wish); 4] {
        let (stable, old) = (record.stable.backend.as_str(), record.candidate.backend.as_str());
        let pods = if self.scale_down_old {
            Wish::Nothing
        } else {
            Wish::AsBefore
        };
        [
            // The driver has seen to both, unless a person promoted without one.
            (old, Wish::WorkersQuiet),
            (stable, Wish::WorkersAsBefore(self.behind.workers_of(old).await)),
            (stable, Wish::Settled),
            (old, pods),
        ]
    }

    async fn put_in_order(&self, record: &Record, desk: &mut Desk) -> anyhow::Result<()> {
        let mut failures = Vec::new();
        for (backend, wish) in self.wishes(record).await {
            match self.behind.ask(backend, wish).await {
                Ok(None) => {}
                Ok(Some(what)) => desk.note(record, Event::Prepared { what }),
                Err(what) => {
                    desk.note(record, Event::LeftOver { what: what.clone() });
                    failures.push(what);
                }
            }
        }
        if failures.is_empty() {
            return Ok(());
        }
        bail!(
            "{} is recorded as finished, but run finish again for what could not be done: {}",
            record.rollout,
            failures.join("; ")
        )
    }
}

fn too_early(record: &Record, since: Timestamp, now: Timestamp) -> Option<String> {
    let until = since.checked_add(record.keep_old).unwrap_or(Timestamp::MAX);
    if now >= until {
        return None;
    }
    let left = SignedDuration::from_secs(until.duration_since(now).as_secs().max(1));
    Some(format!(
        "{} has all the traffic since {since:.0} and {} has to stand for {:#} from then: finish works from {until:.0} \
         on, in {left:#}",
        record.stable.backend, record.candidate.backend, record.keep_old
    ))
}

fn refused(why: String) -> anyhow::Result<Answer> {
    Ok(Answer::Refused(why))
}

#[cfg(test)]
mod tests;
