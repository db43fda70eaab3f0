//! What the Gateways say of a HTTPRoute: an object that the API server has accepted serves nobody yet. Asks nobody.
//!
//! Source: <https://gateway-api.sigs.k8s.io/reference/spec/#routestatus>

use serde_json::Value;

use super::{grants, route::list};

/// What the Gateways that a route names say of one of its generations, or a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// All of them serve it.
    Accepted,
    /// They have not said anything of this generation yet; in words.
    Waiting(String),
    /// Nobody has ever said anything: no controller looks at it; in words.
    Alone(String),
    /// One of them says no; in words.
    Refused(String),
}

/// The worst that any of them says of `generation`.
pub(super) fn standing(route: &Value, generation: u64) -> Standing {
    let parents = list(&route["spec"]["parentRefs"]);
    if parents.is_empty() {
        return Standing::Alone(
            "it is attached to no Gateway: name one in spec.parentRefs, or nobody meets it".to_owned(),
        );
    }
    let mut worst = Standing::Accepted;
    for parent in parents {
        match of_parent(route, parent, generation) {
            Standing::Accepted => {}
            refused @ Standing::Refused(_) => return refused,
            other => worst = other,
        }
    }
    worst
}

fn of_parent(route: &Value, parent: &Value, generation: u64) -> Standing {
    let home = &route["metadata"]["namespace"];
    let gateway = words(parent, home);
    let said: Vec<_> = list(&route["status"]["parents"])
        .iter()
        .filter(|status| identity(&status["parentRef"], home) == identity(parent, home))
        .collect();
    if said.is_empty() {
        return Standing::Alone(format!(
            "no controller has said anything of it for {gateway}: is the Gateway there and its controller running?"
        ));
    }
    let mut waiting = Standing::Waiting(format!(
        "{gateway} has not confirmed generation {generation} of it"
    ));
    for condition in said.iter().flat_map(|status| list(&status["conditions"])) {
        let is_new = condition["observedGeneration"].as_u64().unwrap_or(0) >= generation;
        let text = |key: &str| condition[key].as_str().unwrap_or_default();
        match (is_new, text("type"), text("status")) {
            (true, kind @ ("Accepted" | "ResolvedRefs"), "False") => {
                let (reason, message) = (text("reason"), text("message"));
                let mut why = format!("{gateway} does not serve it ({kind} is False): {reason}: {message}");
                if reason == grants::MISSING
                    && let Some(yaml) = grants::needed(route)
                {
                    why.push_str("; whoever owns the other namespace allows it with\n");
                    why.push_str(&yaml);
                }
                return Standing::Refused(why);
            }
            (true, "Accepted", "True") => waiting = Standing::Accepted,
            _ => {}
        }
    }
    waiting
}

/// The generation of an object.
pub(super) fn generation(object: &Value) -> u64 {
    object["metadata"]["generation"].as_u64().unwrap_or(0)
}

/// What makes two references mean the same parent.
fn identity(parent: &Value, home: &Value) -> [Value; 6] {
    let or = |key: &str, default: Value| match &parent[key] {
        Value::Null => default,
        value => value.clone(),
    };
    [
        or("group", "gateway.networking.k8s.io".into()),
        or("kind", "Gateway".into()),
        or("namespace", home.clone()),
        parent["name"].clone(),
        parent["sectionName"].clone(),
        parent["port"].clone(),
    ]
}

fn words(parent: &Value, home: &Value) -> String {
    let [_, kind, namespace, name, section, _] = identity(parent, home);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let listener = section.as_str().map(|section| format!(" (listener {section})"));
    format!(
        "{} {}/{}{}",
        text(&kind),
        text(&namespace),
        text(&name),
        listener.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn route(status: Value) -> Value {
        json!({
            "metadata": { "namespace": "shop", "name": "web", "generation": 3 },
            "spec": { "parentRefs": [{ "name": "edge", "sectionName": "http" }] },
            "status": { "parents": status },
        })
    }

    fn said(generation: u64, kind: &str, status: &str) -> Value {
        json!({
            "parentRef": { "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge", "namespace": "shop", "sectionName": "http" },
            "conditions": [{ "type": kind, "status": status, "observedGeneration": generation, "reason": "R", "message": "m" }],
        })
    }

    #[test]
    fn a_generation_is_accepted_when_it_was_observed() {
        assert_eq!(
            standing(&route(json!([said(3, "Accepted", "True")])), 3),
            Standing::Accepted
        );
        let old = standing(&route(json!([said(2, "Accepted", "True")])), 3);
        insta::assert_snapshot!(format!("{old:?}"), @r#"Waiting("Gateway shop/edge (listener http) has not confirmed generation 3 of it")"#);
        // What it said of an older one is over.
        assert!(matches!(
            standing(&route(json!([said(2, "Accepted", "False")])), 3),
            Standing::Waiting(_)
        ));
    }

    #[test]
    fn a_refusal_names_who_and_why() {
        let refused = standing(&route(json!([said(3, "Accepted", "False")])), 3);
        insta::assert_snapshot!(format!("{refused:?}"), @r#"Refused("Gateway shop/edge (listener http) does not serve it (Accepted is False): R: m")"#);
        let mut both = said(3, "Accepted", "True");
        let unresolved = said(3, "ResolvedRefs", "False")["conditions"][0].clone();
        both["conditions"].as_array_mut().unwrap().push(unresolved);
        assert!(
            matches!(standing(&route(json!([both])), 3), Standing::Refused(why) if why.contains("ResolvedRefs"))
        );
    }

    #[test]
    fn a_reference_without_a_grant_is_refused_with_the_grant_to_apply() {
        let mut said = said(3, "ResolvedRefs", "False");
        said["conditions"][0]["reason"] = "RefNotPermitted".into();
        let mut route = route(json!([said]));
        let refused = standing(&route, 3);
        assert!(matches!(refused, Standing::Refused(why) if why.ends_with("RefNotPermitted: m")));
        route["spec"]["rules"] = json!([{ "backendRefs": [{ "name": "cdn", "namespace": "media" }] }]);
        let Standing::Refused(why) = standing(&route, 3) else {
            panic!("not refused");
        };
        assert!(
            why.contains("kind: ReferenceGrant\nmetadata: { name: shop-web, namespace: media }"),
            "{why}"
        );
    }

    #[test]
    fn a_route_that_nobody_looks_at_is_alone() {
        assert!(
            matches!(standing(&route(json!([])), 3), Standing::Alone(why) if why.contains("Gateway shop/edge"))
        );
        let mut other = said(3, "Accepted", "True");
        other["parentRef"]["name"] = "another".into();
        assert!(matches!(standing(&route(json!([other])), 3), Standing::Alone(_)));
        let mut homeless = route(json!([]));
        homeless["spec"]["parentRefs"] = json!([]);
        assert!(matches!(standing(&homeless, 3), Standing::Alone(why) if why.contains("no Gateway")));
    }

    #[test]
    fn one_of_two_gateways_is_not_enough() {
        let mut two = route(json!([said(3, "Accepted", "True")]));
        two["spec"]["parentRefs"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "name": "inner" }));
        assert!(matches!(standing(&two, 3), Standing::Alone(why) if why.contains("shop/inner")));
    }
}
