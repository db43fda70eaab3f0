//! `finish`: the old version may go.

use std::path::{Path, PathBuf};

use kube::api::GroupVersionKind;
use rollgate_domain::exit::Outcome;

use super::said::{OutputFlag, answered};
use crate::{
    commands::{
        connect::outside,
        say,
        shared::{OutFlag, PlanFlag, desk},
        variable,
    },
    error::Usage,
    github::run::Run,
    operations::finish::{
        Finish, finish,
        manifests::{Manifest, Named, Routed},
    },
    plan::{self, Traffic},
    providers::{cluster::Cluster, manifests},
};

/// End the rollout after its promotion: there is no way back, and the old version may go
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Refused before the plan's keep-old is over, and while the team's own manifests name the old
version: what was last applied to the routed object is looked at in the cluster, and --manifests
names the folder that the next one comes from.

Examples:
  shift-traffic finish --manifests k8s/
  shift-traffic finish --manifests k8s/ --scale-down-old
  shift-traffic finish --dry-run")]
pub(crate) struct Args {
    /// The folder of the team's manifests, in which the routed object must name the new stable
    #[arg(long, value_name = "DIR", env = "ROLLGATE_MANIFESTS")]
    manifests: Option<PathBuf>,
    /// Scale the old version down to 0; its objects stay
    #[arg(long)]
    scale_down_old: bool,
    /// Print the exact change and touch nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputFlag,
    #[command(flatten)]
    out: OutFlag,
}

pub(crate) async fn run(plan: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let Args {
        manifests,
        scale_down_old,
        dry_run,
        output,
        out,
    } = args;
    // An input that a workflow leaves empty is one that was not given.
    let folder = manifests.filter(|folder| !folder.as_os_str().is_empty());
    let team = match routed(&plan.traffic) {
        Some(routed) => {
            let mut all = in_cluster(&routed, &plan.traffic).await?;
            if let Some(folder) = &folder {
                all.extend(in_folder(&routed, folder, plan.traffic.backends())?);
            }
            Some((routed, all))
        }
        None if folder.is_some() => {
            let vendor = plan.traffic.vendor();
            return Err(Usage(format!("--manifests: {vendor} is no object of a cluster")).into());
        }
        None => None,
    };
    let outside = outside(&plan).await?;
    let github = Run::from_variables(variable);
    let mut desk = desk(out.out, &plan.notify, github.as_ref());
    let wish = Finish {
        behind: outside.behind(&plan.rollback),
        team,
        scale_down_old,
        dry_run,
    };
    let answer = finish(outside.router.as_ref(), &mut desk, &wish).await?;
    Ok(answered(output, &answer, &mut desk).await)
}

/// The object of a cluster that splits the traffic.
fn routed(traffic: &Traffic) -> Option<Routed> {
    let named = |namespace: &String, name: &String| Named {
        namespace: namespace.clone(),
        name: name.clone(),
    };
    match traffic {
        Traffic::Haproxy(_) | Traffic::Nginx(_) => None,
        Traffic::GatewayApi(plan::GatewayApi {
            namespace,
            route,
            backends: _,
        }) => Some(Routed::HttpRoute(named(namespace, route))),
        Traffic::Istio(plan::Istio {
            namespace,
            route,
            host,
            backends: _,
        }) => Some(Routed::VirtualService(named(namespace, route), host.clone())),
        Traffic::ServiceSelector(plan::ServiceSelector {
            namespace,
            service,
            label,
            backends: _,
        }) => Some(Routed::Selector(named(namespace, service), label.clone())),
        Traffic::ReplicaRatio(plan::ReplicaRatio { namespace, .. }) => {
            Some(Routed::Replicas(namespace.clone()))
        }
    }
}

/// What was last applied to the object, where the cluster keeps it.
async fn in_cluster(routed: &Routed, traffic: &Traffic) -> anyhow::Result<Vec<Manifest>> {
    let kind = |group, version| GroupVersionKind::gvk(group, version, routed.kind());
    let (kind, namespace, names) = match routed {
        Routed::HttpRoute(named) => (
            kind("gateway.networking.k8s.io", "v1"),
            &named.namespace,
            vec![&named.name],
        ),
        Routed::VirtualService(named, _) => (
            kind("networking.istio.io", "v1"),
            &named.namespace,
            vec![&named.name],
        ),
        Routed::Selector(named, _) => (kind("", "v1"), &named.namespace, vec![&named.name]),
        Routed::Replicas(namespace) => (kind("apps", "v1"), namespace, traffic.backends().iter().collect()),
    };
    let cluster = Cluster::connect().await?;
    let mut found = Vec::new();
    for name in names {
        if let Some(object) = manifests::last_applied(&cluster, &kind, namespace, name).await? {
            found.push(Manifest {
                place: format!("what was last applied in the cluster ({namespace})"),
                object,
            });
        }
    }
    Ok(found)
}

/// The object in the team's files; that it is nowhere is a mistake in the flag.
fn in_folder(routed: &Routed, folder: &Path, backends: &[String; 2]) -> anyhow::Result<Vec<Manifest>> {
    let manifests::Folder { objects, unread } = manifests::in_folder(folder)?;
    let is_it = |object: &_| backends.iter().any(|backend| routed.is(object, backend));
    let found: Vec<_> = objects
        .into_iter()
        .filter(|(_, object)| is_it(object))
        .map(|(path, object)| Manifest {
            place: path.display().to_string(),
            object,
        })
        .collect();
    for file in &unread {
        say(&format!(
            "warning: {file}: passed over, it is no manifest as it stands"
        ));
    }
    if found.is_empty() {
        let templates = if unread.is_empty() {
            ""
        } else {
            "; for templates, give the folder with what they make (helm template, kustomize build)"
        };
        return Err(Usage(format!(
            "--manifests {}: no file there has {}{templates}",
            folder.display(),
            routed.in_words(&backends[0])
        ))
        .into());
    }
    Ok(found)
}
