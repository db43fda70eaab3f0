//! `GITHUB_*`, read once.
//!
//! Source: <https://docs.github.com/actions/reference/workflows-and-actions/variables>

use std::{collections::BTreeMap, path::PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

/// The workflow run around this process.
#[derive(Clone, Debug)]
pub struct Run {
    /// `GITHUB_RUN_ID`.
    pub id: String,
    /// `GITHUB_RUN_ATTEMPT`.
    pub attempt: String,
    /// `owner/name`.
    pub repository: String,
    /// Who pressed the button: of a run that was started again, who did that.
    pub actor: String,
    /// The file and the ref to dispatch for a successor, out of `GITHUB_WORKFLOW_REF`.
    pub workflow: Option<Workflow>,
    /// What the run was itself dispatched with.
    pub inputs: BTreeMap<String, String>,
    /// `GITHUB_API_URL`.
    pub api_url: String,
    /// `GITHUB_SERVER_URL`.
    pub server_url: String,
    /// `GITHUB_TOKEN`.
    pub token: Option<SecretString>,
}

/// A workflow that can be dispatched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    /// `canary.yml`.
    pub file: String,
    /// `refs/heads/main`.
    pub git_ref: String,
}

/// The files that a step writes to.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// `GITHUB_OUTPUT`.
    pub output: Option<PathBuf>,
    /// `GITHUB_STEP_SUMMARY`.
    pub summary: Option<PathBuf>,
}

#[derive(Deserialize)]
struct EventFile {
    #[serde(default)]
    inputs: Option<BTreeMap<String, serde_json::Value>>,
}

impl Run {
    /// The run that `variable` describes, none outside of GitHub Actions.
    #[must_use]
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        if get("GITHUB_ACTIONS").as_deref() != Some("true") {
            return None;
        }
        let inputs = get("GITHUB_EVENT_PATH")
            .and_then(|path| std::fs::read_to_string(path).ok())
            .map(|text| inputs(&text))
            .unwrap_or_default();
        Some(Self {
            id: get("GITHUB_RUN_ID")?,
            attempt: get("GITHUB_RUN_ATTEMPT").unwrap_or_else(|| "1".to_owned()),
            repository: get("GITHUB_REPOSITORY")?,
            actor: get("GITHUB_TRIGGERING_ACTOR")
                .or_else(|| get("GITHUB_ACTOR"))
                .unwrap_or_else(|| "unknown".to_owned()),
            workflow: get("GITHUB_WORKFLOW_REF").as_deref().and_then(workflow),
            inputs,
            api_url: get("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned()),
            server_url: get("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned()),
            token: get("GITHUB_TOKEN").map(SecretString::from),
        })
    }

    /// The page of the run.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/{}/actions/runs/{}", self.server_url, self.repository, self.id)
    }
}

impl Files {
    /// The files that `variable` names.
    #[must_use]
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| {
            variable(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        Self {
            output: get("GITHUB_OUTPUT"),
            summary: get("GITHUB_STEP_SUMMARY"),
        }
    }
}

/// `owner/name/.github/workflows/canary.yml@refs/heads/main`: with a reusable workflow it is the caller's.
fn workflow(text: &str) -> Option<Workflow> {
    let (path, git_ref) = text.split_once('@')?;
    let (_, file) = path.rsplit_once('/')?;
    Some(Workflow {
        file: file.to_owned(),
        git_ref: git_ref.to_owned(),
    })
}

/// The inputs of the event. The API takes them as text, whatever their type was.
fn inputs(event: &str) -> BTreeMap<String, String> {
    let inputs = serde_json::from_str::<EventFile>(event)
        .ok()
        .and_then(|event| event.inputs)
        .unwrap_or_default();
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    inputs
        .into_iter()
        .map(|(name, value)| (name, text(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_workflow_is_the_one_to_dispatch() {
        let expected = Workflow {
            file: "canary.yml".to_owned(),
            git_ref: "refs/heads/main".to_owned(),
        };
        assert_eq!(
            workflow("shop/api/.github/workflows/canary.yml@refs/heads/main"),
            Some(expected)
        );
        assert_eq!(workflow("nonsense"), None);
    }

    #[test]
    fn inputs_of_every_type_become_text() {
        let event = r#"{"inputs": {"plan": "p.yml", "dry": true, "n": 3, "none": null}, "ref": "x"}"#;
        let pairs = [("dry", "true"), ("n", "3"), ("none", ""), ("plan", "p.yml")];
        assert_eq!(
            inputs(event),
            pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into()
        );
        assert!(
            inputs("{}").is_empty()
                && inputs("no json").is_empty()
                && inputs(r#"{"inputs":null}"#).is_empty()
        );
    }

    #[test]
    fn of_a_run_that_was_started_again_the_one_who_did_that_is_meant() {
        let run = |more: Option<&str>| {
            Run::from_variables(|name| match name {
                "GITHUB_ACTIONS" => Some("true".to_owned()),
                "GITHUB_RUN_ID" => Some("7".to_owned()),
                "GITHUB_REPOSITORY" => Some("acme/shop".to_owned()),
                "GITHUB_ACTOR" => Some("octocat".to_owned()),
                "GITHUB_TRIGGERING_ACTOR" => more.map(str::to_owned),
                _ => None,
            })
            .map(|run| run.actor)
        };
        assert_eq!(run(None).as_deref(), Some("octocat"));
        assert_eq!(run(Some("hubot")).as_deref(), Some("hubot"));
    }

    #[test]
    fn outside_of_github_there_is_no_run() {
        assert!(Run::from_variables(|_| None).is_none());
    }
}
