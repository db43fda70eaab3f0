//! What allows a HTTPRoute to name Services of other namespaces, as YAML to paste. Asks nobody.
//!
//! Source: <https://gateway-api.sigs.k8s.io/api-types/referencegrant/>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::route::{backends, list, rules};

/// The reason that a Gateway gives for `ResolvedRefs: False` where a grant is missing.
///
/// Source: <https://gateway-api.sigs.k8s.io/reference/spec/#routeconditionreason>
pub(super) const MISSING: &str = "RefNotPermitted";

/// The ReferenceGrants that allow every reference of `route` to another namespace; none where it has no such one.
/// Which of them are there already is not known: to apply one again changes nothing.
pub(super) fn needed(route: &Value) -> Option<String> {
    let home = route["metadata"]["namespace"].as_str()?;
    let name = route["metadata"]["name"].as_str()?;
    let mut targets: BTreeMap<&str, BTreeSet<[&str; 3]>> = BTreeMap::new();
    for target in references(route) {
        let text = |key: &str, default| target[key].as_str().unwrap_or(default);
        let namespace = text("namespace", home);
        if namespace != home {
            let target = [text("group", ""), text("kind", "Service"), text("name", "")];
            targets.entry(namespace).or_default().insert(target);
        }
    }
    let grants: Vec<_> = targets
        .iter()
        .map(|(namespace, targets)| yaml(home, name, namespace, targets))
        .collect();
    (!grants.is_empty()).then(|| grants.join("\n---\n"))
}

/// Whatever its rules send requests to, also copies of them.
fn references(route: &Value) -> Vec<&Value> {
    let mut all = Vec::new();
    for rule in rules(route) {
        all.extend(backends(rule));
        let of_backends = backends(rule)
            .iter()
            .flat_map(|backend| list(&backend["filters"]));
        let mirrors = list(&rule["filters"]).iter().chain(of_backends);
        all.extend(
            mirrors
                .map(|filter| &filter["requestMirror"]["backendRef"])
                .filter(|target| target.is_object()),
        );
    }
    all
}

/// One for a namespace: whoever owns it may take back what it allows by deleting this.
fn yaml(home: &str, route: &str, namespace: &str, targets: &BTreeSet<[&str; 3]>) -> String {
    let to: Vec<_> = targets
        .iter()
        .map(|[group, kind, name]| format!("\n    - {{ group: \"{group}\", kind: {kind}, name: {name} }}"))
        .collect();
    format!(
        "apiVersion: gateway.networking.k8s.io/v1beta1\n\
         kind: ReferenceGrant\n\
         metadata: {{ name: {home}-{route}, namespace: {namespace} }}\n\
         spec:\n  \
         from:\n    \
         - {{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: {home} }}\n  \
         to:{}",
        to.concat()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn route(rules: Value) -> Value {
        json!({ "metadata": { "namespace": "shop", "name": "web" }, "spec": { "rules": rules } })
    }

    #[test]
    fn every_namespace_gets_one_grant_for_all_that_the_route_names_there() {
        let mirror = json!([{ "type": "RequestMirror", "requestMirror": { "backendRef": { "name": "copy", "namespace": "lab", "port": 80 } } }]);
        let route = route(json!([
            { "backendRefs": [{ "name": "web-blue", "port": 80 }, { "name": "cdn", "namespace": "media", "port": 80 }] },
            { "backendRefs": [{ "name": "cdn", "namespace": "media", "port": 80, "filters": mirror }] },
            { "backendRefs": [{ "group": "example.com", "kind": "Bucket", "name": "old", "namespace": "media" }] },
        ]));
        insta::assert_snapshot!(needed(&route).unwrap(), @r#"
        apiVersion: gateway.networking.k8s.io/v1beta1
        kind: ReferenceGrant
        metadata: { name: shop-web, namespace: lab }
        spec:
          from:
            - { group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop }
          to:
            - { group: "", kind: Service, name: copy }
        ---
        apiVersion: gateway.networking.k8s.io/v1beta1
        kind: ReferenceGrant
        metadata: { name: shop-web, namespace: media }
        spec:
          from:
            - { group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop }
          to:
            - { group: "", kind: Service, name: cdn }
            - { group: "example.com", kind: Bucket, name: old }
        "#);
    }

    #[test]
    fn a_route_that_stays_at_home_needs_none() {
        let at_home =
            json!([{ "backendRefs": [{ "name": "a", "port": 80 }, { "name": "b", "namespace": "shop" }] }]);
        assert_eq!(needed(&route(at_home)), None);
    }
}
