//! What isolates tests from each other.

use std::{fmt::Write as _, net::Ipv4Addr, process::Command, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    api::{Refused, labels},
    cluster::Cluster,
    user::User,
};
use crate::support::{require, servers::until};

/// How long the controllers may take, on a machine that is busy with other tests.
const CONTROLLERS: Duration = Duration::from_secs(60);

/// A namespace of one test. It stays when the test ends: nobody needs its name again.
pub(crate) struct Namespace<'a> {
    pub(crate) name: String,
    pub(crate) cluster: &'a Cluster,
}

impl<'a> Namespace<'a> {
    pub(super) fn create(cluster: &'a Cluster, name: String) -> Self {
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        cluster.api.apply_object(&object, None).expect("a namespace");
        Self { name, cluster }
    }

    /// The host that users name when they mean this namespace.
    pub(crate) fn host(&self) -> String {
        format!("{}.test", self.name)
    }

    /// Creates or changes the objects of a YAML.
    #[track_caller]
    pub(crate) fn apply(&self, yaml: &str) {
        self.cluster
            .api
            .apply(yaml, Some(&self.name))
            .expect("objects that the API server takes");
    }

    /// What the API server says about objects that it should not take.
    #[track_caller]
    pub(crate) fn refused(&self, yaml: &str) -> Refused {
        self.cluster
            .api
            .apply(yaml, Some(&self.name))
            .expect_err("a refusal")
    }

    /// An object; `kind` is its kind or its plural, with `.group` where two groups have it.
    #[track_caller]
    pub(crate) fn get(&self, kind: &str, name: &str) -> Value {
        self.find(kind, name)
            .unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    /// An object, if it is there.
    #[track_caller]
    pub(crate) fn find(&self, kind: &str, name: &str) -> Option<Value> {
        match self.cluster.api.get(kind, Some(&self.name), name) {
            Ok(object) => Some(object),
            Err(refused) if refused.status == 404 => None,
            Err(refused) => panic!("{kind} {name}: {refused:?}"),
        }
    }

    /// The objects of a kind that have these labels (`app=shop,version=blue`; all of them with "").
    #[track_caller]
    pub(crate) fn list(&self, kind: &str, labels: &str) -> Vec<Value> {
        self.cluster
            .api
            .list(kind, Some(&self.name), labels)
            .expect("a list")
    }

    /// Merges `change` into an object; the object afterwards.
    #[track_caller]
    pub(crate) fn patch(&self, kind: &str, name: &str, change: &Value) -> Value {
        self.cluster
            .api
            .patch(kind, Some(&self.name), name, change)
            .expect("a patch")
    }

    #[track_caller]
    pub(crate) fn delete(&self, kind: &str, name: &str) {
        self.cluster
            .api
            .delete(kind, Some(&self.name), name)
            .expect("a deletion");
    }

    /// A Deployment of a service on port 8080 whose pods have these labels (`app=shop,version=blue`). The controllers
    /// and a simulated node do the rest.
    pub(crate) fn deployment(&self, name: &str, pods: &str, replicas: u32) {
        self.deployment_on(name, pods, replicas, 8080);
    }

    /// The same with another port, called `http`.
    pub(crate) fn deployment_on(&self, name: &str, pods: &str, replicas: u32, port: u16) {
        let object = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": name },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": labels(pods) },
                "template": {
                    "metadata": { "labels": labels(pods) },
                    "spec": { "containers": [{
                        "name": "shop",
                        "image": "shop",
                        "ports": [{ "name": "http", "containerPort": port }],
                    }] },
                },
            },
        });
        self.apply(&object.to_string());
    }

    /// A Service on port 80 in front of the pods that have these labels.
    pub(crate) fn service(&self, name: &str, pods: &str) {
        let object = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": name },
            "spec": { "selector": labels(pods), "ports": [{ "name": "http", "port": 80, "targetPort": "http" }] },
        });
        self.apply(&object.to_string());
    }

    /// A Service on port 80 without a selector, in front of a server at `address:port`.
    pub(crate) fn service_at(&self, name: &str, address: Ipv4Addr, port: u16) {
        let mut yaml = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": name },
            "spec": { "ports": [{ "name": "http", "port": 80, "targetPort": port }] },
        })
        .to_string();
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": { "name": name, "labels": { "kubernetes.io/service-name": name } },
            "addressType": "IPv4",
            "endpoints": [{ "addresses": [address], "conditions": { "ready": true } }],
            "ports": [{ "name": "http", "port": port }],
        });
        let _ = write!(yaml, "\n---\n{slice}");
        self.apply(&yaml);
    }

    /// Waits until all replicas of a Deployment, as last asked for, are ready.
    #[track_caller]
    pub(crate) fn wait_ready(&self, deployment: &str) {
        until(&format!("{deployment} is ready"), CONTROLLERS, || {
            let object = self.get("Deployment", deployment);
            let seen = object["status"]["observedGeneration"] == object["metadata"]["generation"];
            let ready = object["status"]["readyReplicas"].as_u64().unwrap_or(0);
            (seen && object["spec"]["replicas"] == ready).then_some(())
        });
    }

    /// The addresses behind a Service that are ready.
    #[track_caller]
    pub(crate) fn endpoints(&self, service: &str) -> Vec<String> {
        let slices = self.list("EndpointSlice", &format!("kubernetes.io/service-name={service}"));
        let endpoints = slices
            .iter()
            .flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
        let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] != false);
        ready
            .flat_map(|endpoint| endpoint["addresses"].as_array().into_iter().flatten())
            .filter_map(|address| address.as_str().map(str::to_owned))
            .collect()
    }

    /// Waits until a Service has so many ready addresses.
    #[track_caller]
    pub(crate) fn wait_endpoints(&self, service: &str, count: usize) {
        until(&format!("{service} has {count} endpoints"), CONTROLLERS, || {
            (self.endpoints(service).len() == count).then_some(())
        });
    }

    /// Who may do everything, at home in this namespace.
    pub(crate) fn admin(&self) -> User<'a> {
        let mut admin = self.cluster.admin();
        admin.namespace.clone_from(&self.name);
        admin
    }

    /// A service account that may do in this namespace what `rules` say (those of a Role), and nothing else.
    pub(crate) fn user(&self, name: &str, rules: &Value) -> User<'a> {
        let subject = json!({ "kind": "ServiceAccount", "name": name, "namespace": self.name });
        let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name });
        let objects = [
            json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name } }),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "Role",
                "metadata": { "name": name },
                "rules": rules,
            }),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": { "name": name },
                "subjects": [subject],
                "roleRef": role,
            }),
        ];
        for object in objects {
            self.apply(&object.to_string());
        }
        let path = format!("/api/v1/namespaces/{}/serviceaccounts/{name}/token", self.name);
        let request = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} });
        let answer = self
            .cluster
            .api
            .send(Method::POST, &path, "application/json", &request.to_string());
        let answer = answer.expect("a token");
        let token = answer["status"]["token"].as_str().expect("a token");
        User::new(self.cluster, name, token, &self.name)
    }

    /// What the real kubectl says, as the administrator in this namespace.
    #[track_caller]
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let kubectl = require("kubectl").expect("kubectl is there, as it was when the cluster began");
        let output = Command::new(kubectl)
            .arg("--kubeconfig")
            .arg(self.admin().kubeconfig())
            .args(arguments)
            .output()
            .expect("kubectl");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {arguments:?}: {stderr}");
        String::from_utf8(output.stdout).expect("text")
    }
}
