//! `collect`: what people need after a bad release, in one folder.

use std::{path::PathBuf, time::Duration};

use anyhow::{anyhow, bail};
use rollgate_domain::{analysis::Reason, exit::Outcome, rollout::record::Record};

use tokio::time::{Instant, timeout};

use super::subject::Subject;
use crate::{
    commands::{
        connect::{outside, traces},
        say,
        shared::{OutFlag, PlanFlag},
        shift_traffic::status,
    },
    error::chain,
    operations::collect::{Folder, Limits, collect},
    plan::Plan,
    providers::clock::Clock,
};

/// Whoever waits for the folder has it by then, and the step of the planned rollback ends after five minutes.
const TIME: Duration = Duration::from_secs(4 * 60);

/// A verdict takes two looks where the metric source has no past, and looks may be long.
const JUDGING: Duration = Duration::from_secs(60);

/// Gather what people need after a bad release into one folder; changes nothing else
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The record and a verdict as of now; in Kubernetes the events, objects, logs and use of both
versions too. Secrets are never asked for, and masked where logs and objects repeat them.
index.md says what is there, what had no room, and what failed and why.

Examples:
  verify-health collect
  verify-health collect --to /tmp/evidence --log-bytes 5MiB --max-bytes 200MiB

Exit codes:
  0 something was collected   1 nothing was   2 usage or plan")]
pub(crate) struct Args {
    /// The folder, new or empty; default: evidence in --out
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// At most so much of each container's log, the newest
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = bytes)]
    log_bytes: u64,
    /// At most so much in all
    #[arg(long, value_name = "BYTES", default_value = "50MiB", value_parser = bytes)]
    max_bytes: u64,
    #[command(flatten)]
    out: OutFlag,
}

pub(crate) async fn run(plan: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let Args {
        to,
        log_bytes,
        max_bytes,
        out,
    } = args;
    let root = to.unwrap_or_else(|| out.out.join("evidence"));
    let place = root.display().to_string();
    let limits = Limits {
        log_bytes,
        until: Instant::now() + TIME,
    };
    let mut folder = Folder::create(root, max_bytes, say)?;
    let record = standing(&plan, &out, &mut folder).await;
    verdict(&plan, record.as_ref(), &mut folder).await;
    match traces(&plan).await {
        Ok(None) => {}
        Ok(Some(traces)) => {
            let [first, second] = plan.traffic.backends();
            let (stable, candidate) = record.as_ref().map_or((first, second), |record| {
                (&record.stable.backend, &record.candidate.backend)
            });
            let versions = [("candidate", candidate.as_str()), ("stable", stable)];
            collect(&mut folder, traces.as_ref(), versions, limits).await;
        }
        Err(error) => folder.failed("kubernetes", "the cluster", &chain(&error)),
    }
    let kept = folder.close(&plan.service, record.as_ref(), Clock::system().now())?;
    if kept == 0 {
        bail!("nothing could be collected; {place}/index.md says why");
    }
    say(&format!("{kept} files are in {place}; begin with index.md"));
    Ok(Outcome::Done)
}

/// Keeps the status; the record, where the router has one.
async fn standing(plan: &Plan, out: &OutFlag, folder: &mut Folder) -> Option<Record> {
    let seen = async { status::now(plan, &outside(plan).await?, out).await }.await;
    let (record, object) = match seen {
        Ok((record, object)) => (record, Ok(object)),
        Err(error) => (None, Err(error)),
    };
    folder.object("status.json", "the router", object);
    record
}

/// Keeps a verdict as of now. Why there is none is a file too: it is often the first thing that is asked.
async fn verdict(plan: &Plan, record: Option<&Record>, folder: &mut Folder) {
    let (file, from, why) = ("verdict.json", "the metric source", "verdict.error.txt");
    let Some(record) = record else {
        return folder.failed(file, from, "there is no record to measure by");
    };
    let judged = timeout(JUDGING, Subject::default().verdict(plan, record, None)).await;
    let seconds = JUDGING.as_secs();
    match judged.unwrap_or_else(|_| Err(anyhow!("nothing was judged within {seconds} s"))) {
        Ok(verdict) => {
            if verdict.reason == Some(Reason::Down) {
                folder.text(why, from, &format!("{}\n", verdict.sentence));
            }
            folder.object(file, from, serde_json::to_value(verdict).map_err(Into::into));
        }
        Err(error) => {
            let words = chain(&error);
            folder.text(why, from, &format!("{words}\n"));
            folder.failed(file, from, &words);
        }
    }
}

/// A number of bytes as people write it: `5MiB`, `500KiB`, `4096`.
fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor: Option<u64> = match unit.trim() {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let number = number.parse::<u64>().ok().filter(|number| *number > 0);
    number
        .zip(factor)
        .and_then(|(number, factor)| number.checked_mul(factor))
        .ok_or_else(|| "expected a number of bytes such as 50MiB, 500KiB or 4096".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_a_number_with_a_unit_or_without() {
        assert_eq!(bytes("50MiB"), Ok(50 << 20));
        assert_eq!(bytes("2 KiB"), Ok(2048));
        assert_eq!(bytes("4096"), Ok(4096));
        for wrong in ["", "0", "MiB", "5MB", "-1", "99999999999GiB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
