//! What people need after a bad release, gathered into one folder before it is gone. Reads everywhere, writes to that
//! folder alone; what cannot be had is a line of its index and stops nothing.

mod folder;
mod mask;
mod tail;

pub use folder::Folder;

use tokio::time::{Instant, timeout_at};

use self::tail::Tail;
use crate::{
    error::chain,
    providers::stacks::{Log, Traces},
};

/// How much is gathered.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// At most so much of each log, the newest.
    pub log_bytes: u64,
    /// No log is waited for any longer.
    pub until: Instant,
}

/// Gathers what `versions` (their part in the rollout, and their backends) left, small things first: a folder that is
/// full should lack logs.
pub async fn collect(folder: &mut Folder, traces: &dyn Traces, versions: [(&str, &str); 2], limits: Limits) {
    let from = "events of the namespace";
    match traces.events().await {
        Ok(lines) => folder.text("events.txt", from, &(lines.join("\n") + "\n")),
        Err(error) => folder.failed("events.txt", from, &chain(&error)),
    }
    let mut logs = Vec::new();
    for (part, backend) in versions {
        let found = traces.of(backend).await;
        for trace in found.traces {
            folder.object(&format!("{part}/{}.yaml", trace.name), &trace.from, trace.found);
        }
        logs.extend(found.logs.into_iter().map(|log| (part, log)));
    }
    for (part, log) in logs {
        keep(folder, traces, part, &log, limits).await;
    }
}

async fn keep(folder: &mut Folder, traces: &dyn Traces, part: &str, log: &Log, limits: Limits) {
    let Log {
        pod,
        container,
        previous,
    } = log;
    let (which, before) = match previous {
        true => (".previous", ", before its last restart"),
        false => ("", ""),
    };
    let file = format!("{part}/logs/{pod}.{container}{which}.log");
    let from = format!("container {container} of pod {pod}{before}");
    let limit = limits.log_bytes.min(folder.left());
    if limit == 0 {
        return folder.left_out(&file, &from, "the folder is full");
    }
    let reading = async { Tail::read(traces.log(log).await?, limit).await };
    match timeout_at(limits.until, reading).await {
        Ok(Ok(tail)) => {
            let older =
                (tail.older > 0).then(|| format!("the newest; {} older bytes are left out", tail.older));
            let broken = tail.broken.as_ref().map(|why| format!("broke off: {why}"));
            let notes: Vec<_> = older.into_iter().chain(broken).collect();
            let note = (!notes.is_empty()).then(|| notes.join("; "));
            folder.masked(&file, &from, &tail.text(), note);
        }
        Ok(Err(error)) => folder.failed(&file, &from, &chain(&error)),
        Err(_) => folder.left_out(&file, &from, "there was no time left"),
    }
}
