//! What the team's own manifests say of the routed object: while they name the old version, the next `kubectl apply`
//! or sync gives all users to a version that may be gone.

use serde_json::Value;

/// The object that splits the traffic, and where in it versions are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routed {
    /// A HTTPRoute, by the weights of its `backendRefs`.
    HttpRoute(Named),
    /// A VirtualService, by the weights of its routes. `host`: whose subsets the versions are, if they are subsets.
    VirtualService(Named, Option<String>),
    /// A Service, by the label of its selector.
    Selector(Named, String),
    /// Two Deployments in this namespace, by their replicas.
    Replicas(String),
}

/// An object's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// One object of the team's.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Where it stands: a file, or what the cluster keeps of the last `kubectl apply`.
    pub place: String,
    /// The object.
    pub object: Value,
}

/// Why the manifests do not allow that `old` goes, in words; none if every one of them names `stable`.
#[must_use]
pub fn refusal(routed: &Routed, manifests: &[Manifest], stable: &str, old: &str) -> Option<String> {
    manifests
        .iter()
        .filter(|manifest| routed.is(&manifest.object, old))
        .find_map(|Manifest { place, object }| {
            let says = routed.says(object, stable, old)?;
            Some(format!(
                "{place}: {} {says}: let the team's manifests name {stable} first, or the next apply gives users to {old}",
                routed.in_words(old)
            ))
        })
}

impl Routed {
    /// `HTTPRoute web`.
    #[must_use]
    pub fn in_words(&self, old: &str) -> String {
        match self {
            Self::Replicas(_) => format!("Deployment {old}"),
            Self::HttpRoute(named) | Self::VirtualService(named, _) | Self::Selector(named, _) => {
                format!("{} {}", self.kind(), named.name)
            }
        }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::HttpRoute(_) => "HTTPRoute",
            Self::VirtualService(..) => "VirtualService",
            Self::Selector(..) => "Service",
            Self::Replicas(_) => "Deployment",
        }
    }

    /// Whether `object` is the one that decides. A manifest without a namespace is one for every namespace.
    #[must_use]
    pub fn is(&self, object: &Value, old: &str) -> bool {
        let (namespace, name) = match self {
            Self::HttpRoute(named) | Self::VirtualService(named, _) | Self::Selector(named, _) => {
                (&named.namespace, named.name.as_str())
            }
            Self::Replicas(namespace) => (namespace, old),
        };
        let theirs = object["metadata"]["namespace"].as_str();
        object["kind"] == self.kind()
            && object["metadata"]["name"] == name
            && theirs.is_none_or(|theirs| theirs == namespace)
    }

    /// What is wrong with `object`, as a verb and its object.
    fn says(&self, object: &Value, stable: &str, old: &str) -> Option<String> {
        let spec = &object["spec"];
        match self {
            Self::Selector(_, label) => match spec["selector"][label].as_str() {
                Some(value) if value == stable => None,
                Some(value) => Some(format!("selects {label}={value}")),
                None => Some(format!("has no {label} in its selector")),
            },
            Self::HttpRoute(_) => {
                let refs = each(&spec["rules"]).flat_map(|rule| each(&rule["backendRefs"]));
                shares(
                    refs.map(|backend| (name(backend), backend["weight"].as_u64().unwrap_or(1))),
                    stable,
                    old,
                )
            }
            Self::VirtualService(_, host) => {
                let routes = each(&spec["http"]).flat_map(|rule| {
                    let alone = each(&rule["route"]).count() == 1;
                    each(&rule["route"]).map(move |route| {
                        let weight = route["weight"].as_u64().unwrap_or(if alone { 100 } else { 0 });
                        (&route["destination"], weight)
                    })
                });
                let named = routes.map(|(destination, weight)| {
                    let name = match host {
                        Some(_) => destination["subset"].as_str(),
                        None => destination["host"].as_str().map(short),
                    };
                    (name.unwrap_or_default(), weight)
                });
                shares(named, short(stable), short(old))
            }
            Self::Replicas(_) => match spec["replicas"].as_u64() {
                Some(0) => None,
                // The API server's default.
                replicas => Some(format!("has {} replicas", replicas.unwrap_or(1))),
            },
        }
    }
}

fn shares<'a>(named: impl Iterator<Item = (&'a str, u64)>, stable: &str, old: &str) -> Option<String> {
    let mut names_stable = false;
    for (name, weight) in named.filter(|&(_, weight)| weight > 0) {
        if name == old {
            return Some(format!("gives {old} the weight {weight}"));
        }
        names_stable |= name == stable;
    }
    (!names_stable).then(|| format!("gives {stable} nothing"))
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn name(backend: &Value) -> &str {
    backend["name"].as_str().unwrap_or_default()
}

/// A host of the mesh without its namespace and domain.
fn short(host: &str) -> &str {
    host.split('.').next().unwrap_or(host)
}
