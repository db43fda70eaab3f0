//! `init haproxy`: what the router's configuration needs.

use clap::ValueEnum;
use rollgate_domain::exit::Outcome;

use crate::{
    commands::{
        print,
        shared::{PlanFlag, router},
    },
    plan::Sticky,
    providers::traffic::haproxy::configuration::User,
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
    let user = plan.sticky.as_ref().map(|sticky| match sticky {
        Sticky::Header(name) => User::Header(name),
        Sticky::Cookie(name) => User::Cookie(name),
        Sticky::Query(name) => User::Query(name),
    });
    match args.router {
        RouterName::Haproxy => print(&router(&plan.traffic).configuration(user)),
    }
    Ok(Outcome::Done)
}
