//! `set`: a person sets the share, within the rollout.

use anyhow::{Context as _, bail};
use jiff::SignedDuration;
use rollgate_domain::{
    exit::Outcome,
    rollout::{event::Event, moves::Move, record::State},
    weight::Weight,
};

use crate::{
    commands::{
        connect::{Outside, outside},
        print, say,
        shared::{OutFlag, PlanFlag, desk, step_outputs},
        variable,
    },
    github::run::Run,
    providers::traffic::WriteError,
};

/// A driver that has not written for this long is not watching: it writes every 15 s.
const ALIVE: SignedDuration = SignedDuration::from_secs(60);

/// Set the candidate's share to one of the plan's steps while a driver watches, or to 0
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  shift-traffic set 1% --reason 'the cache is cold'     back to the first step
  shift-traffic set 0 --reason 'over lunch'             pause; the next run resumes at the same step")]
pub(crate) struct Args {
    /// The share: the weight of a step, or 0
    #[arg(value_name = "WEIGHT")]
    weight: Weight,
    /// Why, for those who read it later
    #[arg(
        long,
        value_name = "TEXT",
        env = "ROLLGATE_REASON",
        default_value = "set by hand"
    )]
    reason: String,
    /// Print the exact change and touch nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    out: OutFlag,
}

pub(crate) async fn run(plan: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let Args {
        weight,
        reason,
        dry_run,
        out,
    } = args;
    let Outside { router, stacks: _ } = outside(&plan).await?;
    let router = router.as_ref();
    let github = Run::from_variables(variable);
    let mut desk = desk(out.out, &plan.notify, github.as_ref());
    let refused = |why: String| {
        say(&format!("refused: {why}"));
        Ok(Outcome::Refused)
    };
    loop {
        let seen = router.read().await?;
        let Some(record) = seen.record.clone()? else {
            return refused("no rollout is recorded: begin one with shift-traffic start".to_owned());
        };
        if let Some(drift) = &seen.drift {
            return refused(format!("{drift}; shift-traffic rollback overwrites it"));
        }
        if !matches!(record.state, State::Holding { .. }) {
            return refused(format!(
                "the rollout is {}: shift-traffic run drives it",
                record.state_in_words()
            ));
        }
        let silence = desk.clock.now().duration_since(record.driver.heartbeat);
        if weight > record.weight && silence > ALIVE {
            return refused(format!(
                "nobody watches: {} last wrote {:.0} s ago; start a driver with shift-traffic run",
                record.driver.run,
                silence.as_secs_f64()
            ));
        }
        let step = if weight == Weight::ZERO {
            Move::Pause(reason.clone())
        } else {
            let steps: Vec<_> = record
                .ladder
                .steps()
                .iter()
                .map(|step| step.weight.to_string())
                .collect();
            match record.ladder.index_of(weight) {
                Some(step) => Move::Jump(step),
                None => {
                    return refused(format!(
                        "{weight} is no step of this rollout; it has 0 %, {}",
                        steps.join(", ")
                    ));
                }
            }
        };
        let after = record.after(step, desk.by())?;
        if dry_run {
            print(&router.describe(&seen, &after));
            return Ok(Outcome::Done);
        }
        match router.write(&seen, &after).await {
            Ok(_) => {
                let from = record.weight;
                desk.note(
                    &after,
                    Event::Set {
                        from,
                        reason: reason.clone(),
                    },
                );
                desk.close(&after, std::time::Duration::from_secs(10)).await;
                step_outputs(Outcome::Done, false, Some(&after));
                return Ok(Outcome::Done);
            }
            Err(WriteError::Conflict) => {}
            Err(WriteError::Rejected(why)) => bail!("set {weight}: {why}"),
            Err(error) => return Err(error).with_context(|| format!("set {weight}")),
        }
    }
}
