//! `assign`: which version a user meets, now and at every step, and how to compute it elsewhere.

use std::fmt::Write as _;

use rollgate_domain::{exit::Outcome, rollout::phase::Phase, weight::Weight};
use serde_json::{Value, json};

use crate::{
    commands::{
        connect::{Outside, outside, users},
        print,
        shared::{Format, PlanFlag},
    },
    error::{Usage, chain},
    plan::{Plan, Traffic},
    providers::traffic::{Ids, Seen, Sticky, UserId, haproxy, last_digits, nginx},
};

/// Say which version a user meets now and at every step of the plan; nothing is changed
#[derive(clap::Args, Debug)]
#[command(after_help = "\
docs/assign.md has the same in a few lines of Ruby, JavaScript, Go and Python.

Example:
  shift-traffic assign --user 4711 --output json | jq '.users[0].now'")]
pub(crate) struct Args {
    /// The user's id, exactly as requests carry it; may be repeated
    #[arg(long = "user", value_name = "ID", required = true)]
    users: Vec<String>,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn run(plan: &PlanFlag, args: &Args) -> anyhow::Result<Outcome> {
    let Args { users: ids, output } = args;
    let plan = plan.read()?;
    if ids.iter().any(String::is_empty) {
        return Err(Usage("--user: found nothing, expected a user's id".to_owned()).into());
    }
    let method = Method::of(&plan)?;
    // The steps are told also where the router cannot be asked.
    let seen = match outside(&plan).await {
        Ok(Outside { router, .. }) => router.read().await,
        Err(error) => Err(error),
    };
    let assigned = Assigned::of(&plan, method, seen.as_ref().ok());
    match output {
        Format::Text => {
            for id in ids {
                print(&assigned.screen(id));
            }
        }
        Format::Json => print(&format!("{:#}\n", assigned.object(ids))),
    }
    match seen {
        Ok(_) => Ok(Outcome::Done),
        Err(error) => {
            crate::commands::say(&format!("where users are now is not known: {}", chain(&error)));
            Ok(Outcome::Hold)
        }
    }
}

/// How a router tells users apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Crc32,
    MurmurHash2,
    LastDigits(Ids),
}

impl Method {
    /// By what the plan's router does.
    ///
    /// # Errors
    ///
    /// [`Usage`] where no user has a version of their own.
    fn of(plan: &Plan) -> Result<Self, Usage> {
        let vendor = plan.traffic.vendor();
        if let Traffic::ServiceSelector(_) | Traffic::ReplicaRatio(_) = plan.traffic {
            return Err(Usage(format!(
                "assign: traffic.{vendor} does not see users, only connections: every connection is drawn anew"
            )));
        }
        let Some(Sticky { by: _, ids }) = users(plan).sticky else {
            return Err(Usage(
                "assign: the plan has no `sticky`, so no user has a version of their own: every request is drawn"
                    .to_owned(),
            ));
        };
        Ok(match plan.traffic {
            Traffic::Haproxy(_) => Self::Crc32,
            Traffic::Nginx(_) => Self::MurmurHash2,
            _ => Self::LastDigits(ids),
        })
    }

    fn meets_candidate(self, id: &str, share: Weight) -> Option<bool> {
        match self {
            Self::Crc32 => haproxy::hash::meets_candidate(id, share),
            Self::MurmurHash2 => nginx::hash::meets_candidate(id, share),
            Self::LastDigits(ids) => last_digits::meets_candidate(id, ids, share),
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Crc32 => "crc32",
            Self::MurmurHash2 => "murmurhash2",
            Self::LastDigits(Ids::Decimal) => "last-digits-decimal",
            Self::LastDigits(Ids::Hex) => "last-digits-hex",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC-32 of the id, modulo 100, is below the share",
            Self::MurmurHash2 => "MurmurHash2 of the id is below the share's part of all hashes",
            Self::LastDigits(Ids::Decimal) => "the id's last two decimal digits are below the share",
            Self::LastDigits(Ids::Hex) => {
                "the id's last two hexadecimal digits are below the share's part of 256"
            }
        }
    }
}

/// Everything that decides.
struct Assigned {
    method: Method,
    by: String,
    stable: String,
    candidate: String,
    /// The live share; none where it is not known.
    share: Option<Weight>,
    /// Whether single users are told apart now.
    is_sticky_now: bool,
    steps: Vec<(Phase, Weight)>,
}

impl Assigned {
    fn of(plan: &Plan, method: Method, seen: Option<&Seen>) -> Self {
        let [first, second] = plan.traffic.backends();
        let candidate = seen.map_or_else(|| second.clone(), |seen| seen.candidate.clone());
        let stable = if candidate == *first { second } else { first };
        // HAProxy and nginx keep users apart on the way back too; where rules are matched they are gone by then.
        let is_tried = seen.is_some_and(|seen| matches!(&seen.record, Ok(Some(record)) if record.is_tried()));
        let canary = plan
            .phases
            .canary
            .steps
            .iter()
            .map(|step| (Phase::Canary, step.weight));
        let production = plan.phases.production.steps.iter();
        Self {
            method,
            by: match users(plan).sticky.map(|sticky| sticky.by) {
                Some(UserId::Header(name)) => format!("header {name}"),
                Some(UserId::Cookie(name)) => format!("cookie {name}"),
                Some(UserId::Query(name)) => format!("parameter {name}"),
                None => String::new(),
            },
            stable: stable.clone(),
            candidate,
            share: seen.and_then(|seen| seen.share),
            is_sticky_now: is_tried || !matches!(method, Method::LastDigits(_)),
            steps: canary
                .chain(production.map(|step| (Phase::Production, step.weight)))
                .collect(),
        }
    }

    /// None where each request is drawn.
    fn backend_of(&self, id: &str, share: Weight) -> Option<&str> {
        let meets = self.method.meets_candidate(id, share)?;
        Some(if meets { &self.candidate } else { &self.stable })
    }

    /// None where it is not known, or drawn.
    fn now(&self, id: &str) -> Option<&str> {
        let share = self.share?;
        let settled = share == Weight::ZERO || share == Weight::FULL;
        (self.is_sticky_now || settled)
            .then(|| self.backend_of(id, share))
            .flatten()
    }

    fn screen(&self, id: &str) -> String {
        let mut text = format!("user       {id} ({})\n", self.by);
        // Writing to a String cannot fail.
        let mut row = |name: &str, share: Option<Weight>, backend: Option<&str>| {
            let share = share.map_or_else(|| "?".to_owned(), |share| share.to_string());
            let _ = writeln!(text, "{name:<10} {share:>5}  {}", backend.unwrap_or("?"));
        };
        row("now", self.share, self.now(id));
        for (phase, share) in &self.steps {
            row(phase.word(), Some(*share), self.backend_of(id, *share));
        }
        let _ = writeln!(
            text,
            "compute    {} if {} (docs/assign.md)",
            self.candidate,
            self.method.words()
        );
        text
    }

    fn object(&self, ids: &[String]) -> Value {
        let user = |id: &String| {
            let steps = self.steps.iter().map(|(phase, share)| {
                json!({ "phase": phase.word(), "share": share, "backend": self.backend_of(id, *share) })
            });
            json!({ "user": id, "now": self.now(id), "steps": steps.collect::<Vec<_>>() })
        };
        json!({
            "method": self.method.word(),
            "by": self.by,
            "stable": self.stable,
            "candidate": self.candidate,
            "share": self.share,
            "users": ids.iter().map(user).collect::<Vec<_>>(),
        })
    }
}
