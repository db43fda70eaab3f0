//! The step's outputs: few, snake_case, in the README.
//!
//! Source: <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#setting-an-output-parameter>

use std::{fs::File, io::Write as _, path::Path};

use anyhow::Context as _;

/// Appends `name=value` lines to the file that `GITHUB_OUTPUT` names.
///
/// # Errors
///
/// The file cannot be written.
pub fn write(path: &Path, outputs: &[(&str, String)]) -> anyhow::Result<()> {
    let context = || format!("write the step's outputs to {}", path.display());
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(context)?;
    file.write_all(block(outputs).as_bytes()).with_context(context)
}

/// A line break in a value would begin another output.
fn block(outputs: &[(&str, String)]) -> String {
    outputs
        .iter()
        .map(|(name, value)| format!("{name}={}\n", value.replace(['\r', '\n'], " ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_begin_another_output() {
        let outputs = [
            ("outcome", "done\nweight=100".to_owned()),
            ("weight", "0".to_owned()),
        ];
        assert_eq!(block(&outputs), "outcome=done weight=100\nweight=0\n");
    }
}
