//! Whether whoever asks may say `go`. What cannot be proved is refused.

use crate::{
    error::chain,
    github::{run::Run, teams::Teams},
    plan::Approver,
};

/// Why this person may not decide, in words; none if they may.
///
/// Only a GitHub run proves who pressed the button. With an empty list whoever may start the workflow, or has a
/// shell that reaches the router, may decide.
pub async fn refusal(approvers: &[Approver], github: Option<&Run>) -> Option<String> {
    if approvers.is_empty() {
        return None;
    }
    let Some(run) = github else {
        return Some(format!(
            "the plan lets {} decide, and outside of a GitHub run nothing proves who you are: use the workflow's button",
            listed(approvers)
        ));
    };
    let is_named = |approver: &Approver| matches!(approver, Approver::Login(login) if login.eq_ignore_ascii_case(&run.actor));
    if approvers.iter().any(is_named) {
        return None;
    }
    let mut unknown = Vec::new();
    for approver in approvers {
        let Approver::Team(slug) = approver else { continue };
        let asked = match Teams::new(run) {
            Ok(teams) => teams.has(slug, &run.actor).await,
            Err(error) => Err(error),
        };
        match asked {
            Ok(true) => return None,
            Ok(false) => {}
            Err(error) => unknown.push(chain(&error)),
        }
    }
    let who = format!(
        "{} is none of those who may decide: {}",
        run.actor,
        listed(approvers)
    );
    Some(if unknown.is_empty() {
        who
    } else {
        format!("{who} ({})", unknown.join("; "))
    })
}

fn listed(approvers: &[Approver]) -> String {
    let names: Vec<_> = approvers
        .iter()
        .map(|approver| match approver {
            Approver::Login(login) => login.clone(),
            Approver::Team(slug) => format!("team/{slug}"),
        })
        .collect();
    names.join(", ")
}
