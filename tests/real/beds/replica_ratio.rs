//! Two real Deployments of four pods in all, behind one plain Service.

use std::{path::PathBuf, time::Duration};

use rollgate::providers::traffic::{Router, Users, replica_ratio};
use serde_json::{Value, json};

use super::{
    Bed, cluster,
    object::{edited, quiet},
};
use crate::support::{
    kube::{Cluster, Namespace},
    servers::until,
};

const PODS: u32 = 4;

pub(crate) struct ReplicaRatio {
    namespace: Namespace<'static>,
    kubeconfig: PathBuf,
}

impl ReplicaRatio {
    /// Ready pods of a version, none of them on its way out.
    fn ready(&self, version: &str) -> u32 {
        let pods = self.namespace.list("Pod", &format!("version={version}"));
        let ready = pods.iter().filter(|pod| {
            let conditions = pod["status"]["conditions"].as_array();
            let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
            pod["metadata"]["deletionTimestamp"].is_null()
                && conditions.is_some_and(|conditions| conditions.iter().any(is_ready))
        });
        u32::try_from(ready.count()).expect("a few pods")
    }

    fn scale(&self, blue: u32, green: u32) {
        for (version, replicas) in [("blue", blue), ("green", green)] {
            let change = json!({ "spec": { "replicas": replicas } });
            self.namespace
                .patch("Deployment", &format!("web-{version}"), &change);
        }
        until("the pods are there", Duration::from_secs(60), || {
            (self.ready("blue") == blue && self.ready("green") == green).then_some(())
        });
    }

    fn objects(&self) -> [Value; 3] {
        [
            self.namespace.get("Service", "web"),
            self.namespace.get("Deployment", "web-blue"),
            self.namespace.get("Deployment", "web-green"),
        ]
    }
}

impl Bed for ReplicaRatio {
    const BACKENDS: [&'static str; 2] = ["web-blue", "web-green"];
    const SHARES: &'static [u8] = &[25, 50, 100];
    const CANNOT: Option<u8> = Some(1);
    const WRITES: usize = 60;

    fn make() -> Option<Self> {
        let namespace = Cluster::shared()?.namespace("contract-ratio");
        namespace.deployment("web-blue", "app=web,version=blue", PODS);
        namespace.deployment("web-green", "app=web,version=green", 0);
        namespace.service("web", "app=web");
        let kubeconfig = namespace.admin().kubeconfig();
        let bed = Self {
            namespace,
            kubeconfig,
        };
        bed.scale(PODS, 0);
        // The controller numbers a Deployment when it first sees it, also one without pods.
        until("both are numbered", Duration::from_secs(60), || {
            let mut deployments = bed.objects().into_iter().skip(1);
            let number = "deployment.kubernetes.io/revision";
            deployments
                .all(|object| object["metadata"]["annotations"][number].is_string())
                .then_some(())
        });
        Some(bed)
    }

    fn router(&self, _: Users) -> Box<dyn Router> {
        Box::new(replica_ratio::ReplicaRatio::new(
            cluster(&self.kubeconfig),
            self.namespace.name.clone(),
            "web".to_owned(),
            Self::BACKENDS.map(str::to_owned),
        ))
    }

    fn plan(&self) -> String {
        format!(
            "traffic:\n  replica-ratio: {{ namespace: {}, service: web, backends: [web-blue, web-green] }}\n",
            self.namespace.name
        )
    }

    fn variables(&self) -> Vec<(&'static str, PathBuf)> {
        vec![("KUBECONFIG", self.kubeconfig.clone())]
    }

    fn live(&self) -> u8 {
        let (blue, green) = (self.ready("blue"), self.ready("green"));
        u8::try_from(100 * green / (blue + green)).expect("percent")
    }

    fn raw(&self) -> String {
        // What controllers write about the pods is no write of anybody's.
        self.objects()
            .map(|mut object| {
                object["status"] = Value::Null;
                object["metadata"]["resourceVersion"] = Value::Null;
                object["metadata"]["managedFields"] = Value::Null;
                object.to_string()
            })
            .concat()
    }

    fn foreign(&self) -> String {
        let mut objects = self.objects().map(quiet);
        for deployment in &mut objects[1..] {
            deployment["spec"]["replicas"] = Value::Null;
        }
        json!(objects).to_string()
    }

    fn by_hand(&self, share: u8) {
        let green = PODS * u32::from(share) / 100;
        self.scale(PODS - green, green);
    }

    fn edit_record(&self) {
        let change = edited(&self.namespace.get("Service", "web"));
        self.namespace.patch("Service", "web", &change);
    }

    fn forget(&self) {
        let ours = json!({ "rollgate.dev/record": null, "rollgate.dev/pods": null });
        self.namespace
            .patch("Service", "web", &json!({ "metadata": { "annotations": ours } }));
        self.scale(PODS, 0);
    }
}
