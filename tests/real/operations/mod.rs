//! Roles and order: the real tool on a real API server with real Deployments, behind a VirtualService or a HTTPRoute.
//! Pods are simulated; what makes them is not.

mod production;
mod rollback;
mod routed;

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use rollgate::journal;
use rollgate_domain::rollout::record::Record;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    http::{Http, Reply},
    kube::{Cluster, Gateway, Namespace},
    servers::until,
    tool::{Ended, Running, binary, run},
};
use routed::Routed;

/// The controllers of a busy machine, and steps of seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// One service in two versions, its router, its counters and its plan. Dropped in this order: the Gateway looks at
/// the namespace.
struct Shop {
    gateway: Option<Gateway>,
    routed: Routed,
    namespace: Namespace<'static>,
    folder: TempDir,
    kubeconfig: PathBuf,
    meter: Http,
}

/// What differs in the plan from test to test.
struct Terms {
    routed: Routed,
    /// Production's steps, without the last one.
    steps: &'static str,
    keep_old: &'static str,
    rollback: &'static str,
}

const TERMS: Terms = Terms {
    routed: Routed::Istio,
    steps: "{ weight: 25%, for: 1h }",
    keep_old: "1h",
    rollback: "capacity-within: 60s, drain: 1s",
};

impl Shop {
    /// So many pods of blue, which has the traffic, and of green.
    fn new(name: &str, blue: u32, green: u32, terms: &Terms) -> Option<Self> {
        let namespace = Cluster::shared()?.namespace(name);
        for (version, pods) in [("web-blue", blue), ("web-green", green)] {
            let labels = format!("app=web,version={version}");
            namespace.deployment(version, &labels, pods);
            namespace.service(version, &labels);
            let workers = version.replace("web", "worker");
            namespace.deployment(&workers, &format!("app=worker,version={version}"), 2);
        }
        let routed = terms.routed;
        namespace.apply(&routed.object(&namespace.host()).to_string());
        let gateway = (routed == Routed::GatewayApi).then(|| Gateway::of(&namespace));
        let began = Instant::now();
        let meter = Http::start(move |_| {
            // Enough to prove health within a second.
            let requests = began.elapsed().as_millis() * 1000;
            Reply::ok(format!(
                "http_requests_total{{code=\"200\"}} {requests}\nhttp_requests_total{{code=\"500\"}} 0\n"
            ))
        });
        let shop = Self {
            gateway,
            routed,
            kubeconfig: namespace.admin().kubeconfig(),
            folder: tempfile::tempdir().expect("a scratch folder"),
            namespace,
            meter,
        };
        shop.plan(terms);
        for (version, pods) in [("web-blue", blue), ("web-green", green)] {
            shop.has_ready(version, pods);
        }
        if shop.gateway.is_some() {
            until("the route is accepted", PATIENCE, || {
                shop.object()["status"]["parents"][0].is_object().then_some(())
            });
        }
        Some(shop)
    }

    fn plan(&self, terms: &Terms) {
        let Terms {
            routed,
            steps,
            keep_old,
            rollback,
        } = terms;
        let (namespace, page, router) = (&self.namespace.name, &self.meter.url, routed.key());
        let text = format!(
            "service: shop\n\
             traffic:\n  {router}: {{ namespace: {namespace}, route: web, backends: [web-blue, web-green] }}\n\
             backends:\n  web-blue: {{ workers: worker-blue }}\n  web-green: {{ workers: worker-green }}\n\
             metrics:\n  scrape: {{ pages: {{ web-blue: [{page}/blue], web-green: [{page}/green] }} }}\n  \
             requests: http_requests_total\n  errors: http_requests_total{{code=~\"5..\"}}\n\
             judgement: {{ look: 200ms, grace: 100ms, forgive: 200ms, delay: 20ms, cluster-size: 1 }}\n\
             phases:\n  production:\n    total: 3h\n    keep-old: {keep_old}\n    require: no-harm\n    \
             steps: [{steps}, {{ weight: 100% }}]\n\
             rollback: {{ {rollback} }}\n\
             driver: {{ blind: 60s }}\n"
        );
        fs::write(self.folder.path().join("plan.yml"), text).expect("a plan");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = binary("shift-traffic");
        command
            .args(arguments)
            .args(["--plan".as_ref(), self.folder.path().join("plan.yml").as_os_str()])
            .env("KUBECONFIG", &self.kubeconfig)
            .env("ROLLGATE_OUT", self.folder.path().join("out"));
        command
    }

    fn shift(&self, arguments: &[&str]) -> Ended {
        run(self.command(arguments))
    }

    /// A production that is recorded, and a driver of it.
    fn driven(&self) -> Running {
        self.shift(&["start", "--phase", "production", "--without-canary"])
            .with(0);
        self.drive()
    }

    fn drive(&self) -> Running {
        Running::start(self.command(&["run"]), &self.folder.path().join("run"))
    }

    /// The router's object.
    fn object(&self) -> Value {
        self.namespace.get(self.routed.kind(), "web")
    }

    fn record(&self) -> Record {
        let object = self.object();
        let text = object["metadata"]["annotations"]["rollgate.dev/record"].as_str();
        Record::decode(text.expect("a record")).expect("a record of ours")
    }

    fn share(&self) -> u64 {
        self.routed.share(&self.object())
    }

    #[track_caller]
    fn has_share(&self, share: u64) {
        until(&format!("green has {share} %"), PATIENCE, || {
            (self.share() == share).then_some(())
        });
    }

    #[track_caller]
    fn has_ready(&self, version: &str, pods: u32) {
        self.namespace.wait_endpoints(version, pods as usize);
    }

    fn replicas(&self, deployment: &str) -> Value {
        self.namespace.get("Deployment", deployment)["spec"]["replicas"].clone()
    }

    fn scale(&self, deployment: &str, replicas: u32) {
        let change = json!({ "spec": { "replicas": replicas } });
        self.namespace.patch("Deployment", deployment, &change);
    }

    /// So many pods may be in the namespace; those that are there stay.
    fn allow_pods(&self, pods: u32) {
        let object = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "pods" },
                             "spec": { "hard": { "pods": pods } } });
        self.namespace.apply(&object.to_string());
    }

    /// Scales a version between `min` and 10 pods.
    fn autoscaler(&self, version: &str, min: u32) {
        let object = json!({
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": { "name": version },
            "spec": {
                "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": version },
                "minReplicas": min,
                "maxReplicas": 10,
            },
        });
        self.namespace.apply(&object.to_string());
    }

    fn min(&self, version: &str) -> Value {
        self.namespace.get("HorizontalPodAutoscaler", version)["spec"]["minReplicas"].clone()
    }

    /// Everything that the journal tells, in words.
    fn story(&self) -> String {
        let events = journal::read_events(&self.folder.path().join("out")).expect("a journal");
        let words = events.iter().map(rollgate_domain::notice::story::log_line);
        words.collect::<Vec<_>>().join("\n")
    }
}
