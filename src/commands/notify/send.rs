//! `send`: one notice to some channels, or a run's journal to its summary page.

use std::path::PathBuf;

use anyhow::bail;
use clap::ValueEnum;
use rollgate_domain::{
    exit::Outcome,
    notice::{Notice, Severity, story},
};
use secrecy::SecretString;

use crate::{
    commands::{print, say, variable},
    error::{Usage, chain},
    github::run::{Files, Run},
    journal,
    providers::channels::{
        Channel,
        slack::Slack,
        summary::{self, Summary},
    },
};

/// Send one notice, or a run's journal as its summary page
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Environment:
  SLACK_WEBHOOK_URL     the incoming webhook of the Slack channel
  GITHUB_STEP_SUMMARY   the summary page; set by GitHub

Examples:
  notify send --title 'v2 is out' --text 'to everybody' --channel slack
  notify send --journal rollgate-out")]
pub(crate) struct Args {
    /// One line that says what happened
    #[arg(
        long,
        value_name = "TEXT",
        env = "ROLLGATE_TITLE",
        required_unless_present = "journal"
    )]
    title: Option<String>,
    /// Why, and what to do next
    #[arg(long, value_name = "TEXT", env = "ROLLGATE_TEXT", default_value = "")]
    text: String,
    /// How soon somebody must look
    #[arg(long, value_enum, env = "ROLLGATE_SEVERITY", default_value_t = Level::Info)]
    severity: Level,
    /// Where to send it; may be repeated. Default: every channel that is set up here
    #[arg(long = "channel", value_enum, value_name = "CHANNEL")]
    channels: Vec<Name>,
    /// The folder of a run's journal: its events become the summary page, or go to stdout outside of GitHub
    #[arg(long, value_name = "DIR", env = "ROLLGATE_JOURNAL")]
    journal: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Info,
    Warning,
    Critical,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    Slack,
    Summary,
}

/// Leaves room on the page for what other tools of the same step say.
const LONGEST_PAGE: usize = summary::LONGEST / 2;

pub(crate) async fn run(args: Args) -> anyhow::Result<Outcome> {
    let Args {
        title,
        text,
        severity,
        channels,
        journal,
    } = args;
    let mut failed = Vec::new();
    if let Some(title) = title {
        let severity = match severity {
            Level::Info => Severity::Info,
            Level::Warning => Severity::Warning,
            Level::Critical => Severity::Critical,
        };
        let link = Run::from_variables(variable).map(|run| run.url());
        failed = send(
            &Notice {
                severity,
                title,
                text,
                link,
            },
            &channels,
        )
        .await?;
    }
    if let Some(folder) = journal {
        let page = story::markdown(&journal::read_events(&folder)?, LONGEST_PAGE);
        match Files::from_variables(variable).summary {
            Some(path) => Summary::new(path).append(&page)?,
            None => print(&page),
        }
    }
    if !failed.is_empty() {
        bail!("not everybody was told: {}", failed.join("; "));
    }
    Ok(Outcome::Done)
}

/// Tells every channel, whatever the others do; what failed.
async fn send(notice: &Notice, wanted: &[Name]) -> anyhow::Result<Vec<String>> {
    let mut channels: Vec<Box<dyn Channel>> = Vec::new();
    let wants = |name| wanted.is_empty() || wanted.contains(&name);
    match variable("SLACK_WEBHOOK_URL").map(SecretString::from) {
        Some(url) if wants(Name::Slack) => channels.push(Box::new(Slack::new(reqwest::Client::new(), url))),
        None if wanted.contains(&Name::Slack) => {
            return Err(Usage("--channel slack: set SLACK_WEBHOOK_URL".to_owned()).into());
        }
        _ => {}
    }
    match Files::from_variables(variable).summary {
        Some(path) if wants(Name::Summary) => channels.push(Box::new(Summary::new(path))),
        None if wanted.contains(&Name::Summary) => {
            return Err(Usage("--channel summary: GITHUB_STEP_SUMMARY is not set".to_owned()).into());
        }
        _ => {}
    }
    if channels.is_empty() {
        let text = "no channel is set up here: set SLACK_WEBHOOK_URL, or run in a GitHub job";
        return Err(Usage(text.to_owned()).into());
    }
    let mut failed = Vec::new();
    for channel in channels {
        match channel.send(notice).await {
            Ok(()) => say(&format!("told {}", channel.name())),
            Err(error) => failed.push(format!("{}: {}", channel.name(), chain(&error))),
        }
    }
    Ok(failed)
}
