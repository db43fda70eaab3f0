//! GitHub's API as far as a driver uses it: it starts runs when it is asked as the real one wants to be asked.
//!
//! Source: <https://docs.github.com/rest/actions/workflows#create-a-workflow-dispatch-event>

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Deserialize;
use serde_json::json;

use super::http::{Http, Reply, Request};

pub(crate) const TOKEN: &str = "ghs_a-token-of-the-test";

/// A dispatch as GitHub took it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dispatch {
    /// `canary.yml`.
    #[serde(skip)]
    pub(crate) workflow: String,
    #[serde(rename = "ref")]
    pub(crate) git_ref: String,
    pub(crate) inputs: BTreeMap<String, String>,
    pub(crate) return_run_details: bool,
}

/// Starts a run for a dispatch and gives its id.
type Starts = dyn Fn(&Dispatch) -> u32 + Send + Sync;

/// The API; gone when it is dropped.
pub(crate) struct Github {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    taken: Arc<Mutex<Vec<Dispatch>>>,
    _http: Http,
}

impl Github {
    /// Takes dispatches of acme/shop, and starts a run for each.
    pub(crate) fn start(starts: impl Fn(&Dispatch) -> u32 + Send + Sync + 'static) -> Self {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let starts: Box<Starts> = Box::new(starts);
        let http = Http::start({
            let taken = Arc::clone(&taken);
            move |request| match understood(request) {
                Err((status, message)) => refusal(status, message),
                Ok(dispatch) => {
                    let id = starts(&dispatch);
                    lock(&taken).push(dispatch);
                    let url = format!("https://api.github.com/repos/acme/shop/actions/runs/{id}");
                    let html = format!("https://github.com/acme/shop/actions/runs/{id}");
                    Reply::ok(json!({ "workflow_run_id": id, "run_url": url, "html_url": html }).to_string())
                }
            }
        });
        Self {
            url: http.url.clone(),
            taken,
            _http: http,
        }
    }

    /// Knows the `members` of one team of acme, and somebody who was invited to it.
    ///
    /// Source: <https://docs.github.com/rest/teams/members#get-team-membership-for-a-user>
    pub(crate) fn with_team(slug: &'static str, members: &'static [&'static str]) -> Self {
        let http = Http::start(move |request| match authorised(request) {
            Err((status, message)) => refusal(status, message),
            Ok(()) => {
                let path = format!("/orgs/acme/teams/{slug}/memberships/");
                let login = request.path.strip_prefix(&path).unwrap_or_default();
                let state = match login {
                    "invited" => "pending",
                    login if members.contains(&login) => "active",
                    _ => return refusal(404, "Not Found"),
                };
                let url = format!("https://api.github.com{}", request.path);
                Reply::ok(json!({ "state": state, "role": "member", "url": url }).to_string())
            }
        });
        Self {
            url: http.url.clone(),
            taken: Arc::default(),
            _http: http,
        }
    }

    /// What was dispatched so far.
    pub(crate) fn taken(&self) -> Vec<Dispatch> {
        lock(&self.taken).clone()
    }
}

/// A refusal in GitHub's form.
pub(crate) fn refusal(status: u16, message: &str) -> Reply {
    let body = json!({ "message": message, "documentation_url": "https://docs.github.com/rest" });
    Reply::status(status, body.to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether GitHub would look at the request at all.
fn authorised(request: &Request) -> Result<(), (u16, &'static str)> {
    let header = |name: &str| request.headers.get(name).map_or("", String::as_str);
    if header("authorization") != format!("Bearer {TOKEN}") {
        return Err((401, "Bad credentials"));
    }
    // GitHub refuses requests without one.
    if header("user-agent").is_empty() {
        return Err((403, "Request forbidden by administrative rules"));
    }
    Ok(())
}

/// What the request wants, if GitHub would take it.
fn understood(request: &Request) -> Result<Dispatch, (u16, &'static str)> {
    authorised(request)?;
    let workflow = request
        .path
        .strip_prefix("/repos/acme/shop/actions/workflows/")
        .and_then(|rest| rest.strip_suffix("/dispatches"))
        .filter(|file| request.method == "POST" && !file.contains('/'))
        .ok_or((404, "Not Found"))?;
    let mut dispatch: Dispatch =
        serde_json::from_str(&request.body).map_err(|_| (400, "Problems parsing JSON"))?;
    if dispatch.git_ref != "refs/heads/main" {
        return Err((422, "No ref found"));
    }
    if dispatch.inputs.len() > 25 {
        return Err((422, "Too many inputs"));
    }
    dispatch.workflow = workflow.to_owned();
    Ok(dispatch)
}
