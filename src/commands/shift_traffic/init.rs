//! `init haproxy`: what the router's configuration needs.

use clap::ValueEnum;
use rollgate_domain::exit::Outcome;

use crate::{
    commands::{
        connect::{haproxy, users},
        print,
        shared::PlanFlag,
    },
    error::Usage,
    plan::Traffic,
};

/// Print what the router's configuration needs; nothing is changed
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  shift-traffic init haproxy --plan .github/rollgate.yml")]
pub(crate) struct Args {
    /// The router
    router: RouterName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RouterName {
    Haproxy,
}

pub(crate) fn run(plan: &PlanFlag, args: &Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let users = users(&plan);
    match (args.router, plan.traffic) {
        (RouterName::Haproxy, Traffic::Haproxy(traffic)) => print(&haproxy(traffic).configuration(&users)),
        (RouterName::Haproxy, other) => {
            return Err(Usage(format!("init haproxy: the plan's router is {}", other.vendor())).into());
        }
    }
    Ok(Outcome::Done)
}
