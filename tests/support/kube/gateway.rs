//! A Gateway without traffic: answers what a controller would answer to a HTTPRoute, also badly, and serves nobody.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};

use super::{Namespace, api::Api};

/// Between two looks at the route: controllers hear of a change within milliseconds.
const LOOK: Duration = Duration::from_millis(20);

/// What it says of every new generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    Accepted,
    /// A condition that is False: its type, its reason, its message.
    No(&'static str, &'static str, &'static str),
    Nothing,
}

/// The controller of every Gateway that the HTTPRoute `web` names; it stops when it is dropped.
pub(crate) struct Gateway {
    says: Arc<Mutex<Says>>,
    over: Arc<AtomicBool>,
    controller: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Watches the route of this namespace; it need not be there yet.
    pub(crate) fn of(namespace: &Namespace<'_>) -> Self {
        let says = Arc::new(Mutex::new(Says::Accepted));
        let over = Arc::new(AtomicBool::new(false));
        let controller = thread::spawn({
            let (says, over) = (Arc::clone(&says), Arc::clone(&over));
            let (api, name) = (namespace.admin().api(), namespace.name.clone());
            move || {
                while !over.load(Ordering::SeqCst) {
                    let says = says.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    look(&api, &name, &says);
                    thread::sleep(LOOK);
                }
            }
        });
        Self {
            says,
            over,
            controller: Some(controller),
        }
    }

    /// From now on it says this of every generation that it has not answered yet.
    pub(crate) fn says(&self, says: Says) {
        *self.says.lock().unwrap_or_else(PoisonError::into_inner) = says;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(controller) = self.controller.take() {
            let _ = controller.join();
        }
    }
}

/// Answers the route if it has changed since the last answer.
fn look(api: &Api, namespace: &str, says: &Says) {
    let (status, kind, reason, message) = match says {
        Says::Nothing => return,
        Says::Accepted => ("True", "Accepted", "Accepted", "Route is accepted"),
        Says::No(kind, reason, message) => ("False", *kind, *reason, *message),
    };
    let path = format!("/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/web");
    let Ok(route) = api.send(Method::GET, &path, "", "") else {
        return;
    };
    let generation = &route["metadata"]["generation"];
    let parents = route["spec"]["parentRefs"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let answered = &route["status"]["parents"][0]["conditions"][0]["observedGeneration"];
    if parents.is_empty() || answered == generation {
        return;
    }
    let answer = |parent: &Value| {
        let condition = |kind: &str, status: &str, reason: &str, message: &str| {
            json!({
                "type": kind,
                "status": status,
                "reason": reason,
                "message": message,
                "observedGeneration": generation,
                "lastTransitionTime": "2027-01-15T08:00:00Z",
            })
        };
        let other = if kind == "Accepted" {
            "ResolvedRefs"
        } else {
            "Accepted"
        };
        json!({
            "parentRef": parent,
            "controllerName": "example.com/tests",
            "conditions": [
                condition(kind, status, reason, message),
                condition(other, "True", other, "it is well"),
            ],
        })
    };
    let change = json!({ "status": { "parents": parents.iter().map(answer).collect::<Vec<_>>() } });
    // A route that was deleted in between needs no answer.
    let _ = api.send(
        Method::PATCH,
        &format!("{path}/status"),
        "application/merge-patch+json",
        &change.to_string(),
    );
}
