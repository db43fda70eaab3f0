//! Which users nginx sends to the candidate, as `split_clients` decides it: MurmurHash2 of the id, in ranges of all
//! its values. Pure.
//!
//! Source: <https://nginx.org/en/docs/http/ngx_http_split_clients_module.html>,
//! `src/core/ngx_murmurhash.c` and `src/http/modules/ngx_http_split_clients_module.c`

use rollgate_domain::weight::Weight;

/// Whether the user with this id meets the candidate at `share`; none for an empty id, whose requests are drawn.
#[must_use]
pub fn meets_candidate(id: &str, share: Weight) -> Option<bool> {
    if share == Weight::FULL || share == Weight::ZERO {
        return Some(share == Weight::FULL);
    }
    if id.is_empty() {
        return None;
    }
    let end = u64::from(share.percent()) * u64::from(u32::MAX) / 100;
    Some(u64::from(murmur_hash_2(id.as_bytes())) < end)
}

/// Austin Appleby's MurmurHash2 for 32 bits, with the seed 0.
fn murmur_hash_2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mix = |word: u32| {
        let word = word.wrapping_mul(M);
        (word ^ (word >> 24)).wrapping_mul(M)
    };
    // A length is folded into 32 bits, as there.
    #[allow(clippy::cast_possible_truncation)]
    let mut hash = data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        hash = hash.wrapping_mul(M) ^ mix(u32::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_others_have() {
        // From the reference implementation, seed 0.
        assert_eq!(murmur_hash_2(b""), 0);
        assert_eq!(murmur_hash_2(b"a"), 0x9268_5f5e);
    }

    #[test]
    fn a_share_that_grows_keeps_its_users_and_a_million_ids_are_spread_evenly() {
        let ids = (0..1_000_000).map(|number| format!("user-{number}"));
        let mut counts = [0_u32; 101];
        for id in ids {
            let first =
                (0..=100).find(|percent| meets_candidate(&id, Weight::new(*percent).unwrap()) == Some(true));
            let first = usize::from(first.unwrap());
            counts[first] += 1;
            let stays = |percent| meets_candidate(&id, Weight::new(percent).unwrap()) == Some(true);
            assert!(
                (u8::try_from(first).unwrap()..=100).step_by(13).all(stays),
                "{id}"
            );
        }
        for percent in [1_usize, 5, 10, 50] {
            let share: u32 = counts[..=percent].iter().sum();
            let expected = u32::try_from(percent).unwrap() * 10_000;
            assert!(share.abs_diff(expected) < 2_500, "{percent} %: {share}");
        }
    }

    #[test]
    fn nobody_meets_a_candidate_at_zero_and_everybody_at_a_hundred() {
        assert_eq!(meets_candidate("", Weight::ZERO), Some(false));
        assert_eq!(meets_candidate("", Weight::FULL), Some(true));
        assert_eq!(meets_candidate("", Weight::new(50).unwrap()), None);
    }
}
