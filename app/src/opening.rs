//! How a view begins, on the server and in the browser alike: who is asking, and what the page shows.

use crate::pages::{self, Page};
use crate::paths;
use crate::session::Session;
use crate::url::Url;
use protocol::api::ErrorCode;

pub(crate) struct Opening {
    pub(crate) session: Session,
    pub(crate) page: Page,
}

/// None: nobody is signed in, which this page needs.
pub(crate) async fn open(url: &Url) -> Option<Opening> {
    if url.path == paths::LOGIN {
        return Some(Opening { session: Session::default(), page: pages::load(url).await });
    }
    let session = match Session::load().await {
        Err(error) if error.is(ErrorCode::Unauthenticated) => return None,
        // What keeps it from being told keeps the page from its data as well, and that says so.
        session => session.unwrap_or_default(),
    };
    let page = pages::load(url).await;
    (!page.needs_sign_in()).then_some(Opening { session, page })
}
