//! Real traffic: Contour programs Envoy from the cluster's Gateway API objects, real servers answer behind it.

use std::{fs, process::Command, sync::OnceLock, time::Duration};

use serde_json::{Value, json};

use super::{
    cluster::Cluster,
    network::Network,
    parts::flag,
    users::{self, Met},
};
use crate::support::{
    require,
    servers::{Server, missing, until},
    world::shop::http,
};

/// How long Contour and Envoy may take to begin.
const BEGIN: Duration = Duration::from_secs(60);
/// The port that the Gateway names, and where Contour lets Envoy listen for it.
const PORT: u16 = 8080;
const ENVOY: u16 = 16080;

/// The Gateway `public/gateway` and what serves it.
pub(crate) struct DataPlane {
    /// HOST:PORT for users, who name the host of their route.
    pub(crate) front: String,
    pub(crate) cluster: &'static Cluster,
    pub(crate) network: &'static Network,
    _contour: Server,
    _envoy: Server,
}

impl DataPlane {
    /// The one of this process, with the one cluster; nothing, said aloud, where parts are missing.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<DataPlane> = OnceLock::new();
        let cluster = Cluster::shared()?;
        let envoy = require("envoy")?;
        let Some(network) = &cluster.network else {
            return missing("a network (ip route, as root or by sudo)");
        };
        Some(SHARED.get_or_init(|| Self::start(cluster, network, Command::new(envoy))))
    }

    fn start(cluster: &'static Cluster, network: &'static Network, mut envoy: Command) -> Self {
        let objects = format!(
            "
apiVersion: v1
kind: Namespace
metadata: {{ name: public }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{ name: contour }}
spec: {{ controllerName: projectcontour.io/gateway-controller }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{ name: gateway, namespace: public }}
spec:
  gatewayClassName: contour
  listeners:
    - {{ name: http, protocol: HTTP, port: {PORT}, allowedRoutes: {{ namespaces: {{ from: All }} }} }}
"
        );
        cluster.api.apply(&objects, None).expect("a gateway");
        let address = network.address(1);
        let config = cluster.folder.join("contour.yaml");
        let text = json!({ "gateway": { "gatewayRef": { "namespace": "public", "name": "gateway" } } });
        fs::write(&config, text.to_string()).expect("a configuration");
        let mut contour = cluster.parts.program("contour");
        contour
            .args(["serve", "--insecure", "--disable-leader-election"])
            .args(["--kubernetes-client-qps=500", "--kubernetes-client-burst=1000"])
            // It knows these in versions that the Gateway API no longer serves.
            .args(
                ["tlsroutes", "tcproutes", "backendtlspolicies"]
                    .map(|kind| format!("--disable-feature={kind}")),
            )
            .arg(flag("config-path", &config))
            .arg(flag("kubeconfig", &cluster.admin().kubeconfig()));
        for server in [
            "xds",
            "http",
            "health",
            "debug-http",
            "stats",
            "envoy-service-http",
            "envoy-service-https",
        ] {
            contour.arg(format!("--{server}-address={address}"));
        }
        let mut contour = cluster.server(&contour);
        until("Contour begins", BEGIN, || {
            assert!(!contour.is_over(), "{}", cluster.log("contour"));
            http(&format!("{address}:8000"), "GET /healthz", "").filter(|(status, _)| *status == 200)
        });

        let bootstrap = cluster.folder.join("envoy.json");
        let written = cluster
            .parts
            .program("contour")
            .arg("bootstrap")
            .arg(&bootstrap)
            .arg(format!("--xds-address={address}"))
            .arg("--xds-port=8001")
            .arg(flag("admin-address", &cluster.folder.join("envoy.socket")))
            .output()
            .expect("contour");
        assert!(
            written.status.success(),
            "{}",
            String::from_utf8_lossy(&written.stderr)
        );
        envoy
            .args(["--service-cluster", "tests", "--service-node", "tests"])
            .args([
                "--concurrency",
                "1",
                "--disable-hot-restart",
                "--log-level",
                "warning",
            ])
            .arg("--config-path")
            .arg(&bootstrap);
        Self {
            front: format!("{address}:{ENVOY}"),
            cluster,
            network,
            _contour: contour,
            _envoy: cluster.server(&envoy),
        }
    }

    /// What an HTTPRoute names as its parent.
    pub(crate) fn parent(&self) -> Value {
        json!({ "namespace": "public", "name": "gateway" })
    }

    /// `count` requests for `host`; `headers` makes the further lines of each (`x-user-id: 7\r\n`), by its number.
    pub(crate) fn ask(&self, host: &str, count: usize, headers: impl Fn(usize) -> String + Sync) -> Met {
        users::ask(&self.front, host, count, headers)
    }

    /// Waits until the users of `host` meet what `is_so` describes, ten of them at a time.
    #[track_caller]
    pub(crate) fn wait_until(&self, host: &str, is_so: impl Fn(&Met) -> bool) {
        until(&format!("users of {host} meet it"), BEGIN, || {
            is_so(&self.ask(host, 10, |_| String::new())).then_some(())
        });
    }
}
