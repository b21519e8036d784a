//! The icon in the browser's tab: the product's, or how the job in view is.

use leptos::prelude::*;
use protocol::JobStatus;

/// Of every view that has none of its own.
const ICON: &str = "/favicon.svg";

/// The tab's icon shows how the job is, as long as its view is there.
pub(crate) fn show_status(status: Memo<JobStatus>) {
    Effect::new(move |_| set_icon(&icon_of(status.get())));
    on_cleanup(|| {
        if cfg!(not(feature = "ssr")) {
            set_icon(ICON);
        }
    });
}

fn set_icon(address: &str) {
    if let Ok(Some(link)) = document().query_selector("link[rel=icon]") {
        let _ = link.set_attribute("href", address);
    }
}

/// The mark with a spot in the status' colour, which every tab strip is light or dark enough for.
fn icon_of(status: JobStatus) -> String {
    let (colour, shape) = match status {
        JobStatus::Waiting => ("8a909c", "M16 11v5l3 2"),
        JobStatus::InProgress => ("2f7de1", "M14 12l5 4-5 4z"),
        JobStatus::Passed => ("2f9e58", "M12.5 16l2.5 2.5 4.5-5"),
        JobStatus::Failed => ("c02f2f", "M13 13l6 6m0-6-6 6"),
        JobStatus::Error => ("c77a00", "M16 11.5v5m0 3v.1"),
        JobStatus::Aborted => ("8a3fb0", "M12.5 16h7"),
    };
    format!(
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E\
         %3Ccircle cx='16' cy='16' r='15' fill='%23{colour}'/%3E\
         %3Cpath transform='matrix(2 0 0 2 -16 -16)' d='{shape}' fill='none' stroke='%23fff' stroke-width='2'/%3E%3C/svg%3E"
    )
}
