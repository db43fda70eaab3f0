//! What an error of the Kubernetes client means, and what to do about it, in words.
//!
//! The client's own texts repeat their causes and name no remedy. Asks nobody.

use std::{error::Error, io};

use kube::core::Status;

use super::PATIENCE;

/// What a caller may have to know of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 404: the object, or its kind, is not there.
    Missing,
    /// 409: it was changed in between.
    Conflict,
    /// 422: a condition of the patch does not hold, or the object would not be valid.
    Invalid,
    /// 401 and 403: we are not known, or may not.
    Forbidden,
    /// Any other no: it was understood and not done.
    Refused,
    /// No answer, or one that says that the server is in trouble: what was asked for may have been done.
    Unreachable,
}

/// An error of the API server, or on the way to it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{words}")]
pub struct Trouble {
    /// Which.
    pub kind: Kind,
    /// What happened and what to do next.
    pub words: String,
}

pub(super) fn of(error: &kube::Error, url: &str, user: &str) -> Trouble {
    match error {
        kube::Error::Api(status) => refusal(status, user),
        kube::Error::Auth(_) => Trouble {
            kind: Kind::Forbidden,
            words: format!(
                "{user} cannot sign in: {}; run the command of its kubeconfig by hand",
                deepest(error)
            ),
        },
        _ => Trouble {
            kind: Kind::Unreachable,
            words: silence(error, url),
        },
    }
}

/// An answer that says no.
fn refusal(status: &Status, user: &str) -> Trouble {
    let Status { code, message, .. } = status;
    let (kind, words) = match code {
        401 => (
            Kind::Forbidden,
            format!(
                "the API server does not know who asks (401): the token or certificate of {user} is over or was revoked; sign in again, or renew the secret that holds it"
            ),
        ),
        403 => (
            Kind::Forbidden,
            Missing::read(message).map_or_else(
                || message.clone(),
                |missing| format!("{message}\n{}", missing.yaml()),
            ),
        ),
        // A path that nobody serves has a text for an answer and no kind.
        404 if message.contains("could not find the requested resource")
            || message.contains("page not found") =>
        {
            (
                Kind::Missing,
                "the API server does not know this kind of object: install its CRDs".to_owned(),
            )
        }
        404 => (Kind::Missing, message.clone()),
        409 => (Kind::Conflict, message.clone()),
        422 => (Kind::Invalid, causes(status)),
        429 | 500.. => (
            Kind::Unreachable,
            format!("the API server is in trouble ({code}): {message}"),
        ),
        _ => (Kind::Refused, message.clone()),
    };
    Trouble { kind, words }
}

/// Every single thing that is wrong with an object, or what is said of all of them.
fn causes(status: &Status) -> String {
    let causes: Vec<_> = status
        .details
        .iter()
        .flat_map(|details| &details.causes)
        .map(|cause| match cause.field.as_str() {
            "" | "<nil>" => cause.message.clone(),
            field => format!("{field}: {}", cause.message),
        })
        .collect();
    if causes.is_empty() {
        status.message.clone()
    } else {
        causes.join("; ")
    }
}

/// Why there is no answer.
fn silence(error: &kube::Error, url: &str) -> String {
    let cause = deepest(error);
    let kind = chain(error).find_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()));
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => {
            format!("nobody listens at {url}: is the API server down, or the address wrong?")
        }
        Some(io::ErrorKind::TimedOut) => format!(
            "{url} did not answer within {} s: is there a way from here to the API server?",
            PATIENCE.as_secs()
        ),
        _ if cause.contains("certificate") => format!(
            "{url} is not the API server that the kubeconfig means, or its certificate is over: {cause}; look at certificate-authority"
        ),
        _ if cause.contains("dns error") || cause.contains("lookup address") => {
            format!("the name in {url} is not known here: {cause}")
        }
        _ => format!("ask {url}: {cause}"),
    }
}

fn chain(error: &kube::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |&error| error.source())
}

/// The cause that has no cause: the others print it in their own text.
fn deepest(error: &kube::Error) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

/// A right that somebody does not have.
struct Missing<'a> {
    user: &'a str,
    verb: &'a str,
    resource: &'a str,
    group: &'a str,
    /// None: of the whole cluster.
    namespace: Option<&'a str>,
}

impl<'a> Missing<'a> {
    /// Out of the API server's sentence, which is the only place where all of it stands.
    ///
    /// Source: `responsewriters.forbiddenMessage` of k8s.io/apiserver
    fn read(message: &'a str) -> Option<Self> {
        let after = |start: &str| Some(message.split_once(start)?.1);
        let quoted = |start: &str| Some(after(start)?.split_once('"')?.0);
        Some(Self {
            user: quoted("User \"")?,
            verb: after(" cannot ")?.split_once(" resource \"")?.0,
            resource: quoted(" resource \"")?,
            group: quoted("in API group \"").unwrap_or_default(),
            namespace: quoted("in the namespace \""),
        })
    }

    /// A role with this right alone and its binding: they may be applied as they are, beside whatever there is.
    fn yaml(&self) -> String {
        let Self {
            user,
            verb,
            resource,
            group,
            namespace,
        } = self;
        let kind = if namespace.is_some() {
            "Role"
        } else {
            "ClusterRole"
        };
        let place = namespace.map_or_else(String::new, |namespace| format!(", namespace: {namespace}"));
        let name = format!("rollgate-{verb}-{}", resource.replace('/', "-"));
        let subject = match user
            .strip_prefix("system:serviceaccount:")
            .and_then(|rest| rest.split_once(':'))
        {
            Some((namespace, name)) => {
                format!("{{ kind: ServiceAccount, name: {name}, namespace: {namespace} }}")
            }
            None => format!("{{ kind: User, name: \"{user}\", apiGroup: rbac.authorization.k8s.io }}"),
        };
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\n\
             kind: {kind}\n\
             metadata: {{ name: {name}{place} }}\n\
             rules:\n  - {{ apiGroups: [\"{group}\"], resources: [\"{resource}\"], verbs: [\"{verb}\"] }}\n\
             ---\n\
             apiVersion: rbac.authorization.k8s.io/v1\n\
             kind: {kind}Binding\n\
             metadata: {{ name: {name}{place} }}\n\
             subjects:\n  - {subject}\n\
             roleRef: {{ kind: {kind}, name: {name}, apiGroup: rbac.authorization.k8s.io }}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(code: u16, message: &str) -> String {
        let status = Status {
            code,
            message: message.to_owned(),
            ..Status::default()
        };
        of(
            &kube::Error::Api(status.boxed()),
            "https://cluster:6443",
            "user deploy of the kubeconfig",
        )
        .words
    }

    #[test]
    fn a_missing_right_is_told_as_yaml_that_can_be_applied() {
        let message = "httproutes.gateway.networking.k8s.io \"web\" is forbidden: User \"system:serviceaccount:ci:deploy\" cannot patch resource \"httproutes\" in API group \"gateway.networking.k8s.io\" in the namespace \"shop\"";
        insta::assert_snapshot!(words(403, message), @r#"
        httproutes.gateway.networking.k8s.io "web" is forbidden: User "system:serviceaccount:ci:deploy" cannot patch resource "httproutes" in API group "gateway.networking.k8s.io" in the namespace "shop"
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: { name: rollgate-patch-httproutes, namespace: shop }
        rules:
          - { apiGroups: ["gateway.networking.k8s.io"], resources: ["httproutes"], verbs: ["patch"] }
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: { name: rollgate-patch-httproutes, namespace: shop }
        subjects:
          - { kind: ServiceAccount, name: deploy, namespace: ci }
        roleRef: { kind: Role, name: rollgate-patch-httproutes, apiGroup: rbac.authorization.k8s.io }
        "#);
    }

    #[test]
    fn a_person_and_a_subresource_and_the_core_group_are_written_as_rbac_wants_them() {
        let yaml = words(
            403,
            "pods is forbidden: User \"anna@example.com\" cannot get resource \"deployments/scale\" in API group \"\" at the cluster scope",
        );
        for part in [
            "kind: ClusterRole\n",
            "name: rollgate-get-deployments-scale }",
            "apiGroups: [\"\"], resources: [\"deployments/scale\"], verbs: [\"get\"]",
            "{ kind: User, name: \"anna@example.com\", apiGroup: rbac.authorization.k8s.io }",
        ] {
            assert!(yaml.contains(part), "{part} in\n{yaml}");
        }
    }

    #[test]
    fn a_refusal_that_is_no_missing_right_is_told_as_it_is() {
        let quota = "pods \"web\" is forbidden: exceeded quota: small";
        assert_eq!(words(403, quota), quota);
    }

    #[test]
    fn a_token_that_is_over_names_its_owner() {
        assert!(
            words(401, "Unauthorized")
                .contains("the token or certificate of user deploy of the kubeconfig is over")
        );
    }

    #[test]
    fn a_kind_that_is_not_installed_is_no_missing_object() {
        let kind = words(404, "the server could not find the requested resource");
        assert!(kind.contains("install its CRDs"), "{kind}");
        let object = "httproutes.gateway.networking.k8s.io \"web\" not found";
        assert_eq!(words(404, object), object);
    }

    #[test]
    fn an_object_that_is_not_valid_tells_each_cause_once() {
        let status = serde_json::json!({
            "code": 422,
            "message": "HTTPRoute \"web\" is invalid: [too, long]",
            "details": { "causes": [
                { "field": "spec.rules", "message": "Too many: 17" },
                { "field": "<nil>", "message": "some checks were skipped" },
            ] },
        });
        let status: Status = serde_json::from_value(status).unwrap();
        let trouble = of(&kube::Error::Api(status.boxed()), "", "");
        assert_eq!(trouble.kind, Kind::Invalid);
        assert_eq!(
            trouble.words,
            "spec.rules: Too many: 17; some checks were skipped"
        );
    }
}
