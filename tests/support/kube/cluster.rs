//! One real Kubernetes for all tests of the process: etcd, API server, controllers, scheduler, a simulated node.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use reqwest::Method;
use serde_json::Value;

use super::{
    api::Api,
    namespace::Namespace,
    network::Network,
    parts::{Parts, flag},
    user::User,
};
use crate::support::{
    http::nobody,
    servers::{Server, Will, until},
};

/// How long a part may take to begin, on a machine that is busy with other tests.
const BEGIN: Duration = Duration::from_secs(90);

const ADMIN: &str = "admin-of-the-tests";

/// The node of all pods; kwok gives it the room of a data centre.
const NODE: &str = "
apiVersion: v1
kind: Node
metadata: { name: node, annotations: { kwok.x-k8s.io/node: fake } }
";

/// Dropped in this order: the servers before their folder.
pub(crate) struct Cluster {
    /// HOST:PORT of the API server.
    pub(crate) address: String,
    pub(crate) api: Api,
    pub(super) parts: Parts,
    pub(super) network: Option<Network>,
    controllers: Vec<Server>,
    api_server: Mutex<Option<Server>>,
    etcd: (String, Mutex<Server>),
    namespaces: AtomicUsize,
    pub(super) folder: PathBuf,
    _will: Will,
}

impl Cluster {
    /// The one of this process, with everything; nothing, said aloud, where parts are missing.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        let parts = Parts::find()?;
        Some(SHARED.get_or_init(|| {
            let mut cluster = Self::new(parts);
            cluster.network = Network::claim();
            let definitions = cluster.define(&["gateway-api", "istio", "contour"]);
            cluster.start_controllers();
            cluster.wait_established(definitions);
            cluster
        }))
    }

    /// One of the test's own, to stop and to start: etcd and API server alone, so nothing runs in it.
    pub(crate) fn private() -> Option<Self> {
        Some(Self::new(Parts::find()?))
    }

    fn new(parts: Parts) -> Self {
        // Ports are free when they are chosen; somebody else may be faster.
        for _ in 0..3 {
            let folder = tempfile::Builder::new().prefix("rollgate-kube-").tempdir();
            let folder = folder.expect("a scratch folder").keep();
            let tokens = format!("{ADMIN},admin,admin,\"system:masters\"\n");
            fs::write(folder.join("tokens.csv"), tokens).expect("the tokens");
            let address = nobody();
            let cluster = Self {
                api: Api::new(&format!("https://{address}"), ADMIN, &parts.authority()),
                address,
                parts: parts.clone(),
                network: None,
                controllers: Vec::new(),
                api_server: Mutex::new(None),
                etcd: start_etcd(&parts, &folder),
                namespaces: AtomicUsize::new(0),
                _will: Will::new(Command::new("rm").arg("-rf").arg(&folder)),
                folder,
            };
            if cluster.start_api_server() {
                return cluster;
            }
        }
        panic!("the API server ended by itself, three times");
    }

    /// Whether the API server has begun; not if it, or etcd, ended at once.
    pub(crate) fn start_api_server(&self) -> bool {
        let (host, port) = self.address.split_once(':').expect("HOST:PORT");
        let mut command = self.parts.program("kube-apiserver");
        command
            .arg(format!("--etcd-servers=http://{}", self.etcd.0))
            .arg(format!("--bind-address={host}"))
            .arg(format!("--secure-port={port}"))
            // Nobody needs the Service `kubernetes`, and no address of this machine is good enough for it.
            .args(["--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"])
            .arg("--service-cluster-ip-range=10.96.0.0/16")
            .arg("--authorization-mode=RBAC")
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg(flag("token-auth-file", &self.folder.join("tokens.csv")))
            .arg(flag("cert-dir", &self.folder))
            .arg(flag("tls-cert-file", &self.parts.path("keys/server.crt")))
            .arg(flag("tls-private-key-file", &self.parts.path("keys/server.key")));
        for name in ["service-account-key-file", "service-account-signing-key-file"] {
            command.arg(flag(name, &self.parts.path("keys/accounts.key")));
        }
        let mut server = self.server(&command);
        let began = until("the API server begins", BEGIN, || {
            if self.api.send(Method::GET, "/readyz", "", "").is_ok() {
                Some(true)
            } else {
                let etcd = &self.etcd.1;
                let is_over =
                    server.is_over() || etcd.lock().unwrap_or_else(PoisonError::into_inner).is_over();
                is_over.then_some(false)
            }
        });
        *self.api_server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        began
    }

    /// Kills the API server, as if its machine had died; etcd keeps everything.
    pub(crate) fn stop_api_server(&self) {
        *self.api_server.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn start_controllers(&mut self) {
        let admin = self.admin().kubeconfig();
        let mut kwok = self.parts.program("kwok");
        kwok.args(["--manage-all-nodes", "--node-lease-duration-seconds=0"])
            .arg(flag("kubeconfig", &admin))
            .arg(flag("config", &self.parts.path("kwok-stages.yaml")));
        if let Some(network) = &self.network {
            kwok.arg(format!("--cidr={}", network.pods()));
        }
        let mut manager = self.parts.program("kube-controller-manager");
        manager
            .args([
                "--leader-elect=false",
                "--secure-port=0",
                "--kube-api-qps=500",
                "--kube-api-burst=1000",
            ])
            .arg("--horizontal-pod-autoscaler-sync-period=2s")
            // Nodes without a heartbeat: a machine that is busy with tests must not look like one that died.
            .arg("--node-monitor-grace-period=24h")
            .arg(flag("kubeconfig", &admin))
            .arg(flag("root-ca-file", &self.parts.authority()))
            .arg(flag(
                "service-account-private-key-file",
                &self.parts.path("keys/accounts.key"),
            ));
        let mut scheduler = self.parts.program("kube-scheduler");
        scheduler
            .args(["--leader-elect=false", "--secure-port=0"])
            .arg(flag("kubeconfig", &admin));
        self.controllers = [kwok, manager, scheduler]
            .iter()
            .map(|command| self.server(command))
            .collect();
        self.api.apply(NODE, None).expect("a node");
        until("the node is ready", BEGIN, || {
            let node = self.api.get("Node", None, "node").ok()?;
            let conditions = node["status"]["conditions"].as_array()?;
            let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
            (ready["status"] == "True").then_some(())
        });
    }

    /// Teaches the API server one kind of these files, by the name of its definition, as `edit` makes it.
    pub(crate) fn define_as(&self, file: &str, name: &str, edit: impl Fn(&mut Value)) {
        let text = self.definitions(file);
        let mut documents = text.split("\n---\n");
        let named = format!("\n  name: {name}\n");
        let document = documents.find(|document| document.contains(&named));
        let mut definition: Value = serde_saphyr::from_str(document.expect(name)).expect("YAML");
        edit(&mut definition);
        self.api.apply_object(&definition, None).expect("a definition");
        self.wait_established(1);
    }

    fn definitions(&self, file: &str) -> String {
        fs::read_to_string(self.parts.path(&format!("crds/{file}.yaml"))).expect("definitions")
    }

    /// Teaches the API server the kinds of these files; how many.
    fn define(&self, files: &[&str]) -> usize {
        let texts: Vec<String> = files.iter().map(|file| self.definitions(file)).collect();
        let definitions: Vec<&str> = texts
            .iter()
            .flat_map(|text| text.split("\n---\n"))
            .filter(|document| document.contains("\nkind: CustomResourceDefinition\n"))
            // Of Istio's the routers are enough, and each costs time.
            .filter(|document| {
                !document.contains("istio.io\n") || document.contains("group: networking.istio.io\n")
            })
            .collect();
        thread::scope(|scope| {
            for part in definitions.chunks(definitions.len().div_ceil(4)) {
                scope.spawn(move || {
                    for definition in part {
                        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
                        let made = self.api.send(Method::POST, path, "application/yaml", definition);
                        made.expect("a definition");
                    }
                });
            }
        });
        definitions.len()
    }

    fn wait_established(&self, count: usize) {
        let is_established = |definition: &Value| {
            let conditions = definition["status"]["conditions"].as_array();
            let mut conditions = conditions.into_iter().flatten();
            conditions.any(|condition| condition["type"] == "Established" && condition["status"] == "True")
        };
        until("all kinds are established", BEGIN, || {
            let all = self.api.list("CustomResourceDefinition", None, "").ok()?;
            (all.iter().filter(|definition| is_established(definition)).count() == count).then_some(())
        });
    }

    /// A fresh namespace; its name begins with `name`.
    pub(crate) fn namespace(&self, name: &str) -> Namespace<'_> {
        let number = self.namespaces.fetch_add(1, Ordering::Relaxed);
        Namespace::create(self, format!("{name}-{number}"))
    }

    /// Who may do everything.
    pub(crate) fn admin(&self) -> User<'_> {
        User::new(self, "admin", ADMIN, "default")
    }

    /// What a server has said so far.
    pub(super) fn log(&self, program: &str) -> String {
        fs::read_to_string(self.folder.join(format!("{program}.log"))).unwrap_or_default()
    }

    /// Starts `command` with its log in the folder of the cluster.
    pub(super) fn server(&self, command: &Command) -> Server {
        let program = PathBuf::from(command.get_program());
        let name = program.file_stem().expect("a program").to_string_lossy();
        Server::start(command, &self.folder.join(format!("{name}.log")))
    }
}

/// HOST:PORT and the server.
fn start_etcd(parts: &Parts, folder: &Path) -> (String, Mutex<Server>) {
    let [clients, peers] = [nobody(), nobody()];
    let mut command = parts.program("etcd");
    command
        .args(["--unsafe-no-fsync", "--log-level=warn"])
        .arg(flag(
            "data-dir",
            &folder.join(format!("etcd-{}", clients.replace(':', "-"))),
        ))
        .arg(format!("--listen-client-urls=http://{clients}"))
        .arg(format!("--advertise-client-urls=http://{clients}"))
        .arg(format!("--listen-peer-urls=http://{peers}"))
        .arg(format!("--initial-advertise-peer-urls=http://{peers}"))
        .arg(format!("--initial-cluster=default=http://{peers}"));
    let server = Server::start(&command, &folder.join("etcd.log"));
    (clients, Mutex::new(server))
}
