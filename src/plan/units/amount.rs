//! Limits of gauges as people write them: `700MB`, `80%`, `250`.

use rollgate_domain::analysis::GaugeUnit;
use schemars::{Schema, json_schema};

use super::Unit;

/// A number of a gauge, with what people read it as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// In the gauge's own unit: bytes, a share from 0 to 1, or whatever it counts.
    pub value: f64,
    /// How it is written.
    pub unit: GaugeUnit,
}

/// A limit of a gauge: `700MB`, `80%` of 1, or a plain number.
pub(in crate::plan) struct Amount;

/// Bytes of each unit of size. People who write MB mean what their tools mean by it: powers of ten, and MiB powers of two.
const SIZES: [(&str, f64); 6] = [
    ("KiB", 1024.0),
    ("MiB", 1048576.0),
    ("GiB", 1073741824.0),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
];

impl Unit for Amount {
    type Value = Quantity;
    const EXPECTED: &'static str = "a limit over zero such as `700MB`, `1GiB`, `80%` or `250`";

    fn parse(text: &str) -> Option<Quantity> {
        let (number, factor, unit) = if let Some(number) = text.strip_suffix('%') {
            (number, 0.01, GaugeUnit::Share)
        } else if let Some((suffix, bytes)) = SIZES.iter().find(|(suffix, _)| text.ends_with(suffix)) {
            (text.strip_suffix(suffix)?, *bytes, GaugeUnit::Bytes)
        } else {
            (text, 1.0, GaugeUnit::Plain)
        };
        let number = number.trim_end();
        let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let value: f64 = number.parse().ok().filter(|_| plain)?;
        (value > 0.0).then_some(Quantity {
            value: value * factor,
            unit,
        })
    }

    fn write(value: &Quantity) -> String {
        match value.unit {
            GaugeUnit::Share => format!("{}%", value.value * 100.0),
            GaugeUnit::Bytes => format!("{}MB", value.value / 1e6),
            GaugeUnit::Plain => value.value.to_string(),
        }
    }

    fn schema() -> Schema {
        json_schema!({
            "pattern": "^[0-9]+(\\.[0-9]+)? ?([KMG]i?B|%)?$",
            "examples": ["700MB", "80%", "250"]
        })
    }
}
