//! The lines that HAProxy's configuration needs, for `shift-traffic init haproxy`.
//!
//! Source: <https://docs.haproxy.org/2.6/configuration.html#7.3.1-map>

use super::{Haproxy, UserId};

impl Haproxy {
    /// The lines to paste, with what to put where. `user`: none for a split by request.
    #[must_use]
    pub fn configuration(&self, user: Option<&UserId>) -> String {
        let Self {
            sockets,
            map,
            key,
            stable,
            candidate,
        } = self;
        let map = map.display();
        let sockets: String = sockets
            .iter()
            .map(|socket| format!("    stats socket {} mode 600 level admin\n", socket.display()))
            .collect();
        let sticky = user.map_or_else(String::new, |user| {
        let fetch = match user {
            UserId::Header(name) => format!("req.hdr({name})"),
            UserId::Cookie(name) => format!("req.cook({name})"),
            UserId::Query(name) => format!("url_param({name})"),
        };
        format!("    http-request set-var(txn.rollgate_bucket) {fetch},crc32,mod(100) if {{ {fetch} -m len gt 0 }}\n")
    });
        format!(
        "\
# 1. In the section `global`. With several processes: one socket for each.
#    tune.bufsize must hold the map's line; 16384 is the default and enough.
{sockets}
# 2. In the frontend that serves the users.
#    A user's bucket is the CRC-32 of its id modulo 100; buckets below the share meet the candidate.
    http-request set-var(txn.rollgate_share) str({key}),map({map},0),field(1,|)
{sticky}    http-request set-var(txn.rollgate_bucket) rand(100) unless {{ var(txn.rollgate_bucket) -m found }}
    acl rollgate_candidate var(txn.rollgate_bucket),sub(txn.rollgate_share) lt 0
    # A dead candidate's users go to stable. A process that a reload replaces sees no server up: it keeps the split.
    acl rollgate_candidate_up nbsrv({candidate}) gt 0
    acl rollgate_candidate_up stopping
    use_backend {candidate} if rollgate_candidate rollgate_candidate_up
    default_backend {stable}

# 3. The map, before HAProxy is started or reloaded:
#      echo '{key} 0|' > {map}
#    rollgate must be allowed to write to the map and to its folder (a lock and a new file beside it).
"
    )
    }
}
