//! `init haproxy`, `init nginx`: what the router's configuration needs.

use clap::ValueEnum;
use rollgate_domain::exit::Outcome;

use crate::{
    commands::{
        connect::{haproxy, nginx, users},
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
    Nginx,
}

pub(crate) fn run(plan: &PlanFlag, args: &Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let users = users(&plan);
    match (args.router, plan.traffic) {
        (RouterName::Haproxy, Traffic::Haproxy(traffic)) => print(&haproxy(traffic).configuration(&users)),
        (RouterName::Nginx, Traffic::Nginx(traffic)) => {
            let lines = nginx(traffic, users).configuration();
            print(&lines.map_err(|refusal| Usage(format!("init nginx: {refusal}")))?);
        }
        (RouterName::Haproxy, other) => return Err(is_another("haproxy", &other)),
        (RouterName::Nginx, other) => return Err(is_another("nginx", &other)),
    }
    Ok(Outcome::Done)
}

fn is_another(asked: &str, traffic: &Traffic) -> anyhow::Error {
    Usage(format!("init {asked}: the plan's router is {}", traffic.vendor())).into()
}
