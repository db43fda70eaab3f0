//! The units of a plan as people write them: `5h30m`, `1%`, `http://prometheus:9090`.
//!
//! Each unit is a marker type with one [`Unit`]: what is expected, in words, how it is read, and its
//! JSON Schema. A field keeps the plain Rust value and names its unit: `#[serde(with = "Duration")]`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

use jiff::SignedDuration;
use jiff::fmt::friendly::{SpanParser, SpanPrinter};
use jiff::tz::TimeZone;
use rollgate_domain::{rollout::window::Window, weight::Weight};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

use super::sections::Approver;
pub(super) use amount::Amount;
pub use amount::Quantity;

mod amount;

/// A kind of text that stands for a value.
pub(super) trait Unit {
    type Value;
    /// What a reader should have written, as the end of "expected …".
    const EXPECTED: &'static str;

    /// The value, or nothing when the text is not of this unit.
    fn parse(text: &str) -> Option<Self::Value>;
    fn write(value: &Self::Value) -> String;
    /// Pattern and examples; `type: string` is added.
    fn schema() -> Schema;

    /// For `#[serde(with)]`.
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error>
    where
        Self: Sized,
    {
        deserializer.deserialize_str(Reader::<Self>(PhantomData))
    }

    /// For `#[serde(with)]`; writes the defaults into the JSON Schema.
    fn serialize<S: Serializer>(value: &Self::Value, serializer: S) -> Result<S::Ok, S::Error>
    where
        Self: Sized,
    {
        serializer.serialize_str(&Self::write(value))
    }
}

struct Reader<U>(PhantomData<U>);

impl<U: Unit> Visitor<'_> for Reader<U> {
    type Value = U::Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(U::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<U::Value, E> {
        U::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// A value of a unit where serde needs a type of its own: in lists, as keys, and for the schema.
pub(super) struct Written<U: Unit>(pub(super) U::Value);

impl<'de, U: Unit> Deserialize<'de> for Written<U> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        U::deserialize(deserializer).map(Self)
    }
}

/// For `#[serde(with)]` of a field that may be missing; where it is written it must be of the unit.
pub(super) struct Maybe<U>(PhantomData<U>);

impl<U: Unit> Maybe<U> {
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<U::Value>, D::Error> {
        U::deserialize(deserializer).map(Some)
    }

    pub(super) fn serialize<S: Serializer>(
        value: &Option<U::Value>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => U::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }
}

impl<U: Unit + JsonSchema> JsonSchema for Maybe<U> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        U::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        U::json_schema(generator)
    }
}

/// `#[serde(with)]` gives a field the schema of its unit.
macro_rules! schemas {
    ($($unit:ident)*) => {$(
        impl JsonSchema for $unit {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($unit).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let mut schema = <Self as Unit>::schema();
                schema.insert("type".to_owned(), "string".into());
                schema
            }
        }
    )*};
}

schemas! { Amount Duration Rate Share Name Label LabelKey Words Selector Address File Hours Person }

impl<U: Unit + JsonSchema> JsonSchema for Written<U> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        U::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        U::json_schema(generator)
    }
}

impl<U: Unit> Serialize for Written<U> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        U::serialize(&self.0, serializer)
    }
}

/// A stretch of time: `6h`, `5h30m`, `90s`, `150ms`.
pub(super) struct Duration;

/// A rollout is days, not months: a longer one is a slip of the finger.
const LONGEST: SignedDuration = SignedDuration::from_hours(60 * 24);

impl Unit for Duration {
    type Value = SignedDuration;
    const EXPECTED: &'static str =
        "a duration such as `6h`, `5h30m`, `90s` or `150ms`, over zero and at most `1440h`";

    fn parse(text: &str) -> Option<SignedDuration> {
        // jiff reads much more (`6 hours ago`); one spelling is enough for a file that many read.
        let short = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"hms".contains(&byte));
        let duration = SpanParser::new().parse_duration(text).ok().filter(|_| short)?;
        (SignedDuration::ZERO < duration && duration <= LONGEST).then_some(duration)
    }

    fn write(value: &SignedDuration) -> String {
        show(*value)
    }

    fn schema() -> Schema {
        json_schema!({ "pattern": "^([0-9]+(h|m|s|ms))+$", "examples": ["6h", "5h30m", "90s", "150ms"] })
    }
}

/// A duration as a plan writes it: `5h30m`.
pub(super) fn show(duration: SignedDuration) -> String {
    SpanPrinter::new()
        .spacing(jiff::fmt::friendly::Spacing::None)
        .duration_to_string(&duration)
}

/// A part of all requests: `1%`, `0.5%`. As a value 0.01, 0.005.
pub(super) struct Rate;

impl Unit for Rate {
    type Value = f64;
    const EXPECTED: &'static str =
        "a percentage with its sign, such as `1%` or `0.5%`, over zero and at most `100%`";

    fn parse(text: &str) -> Option<f64> {
        let number = text.strip_suffix('%')?.trim_end();
        let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let percent: f64 = number.parse().ok().filter(|_| plain)?;
        (0.0 < percent && percent <= 100.0).then_some(percent / 100.0)
    }

    fn write(value: &f64) -> String {
        format!("{}%", value * 100.0)
    }

    fn schema() -> Schema {
        json_schema!({ "pattern": "^[0-9]+(\\.[0-9]+)? ?%$", "examples": ["1%", "0.5%"] })
    }
}

/// A share of the traffic: `5%`.
pub(super) struct Share;

impl Unit for Share {
    type Value = Weight;
    const EXPECTED: &'static str = "a weight in whole percents with their sign, `1%` to `100%`";

    fn parse(text: &str) -> Option<Weight> {
        let weight = text.ends_with('%').then(|| text.parse().ok())??;
        // A step without traffic shows nothing.
        (weight > Weight::ZERO).then_some(weight)
    }

    fn write(value: &Weight) -> String {
        format!("{}%", value.percent())
    }

    fn schema() -> Schema {
        json_schema!({ "pattern": "^([1-9][0-9]?|100) ?%$", "examples": ["1%", "10%"] })
    }
}

/// A name that is a word of its own in an HAProxy map and on its socket.
pub(super) struct Name;

impl Unit for Name {
    type Value = String;
    const EXPECTED: &'static str = "a name of letters, digits, `.`, `_` and `-`";

    fn parse(text: &str) -> Option<String> {
        let letters = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        (letters && !text.is_empty()).then(|| text.to_owned())
    }

    fn write(value: &String) -> String {
        value.clone()
    }

    fn schema() -> Schema {
        json_schema!({ "pattern": "^[A-Za-z0-9._-]+$" })
    }
}

/// The name of a label in Prometheus.
///
/// Source: <https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels>
pub(super) struct Label;

impl Unit for Label {
    type Value = String;
    const EXPECTED: &'static str =
        "the name of a label, of letters, digits and `_`, not beginning with a digit";

    fn parse(text: &str) -> Option<String> {
        let letters = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let digit_first = text.bytes().next()?.is_ascii_digit();
        (letters && !digit_first).then(|| text.to_owned())
    }

    fn write(value: &String) -> String {
        value.clone()
    }

    fn schema() -> Schema {
        json_schema!({ "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" })
    }
}

/// The key of a Kubernetes label.
///
/// Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>
pub(super) struct LabelKey;

impl Unit for LabelKey {
    type Value = String;
    const EXPECTED: &'static str = "the key of a label such as `version` or `app.kubernetes.io/version`";

    fn parse(text: &str) -> Option<String> {
        let is_word = |word: &str| {
            let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
            word.bytes().all(inside) && edge(word.bytes().next()) && edge(word.bytes().last())
        };
        let parts: Vec<_> = text.split('/').collect();
        (parts.len() <= 2 && parts.iter().all(|part| is_word(part))).then(|| text.to_owned())
    }

    fn write(value: &String) -> String {
        value.clone()
    }

    fn schema() -> Schema {
        json_schema!({ "pattern": "^([A-Za-z0-9._-]+/)?[A-Za-z0-9._-]+$" })
    }
}

/// When the share may rise: `Mon-Thu 09:00-16:00 Europe/Paris`.
pub(super) struct Hours;

impl Unit for Hours {
    type Value = Window;
    const EXPECTED: &'static str =
        "days, hours of a day and a time zone, such as `Mon-Thu 09:00-16:00 Europe/Paris`";

    fn parse(text: &str) -> Option<Window> {
        Window::parse(text, |zone| TimeZone::get(zone).ok()).ok()
    }

    fn write(value: &Window) -> String {
        value.to_string()
    }

    fn schema() -> Schema {
        json_schema!({ "examples": ["Mon-Thu 09:00-16:00 Europe/Paris"] })
    }
}

/// Somebody who may decide: `octocat` or `team/release`.
pub(super) struct Person;

impl Unit for Person {
    type Value = Approver;
    const EXPECTED: &'static str =
        "a GitHub login such as `octocat`, or a team of the organisation such as `team/release`";

    fn parse(text: &str) -> Option<Approver> {
        let is_name = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        match text.split_once('/') {
            None => is_name(text).then(|| Approver::Login(text.to_owned())),
            Some(("team", team)) => is_name(team).then(|| Approver::Team(team.to_owned())),
            Some(_) => None,
        }
    }

    fn write(value: &Approver) -> String {
        match value {
            Approver::Login(login) => login.clone(),
            Approver::Team(team) => format!("team/{team}"),
        }
    }

    fn schema() -> Schema {
        json_schema!({ "pattern": "^(team/)?[A-Za-z0-9_-]+$", "examples": ["octocat", "team/release"] })
    }
}

/// A name in a vendor's own words, such as `AWS/ApplicationELB`.
pub(super) struct Words;

impl Unit for Words {
    type Value = String;
    const EXPECTED: &'static str = "a name such as `Shop` or `AWS/ApplicationELB`";

    fn parse(text: &str) -> Option<String> {
        let text = text.trim();
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        (printable && !text.is_empty()).then(|| text.to_owned())
    }

    fn write(value: &String) -> String {
        value.clone()
    }

    fn schema() -> Schema {
        json_schema!({ "minLength": 1 })
    }
}

/// What picks a counter in the metric source; its grammar is the source's.
pub(super) struct Selector;

impl Unit for Selector {
    type Value = String;
    const EXPECTED: &'static str =
        "the selector of a counter, such as `http_requests_total{service=\"shop-api\"}`";

    fn parse(text: &str) -> Option<String> {
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn write(value: &String) -> String {
        value.clone()
    }

    fn schema() -> Schema {
        json_schema!({ "minLength": 1 })
    }
}

/// Where something listens for HTTP.
pub(super) struct Address;

impl Unit for Address {
    type Value = reqwest::Url;
    const EXPECTED: &'static str = "a URL that begins with `http://` or `https://` and holds no user or password, such as `http://prometheus:9090`";

    fn parse(text: &str) -> Option<reqwest::Url> {
        let url = reqwest::Url::parse(text).ok()?;
        // The parser repairs `http:host`; a plan should say what it means.
        let http = text.starts_with("http://") || text.starts_with("https://");
        // A plan is in the repository, and what is in it ends up in logs.
        let secret = !url.username().is_empty() || url.password().is_some();
        (http && !secret).then_some(url)
    }

    fn write(value: &reqwest::Url) -> String {
        value.to_string()
    }

    fn schema() -> Schema {
        json_schema!({ "pattern": "^https?://[^\\s]+$", "examples": ["http://prometheus:9090"] })
    }
}

/// A file on the machine that runs the tool. It is named in HAProxy's commands, which end at a blank.
pub(super) struct File;

impl Unit for File {
    type Value = PathBuf;
    const EXPECTED: &'static str = "the path of a file, without blanks";

    fn parse(text: &str) -> Option<PathBuf> {
        let blank = text
            .chars()
            .any(|letter| letter.is_whitespace() || letter.is_control() || letter == ';');
        (!text.is_empty() && !blank).then(|| text.into())
    }

    fn write(value: &PathBuf) -> String {
        value.display().to_string()
    }

    fn schema() -> Schema {
        json_schema!({ "pattern": "^[^\\s;]+$" })
    }
}
