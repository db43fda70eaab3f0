//! A namespace with a VirtualService, two versions behind it, and pages that count as a large service would.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use rollgate_domain::rollout::record::Record;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    kube::{Cluster, Namespace},
    pages::Pages,
    servers::until,
    tool::{Ended, Running, binary, run},
};

pub(super) const KIND: &str = "VirtualService";

/// Everything to blue, beside a route of somebody else.
pub(super) const SHARED: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec:
  hosts: [web.example.com]
  http:
    - name: static
      match: [{ uri: { prefix: /static } }]
      route: [{ destination: { host: cdn } }]
    - name: web
      timeout: 2s
      route:
        - { destination: { host: web-blue }, weight: 100 }
        - { destination: { host: web-green }, weight: 0 }
";

pub(super) struct World {
    pub(super) namespace: Namespace<'static>,
    /// More of the plan: `sticky` and `preview`.
    pub(super) users: &'static str,
    /// The steps of the canary.
    pub(super) steps: &'static str,
    /// More of `traffic.istio`: the host of subsets.
    pub(super) host: &'static str,
    /// The two backends.
    pub(super) backends: [&'static str; 2],
    pub(super) kubeconfig: PathBuf,
    pages: Pages,
    folder: TempDir,
}

impl World {
    /// With this VirtualService, and both versions ready.
    pub(super) fn with(service: &str) -> Option<Self> {
        let namespace = Cluster::shared()?.namespace("istio");
        namespace.apply(service);
        for name in ["web-blue", "web-green"] {
            let pods = format!("app=web,version={name}");
            namespace.deployment(name, &pods, 1);
            namespace.service(name, &pods);
        }
        for name in ["web-blue", "web-green"] {
            namespace.wait_ready(name);
            namespace.wait_endpoints(name, 1);
        }
        Some(Self {
            kubeconfig: namespace.admin().kubeconfig(),
            namespace,
            users: "",
            steps: "[{ weight: 5%, for: 400ms }, { weight: 10%, for: 1h }]",
            host: "",
            backends: ["web-blue", "web-green"],
            pages: Pages::start(),
            folder: tempfile::tempdir().expect("a scratch folder"),
        })
    }

    /// From now on one of ten requests of green fails.
    pub(super) fn green_fails(&self) {
        self.pages.green_fails(true);
    }

    fn plan(&self) -> String {
        let Self {
            namespace,
            users,
            steps,
            host,
            backends,
            ..
        } = self;
        let (name, [blue, green]) = (&namespace.name, backends);
        let metrics = self.pages.metrics([blue, green]);
        format!(
            "service: shop-api
traffic:
  istio: {{ namespace: {name}, route: web, {host} backends: [{blue}, {green}] }}
{users}
{metrics}judgement: {{ look: 200ms, grace: 100ms, forgive: 200ms, delay: 20ms, cluster-size: 1 }}
phases:
  canary:
    require: proof
    steps: {steps}
"
        )
    }

    pub(super) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        self.command_with(&self.plan(), arguments)
    }

    /// The tool with another plan.
    pub(super) fn command_with<'a>(
        &self,
        plan: &str,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Command {
        let file = self.folder.path().join("rollgate.yml");
        fs::write(&file, plan).expect("the plan");
        let mut command = binary("shift-traffic");
        command
            .env("KUBECONFIG", &self.kubeconfig)
            .env("ROLLGATE_PLAN", file)
            .env("ROLLGATE_OUT", self.folder.path().join("out"))
            .args(arguments);
        command
    }

    #[track_caller]
    pub(super) fn shift<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Ended {
        run(self.command(arguments))
    }

    /// A new rollout and the driver that holds its candidate at 10 %.
    #[track_caller]
    pub(super) fn held_at_10(&self) -> Running {
        self.shift(["start"]).with(0);
        let driver = Running::start(self.command(["run"]), &self.folder.path().join("driver"));
        until("green has 10 %", Duration::from_secs(60), || {
            (self.weights() == [90, 10]).then_some(())
        });
        driver
    }

    pub(super) fn service(&self) -> Value {
        self.namespace.get(KIND, "web")
    }

    pub(super) fn http(&self) -> Vec<Value> {
        let service = self.service();
        service["spec"]["http"].as_array().expect("routes").clone()
    }

    /// A route by its name.
    #[track_caller]
    pub(super) fn route(&self, name: &str) -> Value {
        let http = self.http();
        let found = http.iter().find(|route| route["name"] == name);
        found
            .unwrap_or_else(|| panic!("no route {name}: {http:?}"))
            .clone()
    }

    /// The names of rollgate's own routes.
    pub(super) fn own_routes(&self) -> Vec<String> {
        let http = self.http();
        let names = http.iter().filter_map(|route| route["name"].as_str());
        let own = names.filter(|name| name.starts_with("rollgate-"));
        own.map(str::to_owned).collect()
    }

    /// The weights of blue and green in the route `web`.
    pub(super) fn weights(&self) -> Vec<u64> {
        let route = self.route("web");
        let targets = route["route"].as_array().expect("destinations");
        targets
            .iter()
            .map(|target| target["weight"].as_u64().unwrap_or(0))
            .collect()
    }

    #[track_caller]
    pub(super) fn record(&self) -> Record {
        let service = self.service();
        let text = service["metadata"]["annotations"]["rollgate.dev/record"].as_str();
        Record::decode(text.expect("a record")).expect("a whole record")
    }

    /// A foreign hand replaces all routes.
    pub(super) fn put_http(&self, http: &[Value]) {
        self.namespace
            .patch(KIND, "web", &json!({ "spec": { "http": http } }));
    }

    /// Everybody is on blue and nothing of a rollout is left but the record.
    #[track_caller]
    pub(super) fn assert_all_on_blue(&self) {
        assert_eq!(self.weights(), [100, 0]);
        assert_eq!(self.own_routes(), Vec::<String>::new());
    }
}
