//! One move by a person: read, decide, write, and read again after a conflict. The driver stays in its seat.
//!
//! What forbids a driver to raise the share forbids it to a person as well, in the same words.

use anyhow::{Context as _, bail};
use rollgate_domain::{
    rollout::{
        by_hand::{Terms, Wish, decide},
        event::Event,
        moves::Move,
        record::{Record, State},
    },
    weight::Weight,
};

use super::{
    answer::Answer,
    capacity::{Behind, Known, UNHURRIED, before_rise, short, stays, whole},
    desk::Desk,
};
use crate::providers::traffic::{Router, Seen, WriteError};

/// Does what `wish` says, once, on whatever the router holds then.
///
/// # Errors
///
/// The router does not answer or does not obey, or its record cannot be read.
pub async fn by_hand(
    router: &dyn Router,
    desk: &mut Desk,
    wish: &Wish,
    reason: &str,
    terms: Terms<'_>,
    behind: &Behind<'_>,
    dry_run: bool,
) -> anyhow::Result<Answer> {
    loop {
        let seen = router.read().await?;
        let Some(record) = seen.record.clone()? else {
            return Ok(Answer::Refused(
                "no rollout is recorded: begin one with shift-traffic start".to_owned(),
            ));
        };
        // A promotion may be repeated: what was cut off between two places of the router is written again.
        let again = *wish == Wish::Promote && matches!(record.state, State::Promoted { .. });
        let decided = decide(wish, reason, &record, desk.clock.now(), terms).and_then(|step| {
            let after = record
                .after(step.clone(), desk.by())
                .map_err(|illegal| illegal.to_string())?;
            Ok((step, after))
        });
        let (step, after) = match decided {
            _ if again => (Move::Promote, record.clone()),
            Ok(decided) => decided,
            Err(why) => return Ok(Answer::Refused(why)),
        };
        if let Some(why) = in_the_way(&seen, &record, &step, &after, behind).await {
            return Ok(Answer::Refused(why));
        }
        if again && !seen.torn {
            return Ok(Answer::Recorded(record));
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

/// Why the router, and what runs behind it, must not be given `after`, in words.
async fn in_the_way(
    seen: &Seen,
    before: &Record,
    step: &Move,
    after: &Record,
    behind: &Behind<'_>,
) -> Option<String> {
    if let Some(drift) = &seen.drift {
        // Writing would raise what somebody has lowered by hand.
        return Some(format!("{drift}; shift-traffic rollback overwrites it"));
    }
    if *step == Move::Promote {
        // No share moves, only what it is called.
        return seen.unreachable.first().cloned();
    }
    if let Some(refusal) = seen.shares.refusal(after.weight) {
        return Some(refusal);
    }
    let (stable, candidate) = (&before.stable.backend, &before.candidate.backend);
    let rises = after.weight > before.weight;
    let falls = after.weight < before.weight;
    let empty = match (
        rises && seen.up(candidate) == Some(0),
        falls && seen.up(stable) == Some(0),
    ) {
        (true, _) => Some(candidate),
        (_, true) if seen.up(candidate) > Some(0) => Some(stable),
        _ => None,
    };
    if let Some(empty) = empty {
        return Some(format!(
            "{empty} has no server up: users would be turned away; bring {empty} up first"
        ));
    }
    if rises {
        if let Some(unreachable) = seen.unreachable.first() {
            return Some(unreachable.clone());
        }
        return match behind.count_within(UNHURRIED, seen, stable, candidate).await {
            Known::Both(both) => {
                let obstacles = before_rise(&both, before, after.weight);
                (!obstacles.is_empty()).then(|| obstacles.join("; "))
            }
            Known::Untold => None,
            Known::Unread(why) => Some(format!("what runs behind the router cannot be read: {why}")),
        };
    }
    // Stable may be small since all the traffic has left it.
    if falls && before.weight == Weight::FULL {
        let known = behind.count(seen, stable, candidate).await;
        if let Known::Both(both) = &known
            && stays(&known, before, before.weight) > after.weight
        {
            return Some(format!(
                "{}: shift-traffic rollback takes the traffic back, with stable's capacity first",
                short(stable, &both.stable, whole(before, both, before.weight))
            ));
        }
    }
    None
}

fn event_of(step: Move, from: Weight, reason: &str) -> Event {
    let reason = reason.to_owned();
    match step {
        Move::PauseByHand(_) => Event::Paused { from, reason },
        Move::Resume => Event::Resumed,
        Move::Promote => Event::Promoted,
        Move::Go => Event::Approved { reason },
        Move::Signal(severity, text) => Event::Signalled { severity, text },
        _ => Event::Set { from, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::tests::{
        FakeRouter, FakeStacks, Office, beginning, by, course, holding, promoted, weight,
    };
    use rollgate_domain::rollout::phase::Phase;

    /// A production that holds step `step` of 25, 50 and 100 %; 10 pods of stable carried everything.
    fn at_step(step: usize) -> Record {
        let mut record = Record::start(beginning(course(Phase::Production, &[25, 50, 100])), None, by());
        record.whole = Some(10);
        let raised = record.after(Move::Raise, by()).expect("ready");
        raised.after(Move::Jump(step), by()).expect("a step")
    }

    /// What becomes of `wish`, with so many pods of blue and of green behind the router; none: they cannot be read.
    async fn said(wish: Wish, router: &FakeRouter, pods: Option<(u32, u32)>) -> String {
        let (blue, green) = pods.unwrap_or_default();
        let mut stacks = FakeStacks::new(&router.log, blue, green);
        stacks.unreadable = pods.is_none();
        let behind = Behind {
            stacks: Some(&stacks),
            scale_up: true,
        };
        let mut office = Office::new();
        let terms = Terms {
            window: None,
            pin: &router.has().pin,
        };
        let answer = by_hand(router, &mut office.desk, &wish, "why", terms, &behind, false).await;
        match answer.expect("an answer") {
            Answer::Recorded(record) => record.weight.to_string(),
            Answer::WouldWrite(change) => change,
            Answer::Refused(why) => why,
        }
    }

    #[tokio::test]
    async fn nothing_rises_by_hand_that_the_driver_would_not_raise() {
        let router = FakeRouter::new(Some(at_step(0)));
        for (pods, why) in [
            (
                Some((10, 2)),
                "green has 2 of 2 ready, 50 % of the traffic needs 5",
            ),
            (
                Some((2, 5)),
                "blue has 2 of 10 ready: it could not take 50 % back",
            ),
            (
                None,
                "what runs behind the router cannot be read: Deployments cannot be listed",
            ),
        ] {
            for wish in [Wish::Advance, Wish::Set(weight(50))] {
                assert_eq!(said(wish, &router, pods).await, why);
            }
        }
        let mut one_is_down = FakeRouter::new(Some(at_step(0)));
        one_is_down.unreachable = vec!["talk to HAProxy at b.sock: nobody listens there".to_owned()];
        let why = said(Wish::Advance, &one_is_down, Some((10, 5))).await;
        assert!(why.starts_with("talk to HAProxy at b.sock"), "{why}");
        assert!(router.log().is_empty() && one_is_down.log().is_empty());
        assert_eq!(said(Wish::Advance, &router, Some((10, 5))).await, "50 %");
    }

    #[tokio::test]
    async fn a_share_is_lowered_by_hand_whatever_runs_but_from_all_of_it_only_to_what_stable_can_carry() {
        let full = FakeRouter::new(Some(at_step(2)));
        assert_eq!(
            said(Wish::Set(weight(25)), &full, Some((1, 10))).await,
            "blue has 1 of 10 ready: shift-traffic rollback takes the traffic back, with stable's capacity first"
        );
        assert!(full.log().is_empty());
        assert_eq!(said(Wish::Set(weight(25)), &full, Some((8, 10))).await, "25 %");

        for pods in [Some((1, 10)), None] {
            let half = FakeRouter::new(Some(at_step(1)));
            assert_eq!(said(Wish::Set(weight(25)), &half, pods).await, "25 %");
        }
        let mut one_is_down = FakeRouter::new(Some(at_step(1)));
        one_is_down.unreachable = vec!["nobody listens there".to_owned()];
        assert_eq!(said(Wish::Set(weight(25)), &one_is_down, None).await, "25 %");
    }

    #[tokio::test]
    async fn a_promotion_moves_no_share_and_may_be_repeated() {
        let router = FakeRouter::new(Some(holding(100)));
        said(Wish::Promote, &router, Some((1, 10))).await;
        assert_eq!(router.has().stable.backend, "green");
        // What was stable is at 0 %, as it was.
        assert_eq!(router.log(), ["blue 0 %"]);

        let router = FakeRouter::new(Some(promoted()));
        said(Wish::Promote, &router, None).await;
        assert_eq!((router.has(), router.log().len()), (promoted(), 0));

        let canary = Record::start(beginning(course(Phase::Canary, &[100])), None, by());
        for (record, why) in [
            (holding(75), "the candidate has 75 %: promote moves no traffic"),
            (
                canary.after(Move::Raise, by()).expect("ready"),
                "promote belongs to production",
            ),
            (canary, "promote needs a candidate with all the traffic"),
        ] {
            let router = FakeRouter::new(Some(record));
            let refused = said(Wish::Promote, &router, None).await;
            assert!(refused.contains(why) && router.log().is_empty(), "{refused}");
        }
        let mut one_is_down = FakeRouter::new(Some(holding(100)));
        one_is_down.unreachable = vec!["nobody listens there".to_owned()];
        assert_eq!(
            said(Wish::Promote, &one_is_down, None).await,
            "nobody listens there"
        );
    }
}
