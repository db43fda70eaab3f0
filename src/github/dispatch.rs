//! Starts the workflow again, for the driver that comes after this one.
//!
//! Source: <https://docs.github.com/rest/actions/workflows#create-a-workflow-dispatch-event>

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use octocrab::Octocrab;
use serde::Deserialize;
use serde_json::json;

use super::{
    client::{PATIENCE, client, explained},
    run::Run,
};

/// Calls the workflow that this run is of.
pub struct Dispatcher {
    client: Octocrab,
    route: String,
    git_ref: String,
    inputs: BTreeMap<String, String>,
}

/// What `return_run_details` adds to the answer. Older servers answer 204 without a body.
#[derive(Default, Deserialize)]
struct Details {
    workflow_run_id: Option<u64>,
}

impl Dispatcher {
    /// A dispatcher for the workflow of `run`.
    ///
    /// # Errors
    ///
    /// The run has no token or does not know its own workflow.
    pub fn new(run: &Run) -> anyhow::Result<Self> {
        let workflow = run
            .workflow
            .as_ref()
            .context("GITHUB_WORKFLOW_REF names no workflow to dispatch")?;
        let client = client(run)
            .context("dispatch a successor, for which the job needs `permissions: actions: write`")?;
        Ok(Self {
            client,
            route: format!(
                "/repos/{}/actions/workflows/{}/dispatches",
                run.repository, workflow.file
            ),
            git_ref: workflow.git_ref.clone(),
            inputs: run.inputs.clone(),
        })
    }

    /// Dispatches the workflow with this run's own inputs and `more`. Answers with the new run's id, if told.
    ///
    /// # Errors
    ///
    /// GitHub did not take it. Trying again may start two; the generation lets only one of them drive.
    pub async fn dispatch(&self, more: &[(&str, &str)]) -> anyhow::Result<Option<String>> {
        let mut inputs = self.inputs.clone();
        inputs.extend(
            more.iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned())),
        );
        let body = json!({ "ref": self.git_ref, "inputs": inputs, "return_run_details": true });
        let sent = async {
            let answer = self.client._post(self.route.as_str(), Some(&body)).await?;
            let answer = octocrab::map_github_error(answer).await?;
            self.client.body_to_string(answer).await
        };
        let text = tokio::time::timeout(PATIENCE, sent)
            .await
            .map_err(|_| anyhow!("no answer within {} s", PATIENCE.as_secs()))
            .and_then(|sent| sent.map_err(|error| explained(error, hint)))
            .with_context(|| format!("dispatch {}", self.route))?;
        let details = serde_json::from_str::<Details>(&text).unwrap_or_default();
        Ok(details.workflow_run_id.map(|id| id.to_string()))
    }
}

/// What to do when GitHub does not start a workflow.
fn hint(status: u16) -> &'static str {
    match status {
        403 => ": the job needs `permissions: actions: write`",
        404 => ": is the workflow on that branch, and has it a `workflow_dispatch` trigger?",
        422 => ": does the workflow take the inputs `continue`, `commit` and `phase`?",
        _ => "",
    }
}
