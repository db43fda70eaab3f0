//! The API server as a client of our own sees it: kinds by name, whole objects as JSON.
//!
//! Not the client of the tools: what they do is judged by somebody else.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    time::Duration,
};

use reqwest::{Certificate, Client, Method, header};
use serde_json::Value;
use tokio::runtime::Runtime;

/// Every kind with its versions in one answer.
/// Source: <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery>
const DISCOVERY: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// A request that the API server refused, or that did not reach it.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    /// 0 without an answer.
    pub(crate) status: u16,
    pub(crate) message: String,
}

/// Where objects of a kind live.
#[derive(Clone, Debug)]
struct Kind {
    group: String,
    version: String,
    kind: String,
    plural: String,
    namespaced: bool,
}

impl Kind {
    fn path(&self, namespace: Option<&str>, name: &str) -> String {
        let root = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}/{name}", self.plural),
            None => format!("{root}/{}/{name}", self.plural),
        }
    }
}

/// One user's connection.
pub(crate) struct Api {
    url: String,
    token: String,
    client: Client,
    kinds: Mutex<Vec<Kind>>,
}

impl Api {
    pub(crate) fn new(url: &str, token: &str, authority: &Path) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authority = fs::read(authority).expect("the certificate of the cluster");
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only([Certificate::from_pem(&authority).expect("a certificate")])
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client");
        Self {
            url: url.to_owned(),
            token: token.to_owned(),
            client,
            kinds: Mutex::default(),
        }
    }

    /// Creates or changes the objects of a YAML, as `kubectl apply --server-side` does; those that say no namespace
    /// land in this one.
    pub(crate) fn apply(&self, yaml: &str, namespace: Option<&str>) -> Result<(), Refused> {
        let objects: Vec<Value> = serde_saphyr::from_multiple(yaml).expect("YAML");
        for object in objects.iter().filter(|object| !object.is_null()) {
            self.apply_object(object, namespace)?;
        }
        Ok(())
    }

    pub(crate) fn apply_object(&self, object: &Value, namespace: Option<&str>) -> Result<Value, Refused> {
        let text = |key: &str| object[key].as_str().expect("apiVersion and kind");
        let name = object["metadata"]["name"].as_str().expect("a name");
        let (group, version) = text("apiVersion")
            .split_once('/')
            .unwrap_or(("", text("apiVersion")));
        let kind =
            self.find(&|kind| kind.kind == text("kind") && kind.group == group && kind.version == version);
        let kind = kind.unwrap_or_else(|| panic!("no kind {} of {}", text("kind"), text("apiVersion")));
        let namespace = object["metadata"]["namespace"].as_str().or(namespace);
        let path = format!("{}?fieldManager=tests&force=true", kind.path(namespace, name));
        self.send(
            Method::PATCH,
            &path,
            "application/apply-patch+yaml",
            &object.to_string(),
        )
    }

    /// An object; `kind` is its kind or its plural, with `.group` where two groups have it.
    pub(crate) fn get(&self, kind: &str, namespace: Option<&str>, name: &str) -> Result<Value, Refused> {
        self.send(Method::GET, &self.path(kind, namespace, name), "", "")
    }

    /// The objects of a kind in a namespace that have these labels (`app=shop,version=blue`; all of them with "").
    pub(crate) fn list(
        &self,
        kind: &str,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Vec<Value>, Refused> {
        let path = self.path(kind, namespace, "");
        let path = format!(
            "{}?labelSelector={}",
            path.trim_end_matches('/'),
            labels.replace('=', "%3D")
        );
        let mut list = self.send(Method::GET, &path, "", "")?;
        Ok(list["items"]
            .as_array_mut()
            .map(std::mem::take)
            .unwrap_or_default())
    }

    /// Merges `change` into an object.
    pub(crate) fn patch(
        &self,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
        change: &Value,
    ) -> Result<Value, Refused> {
        let path = self.path(kind, namespace, name);
        self.send(
            Method::PATCH,
            &path,
            "application/merge-patch+json",
            &change.to_string(),
        )
    }

    /// Deletes an object, and then what it owns.
    pub(crate) fn delete(&self, kind: &str, namespace: Option<&str>, name: &str) -> Result<(), Refused> {
        self.send(Method::DELETE, &self.path(kind, namespace, name), "", "")?;
        Ok(())
    }

    fn path(&self, kind: &str, namespace: Option<&str>, name: &str) -> String {
        let (word, group) = kind.split_once('.').unwrap_or((kind, ""));
        let is_meant = |kind: &Kind| {
            let named = kind.kind.eq_ignore_ascii_case(word) || kind.plural.eq_ignore_ascii_case(word);
            named && (group.is_empty() || kind.group == group)
        };
        let found = self.find(&is_meant);
        found
            .unwrap_or_else(|| panic!("no kind {kind}"))
            .path(namespace, name)
    }

    /// A kind as the server has it now, or as it had it when we last asked.
    fn find(&self, is_meant: &dyn Fn(&Kind) -> bool) -> Option<Kind> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = kinds.iter().find(|kind| is_meant(kind)) {
            return Some(kind.clone());
        }
        *kinds = ["/api", "/apis"]
            .iter()
            .flat_map(|root| {
                let answer = self.ask(Method::GET, root, DISCOVERY, "", "");
                kinds_of(&answer.expect("the kinds of the API server"))
            })
            .collect();
        kinds.iter().find(|kind| is_meant(kind)).cloned()
    }

    /// Any request; its body's type and its body may be empty.
    pub(crate) fn send(&self, method: Method, path: &str, kind: &str, body: &str) -> Result<Value, Refused> {
        self.ask(method, path, "application/json", kind, body)
    }

    fn ask(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        kind: &str,
        body: &str,
    ) -> Result<Value, Refused> {
        let request = self
            .client
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token)
            .header(header::ACCEPT, accept)
            .header(header::CONTENT_TYPE, kind)
            .body(body.to_owned());
        let answer = wait_for(async move {
            let answer = request.send().await?;
            Ok::<_, reqwest::Error>((answer.status(), answer.text().await?))
        });
        let (status, text) = answer.map_err(|error| Refused {
            status: 0,
            message: format!("{error:?}"),
        })?;
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if status.is_success() {
            return Ok(value);
        }
        Err(Refused {
            status: status.as_u16(),
            message: value["message"].as_str().unwrap_or_default().to_owned(),
        })
    }
}

/// The kinds of a discovery answer, best version first.
fn kinds_of(answer: &Value) -> Vec<Kind> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut kinds = Vec::new();
    for group in list(&answer["items"]) {
        for version in list(&group["versions"]) {
            kinds.extend(list(&version["resources"]).iter().map(|resource| Kind {
                group: text(&group["metadata"]["name"]),
                version: text(&version["version"]),
                kind: text(&resource["responseKind"]["kind"]),
                plural: text(&resource["resource"]),
                namespaced: resource["scope"] == "Namespaced",
            }));
        }
    }
    kinds
}

/// The outcome of `work`, done by a runtime of our own: a test may wait here with a runtime of its own or without.
fn wait_for<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().expect("a runtime")
    });
    let (done, outcome) = mpsc::channel();
    runtime.spawn(async move { done.send(work.await) });
    outcome.recv().expect("work that ends")
}

/// Labels as an object: `app=shop,version=blue`.
pub(crate) fn labels(text: &str) -> BTreeMap<&str, &str> {
    text.split(',')
        .filter_map(|label| label.split_once('='))
        .collect()
}
