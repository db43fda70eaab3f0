//! The lines that HAProxy's configuration needs, for `shift-traffic init haproxy`.
//!
//! Source: <https://docs.haproxy.org/2.6/configuration.html#7.3.1-map>

use super::{Haproxy, UserId, Users};
use crate::providers::traffic::{Preview, Sticky};

/// The process-wide variable that says for which first backend the lines were made, for `key`.
pub(super) fn variable(key: &str) -> String {
    format!("proc.rollgate.{}", key.replace('-', "_"))
}

impl Haproxy {
    /// The lines to paste, with what to put where.
    #[must_use]
    pub fn configuration(&self, users: &Users) -> String {
        let Self {
            sockets,
            map,
            key,
            backends: [first, second],
        } = self;
        let map = map.display();
        let variable = variable(key);
        let sockets: String = sockets
            .iter()
            .map(|socket| format!("    stats socket {} mode 600 level admin\n", socket.display()))
            .collect();
        let Users { sticky, preview } = users;
        let sticky = sticky.as_ref().map_or_else(String::new, bucket);
        let preview = preview.as_ref().map_or_else(String::new, previewed);
        format!(
            "\
# 1. In the section `global`. With several processes: one socket for each.
#    tune.bufsize must hold the map's line; 16384 is the default and enough.
{sockets}    set-var {variable} str({first})

# 2. In the frontend that serves the users.
#    A user's bucket is the CRC-32 of its id modulo 100; buckets below the share meet the candidate.
    http-request set-var(txn.rollgate) str({key}),map({map},0),field(1,|,3)
    http-request set-var(txn.rollgate_share) var(txn.rollgate),field(1,|)
{preview}{sticky}    http-request set-var(txn.rollgate_bucket) rand(100) unless {{ var(txn.rollgate_bucket) -m found }}
    acl rollgate_candidate var(txn.rollgate_bucket),sub(txn.rollgate_share) lt 0
    # Which of the two is the candidate; until an entry names it, {second}.
    acl rollgate_is_first var(txn.rollgate),field(2,|) -m str -- {first}
    # A dead candidate's users go to stable. A process that a reload replaces sees no server up: it keeps the split.
    acl rollgate_first_up nbsrv({first}) gt 0
    acl rollgate_first_up stopping
    acl rollgate_second_up nbsrv({second}) gt 0
    acl rollgate_second_up stopping
    use_backend {first} if rollgate_candidate rollgate_is_first rollgate_first_up
    use_backend {second} if rollgate_candidate !rollgate_is_first rollgate_second_up
    use_backend {second} if rollgate_is_first
    default_backend {first}

# 3. The map, before HAProxy is started or reloaded:
#      echo '{key} 0|' > {map}
#    rollgate must be allowed to write to the map and to its folder (a lock and a new file beside it).
"
        )
    }
}

fn bucket(sticky: &Sticky) -> String {
    let fetch = match &sticky.by {
        UserId::Header(name) => format!("req.hdr({name})"),
        UserId::Cookie(name) => format!("req.cook({name})"),
        UserId::Query(name) => format!("url_param({name})"),
    };
    format!(
        "    http-request set-var(txn.rollgate_bucket) {fetch},crc32,mod(100) if {{ {fetch} -m len gt 0 }}\n"
    )
}

fn previewed(Preview { header, value }: &Preview) -> String {
    format!(
        "    # Whoever has this header meets the candidate while it is tried, whatever its share is.
    http-request set-var(txn.rollgate_share) int(100) if {{ var(txn.rollgate),field(3,|) -m str tried }} \
         {{ req.hdr({header}) -m str -- {value} }}\n"
    )
}
