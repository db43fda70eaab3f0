//! How a plan becomes the providers it names.

use std::collections::BTreeMap;

use crate::{
    operations::capacity::Behind,
    plan::{self, Ids as PlanIds, Plan, Traffic, UserId as PlanUserId},
    providers::{
        cluster::Cluster,
        sampling::Sampler,
        stacks::{
            Stacks, Traces,
            kubernetes::{Kubernetes, Lookup, Named},
        },
        traffic::{
            Ids, Preview, Router, Sticky, UserId, Users, gateway_api::GatewayApi, haproxy::Haproxy,
            istio::Istio, nginx::Nginx, replica_ratio::ReplicaRatio, service_selector::ServiceSelector,
        },
    },
};

/// The router, and what runs behind it where that can be asked.
pub(crate) struct Outside {
    pub(crate) router: Box<dyn Router>,
    pub(crate) stacks: Option<Box<dyn Stacks>>,
}

impl Outside {
    /// What may be asked of the versions.
    pub(crate) fn behind(&self, rollback: &plan::Rollback) -> Behind<'_> {
        Behind {
            stacks: self.stacks.as_deref(),
            scale_up: rollback.scale_up,
        }
    }
}

/// Asks the service who answers, where the plan says how.
///
/// # Errors
///
/// The header's name is none.
pub(crate) fn sampler(plan: &Plan) -> anyhow::Result<Option<Sampler>> {
    match (&plan.url, &plan.version_header) {
        (Some(url), Some(header)) => Sampler::new(url.clone(), header).map(Some),
        _ => Ok(None),
    }
}

/// How single users are told apart.
pub(crate) fn users(plan: &Plan) -> Users {
    Users {
        sticky: plan.sticky.as_ref().map(|plan::Sticky { by, ids }| Sticky {
            by: match by.clone() {
                PlanUserId::Header(name) => UserId::Header(name),
                PlanUserId::Cookie(name) => UserId::Cookie(name),
                PlanUserId::Query(name) => UserId::Query(name),
            },
            ids: match ids {
                PlanIds::Decimal => Ids::Decimal,
                PlanIds::Hex => Ids::Hex,
            },
        }),
        preview: plan
            .preview
            .clone()
            .map(|plan::Preview { header, value }| Preview { header, value }),
    }
}

/// The HAProxy that `traffic` names.
pub(crate) fn haproxy(traffic: plan::Haproxy) -> Haproxy {
    let plan::Haproxy {
        sockets,
        map,
        key,
        backends,
    } = traffic;
    Haproxy::new(sockets, map, key, backends)
}

/// The nginx that `traffic` names.
pub(crate) fn nginx(traffic: plan::Nginx, users: Users) -> Nginx {
    let plan::Nginx {
        include,
        config,
        served,
        key,
        backends,
    } = traffic;
    Nginx::new(include, config, served.to_string(), key, backends, users)
}

/// Everything that `plan` names on the side of the traffic.
///
/// # Errors
///
/// No cluster can be found where one is needed. Nothing has been asked yet.
pub(crate) async fn outside(plan: &Plan) -> anyhow::Result<Outside> {
    outside_of(&plan.traffic, &plan.backends, users(plan)).await
}

/// The same for a rollback by a plan of which only `traffic` could be read. Rules for single users are found and
/// removed without the plan.
///
/// # Errors
///
/// As [`outside`].
pub(crate) async fn outside_of(
    traffic: &Traffic,
    backends: &BTreeMap<String, plan::Backend>,
    users: Users,
) -> anyhow::Result<Outside> {
    let stacks = |cluster: &Cluster| {
        let running = running(traffic, backends, cluster);
        running.map(|running| Box::new(running) as Box<dyn Stacks>)
    };
    Ok(match traffic.clone() {
        Traffic::Haproxy(traffic) => Outside {
            router: Box::new(haproxy(traffic)),
            stacks: None,
        },
        Traffic::Nginx(traffic) => Outside {
            router: Box::new(nginx(traffic, users)),
            stacks: None,
        },
        Traffic::GatewayApi(plan::GatewayApi {
            namespace,
            route,
            backends,
        }) => {
            let cluster = Cluster::connect().await?;
            Outside {
                stacks: stacks(&cluster),
                router: Box::new(GatewayApi::new(cluster, namespace, route, backends, users)),
            }
        }
        Traffic::Istio(plan::Istio {
            namespace,
            route,
            host,
            backends,
        }) => {
            let cluster = Cluster::connect().await?;
            Outside {
                stacks: stacks(&cluster),
                router: Box::new(Istio::new(cluster, namespace, route, host, backends, users)),
            }
        }
        Traffic::ServiceSelector(plan::ServiceSelector {
            namespace,
            service,
            label,
            backends,
        }) => {
            let cluster = Cluster::connect().await?;
            Outside {
                stacks: stacks(&cluster),
                router: Box::new(ServiceSelector::new(
                    cluster, &namespace, &service, label, backends,
                )),
            }
        }
        Traffic::ReplicaRatio(plan::ReplicaRatio {
            namespace,
            service,
            backends,
        }) => {
            let cluster = Cluster::connect().await?;
            Outside {
                stacks: stacks(&cluster),
                router: Box::new(ReplicaRatio::new(cluster, namespace, service, backends)),
            }
        }
    })
}

/// What the versions leave behind, where that can be asked.
///
/// # Errors
///
/// No cluster can be found where one is needed. Nothing has been asked yet.
pub(crate) async fn traces(plan: &Plan) -> anyhow::Result<Option<Box<dyn Traces>>> {
    if placed(&plan.traffic).is_none() {
        return Ok(None);
    }
    let cluster = Cluster::connect().await?;
    let running = running(&plan.traffic, &plan.backends, &cluster);
    Ok(running.map(|running| Box::new(running) as Box<dyn Traces>))
}

/// The versions behind a router of Kubernetes.
fn running(
    traffic: &Traffic,
    backends: &BTreeMap<String, plan::Backend>,
    cluster: &Cluster,
) -> Option<Kubernetes> {
    let (namespace, lookup) = placed(traffic)?;
    let named = backends
        .iter()
        .map(|(name, plan::Backend { deployment, workers })| {
            let named = Named {
                deployment: deployment.clone(),
                workers: workers.clone(),
            };
            (name.clone(), named)
        })
        .collect();
    Some(Kubernetes::new(cluster.clone(), namespace.clone(), lookup, named))
}

/// In which namespace the versions run, and how they are found there.
fn placed(traffic: &Traffic) -> Option<(&String, Lookup)> {
    match traffic {
        Traffic::Haproxy(_) | Traffic::Nginx(_) => None,
        Traffic::GatewayApi(traffic) => Some((&traffic.namespace, Lookup::Service)),
        Traffic::Istio(traffic) => Some((&traffic.namespace, subsets(traffic.host.as_deref()))),
        Traffic::ServiceSelector(traffic) => {
            let lookup = Lookup::Selector {
                service: traffic.service.clone(),
                label: traffic.label.clone(),
            };
            Some((&traffic.namespace, lookup))
        }
        Traffic::ReplicaRatio(traffic) => {
            let lookup = Lookup::Deployment {
                service: traffic.service.clone(),
            };
            Some((&traffic.namespace, lookup))
        }
    }
}

/// How the pods of Istio's backends are found: behind Services of their own, or as subsets of one Service.
fn subsets(host: Option<&str>) -> Lookup {
    let name = host.and_then(|host| host.split('.').next());
    name.map_or(Lookup::Service, |service| Lookup::Subset {
        service: service.to_owned(),
    })
}
