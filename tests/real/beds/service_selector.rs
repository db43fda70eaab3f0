//! A Service's selector, in a real API server: two versions, one label.

use std::path::PathBuf;

use rollgate::providers::traffic::{Router, Users, service_selector};
use serde_json::{Value, json};

use super::{
    Bed, cluster,
    object::{edited, quiet},
};
use crate::support::kube::{Cluster, Namespace};

const OBJECT: &str = "
apiVersion: v1
kind: Service
metadata:
  name: web
  labels: { team: shop }
  annotations: { example.com/owner: shop }
spec:
  selector: { app: web, version: blue }
  ports: [{ name: http, port: 80, targetPort: http }]
";

pub(crate) struct ServiceSelector {
    namespace: Namespace<'static>,
    kubeconfig: PathBuf,
}

impl ServiceSelector {
    fn object(&self) -> Value {
        self.namespace.get("Service", "web")
    }

    fn select(&self, version: &str) {
        let change = json!({ "spec": { "selector": { "version": version } } });
        self.namespace.patch("Service", "web", &change);
    }
}

impl Bed for ServiceSelector {
    const BACKENDS: [&'static str; 2] = ["blue", "green"];
    const SHARES: &'static [u8] = &[100];
    const CANNOT: Option<u8> = Some(50);
    const WRITES: usize = 300;

    fn make() -> Option<Self> {
        let namespace = Cluster::shared()?.namespace("contract-selector");
        namespace.apply(OBJECT);
        let kubeconfig = namespace.admin().kubeconfig();
        Some(Self {
            namespace,
            kubeconfig,
        })
    }

    fn router(&self, _: Users) -> Box<dyn Router> {
        Box::new(service_selector::ServiceSelector::new(
            cluster(&self.kubeconfig),
            &self.namespace.name,
            "web",
            "version".to_owned(),
            Self::BACKENDS.map(str::to_owned),
        ))
    }

    fn plan(&self) -> String {
        format!(
            "traffic:\n  service-selector: {{ namespace: {}, service: web, backends: [blue, green] }}\n\
             phases:\n  canary: {{ steps: [{{ weight: 100%, for: 1h }}] }}\n",
            self.namespace.name
        )
    }

    fn variables(&self) -> Vec<(&'static str, PathBuf)> {
        vec![("KUBECONFIG", self.kubeconfig.clone())]
    }

    fn live(&self) -> u8 {
        match self.object()["spec"]["selector"]["version"].as_str() {
            Some("green") => 100,
            Some("blue") => 0,
            other => panic!("selects {other:?}"),
        }
    }

    fn raw(&self) -> String {
        let mut object = self.object();
        object["metadata"]["managedFields"] = Value::Null;
        object.to_string()
    }

    fn foreign(&self) -> String {
        let mut object = quiet(self.object());
        object["spec"]["selector"]["version"] = Value::Null;
        object.to_string()
    }

    fn by_hand(&self, share: u8) {
        self.select(if share == 100 { "green" } else { "blue" });
    }

    fn edit_record(&self) {
        let change = edited(&self.object());
        self.namespace.patch("Service", "web", &change);
    }

    fn forget(&self) {
        let change = json!({ "metadata": { "annotations": { "rollgate.dev/record": null } } });
        self.namespace.patch("Service", "web", &change);
        self.select("blue");
    }
}
