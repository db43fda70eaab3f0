//! `verify-health collect` with logs, which only a fake API server has: no pod runs in our clusters.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    http::{Http, Reply, Request},
    tool::{Ended, binary, run},
};

const POD: &str = "/api/v1/namespaces/shop/pods/web-green-1/log";

/// A log of so many lines, and secrets in the last ones.
fn log(lines: usize) -> String {
    let mut log: String = (0..lines)
        .map(|line| format!("2026-11-23T14:02:00Z line {line}\n"))
        .collect();
    log += "2026-11-23T14:02:01Z connect to postgres://shop:hunter2@db/shop\n";
    log += "2026-11-23T14:02:02Z -----BEGIN PRIVATE KEY-----\n2026-11-23T14:02:02Z MIIEhunter2\n";
    log += "2026-11-23T14:02:02Z -----END PRIVATE KEY-----\n2026-11-23T14:02:03Z panic: out of stock\n";
    log
}

/// An API server with one pod, which was restarted, and its metrics.
fn answer(request: &Request) -> Reply {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let list = |items: Value| json!({ "metadata": {}, "items": items });
    let pod = json!({
        "metadata": { "name": "web-green-1", "labels": { "app": "green" } },
        "spec": { "containers": [{ "name": "shop" }, { "name": "side" }, { "name": "stuck" }] },
        "status": { "containerStatuses": [
            { "name": "shop", "restartCount": 2, "ready": false, "image": "", "imageID": "" },
        ] },
    });
    let green = query.contains("green");
    let body = match path {
        "/apis/apps/v1/namespaces/shop/deployments/web-green" => json!({
            "metadata": { "name": "web-green" },
            "spec": { "selector": { "matchLabels": { "app": "green" } }, "template": {} },
        }),
        "/api/v1/namespaces/shop/pods" if green => list(json!([pod])),
        "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods" if green => list(json!([{
            "metadata": { "name": "web-green-1" },
            "containers": [{ "name": "shop", "usage": { "cpu": "1500m", "memory": "900Mi" } }],
        }])),
        "/api/v1/namespaces/shop/events"
        | "/apis/apps/v1/namespaces/shop/replicasets"
        | "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers" => list(json!([])),
        POD if query.contains("previous=true") => {
            return Reply::ok("2026-11-23T14:01:00Z token=hunter2 killed\n");
        }
        POD if query.contains("container=side") => {
            return Reply::Cut {
                body: b"2026-11-23T14:02:00Z first\n2026-11-23T14:02:01Z second\n".to_vec(),
                at: 27,
            };
        }
        POD if query.contains("container=stuck") => {
            return Reply::Stall {
                body: b"2026-11-23T14:02:00Z waits\n2026-11-23T14:02:01Z forever\n".to_vec(),
                at: 27,
            };
        }
        POD => return Reply::ok(log(200)),
        _ => {
            let status = json!({ "kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound",
                "message": format!("{path} not found") });
            return Reply::status(404, status.to_string());
        }
    };
    Reply::Answer {
        status: 200,
        headers: vec!["content-type: application/json".to_owned()],
        body: body.to_string().into_bytes(),
    }
}

struct Shop {
    server: Http,
    folder: TempDir,
}

impl Shop {
    fn open() -> Self {
        let (server, folder) = (Http::start(answer), TempDir::new().expect("a scratch folder"));
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
            "clusters": [{ "name": "test", "cluster": { "server": server.url } }],
            "users": [{ "name": "test", "user": {} }],
        });
        fs::write(folder.path().join("kubeconfig"), kubeconfig.to_string()).expect("a kubeconfig");
        let plan = "\
service: shop-api
traffic:
  gateway-api: { namespace: shop, route: web, backends: [web-blue, web-green] }
backends: { web-green: { deployment: web-green } }
metrics:
  prometheus: { url: \"http://127.0.0.1:1\" }
  requests: http_requests_total
  errors: http_requests_total{code=~\"5..\"}
";
        fs::write(folder.path().join("plan.yml"), plan).expect("a plan");
        Self { server, folder }
    }

    fn collect(&self, to: &str, flags: &[&str]) -> (Ended, PathBuf) {
        let folder = self.folder.path().join(to);
        let mut command = binary("verify-health");
        command
            .env("KUBECONFIG", self.folder.path().join("kubeconfig"))
            .env("ROLLGATE_PLAN", self.folder.path().join("plan.yml"))
            .args(["collect", "--to"])
            .arg(&folder)
            .args(flags);
        (run(command).with(0), folder)
    }
}

fn text(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn the_newest_of_each_log_is_kept_without_its_secrets_also_of_the_container_before() {
    let shop = Shop::open();
    let (_, folder) = shop.collect("evidence", &["--log-bytes", "1KiB"]);

    let log = text(&folder, "candidate/logs/web-green-1.shop.log");
    assert!(log.len() <= 1024 && log.len() > 900, "{}", log.len());
    assert!(
        log.starts_with("2026-11-23T14:02:00Z line 1"),
        "whole lines: {log}"
    );
    assert!(
        log.ends_with(
            "2026-11-23T14:02:01Z connect to postgres://shop:***@db/shop\n\
             2026-11-23T14:02:02Z *** a private key ***\n***-----END PRIVATE KEY-----\n\
             2026-11-23T14:02:03Z panic: out of stock\n"
        ),
        "{log}"
    );
    assert_eq!(
        text(&folder, "candidate/logs/web-green-1.shop.previous.log"),
        "2026-11-23T14:01:00Z token=*** killed\n"
    );
    assert_eq!(
        text(&folder, "candidate/logs/web-green-1.side.log"),
        "2026-11-23T14:02:00Z first\n"
    );
    // Nobody waits for it.
    assert_eq!(
        text(&folder, "candidate/logs/web-green-1.stuck.log"),
        "2026-11-23T14:02:00Z waits\n"
    );
    assert!(text(&folder, "candidate/podmetrics-web-green.yaml").contains("1500m"));
    let page = text(&folder, "index.md");
    for part in ["the newest; ", "older bytes are left out", "broke off: "] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for request in shop.server.seen() {
        assert_eq!(request.method, "GET", "{}", request.path);
        for never in ["secrets", "configmaps"] {
            assert!(!request.path.contains(never), "{}", request.path);
        }
    }
}

#[test]
fn a_folder_that_is_full_lacks_logs_and_says_which() {
    let shop = Shop::open();
    let (ended, folder) = shop.collect("small", &["--max-bytes", "2KiB"]);
    let index: Value = serde_json::from_str(&text(&folder, "index.json")).expect("JSON");
    assert!(index["bytes"].as_u64() <= Some(2048), "{index:#}");
    let pieces = index["pieces"].as_array().expect("pieces");
    let fate = |begin: &str| {
        let named = pieces
            .iter()
            .find(|piece| piece["file"].as_str().is_some_and(|file| file.starts_with(begin)));
        named.expect(begin)["state"].clone()
    };
    assert_eq!(fate("candidate/pod-web-green-1"), "kept");
    let cut = pieces.iter().any(|piece| {
        piece["state"] == "left-out"
            || piece["why"]
                .as_str()
                .is_some_and(|why| why.contains("older bytes"))
    });
    assert!(cut, "{index:#}");
    ended.saying("collected candidate/pod-web-green-1.yaml");
}
