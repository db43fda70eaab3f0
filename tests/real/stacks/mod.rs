//! What runs behind the router, on real Deployments: their pods are simulated, everything that makes them is not.

mod asking;
mod autoscaler;
mod reading;
mod rights;
mod trouble;

use std::{collections::BTreeMap, path::Path};

use rollgate::providers::{
    cluster::Cluster as Client,
    stacks::{
        Stack, Stacks as _,
        kubernetes::{Kubernetes, Lookup, Named},
    },
};
use serde_json::Value;

use crate::support::kube::Namespace;

/// Backends are Services, as for a Gateway API route.
async fn by_service(namespace: &Namespace<'_>) -> Kubernetes {
    stacks(namespace, Lookup::Service, &[]).await
}

/// `named`: backend, its Deployment, its workers; nothing where empty.
async fn stacks(namespace: &Namespace<'_>, lookup: Lookup, named: &[(&str, &str, &str)]) -> Kubernetes {
    stacks_as(&namespace.admin().kubeconfig(), namespace, lookup, named).await
}

async fn stacks_as(
    kubeconfig: &Path,
    namespace: &Namespace<'_>,
    lookup: Lookup,
    named: &[(&str, &str, &str)],
) -> Kubernetes {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let named: BTreeMap<_, _> = named
        .iter()
        .map(|(backend, deployment, workers)| {
            let named = Named {
                deployment: text(deployment),
                workers: text(workers),
            };
            ((*backend).to_owned(), named)
        })
        .collect();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::by_kubeconfig(kubeconfig).await.expect("a client");
    Kubernetes::new(client, namespace.name.clone(), lookup, named)
}

/// A Deployment and the Service in front of it, both called `name`.
fn version(namespace: &Namespace, name: &str, replicas: u32) {
    let pods = format!("app=web,version={name}");
    namespace.deployment(name, &pods, replicas);
    namespace.service(name, &pods);
}

/// Waits until the stack is as it should be.
async fn until_stack(stacks: &Kubernetes, backend: &str, is_so: impl Fn(&Stack) -> bool) -> Stack {
    for _ in 0..600 {
        let stack = stacks.read(backend).await.expect("a stack");
        if is_so(&stack) {
            return stack;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{backend} is still {:?}", stacks.read(backend).await);
}

fn replicas(namespace: &Namespace, deployment: &str) -> Value {
    namespace.get("Deployment", deployment)["spec"]["replicas"].clone()
}

/// What rollgate remembers beside an object.
fn kept(namespace: &Namespace, kind: &str, name: &str) -> Value {
    let annotation = match kind {
        "Deployment" => "rollgate.dev/replicas-before",
        _ => "rollgate.dev/min-before",
    };
    namespace.get(kind, name)["metadata"]["annotations"][annotation].clone()
}
