//! The end of a log: read from its beginning line by line, masked, and only the newest kept.

use std::collections::VecDeque;

use anyhow::Context as _;
use futures_util::io::{AsyncBufRead, AsyncBufReadExt as _};

use super::mask::Mask;

/// What of a longer line is kept.
const LONGEST_LINE: usize = 64 * 1024;

/// The newest lines of a log.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: VecDeque<String>,
    bytes: u64,
    /// Bytes of older lines, which are not kept.
    pub(super) older: u64,
    /// Why it ends in the middle.
    pub(super) broken: Option<String>,
}

impl Tail {
    /// At most `limit` bytes of whole lines.
    ///
    /// # Errors
    ///
    /// Nothing at all could be read.
    pub(super) async fn read(stream: impl AsyncBufRead + Unpin, limit: u64) -> anyhow::Result<Self> {
        let mut tail = Self::default();
        let mut mask = Mask::default();
        let mut lines = Lines::new(stream);
        loop {
            match lines.next().await {
                Ok(None) => return Ok(tail),
                Ok(Some(line)) => {
                    if let Some(line) = mask.line(&line) {
                        tail.push(line, limit);
                    }
                }
                Err(error) if tail.lines.is_empty() => return Err(error).context("read the log"),
                Err(error) => {
                    tail.broken = Some(error.to_string());
                    return Ok(tail);
                }
            }
        }
    }

    fn push(&mut self, line: String, limit: u64) {
        self.bytes += size(&line);
        self.lines.push_back(line);
        while self.bytes > limit
            && let Some(oldest) = self.lines.pop_front()
        {
            self.bytes -= size(&oldest);
            self.older += size(&oldest);
        }
    }

    pub(super) fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line, "\n"]).collect()
    }
}

/// With its line break.
const fn size(line: &str) -> u64 {
    line.len() as u64 + 1
}

struct Lines<R> {
    stream: R,
    line: Vec<u8>,
    /// Bytes of this line that are left out.
    cut: usize,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    const fn new(stream: R) -> Self {
        Self {
            stream,
            line: Vec::new(),
            cut: 0,
        }
    }

    async fn next(&mut self) -> std::io::Result<Option<String>> {
        loop {
            let chunk = self.stream.fill_buf().await?;
            if chunk.is_empty() {
                let is_over = self.line.is_empty();
                return Ok((!is_over).then(|| self.take()));
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let kept = part.len().min(LONGEST_LINE.saturating_sub(self.line.len()));
            self.line.extend_from_slice(&part[..kept]);
            self.cut += part.len() - kept;
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.stream.consume_unpin(used);
            if end.is_some() {
                return Ok(Some(self.take()));
            }
        }
    }

    fn take(&mut self) -> String {
        let mut line = String::from_utf8_lossy(&self.line).into_owned();
        if self.cut > 0 {
            // What was cut in two could not be told for a secret any more.
            line.truncate(line.rfind([' ', ',', '"']).unwrap_or(0));
            line += &format!(" … and {} bytes more", self.cut);
        }
        self.line.clear();
        self.cut = 0;
        line
    }
}

#[cfg(test)]
mod tests {
    use futures_util::io::{BufReader, Cursor};

    use super::*;

    /// Through a buffer that breaks lines anywhere.
    async fn tail(text: &str, limit: u64) -> Tail {
        let stream = BufReader::with_capacity(7, Cursor::new(text.as_bytes().to_vec()));
        Tail::read(stream, limit).await.expect("a log")
    }

    #[tokio::test]
    async fn the_newest_whole_lines_are_kept_and_what_is_missing_is_counted() {
        let log = tail("first line\nsecond line\nthird line\n", 23).await;
        assert_eq!(log.text(), "second line\nthird line\n");
        assert_eq!((log.older, log.broken), (11, None));

        let whole = tail("no end", 1000).await;
        assert_eq!((whole.text().as_str(), whole.older), ("no end\n", 0));
        assert_eq!(tail("", 1000).await.text(), "");
    }

    #[tokio::test]
    async fn a_secret_in_two_chunks_is_masked_as_a_whole() {
        let log = tail("a password=correct-horse b\n", 1000).await;
        assert_eq!(log.text(), "a password=*** b\n");
    }

    #[tokio::test]
    async fn a_line_without_an_end_does_not_fill_the_memory() {
        let log = tail(
            &format!("words {}\nnext\n", "x".repeat(3 * LONGEST_LINE)),
            1 << 20,
        )
        .await;
        let cut = 2 * LONGEST_LINE + "words ".len();
        assert_eq!(log.text(), format!("words … and {cut} bytes more\nnext\n"));
    }
}
