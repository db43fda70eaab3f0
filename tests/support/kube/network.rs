//! Addresses for pods and services of this process, all of them on this machine.
//!
//! The API server wants no loopback addresses for endpoints. A range that nobody routes (RFC 2544) is declared local:
//! every address in it can be listened on, nothing of it leaves the machine, and no other process of ours has it.

use std::{
    fs,
    net::Ipv4Addr,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    process::{Command, Stdio, id},
};

use crate::support::servers::Will;

/// So many processes may have tests at once.
const SLOTS: u32 = 32;
/// Addresses of one, and how many bits of an address name it.
const SIZE: u32 = 4096;
const BITS: u32 = 20;

/// A range of our own, given back when we are gone.
pub(crate) struct Network {
    base: Ipv4Addr,
    _will: Will,
}

impl Network {
    /// Nothing without the right to change routes: root's, or sudo's without a password.
    pub(super) fn claim() -> Option<Self> {
        (0..SLOTS).find_map(|slot| {
            let slot = (slot + id()) % SLOTS;
            let base = Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() + slot * SIZE);
            let mut add = route("add", base);
            // Refused if another process has it.
            let added = add.stdout(Stdio::null()).stderr(Stdio::null()).status();
            added.ok()?.success().then(|| Self {
                base,
                _will: Will::new(&route("del", base)),
            })
        })
    }

    /// An address for what a test starts: 1 to 2000.
    pub(crate) fn address(&self, number: u32) -> Ipv4Addr {
        assert!((1..=2000).contains(&number), "no address {number}");
        Ipv4Addr::from_bits(self.base.to_bits() + number)
    }

    /// The addresses of pods: the upper half.
    pub(super) fn pods(&self) -> String {
        let first = Ipv4Addr::from_bits(self.base.to_bits() + SIZE / 2 + 1);
        format!("{first}/{}", BITS + 1)
    }
}

fn route(verb: &str, base: Ipv4Addr) -> Command {
    let ip = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"].map(PathBuf::from);
    let ip = ip
        .into_iter()
        .find(|ip| ip.is_file())
        .unwrap_or_else(|| "ip".into());
    let mut command = if is_root() {
        Command::new(ip)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("-n").arg(ip);
        sudo
    };
    command.args(["route", verb, "local", &format!("{base}/{BITS}"), "dev", "lo"]);
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
