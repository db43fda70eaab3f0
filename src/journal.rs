//! The run's folder: the only writer of `events.jsonl`, `judgement.jsonl`, `samples.jsonl`, `verdict.json` and
//! `rollgate.log`.
//!
//! The journal serves people afterwards; a full disk stops no rollback. What cannot be written is said once
//! and the run goes on.

use std::{
    cell::Cell,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use rollgate_domain::{notice::story, rollout::event::Line};
use serde::Serialize;

/// Everything that happened, one JSON object a line.
pub const EVENTS: &str = "events.jsonl";
/// How each run judges, one JSON object a run: with the samples, every verdict can be computed anew.
pub const JUDGEMENT: &str = "judgement.jsonl";
/// What every look counted and what was judged of it, one JSON object a line.
pub const SAMPLES: &str = "samples.jsonl";
/// The last verdict, whole.
pub const VERDICT: &str = "verdict.json";
/// What the run said.
pub const LOG: &str = "rollgate.log";

/// Writes the files of one run and says what it writes.
pub struct Journal {
    folder: PathBuf,
    say: fn(&str),
    complained: Cell<bool>,
}

impl Journal {
    /// Writes into `folder`, made with the first line; `say` prints a line for a person.
    #[must_use]
    pub fn new(folder: PathBuf, say: fn(&str)) -> Self {
        Self {
            folder,
            say,
            complained: Cell::new(false),
        }
    }

    /// Keeps an event, and says it.
    pub fn event(&self, line: &Line) {
        self.append(EVENTS, line);
        self.say(&story::log_line(line));
    }

    /// Keeps how this run judges.
    pub fn judgement(&self, judgement: &impl Serialize) {
        self.append(JUDGEMENT, judgement);
    }

    /// Keeps a look.
    pub fn sample(&self, sample: &impl Serialize) {
        self.append(SAMPLES, sample);
    }

    /// Keeps the last verdict in place of the one before.
    pub fn verdict(&self, verdict: &impl Serialize) {
        let new = self.folder.join("verdict.json.new");
        let written = serde_json::to_vec_pretty(verdict)
            .map_err(std::io::Error::from)
            .and_then(|text| fs::create_dir_all(&self.folder).and_then(|()| fs::write(&new, text)))
            .and_then(|()| fs::rename(&new, self.folder.join(VERDICT)));
        self.complain(written, VERDICT);
    }

    /// Says a line and keeps it in the log.
    pub fn say(&self, text: &str) {
        (self.say)(text);
        self.complain(self.append_line(LOG, text.as_bytes()), LOG);
    }

    fn append(&self, file: &str, value: &impl Serialize) {
        let written = serde_json::to_vec(value)
            .map_err(std::io::Error::from)
            .and_then(|text| self.append_line(file, &text));
        self.complain(written, file);
    }

    /// One write for a line and its end: a process that dies leaves whole lines, but for perhaps the last.
    fn append_line(&self, file: &str, text: &[u8]) -> std::io::Result<()> {
        let mut line = text.to_vec();
        line.push(b'\n');
        fs::create_dir_all(&self.folder)?;
        File::options()
            .create(true)
            .append(true)
            .open(self.folder.join(file))?
            .write_all(&line)
    }

    fn complain(&self, written: std::io::Result<()>, file: &str) {
        if let Err(error) = written
            && !self.complained.replace(true)
        {
            (self.say)(&format!(
                "warning: {file} cannot be written, the journal has a gap: {error}"
            ));
        }
    }
}

/// The events that a run left in `folder`, without a last line that was cut off.
///
/// # Errors
///
/// The file cannot be read, or a line that is not the last is no event.
pub fn read_events(folder: &Path) -> anyhow::Result<Vec<Line>> {
    let path = folder.join(EVENTS);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let mut events = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(event) => events.push(event),
            Err(_) if index + 1 == text.lines().count() && !text.ends_with('\n') => {}
            Err(error) => {
                return Err(error).with_context(|| format!("{}:{}: not an event", path.display(), index + 1));
            }
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_off_by_a_kill_is_no_error_and_a_broken_one_is() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_events(folder.path()).unwrap().is_empty());
        fs::write(folder.path().join(EVENTS), "{\"at\":\"20").unwrap();
        assert!(read_events(folder.path()).unwrap().is_empty());
        fs::write(folder.path().join(EVENTS), "{}\n").unwrap();
        let error = format!("{:#}", read_events(folder.path()).unwrap_err());
        assert!(error.contains("events.jsonl:1: not an event"), "{error}");
    }
}
