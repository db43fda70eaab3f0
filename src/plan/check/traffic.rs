//! The router, its backends and how it recognises users.

use std::{collections::BTreeMap, path::PathBuf};

use super::Complaints;
use crate::plan::{
    place::Path,
    sections::{
        Backend, BackendFile, BackendsFile, GatewayApi, GatewayApiFile, Haproxy, HaproxyFile, Istio,
        IstioFile, Nginx, NginxFile, ReplicaRatio, ReplicaRatioFile, ServiceSelector, ServiceSelectorFile,
        Sticky, StickyFile, Traffic, TrafficFile, UserId,
    },
    units::{File, Name, Written},
    wrong::{Wrong, list},
};

/// The router; none when its backends are no two different ones.
pub(super) fn traffic_of(
    file: TrafficFile,
    service: &str,
    complaints: &mut Complaints<'_>,
) -> Option<Traffic> {
    Some(match file {
        TrafficFile::Haproxy(file) => Traffic::Haproxy(haproxy_of(file, service, complaints)?),
        TrafficFile::Nginx(file) => {
            let NginxFile {
                include,
                config,
                served,
                key,
                backends,
            } = file;
            let backends = two("nginx", backends, complaints)?;
            let key = key.map_or_else(|| service.to_owned(), |key| key.0);
            Traffic::Nginx(Nginx {
                include,
                config,
                served,
                // What nginx takes for the name of a variable.
                key: key.replace(['.', '-'], "_"),
                backends,
            })
        }
        TrafficFile::GatewayApi(GatewayApiFile {
            namespace,
            route,
            backends,
        }) => Traffic::GatewayApi(GatewayApi {
            namespace,
            route,
            backends: two("gateway-api", backends, complaints)?,
        }),
        TrafficFile::Istio(IstioFile {
            namespace,
            route,
            host,
            backends,
        }) => Traffic::Istio(Istio {
            namespace,
            route,
            host: host.map(|host| host.0),
            backends: two("istio", backends, complaints)?,
        }),
        TrafficFile::ServiceSelector(ServiceSelectorFile {
            namespace,
            service,
            label,
            backends,
        }) => Traffic::ServiceSelector(ServiceSelector {
            namespace,
            service,
            label,
            backends: two("service-selector", backends, complaints)?,
        }),
        TrafficFile::ReplicaRatio(ReplicaRatioFile {
            namespace,
            service,
            backends,
        }) => Traffic::ReplicaRatio(ReplicaRatio {
            namespace,
            service,
            backends: two("replica-ratio", backends, complaints)?,
        }),
    })
}

fn haproxy_of(file: HaproxyFile, service: &str, complaints: &mut Complaints<'_>) -> Option<Haproxy> {
    let HaproxyFile {
        sockets,
        map,
        key,
        backends,
    } = file;
    let sockets = sockets_of(sockets, complaints);
    let backends = two("haproxy", backends, complaints)?;
    let key = key.map_or_else(|| service.to_owned(), |key| key.0);
    Some(Haproxy {
        sockets,
        map,
        key,
        backends,
    })
}

fn sockets_of(sockets: Vec<Written<File>>, complaints: &mut Complaints<'_>) -> Vec<PathBuf> {
    let here = || Path::of("traffic.haproxy.sockets");
    let sockets: Vec<_> = sockets.into_iter().map(|socket| socket.0).collect();
    if sockets.is_empty() {
        complaints.add(
            here(),
            "found an empty list, expected the socket of each HAProxy process".to_owned(),
        );
    }
    for (index, socket) in sockets.iter().enumerate() {
        if sockets.iter().take(index).any(|other| other == socket) {
            let message = format!("found `{}` again, expected each socket once", socket.display());
            complaints.add(here().item(index), message);
        }
    }
    sockets
}

/// Two different backends.
fn two(vendor: &str, backends: Vec<Written<Name>>, complaints: &mut Complaints<'_>) -> Option<[String; 2]> {
    let here = || Path::of("traffic").key(vendor).key("backends");
    let backends: Vec<_> = backends.into_iter().map(|backend| backend.0).collect();
    let found = backends.len();
    let Ok(backends) = <[String; 2]>::try_from(backends) else {
        complaints.add(
            here(),
            format!("found {found}, expected two backends, stable and candidate"),
        );
        return None;
    };
    let [first, second] = &backends;
    if first == second {
        let message = format!("found `{second}` again, expected two different backends");
        complaints.add(here().item(1), message);
    }
    Some(backends)
}

/// What belongs to the backends; only Kubernetes has it.
pub(super) fn backends_of(
    file: BackendsFile,
    traffic: Option<&Traffic>,
    complaints: &mut Complaints<'_>,
) -> BTreeMap<String, Backend> {
    let here = |name: &str| Path::of("backends").key(name);
    if let Some(traffic) = traffic {
        let known = traffic.backends().each_ref().map(String::as_str);
        for name in file.keys() {
            if matches!(traffic, Traffic::Haproxy(_) | Traffic::Nginx(_)) {
                let message = format!(
                    "`traffic.{}` has servers, no Deployments: expected nothing here",
                    traffic.vendor()
                );
                complaints.add(here(name), message);
            } else if !known.contains(&name.as_str()) {
                let path = here(name);
                let message = format!("no backend of `traffic`, expected {}", list(&known, "and"));
                let place = complaints.root.key_place_of(&path);
                complaints.push(Wrong {
                    path,
                    ..Wrong::at(place, message).did_you_mean(name, &known)
                });
            }
        }
        if matches!(traffic, Traffic::ReplicaRatio(_)) {
            for (name, BackendFile { deployment, .. }) in &file {
                let Some(Written(deployment)) = deployment else {
                    continue;
                };
                let message = format!(
                    "found `{deployment}`, expected nothing: a backend of `traffic.replica-ratio` is the Deployment \
                     itself; write its name in `traffic.replica-ratio.backends` and here, in place of `{name}`"
                );
                complaints.add(here(name).key("deployment"), message);
            }
        }
    }
    file.into_iter()
        .map(|(name, BackendFile { deployment, workers })| {
            let backend = Backend {
                deployment: deployment.map(|name| name.0),
                workers: workers.map(|name| name.0),
            };
            (name, backend)
        })
        .collect()
}

/// Where a user's id stands, if the router can see it there.
pub(super) fn sticky_of(
    file: StickyFile,
    traffic: Option<&Traffic>,
    complaints: &mut Complaints<'_>,
) -> Option<Sticky> {
    let StickyFile {
        header,
        cookie,
        query,
        ids,
    } = file;
    let here = || Path::of("sticky");
    let ways = [
        ("header", header.map(|name| UserId::Header(name.0))),
        ("cookie", cookie.map(|name| UserId::Cookie(name.0))),
        ("query", query.map(|name| UserId::Query(name.0))),
    ];
    let known = ways.each_ref().map(|(way, _)| *way);
    let found: Vec<_> = ways
        .into_iter()
        .filter_map(|(way, by)| Some((way, by?)))
        .collect();
    let [(_, by)] = found.as_slice() else {
        let found: Vec<_> = found.iter().map(|(way, _)| *way).collect();
        complaints.push(Wrong {
            path: here(),
            ..Wrong::choice(&found, &known).or_at(complaints.root.place_of(&here()))
        });
        return None;
    };
    let refused = match (traffic?, by) {
        (Traffic::Haproxy(_) | Traffic::Nginx(_), _)
        | (Traffic::GatewayApi(_) | Traffic::Istio(_), UserId::Header(_)) => None,
        (traffic @ (Traffic::GatewayApi(_) | Traffic::Istio(_)), _) => Some(format!(
            "`traffic.{}` sees users by a header only, expected `header`",
            traffic.vendor()
        )),
        (traffic @ (Traffic::ServiceSelector(_) | Traffic::ReplicaRatio(_)), _) => Some(format!(
            "`traffic.{}` does not see requests, only connections: expected nothing here; for sticky users use \
             gateway-api, istio, haproxy or nginx",
            traffic.vendor()
        )),
    };
    if let Some(message) = refused {
        complaints.add(here(), message);
    }
    Some(Sticky { by: by.clone(), ids })
}
