//! What objects of the API server say about a version. Asks nobody.

use std::collections::BTreeSet;

use k8s_openapi::api::{
    apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler, discovery::v1::EndpointSlice,
};
use kube::ResourceExt as _;

use super::{
    dial::{Dial, Kind},
    wishes::{Bounds, Dials},
};

/// Addresses that get requests, each once: a pod has one for each family of addresses.
///
/// Source: <https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions>
pub(super) fn ready_endpoints(slices: &[EndpointSlice]) -> u32 {
    let endpoints = slices.iter().flat_map(|slice| &slice.endpoints);
    let ready = endpoints.filter(|endpoint| {
        let conditions = endpoint.conditions.clone().unwrap_or_default();
        conditions.ready != Some(false) && conditions.terminating != Some(true)
    });
    let names = ready.filter_map(|endpoint| {
        let target = endpoint
            .target_ref
            .as_ref()
            .and_then(|target| target.name.as_ref());
        target.or_else(|| endpoint.addresses.first())
    });
    count(names.collect::<BTreeSet<_>>().len())
}

/// The images of a Deployment's pods, as they are written there.
pub(super) fn images(deployment: &Deployment) -> Vec<String> {
    let pods = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.template.spec.as_ref());
    let containers = pods.into_iter().flat_map(|pods| {
        let first = pods.init_containers.iter().flatten();
        first.chain(&pods.containers)
    });
    let images: BTreeSet<_> = containers
        .filter_map(|container| container.image.clone())
        .collect();
    images.into_iter().collect()
}

pub(super) fn replicas(deployment: &Deployment) -> u32 {
    // The API server writes 1 where nothing was said.
    let replicas = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1);
    u32::try_from(replicas).unwrap_or(0)
}

pub(super) fn dials(deployment: &Deployment, autoscaler: Option<&HorizontalPodAutoscaler>) -> Dials {
    Dials {
        pods: Dial {
            kind: Kind::Deployment,
            name: deployment.name_any(),
            now: replicas(deployment),
            annotations: deployment.metadata.annotations.clone(),
        },
        autoscaler: autoscaler.map(bounds),
    }
}

pub(super) fn bounds(autoscaler: &HorizontalPodAutoscaler) -> Bounds {
    let spec = autoscaler.spec.clone().unwrap_or_default();
    let owner = autoscaler
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true));
    Bounds {
        min: Dial {
            kind: Kind::HorizontalPodAutoscaler,
            name: autoscaler.name_any(),
            // The API server writes 1 where nothing was said.
            now: u32::try_from(spec.min_replicas.unwrap_or(1)).unwrap_or(0),
            annotations: autoscaler.metadata.annotations.clone(),
        },
        max: u32::try_from(spec.max_replicas).unwrap_or(0),
        owner: owner.map(|owner| format!("{} {}", owner.kind, owner.name)),
    }
}

pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
