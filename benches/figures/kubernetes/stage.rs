//! A namespace with two versions and a HTTPRoute between them, as a team has it, and rollgate's own view of it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use rollgate::plan::Plan;
use rollgate::providers::cluster::Cluster;
use rollgate::providers::stacks::kubernetes::{Kubernetes, Lookup};
use rollgate::providers::traffic::{Users, gateway_api::GatewayApi};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::programs::{bare, program};
use crate::rollout;
use crate::support::kube::Namespace;
use crate::support::servers::until;

pub(crate) const BACKENDS: [&str; 2] = ["web-blue", "web-green"];

/// The namespace outlives it, as the cluster does.
pub(crate) struct Stage {
    pub(crate) namespace: Namespace<'static>,
    plan: PathBuf,
    cluster: Cluster,
    folder: TempDir,
}

impl Stage {
    /// Both versions are ready, their pods on `ports`, and stable has everything. `parent`: whose route it is.
    pub(crate) async fn begin(namespace: Namespace<'static>, ports: [u16; 2], parent: &Value) -> Self {
        for (backend, port) in BACKENDS.into_iter().zip(ports) {
            let pods = format!("app=web,version={backend}");
            namespace.deployment_on(backend, &pods, 1, port);
            namespace.service(backend, &pods);
        }
        for backend in BACKENDS {
            namespace.wait_ready(backend);
            namespace.wait_endpoints(backend, 1);
        }
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": { "name": "web" },
            "spec": {
                "parentRefs": [parent],
                "hostnames": [namespace.host()],
                "rules": [{ "backendRefs": [
                    { "name": BACKENDS[0], "port": 80, "weight": 100 },
                    { "name": BACKENDS[1], "port": 80, "weight": 0 },
                ] }],
            },
        });
        namespace.apply(&route.to_string());
        let folder = TempDir::new().expect("a scratch folder");
        let plan = folder.path().join("rollgate.yml");
        fs::write(&plan, text(&namespace.name)).expect("the plan");
        let cluster = Cluster::by_kubeconfig(&namespace.admin().kubeconfig()).await;
        Self {
            cluster: cluster.expect("the cluster"),
            namespace,
            plan,
            folder,
        }
    }

    /// Waits until a Gateway has said something of the route.
    pub(crate) fn wait_accepted(&self) {
        until("the route is accepted", Duration::from_secs(60), || {
            let route = self.namespace.get("HTTPRoute", "web");
            route["status"]["parents"][0].is_object().then_some(())
        });
    }

    pub(crate) fn router(&self) -> GatewayApi {
        self.router_by(&self.cluster)
    }

    /// The same through another client.
    pub(crate) fn router_by(&self, cluster: &Cluster) -> GatewayApi {
        GatewayApi::new(
            cluster.clone(),
            self.namespace.name.clone(),
            "web".to_owned(),
            BACKENDS.map(str::to_owned),
            Users::default(),
        )
    }

    pub(crate) fn stacks(&self) -> Kubernetes {
        self.stacks_by(&self.cluster)
    }

    /// The same through another client.
    pub(crate) fn stacks_by(&self, cluster: &Cluster) -> Kubernetes {
        let named = std::collections::BTreeMap::new();
        Kubernetes::new(
            cluster.clone(),
            self.namespace.name.clone(),
            Lookup::Service,
            named,
        )
    }

    /// From now on the candidate has so many percent.
    pub(crate) async fn holds(&self, percent: u8) {
        let plan = Plan::read(&self.plan).expect("a plan");
        rollout::hold(&self.router(), &plan, BACKENDS, percent, Timestamp::now()).await;
    }

    pub(crate) fn rollback(&self) -> Command {
        let mut command = bare(env!("CARGO_BIN_EXE_shift-traffic"));
        command
            .args(["rollback", "--reason", "bench", "--plan"])
            .arg(&self.plan)
            .arg("--out")
            .arg(self.folder.path().join("out"))
            .env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// A script for bash in which `kubectl` is `$KUBECTL`, at home in this namespace; it remembers the kinds of the
    /// cluster from call to call, as on a person's machine.
    pub(crate) fn script(&self, text: &str) -> Command {
        let mut command = bare("bash");
        command
            .args(["-c", text])
            .env("KUBECTL", program("kubectl"))
            .env("KUBECONFIG", self.kubeconfig())
            .env("HOME", self.folder.path());
        command
    }

    fn kubeconfig(&self) -> PathBuf {
        self.namespace.admin().kubeconfig()
    }

    /// What the API server gives the two.
    pub(crate) fn weights(&self) -> [u64; 2] {
        let route = self.namespace.get("HTTPRoute", "web");
        let backends = &route["spec"]["rules"][0]["backendRefs"];
        [0, 1].map(|place| backends[place]["weight"].as_u64().expect("a weight"))
    }
}

/// The smallest plan; nothing is ever asked of its source.
fn text(namespace: &str) -> String {
    let [blue, green] = BACKENDS;
    format!(
        "service: web\n\
         traffic:\n  gateway-api: {{ namespace: {namespace}, route: web, backends: [{blue}, {green}] }}\n\
         metrics:\n  prometheus: {{ url: \"http://127.0.0.1:1\" }}\n  \
         requests: http_requests_total{{service=\"web\"}}\n  \
         errors: http_requests_total{{service=\"web\",code=~\"5..\"}}\n\
         judgement: {{ cluster-size: 1.5 }}\n\
         phases: {{ canary: {{ steps: [{{ weight: 10%, for: 96h }}] }} }}\n"
    )
}
