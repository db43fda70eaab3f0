//! A real HAProxy of our own, with the configuration of the examples, and a rollout on it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use rollgate::plan::Plan;
use rollgate::providers::traffic::Router as _;
use rollgate::providers::traffic::haproxy::Haproxy;
use tempfile::TempDir;

use crate::programs;
use crate::rollout;
use crate::support::http::{Http, Reply, nobody};
use crate::support::servers::{Server, until};

/// Dropped in this order.
pub(crate) struct Proxy {
    _server: Server,
    _blue: Http,
    _green: Http,
    pub(crate) folder: TempDir,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().expect("a scratch folder");
        let (blue, green) = (Http::always(Reply::ok("")), Http::always(Reply::ok("")));
        fs::write(folder.path().join("web.map"), "web 0|\n").expect("the map");
        let config = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/haproxy/haproxy.cfg");
        let mut command = programs::bare(programs::program("haproxy"));
        command
            .args(["-W", "-f", config])
            .env("SHOP_FRONT", nobody())
            .env("SHOP_BLUE", blue.address())
            .env("SHOP_GREEN", green.address())
            .env("ROLLGATE_MAP", folder.path().join("web.map"))
            .env("HAPROXY_SOCKET", folder.path().join("socket"));
        let server = Server::start(&command, &folder.path().join("haproxy.log"));
        let socket = folder.path().join("socket");
        until("HAProxy begins", Duration::from_secs(10), || {
            std::os::unix::net::UnixStream::connect(&socket).ok()
        });
        Self {
            _server: server,
            _blue: blue,
            _green: green,
            folder,
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(crate) fn map(&self) -> PathBuf {
        self.folder.path().join("web.map")
    }

    /// Writes a plan with this `metrics` section and tells where it is.
    pub(crate) fn plan(&self, metrics: &str, look: &str) -> PathBuf {
        let judgement = format!("look: {look}, cluster-size: 1.5");
        self.plan_with(metrics, &judgement, "{ weight: 10%, for: 96h }")
    }

    /// The same with these `judgement` and `steps`.
    pub(crate) fn plan_with(&self, metrics: &str, judgement: &str, steps: &str) -> PathBuf {
        let text = format!(
            "service: web\n\
             traffic:\n  haproxy:\n    sockets: [{}]\n    map: {}\n    backends: [blue, green]\n\
             metrics:\n{metrics}\n  requests: http_requests_total{{service=\"shop-api\"}}\n  \
             errors: http_requests_total{{service=\"shop-api\",code=~\"5..\"}}\n\
             judgement: {{ {judgement} }}\n\
             phases: {{ canary: {{ steps: [{steps}] }} }}\n",
            self.socket().display(),
            self.map().display()
        );
        let path = self.folder.path().join("plan.yml");
        fs::write(&path, text).expect("the plan");
        path
    }

    pub(crate) fn router(&self) -> Haproxy {
        Haproxy::new(
            vec![self.socket()],
            self.map(),
            "web".to_owned(),
            ["blue", "green"].map(str::to_owned),
        )
    }

    /// A rollout that has held 10 % since `since`.
    pub(crate) async fn holds_ten_percent(&self, plan: &Plan, since: Timestamp) {
        rollout::hold(&self.router(), plan, ["blue", "green"], 10, since).await;
    }

    /// The share that users have now.
    pub(crate) async fn share(&self) -> u8 {
        let seen = self.router().read().await.expect("HAProxy's entry");
        seen.share.expect("a share").percent()
    }
}
