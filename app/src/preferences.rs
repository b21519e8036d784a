//! What a reader has chosen in this browser and where they are, in cookies: so the server draws it right at once.

use crate::browser;
use crate::zone::Zone;
use leptos::prelude::*;
use protocol::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) const THEME: &str = "theme";
/// As the browser told when the page was last live.
pub(crate) const ZONE: &str = "zone";
/// The tab that was used last: the next job opens with it.
pub(crate) const TAB: &str = "tab";
pub(crate) const LOGS: &str = "logs";

/// None follows the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Theme {
    Light,
    Dark,
}

impl Theme {
    #[cfg(feature = "ssr")]
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        [Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Preferences {
    pub(crate) theme: Option<Theme>,
    zone: Option<Zone>,
    opens_logs: bool,
}

/// Whether a job opens with its logs: where its URL names no tab, and the logs were used last.
#[derive(Clone, Copy)]
pub(crate) struct OpensLogs(StoredValue<bool>);

impl OpensLogs {
    pub(crate) fn provide(preferences: &Preferences) {
        provide_context(Self(StoredValue::new(preferences.opens_logs)));
    }

    pub(crate) fn get(self) -> bool {
        self.0.get_value()
    }

    pub(crate) fn remember(self, tab: &str) {
        self.0.set_value(tab == LOGS);
        browser::set_cookie(TAB, Some(tab));
    }
}

impl Preferences {
    /// Of the reader's clock from UTC at that moment, in minutes, as far as the visit before told it.
    pub(crate) fn offset_before(&self, at: Timestamp) -> Option<i64> {
        self.zone.as_ref().map(|zone| zone.offset_minutes(at))
    }

    /// `header`: `name=value; name=value`, as a browser sends it.
    #[cfg(feature = "ssr")]
    pub(crate) fn of_cookies(header: &str) -> Self {
        let value = |wanted| {
            let pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
            pairs.into_iter().find(|(name, _)| *name == wanted).map(|(_, value)| value)
        };
        Self {
            theme: value(THEME).and_then(Theme::of_name),
            zone: value(ZONE).and_then(Zone::of_cookie),
            opens_logs: value(TAB) == Some(LOGS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_from_among_other_cookies() {
        let read = Preferences::of_cookies("testarena_session=abc=; theme=dark;zone=-210; tab=logs");
        let expected = Preferences { theme: Some(Theme::Dark), zone: Zone::of_cookie("-210"), opens_logs: true };
        assert_eq!(read, expected);
    }

    #[test]
    fn what_nobody_can_have_chosen_is_left_out() {
        assert_eq!(Preferences::of_cookies("theme=\"><script>; zone=99999; tab=results"), Preferences::default());
        assert_eq!(Preferences::of_cookies(""), Preferences::default());
    }
}
