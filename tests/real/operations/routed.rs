//! Which router the order is tried on: its object `web`, the plan's words for it, the right to it, what it says.

use serde_json::{Value, json};

/// The router of a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Routed {
    Istio,
    GatewayApi,
}

/// Each of these tests as one of its own, on every router.
macro_rules! on_every_router {
    ($($test:ident,)+) => {
        mod on_istio {
            $(#[test] fn $test() { super::$test($crate::real::operations::routed::Routed::Istio); })+
        }
        mod on_gateway_api {
            $(#[test] fn $test() { super::$test($crate::real::operations::routed::Routed::GatewayApi); })+
        }
    };
}
pub(super) use on_every_router;

impl Routed {
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Istio => "VirtualService",
            Self::GatewayApi => "HTTPRoute",
        }
    }

    /// Its key in the plan's `traffic`.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Istio => "istio",
            Self::GatewayApi => "gateway-api",
        }
    }

    /// Everything to blue.
    pub(super) fn object(self, host: &str) -> Value {
        let (version, spec) = match self {
            Self::Istio => {
                let to =
                    |name: &str, weight: u8| json!({ "destination": { "host": name }, "weight": weight });
                let route = [to("web-blue", 100), to("web-green", 0)];
                (
                    "networking.istio.io/v1",
                    json!({ "hosts": [host], "http": [{ "route": route }] }),
                )
            }
            Self::GatewayApi => {
                let to = |name: &str, weight: u8| json!({ "name": name, "port": 80, "weight": weight });
                let rules = [json!({ "backendRefs": [to("web-blue", 100), to("web-green", 0)] })];
                (
                    "gateway.networking.k8s.io/v1",
                    json!({ "parentRefs": [{ "name": "edge" }], "hostnames": [host], "rules": rules }),
                )
            }
        };
        json!({ "apiVersion": version, "kind": self.kind(), "metadata": { "name": "web" }, "spec": spec })
    }

    /// The rules of a Role that may change it and nothing else.
    pub(super) fn rights(self) -> Value {
        let (group, resource) = match self {
            Self::Istio => ("networking.istio.io", "virtualservices"),
            Self::GatewayApi => ("gateway.networking.k8s.io", "httproutes"),
        };
        json!([{ "apiGroups": [group], "resources": [resource], "verbs": ["get", "patch"] }])
    }

    /// Green's weight in the object.
    pub(super) fn share(self, object: &Value) -> u64 {
        let (list, name) = match self {
            Self::Istio => ("/spec/http/0/route", "/destination/host"),
            Self::GatewayApi => ("/spec/rules/0/backendRefs", "/name"),
        };
        let targets = object.pointer(list).and_then(Value::as_array).expect("backends");
        let green = targets
            .iter()
            .find(|target| target.pointer(name).is_some_and(|name| name == "web-green"));
        green.and_then(|green| green["weight"].as_u64()).unwrap_or(0)
    }
}
