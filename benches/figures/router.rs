//! A real HAProxy of our own, with the configuration of the examples, and a rollout on it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rollgate::plan::Plan;
use rollgate::providers::traffic::Router as _;
use rollgate::providers::traffic::haproxy::Haproxy;
use rollgate_domain::rollout::ladder::{Ladder, Require, Step};
use rollgate_domain::rollout::moves::{By, Course, Move, Start};
use rollgate_domain::rollout::phase::Phase;
use rollgate_domain::rollout::record::{Evidence, Pin, Record, Version};
use tempfile::TempDir;

use crate::machine;
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
        let mut command = machine::bare(machine::program("haproxy"));
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
        let text = format!(
            "service: web\n\
             traffic:\n  haproxy:\n    sockets: [{}]\n    map: {}\n    backends: [blue, green]\n\
             metrics:\n{metrics}\n  requests: http_requests_total{{service=\"shop-api\"}}\n  \
             errors: http_requests_total{{service=\"shop-api\",code=~\"5..\"}}\n\
             judgement: {{ look: {look}, cluster-size: 1.5 }}\n\
             phases: {{ canary: {{ steps: [{{ weight: 10%, for: 96h }}] }} }}\n",
            self.socket().display(),
            self.map().display()
        );
        let path = self.folder.path().join("plan.yml");
        fs::write(&path, text).expect("the plan");
        path
    }

    fn router(&self) -> Haproxy {
        Haproxy::new(
            vec![self.socket()],
            self.map(),
            "web".to_owned(),
            ["blue", "green"].map(str::to_owned),
        )
    }

    /// A rollout that has held 10 % since `since`.
    pub(crate) async fn holds_ten_percent(&self, plan: &Plan, since: Timestamp) {
        let router = self.router();
        let seen = router.read().await.expect("HAProxy's entry");
        let version = |backend: &str, version: &str| Version {
            backend: backend.to_owned(),
            version: version.to_owned(),
            images: Vec::new(),
        };
        let step = Step {
            weight: "10%".parse().expect("a weight"),
            duration: SignedDuration::from_hours(96),
        };
        let start = Start {
            service: "web".to_owned(),
            stable: version("blue", "v1"),
            candidate: version("green", "v2"),
            course: Course {
                phase: Phase::Canary,
                ladder: Ladder::new(vec![step], Require::Proof).expect("a ladder"),
                gates: Vec::new(),
                keep_old: SignedDuration::ZERO,
            },
            evidence: Evidence {
                origin: since,
                look: plan.judgement.look,
                cluster_size: plan.judgement.cluster_size.unwrap_or(1.0),
                warm_since: None,
            },
            pin: Pin {
                hash: plan.hash.clone(),
                commit: None,
                tool: env!("CARGO_PKG_VERSION").to_owned(),
            },
        };
        let by = By {
            run: "bench",
            actor: "bench",
            at: since,
        };
        let before = seen.record.clone().expect("a record or none");
        let record = Record::start(start, before.as_ref(), by);
        let record = record.after(Move::Raise, by).expect("the first step");
        router.write(&seen, &record).await.expect("a write");
    }

    /// The share that users have now.
    pub(crate) async fn share(&self) -> u8 {
        let seen = self.router().read().await.expect("HAProxy's entry");
        seen.share.expect("a share").percent()
    }
}
