//! How the environments are, one short line for all: healthy or since when not, what they run, what waits.

use super::time_stamp::zone_of;
use crate::poll::Clock;
use crate::preferences::Preferences;
use crate::words;
use leptos::prelude::*;
use protocol::api::{Environment, Health};

#[component]
pub(crate) fn EnvironmentLine(
    #[prop(into)] environments: Signal<Vec<Environment>>,
    /// Where its jobs are listed.
    href: fn(&str) -> String,
) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let preferences = expect_context::<Preferences>();
    let items = move || {
        let item = |environment: Environment| {
            let zone = zone_of(environment.since, clock, preferences.offset_before(environment.since));
            let (told, href) = (told(&environment, zone), href(&environment.name));
            let since = format!("Since {}", words::exact_moment(environment.since, zone));
            view! {
                <li>
                    <a class="glyph" data-status=environment.health.as_str() href=href>
                        {environment.name}
                    </a>
                    <span title=since>{told}</span>
                </li>
            }
        };
        environments.get().into_iter().map(item).collect_view()
    };
    view! { <ul class="environments" aria-label="Environments">{items}</ul> }
}

/// `unreachable since 23 Nov 2026, 14:03`, `3 of 4 busy, 7 waiting`.
fn told(environment: &Environment, zone_offset_minutes: Option<i64>) -> String {
    let load = match (environment.busy, environment.slots) {
        (Some(busy), Some(slots)) => format!("{busy} of {slots} busy"),
        (Some(busy), None) => format!("{busy} busy"),
        (None, _) => String::new(),
    };
    let waiting = environment.waiting.filter(|waiting| *waiting > 0).map(|waiting| format!("{waiting} waiting"));
    let health = match environment.health {
        Health::Unreachable => {
            return format!("unreachable since {}", words::moment(environment.since, zone_offset_minutes));
        }
        Health::Degraded => Some("answers in part".to_owned()),
        Health::Unknown => Some("not asked yet".to_owned()),
        Health::Ok => None,
    };
    let told = [health, Some(load).filter(|load| !load.is_empty()), waiting];
    let told: Vec<String> = told.into_iter().flatten().collect();
    if told.is_empty() { "healthy".to_owned() } else { told.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(health: &str) -> Environment {
        let json = format!(
            "{{\"name\":\"a\",\"health\":\"{health}\",\"since\":\"2026-01-04T10:00:00Z\",\"slots\":4,\"busy\":1,\"waiting\":0}}"
        );
        serde_json::from_str(&json).expect("an environment")
    }

    #[test]
    fn a_healthy_one_says_what_it_runs_and_one_that_is_away_since_when() {
        assert_eq!(told(&environment("ok"), None), "1 of 4 busy");
        assert_eq!(told(&Environment { waiting: Some(7), ..environment("ok") }, None), "1 of 4 busy, 7 waiting");
        assert_eq!(told(&environment("unreachable"), None), "unreachable since 4 Jan 2026, 10:00 UTC");
        let silent = Environment { slots: None, busy: None, waiting: None, ..environment("ok") };
        assert_eq!(told(&silent, None), "healthy");
    }
}
