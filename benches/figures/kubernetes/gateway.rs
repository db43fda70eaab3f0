//! A Gateway that serves nobody and says yes at once: what is measured then is rollgate and the API server.
//!
//! It watches, as controllers do, so that it asks nothing while nothing changes.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, WatchEvent, WatchParams};
use rollgate::providers::cluster::Cluster;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::support::kube::Namespace;

/// Between two watches: the API server ends one now and then.
const PAUSE: Duration = Duration::from_millis(20);

/// Stops when it is dropped.
pub(crate) struct Gateway {
    zero: Arc<Mutex<Option<Instant>>>,
    stop: Option<oneshot::Sender<()>>,
    controller: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Answers for every parent of every HTTPRoute of this namespace.
    pub(crate) fn of(namespace: &Namespace<'static>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let zero = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&zero);
        let (kubeconfig, name) = (namespace.admin().kubeconfig(), namespace.name.clone());
        let controller = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let cluster = Cluster::by_kubeconfig(&kubeconfig).await.expect("the cluster");
                tokio::select! {
                    () = serve(&cluster, &name, &seen) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            zero,
            stop: Some(stop),
            controller: Some(controller),
        }
    }

    /// Since when the second backend has nothing, as the watch tells.
    pub(crate) fn heard_zero(&self) -> Option<Instant> {
        *self.zero.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(controller) = self.controller.take() {
            let _ = controller.join();
        }
    }
}

async fn serve(cluster: &Cluster, namespace: &str, zero: &Mutex<Option<Instant>>) {
    let resource = ApiResource {
        group: "gateway.networking.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "gateway.networking.k8s.io/v1".to_owned(),
        kind: "HTTPRoute".to_owned(),
        plural: "httproutes".to_owned(),
    };
    let routes = Api::namespaced_with(cluster.client(), namespace, &resource);
    loop {
        if let Ok(events) = routes.watch(&WatchParams::default(), "0").await {
            let mut events = pin!(events);
            while let Ok(Some(event)) = events.try_next().await {
                if let WatchEvent::Added(route) | WatchEvent::Modified(route) = event {
                    note(&route, zero);
                    answer(&routes, &route).await;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The first moment of a share of 0, until it is another one.
fn note(route: &DynamicObject, zero: &Mutex<Option<Instant>>) {
    let mut zero = zero.lock().unwrap_or_else(PoisonError::into_inner);
    if route.data["spec"]["rules"][0]["backendRefs"][1]["weight"] == 0 {
        zero.get_or_insert_with(Instant::now);
    } else {
        *zero = None;
    }
}

/// Says yes to a generation that has no answer yet.
async fn answer(routes: &Api<DynamicObject>, route: &DynamicObject) {
    let generation = route.metadata.generation;
    let parents = route.data["spec"]["parentRefs"].as_array();
    let answered = &route.data["status"]["parents"][0]["conditions"][0]["observedGeneration"];
    let (Some(parents), Some(name)) = (parents, &route.metadata.name) else {
        return;
    };
    if answered.as_i64() == generation {
        return;
    }
    let condition = |kind: &str| {
        json!({
            "type": kind,
            "status": "True",
            "reason": kind,
            "message": "",
            "observedGeneration": generation,
            "lastTransitionTime": "2027-01-15T08:00:00Z",
        })
    };
    let answer = |parent: &Value| {
        json!({
            "parentRef": parent,
            "controllerName": "example.com/bench",
            "conditions": [condition("Accepted"), condition("ResolvedRefs")],
        })
    };
    let answers: Vec<_> = parents.iter().map(answer).collect();
    let change = json!({ "status": { "parents": answers } });
    // Whoever changed the route in between gets the next answer.
    let _ = routes
        .patch_status(name, &PatchParams::default(), &Patch::Merge(&change))
        .await;
}
