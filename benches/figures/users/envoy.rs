//! Envoy, which Contour programs from the HTTPRoute.

use std::process::Command;

use tokio::runtime::Runtime;

use super::{HALF, compare, crowd::Crowd};
use crate::kubernetes::stage::Stage;
use crate::support::kube::DataPlane;
use crate::support::world::shop::Shop;
use crate::table::Table;

const SCRIPT: &str = r#"
exec "$KUBECTL" patch httproute web --type json -p '[
  { "op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 100 },
  { "op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": 0 }]'
"#;

struct Envoy<'a> {
    stage: Stage,
    runtime: &'a Runtime,
}

impl super::Stage for Envoy<'_> {
    fn hold(&self) {
        self.runtime.block_on(self.stage.holds(HALF));
    }

    fn rollback(&self) -> Command {
        self.stage.rollback()
    }

    fn script(&self) -> Command {
        self.stage.script(SCRIPT)
    }
}

pub(super) fn measure(runtime: &Runtime, table: &mut Table) {
    let plane = DataPlane::shared().expect("Contour and Envoy");
    let folder = tempfile::tempdir().expect("a scratch folder");
    // At every address that a pod may have.
    let shops = ["blue", "green"].map(|version| Shop::start_at("0.0.0.0", version, folder.path()));
    let ports = shops.each_ref().map(Shop::port);
    let namespace = plane.cluster.namespace("users");
    let stage = runtime.block_on(Stage::begin(namespace, ports, &plane.parent()));
    stage.wait_accepted();
    let host = stage.namespace.host();
    plane.wait_until(&host, |met| met.of("blue") == 10);
    let crowd = Crowd::ask(&plane.front, &host);
    compare(
        &Envoy { stage, runtime },
        crowd,
        [
            "Contour and Envoy: `kubectl patch`",
            "Contour and Envoy: `shift-traffic rollback`",
        ],
        table,
    );
}
