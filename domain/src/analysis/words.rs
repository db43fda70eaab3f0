//! Numbers as a tired person reads them.

use jiff::SignedDuration;

use super::judge::GaugeUnit;

/// `1.02 %`, `0.0042 %`, `10 %`: a share as percent.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = if percent > 0.0 && percent < 0.01 { 4 } else { 2 };
    format!("{percent:.digits$} %")
}

/// `1 %`, `0.05 %`: a share that a person typed, without trailing zeros.
pub(super) fn plain_percent(share: f64) -> String {
    format!("{} %", plain(share * 100.0))
}

/// `0.3`, `1.5`, `2`: at most four decimals, none that say nothing.
pub(super) fn plain(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `712 MB`, `82 %`, `250`: the value of a gauge.
pub(super) fn quantity(value: f64, unit: GaugeUnit) -> String {
    match unit {
        GaugeUnit::Plain => plain(value),
        GaugeUnit::Bytes if value >= 1e9 => format!("{} GB", plain((value / 1e7).round() / 100.0)),
        GaugeUnit::Bytes => format!("{} MB", plain((value / 1e6).round())),
        GaugeUnit::Share => format!("{} %", plain((value * 1e3).round() / 10.0)),
    }
}

/// `240 ms`, `1.2 s`: seconds of a request.
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{} ms", plain((seconds * 1e4).round() / 10.0))
    } else {
        format!("{} s", plain((seconds * 100.0).round() / 100.0))
    }
}

/// `3,040`: whole, with thousands.
pub(super) fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `9,600`: rounded down to two digits that count, so that it never claims too much.
pub(super) fn one_in(number: f64) -> String {
    let mut scale = 1.0;
    while number / scale >= 100.0 && scale < 1e9 {
        scale *= 10.0;
    }
    if scale >= 1e9 {
        "a billion".to_owned()
    } else {
        count((number / scale).floor() * scale)
    }
}

/// `2 min 30 s`, `5 h 12 min`, `3 days 4 h`: the two largest units, rounded down.
pub(super) fn time(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let units = [
        (86_400, if seconds < 2 * 86_400 { "day" } else { "days" }),
        (3600, "h"),
        (60, "min"),
        (1, "s"),
    ];
    let largest = units
        .iter()
        .position(|(length, _)| seconds >= *length)
        .unwrap_or(3);
    let mut text = format!("{} {}", seconds / units[largest].0, units[largest].1);
    if let Some(&(length, unit)) = units.get(largest + 1) {
        let rest = seconds % units[largest].0 / length;
        if rest > 0 {
            text += &format!(" {rest} {unit}");
        }
    }
    text
}

/// `45 s`, `3 min`, `2 h 30`, `3 days`: a forecast, as coarse as forecasts are.
pub(super) fn about(duration: SignedDuration) -> String {
    let seconds = duration.as_secs_f64().max(1.0);
    let minutes = (seconds / 60.0).round() as i64;
    match seconds {
        ..=90.0 => format!("{seconds:.0} s"),
        ..=5400.0 => format!("{minutes} min"),
        ..=172_800.0 => {
            let tens = (seconds / 600.0).round() as i64;
            match tens % 6 {
                0 => format!("{} h", tens / 6),
                rest => format!("{} h {}0", tens / 6, rest),
            }
        }
        _ => format!("{:.0} days", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_like_a_person_writes_them() {
        let s = SignedDuration::from_secs;
        assert_eq!(percent(31.0 / 3040.0), "1.02 %");
        assert_eq!(percent(0.000_042), "0.0042 %");
        assert_eq!(percent(0.0), "0.00 %");
        assert_eq!(plain_percent(0.01), "1 %");
        assert_eq!(plain_percent(0.0005), "0.05 %");
        assert_eq!(count(3040.0), "3,040");
        assert_eq!(count(999.0), "999");
        assert_eq!(count(1_234_567.0), "1,234,567");
        assert_eq!(one_in(9666.2), "9,600");
        assert_eq!(one_in(20.4), "20");
        assert_eq!(one_in(f64::MAX), "a billion");
        assert_eq!(time(s(150)), "2 min 30 s");
        assert_eq!(time(s(120)), "2 min");
        assert_eq!(time(s(18_720)), "5 h 12 min");
        assert_eq!(time(s(0)), "0 s");
        assert_eq!(time(s(90_000)), "1 day 1 h");
        assert_eq!(about(s(45)), "45 s");
        assert_eq!(about(s(170)), "3 min");
        assert_eq!(about(s(9000)), "2 h 30");
        assert_eq!(about(s(7200)), "2 h");
        assert_eq!(about(s(300_000)), "3 days");
    }
}
