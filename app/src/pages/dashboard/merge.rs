//! How the newest page of jobs goes into a list of which more is shown already.
//! Nothing that was loaded is lost and nothing stays that the server no longer lists.

use protocol::api::{JobList, JobSummary};

/// `fresh` is the newest page; older jobs that it does not reach stay as they are.
pub(super) fn merge(shown: &mut JobList, fresh: JobList) {
    let Some(oldest) = fresh.jobs.last().map(|job| job.id).filter(|_| fresh.next_cursor.is_some()) else {
        // The page holds all there is.
        *shown = fresh;
        return;
    };
    let newest_shown = shown.jobs.iter().map(|job| job.id).max();
    let older: Vec<JobSummary> = shown.jobs.drain(..).filter(|job| job.id < oldest).collect();
    // Between a page and what does not reach up to it there may be others, which nobody has asked for.
    if older.is_empty() || newest_shown < Some(oldest) {
        *shown = fresh;
        return;
    }
    shown.jobs = fresh.jobs;
    shown.jobs.extend(older);
}

/// The page after what is shown.
pub(super) fn append(shown: &mut JobList, page: JobList) {
    let oldest = shown.jobs.last().map(|job| job.id);
    shown.jobs.extend(page.jobs.into_iter().filter(|job| oldest.is_none_or(|oldest| job.id < oldest)));
    shown.next_cursor = page.next_cursor;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(ids: &[i64], next_cursor: Option<&str>) -> JobList {
        let job = |id: &i64| {
            let json = include_str!("job_summary.json").replace("\"id\":0", &format!("\"id\":{id}"));
            serde_json::from_str(&json).expect("a job")
        };
        JobList { jobs: ids.iter().map(job).collect(), next_cursor: next_cursor.map(str::to_owned) }
    }

    fn told(list: &JobList) -> (Vec<i64>, Option<&str>) {
        (list.jobs.iter().map(|job| job.id.0).collect(), list.next_cursor.as_deref())
    }

    #[test]
    fn a_new_job_pushes_none_out_of_what_is_shown() {
        let mut shown = list(&[5, 4, 3, 2], Some("after 2"));
        merge(&mut shown, list(&[6, 5, 4], Some("after 4")));
        assert_eq!(told(&shown), (vec![6, 5, 4, 3, 2], Some("after 2")));
    }

    #[test]
    fn a_deleted_job_leaves_the_list() {
        let mut shown = list(&[5, 4, 3, 2], Some("after 2"));
        merge(&mut shown, list(&[5, 3], Some("after 3")));
        assert_eq!(told(&shown), (vec![5, 3, 2], Some("after 2")));
        merge(&mut shown, list(&[5], None));
        assert_eq!(told(&shown), (vec![5], None));
    }

    #[test]
    fn where_more_came_than_a_page_holds_the_list_begins_anew() {
        let mut shown = list(&[5, 4, 3, 2], Some("after 2"));
        merge(&mut shown, list(&[90, 89, 88], Some("after 88")));
        assert_eq!(told(&shown), (vec![90, 89, 88], Some("after 88")));
    }

    #[test]
    fn a_further_page_goes_below_and_no_job_is_there_twice() {
        let mut shown = list(&[5, 4], Some("after 4"));
        append(&mut shown, list(&[4, 3], None));
        assert_eq!(told(&shown), (vec![5, 4, 3], None));
    }
}
