//! What the `http` routes of a VirtualService mean for two backends. Pure.
//!
//! Ours are the routes whose list names both of them, and those that rollgate put before them for single users, told
//! by their names. Everything else belongs to somebody else.

use rollgate_domain::weight::Weight;
use serde_json::Value;

/// The names of our own routes begin with it.
pub(super) const PREFIX: &str = "rollgate-";

/// What the two backends are called in a VirtualService.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) namespace: String,
    /// The host whose subsets they are; none when they are hosts themselves.
    pub(super) host: Option<String>,
    pub(super) backends: [String; 2],
}

impl Names {
    /// Which of the two a destination is. A short name and the full name of the same Service are the same.
    ///
    /// Source: <https://istio.io/latest/docs/reference/config/networking/virtual-service/#Destination>
    pub(super) fn index_of(&self, destination: &Value) -> Option<usize> {
        let host = destination["host"].as_str()?;
        match &self.host {
            Some(ours) => {
                let subset = destination["subset"].as_str()?;
                let is_meant = |name: &String| self.is_same(host, ours) && name == subset;
                self.backends.iter().position(is_meant)
            }
            None => self.backends.iter().position(|name| self.is_same(host, name)),
        }
    }

    /// Whether `host` in this namespace is the Service `name`.
    pub(super) fn is_same(&self, host: &str, name: &str) -> bool {
        let is_full = |full: &str, short: &str| {
            !short.contains('.') && full.starts_with(&format!("{short}.{}.svc.", self.namespace))
        };
        host == name || is_full(host, name) || is_full(name, host)
    }

    /// `destination`, of one backend, as the one of another.
    pub(super) fn instead_of(&self, destination: &Value, index: usize) -> Value {
        let mut other = destination.clone();
        let key = if self.host.is_some() { "subset" } else { "host" };
        other[key] = Value::from(self.backends[index].clone());
        other
    }

    pub(super) fn both(&self) -> String {
        let [first, second] = &self.backends;
        match &self.host {
            Some(host) => format!("the subsets {first} and {second} of {host}"),
            None => format!("{first} and {second}"),
        }
    }
}

/// One of the destinations of a route.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Which of our two backends it is.
    pub(super) backend: Option<usize>,
    pub(super) destination: Value,
    /// As written; none means 0 beside others and all where it stands alone.
    pub(super) weight: Option<u64>,
}

/// A route that names at least one of the two backends.
#[derive(Clone, Debug)]
pub(super) struct Split {
    /// From 0, among all `http` routes.
    pub(super) place: usize,
    /// The route's name, if it has one.
    name: Option<String>,
    pub(super) targets: Vec<Target>,
}

impl Split {
    fn of(place: usize, route: &Value, names: &Names) -> Self {
        let targets = route["route"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|target| Target {
                backend: names.index_of(&target["destination"]),
                destination: target["destination"].clone(),
                weight: target["weight"].as_u64(),
            });
        Self {
            place,
            name: route["name"].as_str().map(str::to_owned),
            targets: targets.collect(),
        }
    }

    pub(super) fn count(&self, backend: Option<usize>) -> usize {
        let is_meant = |target: &&Target| target.backend == backend;
        self.targets.iter().filter(is_meant).count()
    }

    /// Which route this is, for people, who count from 1.
    pub(super) fn title(&self) -> String {
        let number = self.place + 1;
        match &self.name {
            Some(name) => format!("http route {number} ({name:?})"),
            None => format!("http route {number}"),
        }
    }

    /// What a destination gets of `total`, as Istio counts.
    pub(super) fn weight(&self, target: &Target) -> u64 {
        match self.targets.as_slice() {
            [_] => 100,
            _ => target.weight.unwrap_or(0),
        }
    }

    /// The share of backend `candidate`, rounded up to whole percents; none where all weights are 0.
    pub(super) fn share(&self, candidate: usize) -> Option<Weight> {
        let (mut ours, mut total) = (0, 0);
        for target in &self.targets {
            total += self.weight(target);
            if target.backend == Some(candidate) {
                ours += self.weight(target);
            }
        }
        let percent = (ours * 100).checked_div(total)? + u64::from(ours * 100 % total > 0);
        Weight::new(u8::try_from(percent).ok()?).ok()
    }

    /// Why rollgate cannot divide this route's traffic; nothing if it can.
    pub(super) fn obstacle(&self, names: &Names) -> Option<String> {
        let title = self.title();
        if let Some(other) = self.targets.iter().find(|target| target.backend.is_none()) {
            let host = other.destination["host"].as_str().unwrap_or_default();
            let subset = other.destination["subset"].as_str();
            let subset = subset.map(|subset| format!(" ({subset})")).unwrap_or_default();
            return Some(format!(
                "{title} names {host}{subset} beside {}, and a share between three cannot be told: give it a route of its \
                 own",
                names.both()
            ));
        }
        for (index, backend) in names.backends.iter().enumerate() {
            match self.count(Some(index)) {
                0 => return Some(format!("{title} does not name {backend} any more")),
                1 => {}
                _ => return Some(format!("{title} names {backend} twice: keep one of them")),
            }
        }
        None
    }

    /// Why its weights are none that rollgate writes; nothing if they are.
    pub(super) fn wrong_weights(&self, names: &Names) -> Option<String> {
        let total: u64 = self.targets.iter().map(|target| self.weight(target)).sum();
        let of = |target: &Target| match target.backend {
            Some(index) => format!("{} {}", names.backends[index], self.weight(target)),
            None => self.weight(target).to_string(),
        };
        let all: Vec<_> = self.targets.iter().map(of).collect();
        (total != 100).then(|| {
            format!(
                "the weights of {} do not add up to 100: {}",
                self.title(),
                all.join(", ")
            )
        })
    }
}

/// The `http` routes of a VirtualService.
#[derive(Clone, Debug)]
pub(super) struct Routes {
    /// As they are.
    pub(super) http: Vec<Value>,
    /// Those that share their traffic between both backends, or that are all that is left of them.
    pub(super) splits: Vec<Split>,
    /// Whether no route names both any more.
    pub(super) is_broken: bool,
}

impl Routes {
    /// Understands `http`, the routes as they are.
    ///
    /// Where no route names both backends, those that name one of them count: a foreign hand has taken the other.
    pub(super) fn of(http: Vec<Value>, names: &Names) -> Self {
        let named: Vec<_> = http
            .iter()
            .enumerate()
            .filter(|(_, route)| !is_ours(route))
            .map(|(place, route)| Split::of(place, route, names))
            .filter(|split| split.targets.iter().any(|target| target.backend.is_some()))
            .collect();
        let (both, one): (Vec<_>, Vec<_>) = named
            .into_iter()
            .partition(|split| [0, 1].iter().all(|&index| split.count(Some(index)) > 0));
        let is_broken = both.is_empty();
        let splits = if is_broken { one } else { both };
        Self {
            http,
            splits,
            is_broken,
        }
    }

    /// Why the VirtualService is none of a rollout's.
    pub(super) fn names_neither(&self, title: &str, names: &Names) -> String {
        let delegate = self.http.iter().find_map(|route| {
            let delegate = &route["delegate"];
            let name = delegate["name"].as_str()?;
            let namespace = delegate["namespace"].as_str();
            Some(format!(
                "; one delegates to VirtualService {name}{}: name that one in traffic.istio.route",
                namespace
                    .map(|space| format!(" in namespace {space}"))
                    .unwrap_or_default()
            ))
        });
        format!(
            "no http route of {title} names both {}{}",
            names.both(),
            delegate.unwrap_or_else(
                || ": give one of them both as destinations, with the weights 100 and 0".to_owned()
            )
        )
    }

    /// The highest share of backend `candidate` in any route; none where one cannot be told.
    pub(super) fn share(&self, candidate: usize) -> Option<Weight> {
        let shares: Option<Vec<_>> = self.splits.iter().map(|split| split.share(candidate)).collect();
        Some(shares?.into_iter().max().unwrap_or(Weight::ZERO))
    }
}

/// Whether rollgate made this route for single users.
pub(super) fn is_ours(route: &Value) -> bool {
    route["name"]
        .as_str()
        .is_some_and(|name| name.starts_with(PREFIX))
}
