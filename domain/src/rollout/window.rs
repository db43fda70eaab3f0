//! When the share may rise: days and hours in a time zone. Everything else happens at any time.

use std::fmt;

use jiff::{
    Timestamp, ToSpan as _, Zoned,
    civil::{Time, Weekday},
    tz::TimeZone,
};

/// Days of the week and a stretch of each of them, such as `Mon-Thu 09:00-16:00 Europe/Paris`.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    days: Vec<Weekday>,
    from: Time,
    to: Time,
    zone: TimeZone,
}

/// Why a text is no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWindow {
    /// Not three words.
    #[error("expected days, hours and a time zone, such as `Mon-Thu 09:00-16:00 Europe/Paris`")]
    Form,
    /// A day that is none.
    #[error("`{0}` is no day, expected Mon, Tue, Wed, Thu, Fri, Sat or Sun")]
    Day(String),
    /// Hours that are none.
    #[error("`{0}` are no hours, expected a stretch of one day such as 09:00-16:00")]
    Hours(String),
    /// A zone that the caller does not know.
    #[error("`{0}` is no time zone that is known here, expected one such as Europe/Paris or UTC")]
    Zone(String),
}

const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

impl Window {
    /// Reads `DAYS HOURS ZONE`. Days are `Mon`, a range `Mon-Thu` that may run over the weekend, or several of both
    /// with commas. `zone` looks up a time zone by its IANA name.
    ///
    /// # Errors
    ///
    /// [`BadWindow`] names the word that is not understood.
    pub fn parse(text: &str, zone: impl Fn(&str) -> Option<TimeZone>) -> Result<Self, BadWindow> {
        let words: Vec<_> = text.split_whitespace().collect();
        let &[days, hours, name] = words.as_slice() else {
            return Err(BadWindow::Form);
        };
        let (from, to) = hours_of(hours).ok_or_else(|| BadWindow::Hours(hours.to_owned()))?;
        Ok(Self {
            days: days_of(days)?,
            from,
            to,
            zone: zone(name).ok_or_else(|| BadWindow::Zone(name.to_owned()))?,
        })
    }

    /// The same as [`Self::opens_next`], on the clocks of its zone.
    #[must_use]
    pub fn opens_next_here(&self, now: Timestamp) -> Option<Zoned> {
        Some(self.opens_next(now)?.to_zoned(self.zone.clone()))
    }

    /// When it opens next; none while it is open. The end is not part of it.
    ///
    /// An hour that a clock change leaves out counts as the one after it.
    #[must_use]
    pub fn opens_next(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_zoned(self.zone.clone());
        let today = local.date();
        let is_open =
            self.days.contains(&today.weekday()) && self.from <= local.time() && local.time() < self.to;
        if is_open {
            return None;
        }
        (0..=7)
            .filter_map(|ahead| today.checked_add(ahead.days()).ok())
            .filter(|date| self.days.contains(&date.weekday()))
            .filter_map(|date| {
                let opening = date.to_datetime(self.from).to_zoned(self.zone.clone()).ok()?;
                Some(opening.timestamp())
            })
            .find(|opening| *opening > now)
            // A window without a next opening cannot be made; if it could, it would not be open.
            .or(Some(Timestamp::MAX))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days: Vec<_> = DAYS
            .iter()
            .filter(|(_, day)| self.days.contains(day))
            .map(|(name, _)| *name)
            .collect();
        let zone = self.zone.iana_name().unwrap_or("UTC");
        let (from, to) = (self.from.strftime("%H:%M"), self.to.strftime("%H:%M"));
        write!(out, "{} {from}-{to} {zone}", days.join(","))
    }
}

fn days_of(text: &str) -> Result<Vec<Weekday>, BadWindow> {
    let index = |name: &str| {
        DAYS.iter()
            .position(|(known, _)| known.eq_ignore_ascii_case(name))
            .ok_or_else(|| BadWindow::Day(name.to_owned()))
    };
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (index(first)?, index(last)?);
        let length = (last + DAYS.len() - first) % DAYS.len();
        days.extend((first..=first + length).map(|day| DAYS[day % DAYS.len()].1));
    }
    Ok(days)
}

fn hours_of(text: &str) -> Option<(Time, Time)> {
    let (from, to) = text.split_once('-')?;
    let time = |text: &str| Time::strptime("%H:%M", text).ok();
    let (from, to) = (time(from)?, time(to)?);
    (from < to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Window, BadWindow> {
        Window::parse(text, |name| match name {
            "UTC" => Some(TimeZone::UTC),
            // Winter and summer time, without a database.
            "Here" => TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").ok(),
            _ => None,
        })
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn it_is_open_from_its_first_minute_until_before_its_end() {
        let window = parse("Mon-Thu 09:00-16:00 UTC").unwrap();
        // 2026-11-24 is a Tuesday.
        for (now, expected) in [
            ("2026-11-24T09:00:00Z", None),
            ("2026-11-24T15:59:59Z", None),
            ("2026-11-24T16:00:00Z", Some("2026-11-25T09:00:00Z")),
            ("2026-11-24T08:59:59Z", Some("2026-11-24T09:00:00Z")),
            ("2026-11-26T16:00:00Z", Some("2026-11-30T09:00:00Z")),
            ("2026-11-27T12:00:00Z", Some("2026-11-30T09:00:00Z")),
        ] {
            assert_eq!(window.opens_next(at(now)), expected.map(at), "{now}");
        }
    }

    #[test]
    fn its_hours_are_those_of_its_zone_in_winter_and_in_summer() {
        let window = parse("Mon-Sun 09:00-16:00 Here").unwrap();
        assert_eq!(window.opens_next(at("2026-11-24T08:00:00Z")), None);
        assert_eq!(
            window.opens_next(at("2026-07-01T06:59:00Z")),
            Some(at("2026-07-01T07:00:00Z"))
        );
        assert_eq!(window.opens_next(at("2026-07-01T07:00:00Z")), None);
    }

    #[test]
    fn days_may_be_listed_and_run_over_the_weekend() {
        let days = |text: &str| parse(&format!("{text} 00:00-23:59 UTC")).unwrap().to_string();
        assert_eq!(days("Fri-Mon"), "Mon,Fri,Sat,Sun 00:00-23:59 UTC");
        assert_eq!(days("mon,Wed-Thu"), "Mon,Wed,Thu 00:00-23:59 UTC");
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let said = |text: &str| parse(text).unwrap_err().to_string();
        assert!(said("always").starts_with("expected days, hours and a time zone"));
        assert!(said("Mon-Fry 09:00-16:00 UTC").starts_with("`Fry` is no day"));
        assert!(said("Mon 16:00-09:00 UTC").starts_with("`16:00-09:00` are no hours"));
        assert!(said("Mon 9-16 UTC").starts_with("`9-16` are no hours"));
        assert!(said("Mon 09:00-16:00 Mars/Base").starts_with("`Mars/Base` is no time zone"));
    }
}
