//! A small fresh world of each router on its real part, all of one form, so that one test holds them all.

pub(super) mod gateway_api;
pub(super) mod haproxy;
pub(super) mod istio;
pub(super) mod nginx;
mod object;
pub(super) mod replica_ratio;
pub(super) mod service_selector;

use std::path::{Path, PathBuf};

use rollgate::providers::{
    cluster::Cluster,
    traffic::{Ids, Preview, Router, Sticky, UserId, Users},
};
use tokio::runtime::Handle;

/// A fresh world of one router, with two backends and no rollout yet. Gone when it is dropped.
///
/// What it tells is found out past the code of the provider: that is what is on trial.
pub(crate) trait Bed: Sized {
    /// The backends in the plan's order. Before the first rollout the first one has all the traffic.
    const BACKENDS: [&'static str; 2];
    /// Shares that this router can give, rising, without 0, with 100.
    const SHARES: &'static [u8];
    /// One that it cannot give, if there is one.
    const CANNOT: Option<u8> = None;
    /// As many writes as take a few seconds.
    const WRITES: usize;

    /// Nothing, said aloud by `require`, where the real part is missing.
    fn make() -> Option<Self>;

    /// How this router may tell users apart, where it is the plan that says so.
    fn users() -> Users {
        Users::default()
    }

    /// Puts both versions behind the router, ready, where the bed is made without them.
    fn deploy(&self) {}

    /// The provider, anew each time, as two processes would have two.
    fn router(&self, users: Users) -> Box<dyn Router>;

    /// The plan's part from `traffic` on; what else a plan needs is put before it.
    fn plan(&self) -> String;

    /// What the tools must find in their environment, besides the plan.
    fn variables(&self) -> Vec<(&'static str, PathBuf)>;

    /// The share of the second backend: what users get, or what the router's object says.
    fn live(&self) -> u8;

    /// Everything that the router has, as text: the same as long as nobody writes.
    fn raw(&self) -> String;

    /// The same without what a rollout may change for good: the shares, the record, the object's version.
    fn foreign(&self) -> String;

    /// A foreign hand gives the second backend this share (0, or one of [`Self::SHARES`]); the record stays.
    fn by_hand(&self, share: u8);

    /// A foreign hand changes something in the record; the share stays.
    fn edit_record(&self);

    /// The router is as it was when the bed was made, without a record: restarted, or put back by GitOps.
    fn forget(&self);
}

/// By a header with a decimal id.
fn sticky() -> Sticky {
    Sticky {
        by: UserId::Header("x-user-id".to_owned()),
        ids: Ids::Decimal,
    }
}

/// By rules of their own: decimal ids, and a header for a preview.
fn with_rules() -> Users {
    Users {
        sticky: Some(sticky()),
        preview: Some(Preview {
            header: "x-preview".to_owned(),
            value: "next".to_owned(),
        }),
    }
}

/// A client of the tools for the cluster that `kubeconfig` names, a new one each time.
fn cluster(kubeconfig: &Path) -> Cluster {
    let connect = || Handle::current().block_on(Cluster::by_kubeconfig(kubeconfig));
    tokio::task::block_in_place(connect).expect("a kubeconfig of the tests")
}
