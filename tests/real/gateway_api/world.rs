//! A namespace with a HTTPRoute, two versions behind it, and pages that count as a large service would.

use std::{cell::Cell, fs, path::PathBuf, process::Command, time::Duration};

use rollgate_domain::rollout::record::Record;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    kube::{Cluster, Gateway, Link, Namespace},
    pages::Pages,
    servers::until,
    tool::{Ended, Running, binary, run},
};

pub(super) const KIND: &str = "HTTPRoute";

/// A backend as the API server keeps it.
pub(super) fn backend(name: &str, weight: u64) -> Value {
    json!({ "group": "", "kind": "Service", "name": name, "port": 80, "weight": weight })
}

/// A rule for a path.
pub(super) fn rule(path: &str, backends: &[Value]) -> Value {
    json!({
        "matches": [{ "path": { "type": "PathPrefix", "value": path } }],
        "backendRefs": backends,
    })
}

/// Everything to blue, beside a rule of somebody else.
pub(super) fn rules() -> Vec<Value> {
    let mut web = rule("/", &[backend("web-blue", 100), backend("web-green", 0)]);
    web["timeouts"] = json!({ "request": "5s" });
    web["filters"] = json!([{
        "type": "RequestHeaderModifier",
        "requestHeaderModifier": { "set": [{ "name": "x-edge", "value": "1" }] },
    }]);
    vec![rule("/static", &[backend("cdn", 7), backend("cdn-old", 3)]), web]
}

/// Dropped in this order: who asks before who answers, the folder last.
pub(super) struct World<'a> {
    pub(super) namespace: Namespace<'a>,
    /// More of the plan: `sticky` and `preview`.
    pub(super) users: &'static str,
    /// The steps of the canary.
    pub(super) steps: &'static str,
    pub(super) kubeconfig: PathBuf,
    pub(super) gateway: Option<Gateway>,
    pages: Pages,
    calls: Cell<u32>,
    folder: TempDir,
}

impl World<'static> {
    /// With these rules, a Gateway that accepts everything and serves nobody, and both versions ready.
    pub(super) fn with(rules: &[Value]) -> Option<Self> {
        let cluster = Cluster::shared()?;
        let mut world = Self::of(cluster.namespace("gateway"));
        world.deploy(8080, 8080);
        world.route(rules, &json!({ "name": "edge" }));
        world.gateway = Some(Gateway::of(&world.namespace));
        until("the route is accepted", Duration::from_secs(30), || {
            world.object()["status"]["parents"][0].is_object().then_some(())
        });
        Some(world)
    }
}

impl<'a> World<'a> {
    /// Nothing but a namespace and a plan.
    pub(super) fn of(namespace: Namespace<'a>) -> Self {
        Self {
            kubeconfig: namespace.admin().kubeconfig(),
            namespace,
            users: "",
            steps: "[{ weight: 5%, for: 400ms }, { weight: 10%, for: 1h }]",
            gateway: None,
            pages: Pages::start(),
            calls: Cell::new(0),
            folder: tempfile::tempdir().expect("a scratch folder"),
        }
    }

    /// Both versions, ready, whose pods listen on these ports.
    pub(super) fn deploy(&self, blue: u16, green: u16) {
        let both = [("web-blue", blue), ("web-green", green)];
        for (name, port) in both {
            let pods = format!("app=web,version={name}");
            self.namespace.deployment_on(name, &pods, 1, port);
            self.namespace.service(name, &pods);
        }
        for (name, _) in both {
            self.namespace.wait_ready(name);
            self.namespace.wait_endpoints(name, 1);
        }
    }

    /// The HTTPRoute, as its owner writes it.
    pub(super) fn route(&self, rules: &[Value], parent: &Value) {
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": KIND,
            "metadata": { "name": "web", "annotations": { "example.com/owner": "shop" } },
            "spec": { "parentRefs": [parent], "hostnames": [self.namespace.host()], "rules": rules },
        });
        self.namespace.apply(&route.to_string());
    }

    /// From now on one of ten requests of green fails.
    pub(super) fn green_fails(&self) {
        self.pages.green_fails(true);
    }

    /// From now on nobody asks the API server but through this.
    pub(super) fn through(&mut self, link: &Link) {
        self.kubeconfig = self.namespace.admin().kubeconfig_at(&link.address);
    }

    pub(super) fn plan(&self) -> String {
        let Self {
            namespace,
            users,
            steps,
            ..
        } = self;
        let (name, metrics) = (&namespace.name, self.pages.metrics(["web-blue", "web-green"]));
        format!(
            "service: shop-api
traffic:
  gateway-api: {{ namespace: {name}, route: web, backends: [web-blue, web-green] }}
{users}
{metrics}judgement: {{ look: 200ms, grace: 100ms, forgive: 200ms, delay: 20ms, cluster-size: 1 }}
phases:
  canary:
    require: proof
    steps: {steps}
"
        )
    }

    pub(super) fn command<'b>(&self, arguments: impl IntoIterator<Item = &'b str>) -> Command {
        self.command_with(&self.plan(), arguments)
    }

    /// The tool with another plan.
    pub(super) fn command_with<'b>(
        &self,
        plan: &str,
        arguments: impl IntoIterator<Item = &'b str>,
    ) -> Command {
        self.tool("shift-traffic", plan, arguments)
    }

    /// Any tool with a plan.
    pub(super) fn tool<'b>(
        &self,
        name: &str,
        plan: &str,
        arguments: impl IntoIterator<Item = &'b str>,
    ) -> Command {
        let call = self.calls.get();
        self.calls.set(call + 1);
        let file = self.folder.path().join(format!("rollgate{call}.yml"));
        fs::write(&file, plan).expect("the plan");
        let mut command = binary(name);
        command
            .env("KUBECONFIG", &self.kubeconfig)
            .env("ROLLGATE_PLAN", file)
            .env("ROLLGATE_OUT", self.folder.path().join("out"))
            .args(arguments);
        command
    }

    #[track_caller]
    pub(super) fn shift<'b>(&self, arguments: impl IntoIterator<Item = &'b str>) -> Ended {
        run(self.command(arguments))
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// A driver beside the test.
    pub(super) fn drive(&self) -> Running {
        let command = self.command(["run"]);
        let log = self.folder.path().join(format!("driver{}", self.calls.get()));
        Running::start(command, &log)
    }

    /// A new rollout and the driver that holds its candidate at 10 %.
    #[track_caller]
    pub(super) fn held_at_10(&self) -> Running {
        self.shift(["start"]).with(0);
        let driver = self.drive();
        until("green has 10 %", Duration::from_secs(60), || {
            (self.weights() == [90, 10]).then_some(())
        });
        driver
    }

    pub(super) fn object(&self) -> Value {
        self.namespace.get(KIND, "web")
    }

    pub(super) fn all_rules(&self) -> Vec<Value> {
        let route = self.object();
        route["spec"]["rules"].as_array().cloned().unwrap_or_default()
    }

    /// Rules that are not rollgate's.
    pub(super) fn others_rules(&self) -> Vec<Value> {
        let mut rules = self.all_rules();
        rules.retain(|rule| own_name(rule).is_none());
        rules
    }

    /// The names of rollgate's own rules.
    pub(super) fn own_rules(&self) -> Vec<String> {
        self.all_rules().iter().filter_map(own_name).collect()
    }

    /// The weights of blue and green in the rule `/`.
    pub(super) fn weights(&self) -> [u64; 2] {
        let rules = self.others_rules();
        let is_web = |rule: &&Value| rule["matches"][0]["path"]["value"] == "/";
        let web = rules.iter().find(is_web).expect("a rule for every path");
        ["web-blue", "web-green"].map(|name| {
            let backends = web["backendRefs"].as_array().expect("backends");
            let backend = backends.iter().find(|backend| backend["name"] == name);
            backend.map_or(0, |backend| backend["weight"].as_u64().unwrap_or(1))
        })
    }

    #[track_caller]
    pub(super) fn record(&self) -> Record {
        let route = self.object();
        let text = route["metadata"]["annotations"]["rollgate.dev/record"].as_str();
        Record::decode(text.expect("a record")).expect("a whole record")
    }

    /// A foreign hand replaces all rules.
    pub(super) fn put_rules(&self, rules: &[Value]) {
        self.namespace
            .patch(KIND, "web", &json!({ "spec": { "rules": rules } }));
    }

    /// Everybody is on blue and nothing of a rollout is left but the record.
    #[track_caller]
    pub(super) fn assert_all_on_blue(&self) {
        assert_eq!(self.weights(), [100, 0]);
        assert_eq!(self.own_rules(), Vec::<String>::new());
    }
}

fn own_name(rule: &Value) -> Option<String> {
    let name = rule["name"].as_str()?;
    name.starts_with("rollgate-").then(|| name.to_owned())
}
