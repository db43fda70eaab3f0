//! The folder that is filled, never over its size, and the index of what is in it and what is not.

use std::{fmt::Write as _, fs, path::PathBuf};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use rollgate_domain::rollout::record::Record;
use serde_json::{Value, json};

use super::mask;

/// A folder of evidence.
pub struct Folder {
    root: PathBuf,
    max: u64,
    left: u64,
    pieces: Vec<Piece>,
    say: fn(&str),
}

/// One thing that was to be kept.
struct Piece {
    file: String,
    from: String,
    fate: Fate,
}

enum Fate {
    Kept {
        bytes: u64,
        /// What is missing of it, in words.
        note: Option<String>,
    },
    LeftOut(String),
    Failed(String),
}

impl Folder {
    /// A new folder for at most `max` bytes; the index comes on top. `say`: each piece, as it is kept.
    ///
    /// # Errors
    ///
    /// It cannot be made, or has something in it: the index would not tell that from what is new.
    pub fn create(root: PathBuf, max: u64, say: fn(&str)) -> anyhow::Result<Self> {
        let name = root.display();
        fs::create_dir_all(&root).with_context(|| format!("make the folder {name}"))?;
        let mut entries = fs::read_dir(&root).with_context(|| format!("read the folder {name}"))?;
        if entries.next().is_some() {
            bail!("the folder {name} is not empty: name another one with --to, or remove it");
        }
        Ok(Self {
            root,
            max,
            left: max,
            pieces: Vec::new(),
            say,
        })
    }

    /// How many bytes still fit.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// An object, masked: YAML for a name that ends so, else JSON. What could not be had is a line of the index.
    pub fn object(&mut self, file: &str, from: &str, found: anyhow::Result<Value>) {
        let text = found.and_then(|mut object| {
            mask::object(&mut object);
            if file.ends_with(".yaml") {
                serde_saphyr::to_string(&object).context("write YAML")
            } else {
                Ok(format!("{object:#}\n"))
            }
        });
        match text {
            Ok(text) => self.masked(file, from, &text, None),
            Err(error) => self.failed(file, from, &crate::error::chain(&error)),
        }
    }

    /// A text, masked.
    pub fn text(&mut self, file: &str, from: &str, text: &str) {
        self.masked(file, from, &mask::text(text), None);
    }

    /// A text that has no secrets any more.
    pub(super) fn masked(&mut self, file: &str, from: &str, text: &str, note: Option<String>) {
        let bytes = text.len() as u64;
        if bytes > self.left {
            let why = format!("{bytes} bytes do not fit into the {} that are left", self.left);
            return self.left_out(file, from, &why);
        }
        let path = self.root.join(file);
        let folder = path.parent().unwrap_or(&self.root);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
        if let Err(error) = written {
            return self.failed(file, from, &format!("write {}: {error}", path.display()));
        }
        self.left -= bytes;
        (self.say)(&format!("collected {file}, {bytes} bytes"));
        self.add(file, from, Fate::Kept { bytes, note });
    }

    /// There is no room for it.
    pub(super) fn left_out(&mut self, file: &str, from: &str, why: &str) {
        (self.say)(&format!("left out {file}: {why}"));
        self.add(file, from, Fate::LeftOut(why.to_owned()));
    }

    /// It could not be had.
    pub fn failed(&mut self, file: &str, from: &str, why: &str) {
        let why = mask::text(why);
        (self.say)(&format!("not collected: {file}: {}", first_line(&why)));
        self.add(file, from, Fate::Failed(why));
    }

    fn add(&mut self, file: &str, from: &str, fate: Fate) {
        self.pieces.push(Piece {
            file: file.to_owned(),
            from: from.to_owned(),
            fate,
        });
    }

    /// Writes `index.json` and `index.md`; how many pieces were kept.
    ///
    /// # Errors
    ///
    /// They cannot be written.
    pub fn close(self, service: &str, record: Option<&Record>, at: Timestamp) -> anyhow::Result<usize> {
        let write = |file: &str, text: &str| {
            let path = self.root.join(file);
            fs::write(&path, text).with_context(|| format!("write {}", path.display()))
        };
        write(
            "index.json",
            &format!("{:#}\n", self.object_of(service, record, at)),
        )?;
        write("index.md", &self.page(service, record, at))?;
        let is_kept = |piece: &&Piece| matches!(piece.fate, Fate::Kept { .. });
        Ok(self.pieces.iter().filter(is_kept).count())
    }

    fn object_of(&self, service: &str, record: Option<&Record>, at: Timestamp) -> Value {
        let pieces: Vec<_> = self
            .pieces
            .iter()
            .map(|Piece { file, from, fate }| {
                let (state, bytes, why) = match fate {
                    Fate::Kept { bytes, note } => ("kept", Some(*bytes), note.as_ref()),
                    Fate::LeftOut(why) => ("left-out", None, Some(why)),
                    Fate::Failed(why) => ("failed", None, Some(why)),
                };
                json!({ "file": file, "from": from, "state": state, "bytes": bytes, "why": why })
            })
            .collect();
        json!({
            "at": at,
            "service": service,
            "rollout": record.map(|record| &record.rollout),
            "stable": record.map(|record| &record.stable.backend),
            "candidate": record.map(|record| &record.candidate.backend),
            "bytes": self.max - self.left,
            "max_bytes": self.max,
            "pieces": pieces,
        })
    }

    fn page(&self, service: &str, record: Option<&Record>, at: Timestamp) -> String {
        let mut page = format!("# What was left of {service}\n\n");
        let _ = match record {
            Some(record) => writeln!(
                page,
                "Rollout {}, candidate {}, stable {}; collected at {at:.0}, {} of at most {} bytes. Secrets are masked \
                 as `***` where they could be told.",
                record.rollout,
                record.candidate.backend,
                record.stable.backend,
                self.max - self.left,
                self.max
            ),
            None => writeln!(
                page,
                "No record of a rollout could be read; collected at {at:.0}."
            ),
        };
        let cell = |text: &str| first_line(text).replace('|', "\\|");
        let mut table = |title: &str, head: &str, rows: Vec<String>| {
            if !rows.is_empty() {
                let _ = write!(page, "\n## {title}\n\n{head}\n{}", rows.concat());
            }
        };
        let mut rows = [Vec::new(), Vec::new(), Vec::new()];
        for Piece { file, from, fate } in &self.pieces {
            let (at, row) = match fate {
                Fate::Kept { bytes, note } => {
                    let note = note.as_deref().unwrap_or_default();
                    (
                        0,
                        format!("| [{file}]({file}) | {from} | {bytes} | {} |\n", cell(note)),
                    )
                }
                Fate::LeftOut(why) => (1, format!("| {file} | {from} | {} |\n", cell(why))),
                Fate::Failed(why) => (2, format!("| {file} | {from} | {} |\n", cell(why))),
            };
            rows[at].push(row);
        }
        let [kept, left_out, failed] = rows;
        table(
            "Collected",
            "| file | from | bytes | note |\n|---|---|---|---|",
            kept,
        );
        table("Left out", "| file | from | why |\n|---|---|---|", left_out);
        table("Failed", "| file | from | why |\n|---|---|---|", failed);
        page
    }
}

/// The rest is a remedy, which index.json has whole.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn quiet(_: &str) {}

    #[test]
    fn the_index_tells_what_is_there_what_had_no_room_and_what_failed_and_why() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("evidence");
        let mut folder = Folder::create(root.clone(), 40, quiet).unwrap();
        folder.text("events.txt", "events of shop", "token=abc\n");
        folder.object(
            "candidate/pod-web.yaml",
            "pod shop/web",
            Ok(json!({ "kind": "Pod" })),
        );
        folder.text("large.txt", "somewhere", &"x".repeat(100));
        let forbidden = "pods is forbidden: User \"ci\" | cannot list\nkind: Role";
        folder.object("pod-x.yaml", "pod shop/x", Err(anyhow!(forbidden)));

        assert_eq!(folder.close("shop-api", None, Timestamp::UNIX_EPOCH).unwrap(), 2);

        let text = |file: &str| fs::read_to_string(root.join(file)).unwrap();
        assert_eq!(text("events.txt"), "token=***\n");
        assert_eq!(text("candidate/pod-web.yaml"), "kind: Pod\n");
        insta::assert_snapshot!(text("index.md"), @r#"
        # What was left of shop-api

        No record of a rollout could be read; collected at 1970-01-01T00:00:00Z.

        ## Collected

        | file | from | bytes | note |
        |---|---|---|---|
        | [events.txt](events.txt) | events of shop | 10 |  |
        | [candidate/pod-web.yaml](candidate/pod-web.yaml) | pod shop/web | 10 |  |

        ## Left out

        | file | from | why |
        |---|---|---|
        | large.txt | somewhere | 100 bytes do not fit into the 20 that are left |

        ## Failed

        | file | from | why |
        |---|---|---|
        | pod-x.yaml | pod shop/x | pods is forbidden: User "ci" \| cannot list |
        "#);
        let index: Value = serde_json::from_str(&text("index.json")).unwrap();
        assert_eq!(index["bytes"], 20);
        assert_eq!(index["pieces"][3]["state"], "failed");
        assert_eq!(index["pieces"][3]["why"], forbidden, "with its remedy");
    }

    #[test]
    fn a_folder_with_something_in_it_is_not_mixed_with_what_is_new() {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("old"), "").unwrap();
        let error = Folder::create(scratch.path().to_owned(), 40, quiet)
            .err()
            .unwrap();
        assert!(
            error
                .to_string()
                .contains("is not empty: name another one with --to"),
            "{error}"
        );
    }
}
