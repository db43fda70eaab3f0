//! Istio: one VirtualService with routes of others, in a real API server with Istio's definitions.

use std::path::PathBuf;

use rollgate::providers::traffic::{Router, Users, istio};
use serde_json::{Value, json};

use super::{
    Bed, cluster,
    object::{deploy, edited, quiet},
    with_rules,
};
use crate::support::kube::{Cluster, Namespace};

const KIND: &str = "VirtualService";

/// Two routes of ours between others.
const OBJECT: &str = r#"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: web
  labels: { team: shop }
  annotations: { "example.com/owner": "shop, a < b" }
spec:
  hosts: [web.example.com]
  gateways: [public]
  http:
    - name: static
      match: [{ uri: { prefix: /static } }]
      route: [{ destination: { host: cdn } }]
    - name: api
      match: [{ uri: { prefix: /api } }, { headers: { x-team: { exact: shop } } }]
      rewrite: { uri: / }
      timeout: 2s
      retries: { attempts: 2, perTryTimeout: 1s }
      route:
        - destination: { host: web-green.NAMESPACE.svc.cluster.local, port: { number: 80 } }
          weight: 0
        - destination: { host: web-blue, port: { number: 80 } }
          weight: 100
          headers: { response: { set: { x-served-by: blue } } }
    - name: tester
      match: [{ headers: { x-tester: { exact: "yes" } } }]
      route: [{ destination: { host: web-green } }]
    - route:
        - destination: { host: web-blue }
          weight: 100
        - destination: { host: web-green }
  tls:
    - match: [{ port: 443, sniHosts: [tls.example.com] }]
      route: [{ destination: { host: web-blue }, weight: 100 }, { destination: { host: web-green }, weight: 0 }]
"#;

pub(crate) struct Istio {
    namespace: Namespace<'static>,
    kubeconfig: PathBuf,
}

impl Istio {
    fn object(&self) -> Value {
        self.namespace.get(KIND, "web")
    }

    fn apply(&self) {
        let text = OBJECT.replace("NAMESPACE", &self.namespace.name);
        self.namespace.apply(&text);
    }
}

/// Whether it names both versions and is not rollgate's.
fn is_shared(route: &Value) -> bool {
    let targets = || route["route"].as_array().into_iter().flatten();
    let names = |word: &str| {
        targets().any(|target| {
            let host = target["destination"]["host"].as_str();
            host.is_some_and(|host| host.split('.').next() == Some(word))
        })
    };
    names("web-blue") && names("web-green")
}

fn is_green(target: &Value) -> bool {
    let host = target["destination"]["host"].as_str();
    host.is_some_and(|host| host.starts_with("web-green"))
}

fn routes(object: &mut Value) -> impl Iterator<Item = &mut Value> {
    let routes = object["spec"]["http"].as_array_mut();
    routes
        .expect("routes")
        .iter_mut()
        .filter(|route| is_shared(route))
}

fn targets(route: &mut Value) -> &mut Vec<Value> {
    route["route"].as_array_mut().expect("destinations")
}

impl Bed for Istio {
    const BACKENDS: [&'static str; 2] = ["web-blue", "web-green"];
    const SHARES: &'static [u8] = &[1, 5, 10, 50, 100];
    const WRITES: usize = 300;

    fn make() -> Option<Self> {
        let namespace = Cluster::shared()?.namespace("contract-istio");
        let kubeconfig = namespace.admin().kubeconfig();
        let bed = Self {
            namespace,
            kubeconfig,
        };
        bed.apply();
        Some(bed)
    }

    fn users() -> Users {
        with_rules()
    }

    fn deploy(&self) {
        deploy(&self.namespace, Self::BACKENDS);
    }

    fn router(&self, users: Users) -> Box<dyn Router> {
        Box::new(istio::Istio::new(
            cluster(&self.kubeconfig),
            self.namespace.name.clone(),
            "web".to_owned(),
            None,
            Self::BACKENDS.map(str::to_owned),
            users,
        ))
    }

    fn plan(&self) -> String {
        format!(
            "traffic:\n  istio: {{ namespace: {}, route: web, backends: [web-blue, web-green] }}\n",
            self.namespace.name
        )
    }

    fn variables(&self) -> Vec<(&'static str, PathBuf)> {
        vec![("KUBECONFIG", self.kubeconfig.clone())]
    }

    fn live(&self) -> u8 {
        let mut object = self.object();
        let shares = routes(&mut object).map(|route| {
            let weights = targets(route)
                .iter()
                .map(|target| (is_green(target), target["weight"].as_u64()));
            let weights: Vec<_> = weights
                .map(|(green, weight)| (green, weight.unwrap_or(0)))
                .collect();
            assert_eq!(weights.iter().map(|(_, weight)| weight).sum::<u64>(), 100);
            let green = weights.iter().filter(|(green, _)| *green);
            green.map(|(_, weight)| weight).sum::<u64>()
        });
        let shares: Vec<_> = shares.collect();
        assert_eq!(shares.len(), 2);
        assert_eq!(shares[0], shares[1]);
        u8::try_from(shares[0]).expect("percent")
    }

    fn raw(&self) -> String {
        let mut object = self.object();
        object["metadata"]["managedFields"] = Value::Null;
        object.to_string()
    }

    fn foreign(&self) -> String {
        let mut object = self.object();
        for route in routes(&mut object) {
            for target in targets(route) {
                target["weight"] = Value::Null;
            }
        }
        quiet(object).to_string()
    }

    fn by_hand(&self, share: u8) {
        let mut object = self.object();
        for route in routes(&mut object) {
            for target in targets(route) {
                let weight = if is_green(target) { share } else { 100 - share };
                target["weight"] = json!(weight);
            }
        }
        let change = json!({ "spec": { "http": object["spec"]["http"] } });
        self.namespace.patch(KIND, "web", &change);
    }

    fn edit_record(&self) {
        self.namespace.patch(KIND, "web", &edited(&self.object()));
    }

    fn forget(&self) {
        self.namespace.delete(KIND, "web");
        self.apply();
    }
}
