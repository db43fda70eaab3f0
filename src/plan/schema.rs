//! The JSON Schema of a plan, for editors: generated from the types that read it.

use serde_json::Value;

use super::sections::File;

/// The JSON Schema (2020-12) of a plan, as checked in at `docs/plan.schema.json`.
///
/// It knows every key, unit and default. What values must be like together is known to
/// [`Plan::parse`](super::Plan::parse) only.
#[must_use]
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(File);
    schema.insert("title".to_owned(), "rollgate plan".into());
    let mut schema = schema.to_value();
    tidy(&mut schema);
    schema
}

/// Takes out what editors would show for nothing: a default that is not there, and our line breaks.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            entries.retain(|key, value| key != "default" || !value.is_null());
            if let Some(Value::String(text)) = entries.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            entries.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_checked_in_schema_is_current() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/plan.schema.json");
        let current = serde_json::to_string_pretty(&schema()).expect("plain data") + "\n";
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(&file, &current).expect("write docs/plan.schema.json");
        }
        let checked_in = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            checked_in == current,
            "docs/plan.schema.json is not what the types say; renew it with: \
             UPDATE_SCHEMA=1 cargo test --lib the_checked_in_schema_is_current"
        );
    }
}
