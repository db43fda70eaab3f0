//! Gateway API: one HTTPRoute with rules of others, in a real API server, and a Gateway that accepts everything.

use std::{path::PathBuf, time::Duration};

use rollgate::providers::traffic::{Router, Users, gateway_api};
use serde_json::{Value, json};

use super::{
    Bed, cluster,
    object::{deploy, edited, quiet},
    with_rules,
};
use crate::support::{
    kube::{Cluster, Gateway, Namespace},
    servers::until,
};

const KIND: &str = "HTTPRoute";

/// Two rules of ours between others.
const OBJECT: &str = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: web
  labels: { team: shop }
  annotations: { "example.com/owner": "shop, a < b" }
spec:
  hostnames: [web.example.com]
  parentRefs: [{ name: edge }, { name: inner, namespace: edge, sectionName: http }]
  rules:
    - name: static
      matches: [{ path: { type: PathPrefix, value: /static } }]
      backendRefs: [{ name: cdn, port: 80 }]
    - name: api
      matches:
        - path: { type: PathPrefix, value: /api }
        - headers: [{ type: Exact, name: x-team, value: shop }]
      timeouts: { request: 2s }
      backendRefs:
        - { name: web-green, namespace: NAMESPACE, port: 80, weight: 0 }
        - name: web-blue
          port: 80
          weight: 100
          filters:
            - type: ResponseHeaderModifier
              responseHeaderModifier: { set: [{ name: x-served-by, value: blue }] }
        - { name: web-green, namespace: elsewhere, port: 80, weight: 5 }
    - matches: [{ path: { type: PathPrefix, value: /old } }]
      filters: [{ type: RequestRedirect, requestRedirect: { hostname: old.example.com } }]
    - backendRefs: [{ name: web-blue, port: 80, weight: 100 }, { name: web-green, port: 80, weight: 0 }]
"#;

/// Dropped in this order: the Gateway looks at the namespace.
pub(crate) struct GatewayApi {
    _gateway: Gateway,
    namespace: Namespace<'static>,
    kubeconfig: PathBuf,
}

impl GatewayApi {
    fn object(&self) -> Value {
        self.namespace.get(KIND, "web")
    }

    /// A route that has users was accepted long ago.
    fn is_accepted(&self) {
        until("the route is accepted", Duration::from_secs(30), || {
            self.object()["status"]["parents"][1].is_object().then_some(())
        });
    }
}

fn apply(namespace: &Namespace<'_>) {
    namespace.apply(&OBJECT.replace("NAMESPACE", &namespace.name));
}

/// The backends of ours in both rules: whether it is green, and all of it.
fn ours<'a>(object: &'a mut Value, home: &'a str) -> impl Iterator<Item = (bool, &'a mut Value)> {
    let rules = object["spec"]["rules"].as_array_mut().expect("rules").iter_mut();
    let others = rules.filter(|rule| {
        rule["name"]
            .as_str()
            .is_none_or(|name| !name.starts_with("rollgate-"))
    });
    let backends = others.flat_map(|rule| rule["backendRefs"].as_array_mut().into_iter().flatten());
    backends.filter_map(move |backend| {
        let here = backend["namespace"]
            .as_str()
            .is_none_or(|namespace| namespace == home);
        let green = match backend["name"].as_str() {
            Some("web-blue") if here => false,
            Some("web-green") if here => true,
            _ => return None,
        };
        Some((green, backend))
    })
}

impl Bed for GatewayApi {
    const BACKENDS: [&'static str; 2] = ["web-blue", "web-green"];
    const SHARES: &'static [u8] = &[1, 5, 10, 50, 100];
    const WRITES: usize = 300;

    fn make() -> Option<Self> {
        let namespace = Cluster::shared()?.namespace("contract-gateway");
        apply(&namespace);
        let kubeconfig = namespace.admin().kubeconfig();
        let bed = Self {
            _gateway: Gateway::of(&namespace),
            namespace,
            kubeconfig,
        };
        bed.is_accepted();
        Some(bed)
    }

    fn users() -> Users {
        with_rules()
    }

    fn deploy(&self) {
        deploy(&self.namespace, Self::BACKENDS);
    }

    fn router(&self, users: Users) -> Box<dyn Router> {
        Box::new(gateway_api::GatewayApi::new(
            cluster(&self.kubeconfig),
            self.namespace.name.clone(),
            "web".to_owned(),
            Self::BACKENDS.map(str::to_owned),
            users,
        ))
    }

    fn plan(&self) -> String {
        format!(
            "traffic:\n  gateway-api: {{ namespace: {}, route: web, backends: [web-blue, web-green] }}\n",
            self.namespace.name
        )
    }

    fn variables(&self) -> Vec<(&'static str, PathBuf)> {
        vec![("KUBECONFIG", self.kubeconfig.clone())]
    }

    fn live(&self) -> u8 {
        let mut object = self.object();
        let weights: Vec<_> = ours(&mut object, &self.namespace.name)
            .map(|(green, backend)| (green, backend["weight"].as_u64().expect("a weight")))
            .collect();
        let of = |side| {
            let mut weights = weights
                .iter()
                .filter(|(green, _)| *green == side)
                .map(|(_, weight)| *weight);
            let first = weights.next().expect("a rule");
            assert!(weights.all(|weight| weight == first), "the rules differ");
            first
        };
        assert_eq!(of(false) + of(true), 100);
        u8::try_from(of(true)).expect("percent")
    }

    fn raw(&self) -> String {
        let mut object = self.object();
        // The Gateway writes when it likes.
        for key in ["managedFields", "resourceVersion"] {
            object["metadata"][key] = Value::Null;
        }
        object["status"] = Value::Null;
        object.to_string()
    }

    fn foreign(&self) -> String {
        let mut object = self.object();
        for (_, backend) in ours(&mut object, &self.namespace.name) {
            backend["weight"] = Value::Null;
        }
        quiet(object).to_string()
    }

    fn by_hand(&self, share: u8) {
        let mut object = self.object();
        for (green, backend) in ours(&mut object, &self.namespace.name) {
            backend["weight"] = json!(if green { share } else { 100 - share });
        }
        let change = json!({ "spec": { "rules": object["spec"]["rules"] } });
        self.namespace.patch(KIND, "web", &change);
    }

    fn edit_record(&self) {
        self.namespace.patch(KIND, "web", &edited(&self.object()));
    }

    fn forget(&self) {
        self.namespace.delete(KIND, "web");
        apply(&self.namespace);
        self.is_accepted();
    }
}
