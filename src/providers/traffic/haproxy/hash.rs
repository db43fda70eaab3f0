//! Which users HAProxy sends to the candidate, by the lines that `init haproxy` prints. Pure.

use rollgate_domain::weight::Weight;

/// Whether the user with this id meets the candidate at `share`; none for an empty id, whose requests are drawn.
#[must_use]
pub fn meets_candidate(id: &str, share: Weight) -> Option<bool> {
    if share == Weight::FULL || share == Weight::ZERO {
        return Some(share == Weight::FULL);
    }
    (!id.is_empty()).then(|| crc32fast::hash(id.as_bytes()) % 100 < u32::from(share.percent()))
}
