//! What a rollback would do, in words and exact changes: for `--dry-run`. Writes nothing.

use jiff::SignedDuration;
use rollgate_domain::{
    rollout::{moves::Move, record::Record},
    weight::Weight,
};

use super::{
    Base, Goal, Way,
    attempt::{done_already, on_the_way, rolled_back, stays_at},
    gradual::LOOK,
};
use crate::{
    operations::{
        capacity::{Known, short, whole},
        desk::Desk,
    },
    providers::{
        stacks::Wish,
        traffic::{Router, Seen},
    },
};

/// How a rollback stops on its way, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It goes to 0 at once.
    None,
    /// It is watched for so long.
    Watched(SignedDuration),
    /// Nobody can look: it stops for no time.
    Blind,
}

/// What a rollback would write and ask for now, and the record after it.
///
/// # Errors
///
/// The router, or what runs behind it, cannot be read.
pub async fn describe(
    router: &dyn Router,
    desk: &Desk,
    base: &Base<'_>,
    reason: &str,
    way: &Way<'_>,
    stop: Stop,
) -> anyhow::Result<(String, Record)> {
    let seen = router.read().await?;
    if let Some(record) = done_already(&seen) {
        let text = format!(
            "would write nothing: the rollout is {}\n",
            record.state_in_words()
        );
        return Ok((text, record.clone()));
    }
    let target = rolled_back(&seen, base, desk, reason);
    let (stable, candidate) = (target.stable.backend.as_str(), target.candidate.backend.as_str());
    let has = seen.share_of(candidate);
    let known = way.behind.count(&seen, stable, candidate).await;
    let mut text = String::new();
    if let Known::Both(both) = &known
        && stays_at(&seen, &known, &target, has) > Weight::ZERO
    {
        let whole = whole(&target, both, has.unwrap_or(Weight::FULL));
        text.push_str(&format!("would wait: {}\n", short(stable, &both.stable, whole)));
        if way.behind.scale_up {
            text.push_str(&way.behind.describe(&[(stable, Wish::AtLeast(whole))]).await?);
        }
    }
    match stopping(&seen, stop, has, desk, reason) {
        None => {
            text.push_str(&router.describe(&seen, &[&target]).concat());
            Ok((text, target))
        }
        Some((first, watched)) => {
            let last = first.after(Move::RollBack(reason.to_owned()), desk.by())?;
            let changes = router.describe(&seen, &[&first, &last]);
            text.push_str(&changes.join(&watched));
            Ok((text, last))
        }
    }
}

/// The record of the stop, and what is done there.
fn stopping(
    seen: &Seen,
    stop: Stop,
    has: Option<Weight>,
    desk: &Desk,
    reason: &str,
) -> Option<(Record, String)> {
    let goal = match stop {
        Stop::None => Goal::Zero,
        Stop::Watched(_) | Stop::Blind => Goal::Step(LOOK),
    };
    let first = on_the_way(seen, goal, has, desk, reason)?;
    let (candidate, weight) = (&first.candidate.backend, first.weight);
    let watched = match stop {
        Stop::Watched(time) => format!(
            "would watch {candidate} at {weight} for {time:#}; harm, or metrics that fail, end that at once. Then:\n"
        ),
        Stop::None | Stop::Blind => {
            format!("would not wait at {weight}: nobody can look at {candidate}. Then:\n")
        }
    };
    Some((first, watched))
}
