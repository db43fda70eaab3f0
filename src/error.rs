//! Errors as a person reads them.

/// The whole chain in one line, each cause once: some libraries print their source in their own text too.
#[must_use]
pub fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.ends_with(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

/// A mistake in the plan, the flags or another input of the user's: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_repeats_itself_is_said_once() {
        let error = anyhow::anyhow!("no such file")
            .context("read: no such file")
            .context("start");
        assert_eq!(chain(&error), "start: read: no such file");
    }
}
