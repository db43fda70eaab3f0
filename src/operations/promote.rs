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
            // Cut off between two places of the router: written again as it is.
            State::Promoted { .. } => {}
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
        let after = match record.state {
            State::Promoted { .. } => record,
            _ => record.after(Move::Promote, desk.by())?,
        };
        if dry_run {
            return Ok(Answer::WouldWrite(router.describe(&seen, &[&after]).concat()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::tests::{FakeRouter, Office, beginning, by, course, holding, promoted};
    use rollgate_domain::rollout::record::Record;

    async fn answer(record: Record) -> (Answer, FakeRouter) {
        let router = FakeRouter::new(Some(record));
        let mut office = Office::new();
        let answer = promote(&router, &mut office.desk, false)
            .await
            .expect("an answer");
        (answer, router)
    }

    #[tokio::test]
    async fn only_a_production_at_100_percent_is_promoted_and_no_share_moves() {
        let (done, router) = answer(holding(100)).await;
        assert!(matches!(done, Answer::Recorded(record) if record.stable.backend == "green"));
        // What was stable is at 0 %, as it was.
        assert_eq!(router.log(), ["blue 0 %"]);

        let canary = Record::start(beginning(course(Phase::Canary, &[100])), None, by());
        for (record, why) in [
            (holding(75), "the candidate has 75 %: promote moves no traffic"),
            (
                canary.after(Move::Raise, by()).expect("ready"),
                "promote belongs to production",
            ),
            (canary, "promote needs a candidate with all the traffic"),
        ] {
            let (refused, router) = answer(record).await;
            assert!(
                matches!(&refused, Answer::Refused(text) if text.contains(why)),
                "{refused:?}"
            );
            assert!(router.log().is_empty());
        }
    }

    #[tokio::test]
    async fn what_is_promoted_already_is_answered_as_it_is() {
        let (done, router) = answer(promoted()).await;
        assert_eq!((done, router.log().len()), (Answer::Recorded(promoted()), 0));
    }
}
