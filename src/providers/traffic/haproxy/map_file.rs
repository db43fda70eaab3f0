//! The map file: what HAProxy reads at its next start or reload. Other keys and comments stay byte for byte.

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};

use super::{Read, entry::Entry};
use crate::providers::traffic::replace::{replace, sync};

/// The entry of `key`.
pub(crate) fn get(map: &Path, key: &str) -> Read {
    let text = read(map)?;
    let mut values = text.lines().filter_map(|line| value_of(line, key));
    let first = values
        .next()
        .map_or(Entry::Missing, |value| Entry::Value(value.to_owned()));
    ensure!(
        values.next().is_none(),
        "map file {} has the key \"{key}\" more than once: remove all but the first line",
        map.display()
    );
    Ok(first)
}

/// Replaces the entry of `key`, or adds it: a new file takes the old one's name. [`flush`] brings it to disk.
pub(crate) fn put(map: &Path, key: &str, value: &str) -> anyhow::Result<()> {
    let text = match read(map) {
        Ok(text) => text,
        Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(is_not_found) => String::new(),
        Err(error) => return Err(error),
    };
    replace(map, &with_entry(&text, key, value)).with_context(|| format!("write map file {}", map.display()))
}

fn is_not_found(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

fn read(map: &Path) -> anyhow::Result<String> {
    fs::read_to_string(map).with_context(|| format!("read map file {}", map.display()))
}

/// Returns when the file as it is would survive a loss of power.
pub(crate) fn flush(map: &Path) -> anyhow::Result<()> {
    sync(map).with_context(|| format!("bring map file {} to disk", map.display()))
}

/// The value on `line`, if it is the line of `key`. HAProxy splits at the first blank and skips comments.
fn value_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let rest = line.trim_start().strip_prefix(key)?;
    let value = rest.trim_start();
    (rest.is_empty() || value.len() < rest.len()).then_some(value.trim_end())
}

fn with_entry(text: &str, key: &str, value: &str) -> String {
    let mut out = String::with_capacity(text.len() + key.len() + value.len() + 2);
    let mut written = false;
    for line in text.split_inclusive('\n') {
        if value_of(line.trim_end_matches(['\n', '\r']), key).is_none() {
            out.push_str(line);
        } else if !written {
            out.push_str(&format!("{key} {value}\n"));
            written = true;
        }
    }
    if !written {
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(&format!("{key} {value}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_line_changes() {
        let text = "# shops\nother 1|a\nweb 0|\nwebsite 3|b";
        assert_eq!(
            with_entry(text, "web", "5|x"),
            "# shops\nother 1|a\nweb 5|x\nwebsite 3|b"
        );
        assert_eq!(with_entry("website 3|b", "web", "5|x"), "website 3|b\nweb 5|x\n");
        assert_eq!(with_entry("", "web", "5|x"), "web 5|x\n");
    }

    #[test]
    fn a_key_is_a_whole_word() {
        assert_eq!(value_of("web 5|x", "web"), Some("5|x"));
        assert_eq!(value_of("  web\t5|x ", "web"), Some("5|x"));
        assert_eq!(value_of("website 5|x", "web"), None);
        assert_eq!(value_of("# web 5|x", "web"), None);
        assert_eq!(value_of("web", "web"), Some(""));
    }

    #[test]
    fn a_file_with_the_key_twice_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let map = folder.path().join("r.map");
        fs::write(&map, "web 1|\nweb 2|\n").unwrap();
        let error = get(&map, "web").unwrap_err().to_string();
        assert!(error.contains("more than once"), "{error}");
        put(&map, "web", "0|").unwrap();
        assert_eq!(fs::read_to_string(&map).unwrap(), "web 0|\n");
    }
}
