//! One file per page: asks for data, picks loading, error or content, and passes plain values down.

mod dashboard;
mod job;
mod login;
mod new_job;
mod not_found;

pub(crate) use dashboard::DashboardPage;
pub(crate) use job::JobPage;
pub(crate) use login::LoginPage;
pub(crate) use new_job::NewJobPage;
pub(crate) use not_found::NotFoundPage;
