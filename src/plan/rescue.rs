//! The router out of a plan that may be broken elsewhere: what a rollback needs and no more.

use std::path::Path;

use super::check::check_traffic;
use super::error::PlanError;
use super::place::{Part, Path as KeyPath};
use super::sections::{Traffic, TrafficFile};
use super::tree::{Node, Value};
use super::units::{Name, Written};
use super::wrong::{Wrong, similar};
use super::{Plan, bytes_of};

/// What a rollback needs of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Rescue {
    /// The name of the service.
    pub service: String,
    pub traffic: Traffic,
    /// Why the plan as a whole would be refused; to be told, not to be obeyed.
    pub warning: Option<PlanError>,
}

impl Traffic {
    /// Takes service and traffic out of the plan in a file, whatever else is wrong with it.
    ///
    /// Other sections may be wrong, unknown, twice there or no YAML at all; a section is then found by its
    /// key at the beginning of a line. Keys of the router that are unknown here are passed over.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or what is needed is missing, wrong, or given twice.
    pub fn read(path: &Path) -> Result<Rescue, PlanError> {
        let warning = match Plan::read(path) {
            Ok(Plan { service, traffic, .. }) => {
                return Ok(Rescue {
                    service,
                    traffic,
                    warning: None,
                });
            }
            Err(error) => error,
        };
        // Not UTF-8 is wrong, but a comment in another encoding does not stop a rollback.
        let text = String::from_utf8_lossy(&bytes_of(path)?).into_owned();
        let (service, traffic) =
            rescue(&text).map_err(|wrongs| PlanError::new(&path.display().to_string(), &text, wrongs))?;
        Ok(Rescue {
            service,
            traffic,
            warning: Some(warning),
        })
    }
}

const NEEDED: [&str; 2] = ["service", "traffic"];

fn rescue(text: &str) -> Result<(String, Traffic), Vec<Wrong>> {
    let mut root = needed(text).map_err(|wrong| vec![wrong])?;
    forget_unknown(&mut root);

    let service = section::<Written<Name>>(&root, "service").map(|name| name.0);
    let traffic = section::<TrafficFile>(&root, "traffic");
    match (service, traffic) {
        (Ok(service), Ok(traffic)) => {
            check_traffic(traffic, &service, &root).map(|traffic| (service, traffic))
        }
        (service, traffic) => Err(service.err().into_iter().chain(traffic.err()).collect()),
    }
}

/// The two sections as a tree: of the whole file, or, when that is no YAML, of the lines that hold them.
fn needed(text: &str) -> Result<Node, Wrong> {
    Node::parse(text).or_else(|whole| {
        let needed = only_needed(text);
        if needed.trim().is_empty() {
            Err(whole)
        } else {
            Node::parse(&needed)
        }
    })
}

/// `text` with every line blank that is not in a section we need, so that places stay what they are.
fn only_needed(text: &str) -> String {
    let mut inside = false;
    let mut kept = String::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        // A section begins where a line does; a list may stand there too, but belongs to what is above.
        if !line.starts_with([' ', '\t', '#', '-']) && !line.trim().is_empty() {
            inside = NEEDED
                .iter()
                .any(|key| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
        }
        // Document marks begin with `-` too, and end every section.
        inside &= !line.starts_with("---");
        if inside {
            kept.push_str(line);
        }
        kept.push('\n');
    }
    kept
}

/// Keys that a newer version knows must not stop a rollback by this one. A key that looks like a slip of
/// the finger stays, and is refused: its default might be another router.
fn forget_unknown(root: &mut Node) {
    let Some(traffic) = root.get_mut("traffic") else {
        return;
    };
    let vendors = ROUTERS.map(|(vendor, _)| vendor);
    forget_all_but(traffic, &vendors);
    for (vendor, keys) in ROUTERS {
        if let Some(router) = traffic.get_mut(vendor) {
            forget_all_but(router, keys);
        }
    }
}

/// Every router with its keys.
pub(super) const ROUTERS: [(&str, &[&str]); 6] = [
    ("haproxy", &["sockets", "map", "key", "backends"]),
    ("nginx", &["include", "config", "served", "key", "backends"]),
    ("gateway-api", &["namespace", "route", "backends"]),
    ("istio", &["namespace", "route", "host", "backends"]),
    ("service-selector", &["namespace", "service", "label", "backends"]),
    ("replica-ratio", &["namespace", "service", "backends"]),
];

fn forget_all_but(node: &mut Node, known: &[&str]) {
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|entry| similar(&entry.key, known).is_some());
    }
}

fn section<'de, T: serde::Deserialize<'de>>(root: &'de Node, key: &str) -> Result<T, Wrong> {
    let path = KeyPath::default().key(key);
    let Some(node) = root.get(key) else {
        return Err(Wrong {
            path,
            ..Wrong::at(root.place, "missing, and a rollback needs it".to_owned())
        });
    };
    T::deserialize(node).map_err(|wrong| wrong.or_at(node.place).under(Part::Key(key.to_owned())))
}
