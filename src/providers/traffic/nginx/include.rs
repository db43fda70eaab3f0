//! The file that nginx includes: rules for who meets whom, what of them is served, and the record. Pure.
//!
//! The rules come first, made from shares and names alone. The last line is a comment, which nginx does not read:
//! the CRC-32 of all before it, by which an edit by hand is seen, and the record in base64.
//!
//! Source: <https://nginx.org/en/docs/http/ngx_http_split_clients_module.html>

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rollgate_domain::{
    rollout::record::{Record, Unreadable},
    weight::Weight,
};

/// What decides about users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Of the candidate.
    pub(crate) share: Weight,
    pub(crate) stable: String,
    pub(crate) candidate: String,
    /// nginx's variable with the user's id; none for a split by request.
    pub(crate) user: Option<String>,
    /// nginx's variable with the preview header, and the value that it must have.
    pub(crate) preview: Option<(String, String)>,
}

/// What nginx says it serves: the write that last changed rules, and whom it made meet whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// Generation and sequence of that write; 0.0 before the first one.
    pub(crate) write: (u64, u64),
    /// Of the candidate.
    pub(crate) share: Weight,
    pub(crate) candidate: String,
}

impl Served {
    /// The share of the first backend (`of_first`), or of the second: every name but the first one's is the second's.
    pub(crate) fn share_of(&self, of_first: bool, first: &str) -> Weight {
        if (self.candidate == first) == of_first {
            self.share
        } else {
            self.share.rest()
        }
    }

    /// Reads what `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (generation, sequence) = words.next()?.split_once('.')?;
        let served = Self {
            write: (generation.parse().ok()?, sequence.parse().ok()?),
            share: Weight::new(words.next()?.parse().ok()?).ok()?,
            candidate: words.next()?.to_owned(),
        };
        words.next().is_none().then_some(served)
    }
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            write: (generation, sequence),
            share,
            candidate,
        } = self;
        write!(f, "{generation}.{sequence} {} {candidate}", share.percent())
    }
}

/// The file as somebody left it.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// All of it.
    pub(crate) text: String,
    /// Everything but the last line.
    rules: String,
    /// Whether the rules are as they were written.
    pub(crate) is_sealed: bool,
    pub(crate) record: Result<Option<Record>, Unreadable>,
    /// What nginx will say once it has read it.
    pub(crate) served: Option<Served>,
    /// The variable with the user's id.
    pub(crate) user: Option<String>,
}

impl File {
    pub(crate) fn parse(text: String, key: &str) -> Self {
        let body = text.trim_end_matches('\n');
        let (rules, last) = body.rsplit_once('\n').unwrap_or(("", body));
        let words: Vec<&str> = last.split_whitespace().collect();
        let (seal, record) = match *words.as_slice() {
            ["#", seal] => (seal, Some("")),
            ["#", seal, record] => (seal, Some(record)),
            _ => ("", None),
        };
        let record = match record.map(|record| BASE64_STANDARD.decode(record).map(String::from_utf8)) {
            Some(Ok(Ok(text))) if text.is_empty() => Ok(None),
            Some(Ok(Ok(text))) => Record::decode(&text).map(Some),
            _ => Err(Unreadable::Foreign(
                "the last line is not the comment that rollgate wrote".to_owned(),
            )),
        };
        let rules = format!("{rules}\n");
        let served = between(&rules, &format!("${}_served {{ default \"", prefix(key)), "\"");
        let user = between(&rules, &format!("${}_user {{ default ", prefix(key)), ";");
        Self {
            is_sealed: seal == self::seal(&rules),
            served: served.and_then(Served::parse),
            user: user.filter(|user| *user != BY_REQUEST).map(str::to_owned),
            record,
            rules,
            text,
        }
    }

    /// Whether it has exactly `rules`, served under the name that it has now.
    pub(crate) fn has(&self, rules: &Rules, key: &str) -> bool {
        self.served
            .as_ref()
            .is_some_and(|served| rules.text(served, key) == self.rules)
    }

    /// The same by the rules as they stand, whoever wrote them, rounded up.
    pub(crate) fn share_of(&self, of_first: bool, first: &str) -> Option<Weight> {
        let (_, block) = self.rules.split_once("split_clients ")?;
        let block = between(block, "{", "}")?;
        let (mut theirs, mut all) = (0.0, 0.0);
        for part in block.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (part, name) = part.split_once(char::is_whitespace)?;
            let percent = match part {
                "*" => 100.0 - all,
                _ => part.strip_suffix('%')?.parse::<f64>().ok()?,
            };
            all += percent;
            if (name.trim() == first) == of_first {
                theirs += percent;
            }
        }
        (1..=100)
            .find(|percent| f64::from(*percent) >= theirs)
            .filter(|_| theirs > 0.0)
            .map_or(Some(Weight::ZERO), |percent| Weight::new(percent).ok())
    }
}

/// How a request without a user's id is drawn.
const BY_REQUEST: &str = "$request_id";

/// What all our variables begin with.
pub(crate) fn prefix(key: &str) -> String {
    format!("rollgate_{key}")
}

impl Rules {
    fn text(&self, served: &Served, key: &str) -> String {
        let Self {
            share,
            stable,
            candidate,
            user,
            preview,
        } = self;
        let ours = prefix(key);
        let user = match user {
            None => format!("map \"\" ${ours}_user {{ default {BY_REQUEST}; }}"),
            Some(user) => format!("map {user} ${ours}_user {{ default {user}; \"\" {BY_REQUEST}; }}"),
        };
        // nginx takes neither 0 % nor a hash of 0xffffffff at 100 %.
        let split = match *share {
            Weight::ZERO => format!("    * {stable};\n"),
            Weight::FULL => format!("    * {candidate};\n"),
            share => format!("    {}% {candidate};\n    * {stable};\n", share.percent()),
        };
        let (header, preview) = match preview {
            None => ("\"\"", String::new()),
            Some((header, value)) => (header.as_str(), format!(" \"{value}\" {candidate};")),
        };
        format!(
            "# Written by shift-traffic. An edit by hand is drift; a rollback overwrites it.\n\
             {user}\n\
             split_clients ${ours}_user ${ours}_split {{\n{split}}}\n\
             map {header} ${ours}_backend {{ default ${ours}_split;{preview} }}\n\
             map \"\" ${ours}_served {{ default \"{served}\"; }}\n"
        )
    }

    /// The whole file.
    pub(crate) fn file(&self, served: &Served, record: Option<&Record>, key: &str) -> String {
        let rules = self.text(served, key);
        let seal = seal(&rules);
        let record = record.map_or_else(String::new, |record| {
            format!(" {}", BASE64_STANDARD.encode(record.encode()))
        });
        format!("{rules}# {seal}{record}\n")
    }
}

fn seal(rules: &str) -> String {
    format!("{:08x}", crc32fast::hash(rules.as_bytes()))
}

/// What stands between `start` and the next `end`.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(percent: u8) -> Rules {
        Rules {
            share: Weight::new(percent).unwrap(),
            stable: "blue".to_owned(),
            candidate: "green".to_owned(),
            user: Some("$http_x_user_id".to_owned()),
            preview: Some(("$http_x_preview".to_owned(), "candidate".to_owned())),
        }
    }

    fn served(percent: u8) -> Served {
        Served {
            write: (5, 17),
            share: Weight::new(percent).unwrap(),
            candidate: "green".to_owned(),
        }
    }

    #[test]
    fn the_file_is_short_and_says_everything() {
        insta::assert_snapshot!(rules(10).file(&served(10), None, "web"), @r#"
        # Written by shift-traffic. An edit by hand is drift; a rollback overwrites it.
        map $http_x_user_id $rollgate_web_user { default $http_x_user_id; "" $request_id; }
        split_clients $rollgate_web_user $rollgate_web_split {
            10% green;
            * blue;
        }
        map $http_x_preview $rollgate_web_backend { default $rollgate_web_split; "candidate" green; }
        map "" $rollgate_web_served { default "5.17 10 green"; }
        # a26ffd52
        "#);
    }

    #[test]
    fn what_was_written_is_read_back() {
        for percent in [0, 1, 50, 99, 100] {
            let (rules, served) = (rules(percent), served(percent));
            let file = File::parse(rules.file(&served, None, "web"), "web");
            assert!(file.is_sealed && file.has(&rules, "web"), "{percent}");
            assert_eq!(file.served.as_ref(), Some(&served));
            assert_eq!(file.user, rules.user);
            assert_eq!(file.record, Ok(None));
            assert_eq!(file.share_of(false, "blue"), Some(rules.share));
            assert_eq!(file.share_of(true, "blue"), Some(rules.share.rest()));
        }
    }

    #[test]
    fn an_edit_by_hand_is_seen_with_its_share() {
        let edited = |from: &str, to: &str| {
            let text = rules(10).file(&served(10), None, "web");
            assert!(text.contains(from), "{text}");
            File::parse(text.replace(from, to), "web")
        };
        for (from, to, share) in [
            ("10% green", "50% green", Some(50)),
            ("10% green", "0.2% green", Some(1)),
            ("10% green;\n    * blue;", "* green;", Some(100)),
            ("10% green", "ten green", None),
            ("default $rollgate_web_split", "default green", Some(10)),
        ] {
            let file = edited(from, to);
            assert!(!file.is_sealed, "{to}");
            assert_eq!(file.share_of(false, "blue").map(Weight::percent), share, "{to}");
        }
        assert!(File::parse("hello".to_owned(), "web").record.is_err());
        assert!(File::parse(String::new(), "web").record.is_err());
    }

    #[test]
    fn only_an_answer_of_our_form_is_ours() {
        assert_eq!(Served::parse("5.17 10 green\n"), Some(served(10)));
        for foreign in [
            "",
            "<html>",
            "5.17 10",
            "5.17 101 green",
            "5.17 10 green x",
            "5 10 green",
        ] {
            assert_eq!(Served::parse(foreign), None, "{foreign}");
        }
    }
}
