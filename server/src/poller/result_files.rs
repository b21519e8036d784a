//! A task's result files: which of those listed are fetched, and the fetching of one.

use super::Poller;
use super::mirror::MirrorError;
use super::missing::{Missing, shown};
use super::outcome::queue_of;
use crate::logs::{Budget, Outcome};
use crate::metrics::process;
use crate::remote::{Remote, RemoteError};
use crate::store::jobs::Job;
use crate::store::tasks::ResultFile;
use protocol::names::is_result_path;
use protocol::remote::RemoteFile;
use protocol::size::in_units;
use std::collections::{HashSet, VecDeque};

/// Result files kept of one job.
pub(super) const MAX_FILES: u64 = 10_000;

/// What came of one file: its size, or why it can't be had.
pub(super) struct Fetched {
    pub(super) n: i64,
    pub(super) file: RemoteFile,
    pub(super) outcome: Result<Result<u64, Missing>, MirrorError>,
}

/// The listed files that are not here yet, in the order of their paths, no more of them than are ever kept; and a path
/// that can't be kept, if there is one. Where both `a` and `a/b` are listed, `a` is the file.
pub(super) fn worth_keeping(listed: Vec<RemoteFile>, here: &[ResultFile]) -> (VecDeque<RemoteFile>, Option<String>) {
    let here: HashSet<&str> = here.iter().map(|file| file.path.as_str()).collect();
    let is_folder_of_file = {
        let files: HashSet<String> =
            listed.iter().filter(|file| is_result_path(&file.path)).map(|file| file.path.clone()).collect();
        move |path: &str| path.match_indices('/').any(|(at, _)| files.contains(&path[..at]))
    };
    let mut bad = None;
    let mut files: Vec<RemoteFile> = Vec::with_capacity(listed.len());
    for file in listed {
        if !is_result_path(&file.path) || is_folder_of_file(&file.path) {
            bad.get_or_insert(file.path);
        } else if !here.contains(file.path.as_str()) {
            files.push(file);
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    // One more than are kept shows that there are more.
    files.truncate(usize::try_from(MAX_FILES).unwrap_or(usize::MAX) + 1);
    (files.into(), bad)
}

pub(super) async fn fetch<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    n: i64,
    file: RemoteFile,
    budget: &Budget,
) -> Fetched {
    let _turn = poller.marks.file_turns.acquire().await;
    let outcome = fetch_now(poller, job, n, &file, budget).await;
    Fetched { n, file, outcome }
}

async fn fetch_now<R: Remote>(
    poller: &Poller<R>,
    job: &Job,
    n: i64,
    file: &RemoteFile,
    budget: &Budget,
) -> Result<Result<u64, Missing>, MirrorError> {
    let (task_id, path) = (job.task_id(n), shown(&file.path));
    let too_many = || Missing::ManyBytes { limit: in_units(poller.logs.limits().results_bytes) };
    if file.size > budget.left() {
        return Ok(Err(too_many()));
    }
    let mut part = poller.logs.begin_result(job.id, n, &file.path, budget).map_err(MirrorError::local)?;
    let answer = poller.fetch_result(queue_of(job), &task_id, file, &mut part).await;
    match answer {
        Ok(true) => {}
        Ok(false) => return Ok(Err(Missing::File { task_id, path })),
        Err(RemoteError::Transient { message, .. }) if message.is_missing_page() => {
            return Ok(Err(Missing::Page { task_id, path }));
        }
        Err(error) => return Err(error.into()),
    }
    let size = part.size();
    // One that has grown since it was listed is as good; one that ends early was cut on its way.
    if part.is_whole() && size < file.size {
        return Ok(Err(Missing::ShortFile { task_id, path, size, listed: file.size }));
    }
    Ok(match part.keep().await.map_err(MirrorError::local)? {
        Outcome::Kept(size) => {
            process::mirrored(poller.name(), size);
            Ok(size)
        }
        Outcome::TooLarge => Err(too_many()),
        Outcome::NoPlace => Err(Missing::BadPath { task_id, path }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(paths: &[&str]) -> Vec<RemoteFile> {
        let file = |path: &&str| RemoteFile { path: (*path).to_owned(), size: 1, content_type: String::new() };
        paths.iter().map(file).collect()
    }

    #[test]
    fn of_a_file_and_a_folder_of_one_name_the_file_is_kept() {
        let (files, bad) = worth_keeping(listed(&["b", "a/b/c", "a", "ab/c", "../x"]), &[]);
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!((paths, bad.as_deref()), (vec!["a", "ab/c", "b"], Some("a/b/c")));
    }

    #[test]
    fn no_more_files_are_remembered_than_are_ever_kept() {
        let paths: Vec<String> = (0..MAX_FILES + 500).map(|n| n.to_string()).collect();
        let (files, _) = worth_keeping(listed(&paths.iter().map(String::as_str).collect::<Vec<_>>()), &[]);
        assert_eq!(files.len() as u64, MAX_FILES + 1);
    }
}
