//! What the tests of the Kubernetes providers stand on.

mod cluster;
mod data_plane;

use std::{env, fs, path::Path, thread, time::Duration};

use crate::support::kube::DataPlane;

/// `ROLLGATE_KUBE_HOLD=FILE` keeps the cluster for a person to look at, until FILE is removed. FILE says how.
#[test]
fn a_cluster_stays_as_long_as_a_person_looks_at_it() {
    let Some(file) = env::var_os("ROLLGATE_KUBE_HOLD") else {
        return;
    };
    let Some(plane) = DataPlane::shared() else { return };
    let config = plane.cluster.admin().kubeconfig();
    let text = format!("export KUBECONFIG={}\nfront={}\n", config.display(), plane.front);
    fs::write(&file, text).expect("the file of ROLLGATE_KUBE_HOLD");
    while Path::new(&file).exists() {
        thread::sleep(Duration::from_millis(200));
    }
}
