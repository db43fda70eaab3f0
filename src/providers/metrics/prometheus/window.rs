//! Stretches of time as Prometheus is asked for them. Pure.

use jiff::Timestamp;

use super::super::PIECE;

use super::super::Selector;

/// `from < t <= to` in pieces of at most [`PIECE`], in order; nothing if there is no such time.
pub(super) fn pieces(from: Timestamp, to: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    let mut start = from;
    std::iter::from_fn(move || {
        let end = start.checked_add(PIECE).map_or(to, |end| end.min(to));
        (start < end).then(|| (std::mem::replace(&mut start, end), end))
    })
}

/// What the server computes, it computes for each of these seconds: a gauge's usual grain. In a piece they are far
/// fewer than the 11,000 that Prometheus gives of a series at most.
pub(super) const STEP_S: i64 = 15;

/// The first and the last moment of an absolute grid with `from < t <= to`: whoever asks in pieces, or again, is told
/// the same.
pub(super) fn moments(from: Timestamp, to: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let first = (from.as_second().div_euclid(STEP_S) + 1) * STEP_S;
    let last = to.as_second().div_euclid(STEP_S) * STEP_S;
    let at = |second| Timestamp::from_second(second).ok();
    (first <= last).then(|| Some((at(first)?, at(last)?))).flatten()
}

/// All samples since `from`, asked at `to`; at least a millisecond, the grain of Prometheus' clock.
pub(super) fn range_query(selector: &Selector, from: Timestamp, to: Timestamp) -> String {
    // Rounded up: what is too old is cut off afterwards.
    let ms = to.duration_since(from).as_nanos().div_euclid(1_000_000) + 1;
    format!("{selector}[{ms}ms]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_window_is_cut_into_pieces_without_a_gap() {
        let hour = 3600;
        assert_eq!(pieces(at(0), at(15)).collect::<Vec<_>>(), [(at(0), at(15))]);
        assert_eq!(
            pieces(at(0), at(6 * hour)).collect::<Vec<_>>(),
            [(at(0), at(6 * hour))]
        );
        assert_eq!(
            pieces(at(0), at(13 * hour)).collect::<Vec<_>>(),
            [
                (at(0), at(6 * hour)),
                (at(6 * hour), at(12 * hour)),
                (at(12 * hour), at(13 * hour))
            ]
        );
        assert_eq!(pieces(at(5), at(5)).count(), 0);
        assert_eq!(pieces(at(6), at(5)).count(), 0);
    }

    #[test]
    fn moments_are_those_of_one_grid_however_the_window_lies() {
        let ms = |ms| Timestamp::from_millisecond(ms).unwrap();
        for (from, to, expected) in [
            (at(0), at(60), Some((at(15), at(60)))),
            (at(1), at(59), Some((at(15), at(45)))),
            (at(15), at(30), Some((at(30), at(30)))),
            (at(15), at(29), None),
            (ms(14_999), ms(15_000), Some((at(15), at(15)))),
            (ms(15_000), ms(29_999), None),
            (at(30), at(15), None),
        ] {
            assert_eq!(moments(from, to), expected, "{from} {to}");
        }
        assert!(PIECE.as_secs() / STEP_S <= 11_000);
    }

    #[test]
    fn a_query_reaches_back_to_the_beginning() {
        let selector: Selector = "up{a='b'}".parse().unwrap();
        assert_eq!(range_query(&selector, at(0), at(15)), r#"up{a="b"}[15001ms]"#);
    }
}
