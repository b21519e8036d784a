//! Tables of decisions: a job in some state, what the server said, and what must follow.
//! Rows are built from one fresh job, so that each case shows only what matters to it.

use super::*;
use crate::store::jobs::{Lane, NewJob};
use crate::store::tasks::Task;
use protocol::remote::{QueueBody, QueueTask};
use protocol::{JobId, QueueStatus, UserId};

const NOW: Timestamp = Timestamp(1_000_000_000);
const HOUR: Duration = Duration::from_hours(1);
const LIMITS: Limits = Limits {
    waiting_timeout: Duration::from_hours(7 * 24),
    cleanup_give_up: Duration::from_hours(24),
    retry_max_interval: Duration::from_mins(5),
    remote_retention: Some(Duration::from_hours(7 * 24)),
};

fn fresh_job() -> Job {
    let new = NewJob {
        instance: "i".to_owned(),
        user_id: UserId(1),
        environment: "bench-a".to_owned(),
        queue_id_prefix: String::new(),
        branch_name: "main".to_owned(),
        commit: "c".repeat(40),
        scenarios: vec!["a".to_owned(), "b".to_owned()],
        rerun_of: None,
        timeout: HOUR,
    };
    Job::new(JobId(42), &new, NOW)
}

fn old_job() -> Job {
    Job { created_at: NOW.minus(LIMITS.waiting_timeout + Duration::from_millis(1)), ..fresh_job() }
}

fn accepted_job() -> Job {
    let sent = Some(NOW.minus(HOUR * 10));
    Job { submit_attempted_at: sent, accepted_at: sent, sync_state: SyncState::Synced, ..fresh_job() }
}

fn ended_job() -> Job {
    let mut job = accepted_job();
    end(&mut job, TaskCounts::default(), JobStatus::Passed, None, NOW);
    job
}

fn tasks_of(statuses: &[TaskStatus]) -> Vec<Task> {
    let task = |(n, status): (i64, &TaskStatus)| Task { status: *status, ..Task::new(JobId(42), n, format!("s{n}")) };
    (1..).zip(statuses).map(task).collect()
}

fn queue(status: QueueStatus) -> QueueBody {
    QueueBody {
        id: "42".to_owned(),
        status,
        position: None,
        created_at: None,
        started_at: None,
        finished_at: None,
        message: String::new(),
        tasks: None,
    }
}

fn said(n: i64, status: TaskStatus) -> QueueTask {
    QueueTask {
        task_id: format!("42-{n}"),
        scenario: format!("s{n}"),
        status,
        progress: None,
        message: String::new(),
        log_size: None,
        started_at: None,
        finished_at: None,
        exit_code: None,
    }
}

fn see(job: &Job, tasks: &[Task], queue: &QueueBody, said: &[QueueTask], server_now: Option<Timestamp>) -> Observed {
    observe(job, tasks, Seen { heard: Heard::Asked, queue, tasks: said, server_now, etag: None }, &LIMITS, NOW)
}

#[test]
fn each_state_of_a_job_has_its_next_step() {
    let wanted = Some(NOW);
    let mirrored = Job { logs_state: LogsState::Complete, ..ended_job() };
    let cleaned = Job { cleanup_state: CleanupState::Done, cleaned_at: Some(NOW.minus(HOUR)), ..mirrored.clone() };
    let long_cleaned = Job { cleaned_at: Some(NOW.minus(HOUR * 24 * 8)), ..cleaned.clone() };
    let given_up =
        Job { cleanup_state: CleanupState::Failed, cleanup_since: Some(NOW.minus(HOUR)), ..mirrored.clone() };
    let running = Job { delete_requested_at: wanted, ..accepted_job() };
    let deleting = Job { delete_requested_at: wanted, ..ended_job() };
    let sent_abort = Job { abort_requested_at: wanted, abort_sent_at: wanted, abort_sends: 1, ..accepted_job() };
    let lost = Job { status_reason: Some("lost".to_owned()), logs_state: LogsState::Incomplete, ..ended_job() };
    let long_lost = Job { ended_here_at: Some(NOW.minus(HOUR * 2)), ..lost.clone() };
    let not_ours = Job { status_reason: Some("id_taken".to_owned()), delete_requested_at: wanted, ..ended_job() };
    let cases = vec![
        ("fresh", fresh_job(), Step::Submit),
        ("tried, no answer", Job { submit_attempted_at: wanted, ..fresh_job() }, Step::Submit),
        ("waited too long, never sent", old_job(), Step::GiveUpWaiting),
        (
            "waited too long, no answer: it may have arrived",
            Job { submit_attempted_at: wanted, ..old_job() },
            Step::Submit,
        ),
        ("accepted", accepted_job(), Step::Ask),
        ("abort of what was never sent", Job { abort_requested_at: wanted, ..fresh_job() }, Step::EndUnsent),
        (
            "abort of what may have arrived",
            Job { abort_requested_at: wanted, submit_attempted_at: wanted, ..fresh_job() },
            Step::Abort,
        ),
        ("abort", Job { abort_requested_at: wanted, ..accepted_job() }, Step::Abort),
        ("abort sent", sent_abort.clone(), Step::Ask),
        (
            "abort sent by a clock that was put back since",
            Job { abort_sent_at: Some(NOW.plus(HOUR)), ..sent_abort.clone() },
            Step::Abort,
        ),
        ("abort sent, and nothing came of it", Job { abort_sent_at: Some(NOW.minus(HOUR)), ..sent_abort }, Step::Abort),
        ("ended", ended_job(), Step::Mirror),
        ("mirrored", mirrored, Step::CleanUp),
        ("cleaned", cleaned, Step::Nothing),
        ("cleaned long ago", long_cleaned.clone(), Step::DeleteQueue),
        ("all done", Job { remote_deleted_at: wanted, ..long_cleaned }, Step::Nothing),
        ("clean-up given up", given_up, Step::Nothing),
        ("delete of what was never sent", Job { delete_requested_at: wanted, ..fresh_job() }, Step::Remove),
        ("delete", deleting.clone(), Step::DeleteQueue),
        ("delete of what runs", running, Step::Abort),
        ("lost, and perhaps running", lost, Step::Nothing),
        ("lost, and past its limit", long_lost.clone(), Step::DeleteQueue),
        ("lost, and gone for certain", Job { remote_deleted_at: wanted, ..long_lost }, Step::CleanUp),
        ("delete, queue gone", Job { remote_deleted_at: wanted, ..deleting.clone() }, Step::CleanUp),
        ("delete, all gone", Job { remote_deleted_at: wanted, cleaned_at: wanted, ..deleting }, Step::Remove),
        ("delete of what never was ours", not_ours, Step::Remove),
    ];
    for (name, job, step) in cases {
        assert_eq!(next_step(&job, &LIMITS, NOW), step, "{name}");
        assert!(is_taken_by(job.lane_now(), step), "{name}: {step:?} by {}", job.lane_now());
    }
}

/// Whether this is one of a lane's steps.
fn is_taken_by(lane: Lane, step: Step) -> bool {
    match lane {
        Lane::Send => matches!(step, Step::Submit | Step::GiveUpWaiting),
        // An abort is asked about where it was sent.
        Lane::Act => !matches!(step, Step::Submit | Step::GiveUpWaiting | Step::Mirror | Step::CleanUp),
        Lane::Ask => step == Step::Ask,
        Lane::Files => step == Step::Mirror,
        // A clean-up that would come too early waits.
        Lane::Shell => matches!(step, Step::CleanUp | Step::Nothing),
    }
}

/// The store decides who takes a job up, and this room what is done then: neither knows the other's rules.
#[test]
fn whatever_a_job_is_like_its_step_is_one_of_its_lanes() {
    let times = [None, Some(NOW.minus(HOUR)), Some(NOW.minus(HOUR * 24 * 8))];
    let starts = [fresh_job(), old_job(), accepted_job(), ended_job()];
    let reasons = [None, Some(reason::LOST), Some(reason::ID_TAKEN)];
    for base in &starts {
        let (mut count, mut seen) = (0, Vec::new());
        for (abort, deletion, attempt) in three(times) {
            for (deleted, cleaned, ended) in three(times) {
                for why in reasons {
                    for logs_state in [LogsState::Mirroring, LogsState::Complete] {
                        for cleanup_state in [CleanupState::Pending, CleanupState::Done, CleanupState::Failed] {
                            let job = Job {
                                abort_requested_at: abort,
                                delete_requested_at: deletion,
                                submit_attempted_at: attempt,
                                remote_deleted_at: deleted,
                                cleaned_at: cleaned,
                                ended_here_at: ended,
                                status_reason: why.map(str::to_owned),
                                logs_state,
                                cleanup_state,
                                ..base.clone()
                            };
                            let (lane, step) = (job.lane_now(), next_step(&job, &LIMITS, NOW));
                            assert!(is_taken_by(lane, step), "{step:?} by {lane}: {job:?}");
                            count += 1;
                            seen.push(step);
                        }
                    }
                }
            }
        }
        assert!(count > 10_000 && seen.iter().any(|step| *step != seen[0]));
    }
}

fn three<T: Copy>(values: [T; 3]) -> impl Iterator<Item = (T, T, T)> {
    values
        .into_iter()
        .flat_map(move |a| values.into_iter().flat_map(move |b| values.into_iter().map(move |c| (a, b, c))))
}

#[test]
fn a_queue_kept_for_ever_is_never_deleted() {
    let long_cleaned = Job {
        logs_state: LogsState::Complete,
        cleanup_state: CleanupState::Done,
        cleaned_at: Some(NOW.minus(HOUR * 24 * 365)),
        ..ended_job()
    };
    let limits = Limits { remote_retention: None, ..LIMITS };
    assert_eq!(next_step(&long_cleaned, &limits, NOW), Step::Nothing);
}

#[test]
fn pauses_double_up_to_the_cap_and_are_spread() {
    let cap = Duration::from_mins(5);
    let seconds: Vec<u64> = (0..11).map(|attempts| backoff(attempts, cap, 1.0).as_secs()).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    assert_eq!(backoff(2, cap, 0.0), Duration::from_secs(3));
    assert_eq!(backoff(i64::MAX, cap, 1.0), cap);
}

#[test]
fn a_retry_never_comes_before_the_server_asked_for_it() {
    let mut job = fresh_job();
    postpone(&mut job, &LIMITS, Some(Duration::from_mins(1)), 1.0, NOW);
    assert_eq!((job.next_at, job.attempts), (Some(NOW.plus(Duration::from_mins(1))), 1));
}

#[test]
fn a_retry_of_what_was_never_accepted_comes_no_later_than_its_waiting_limit() {
    let just_past_limit = Some(NOW.plus(Duration::from_millis(1)));
    let mut job = Job { created_at: NOW.minus(LIMITS.waiting_timeout), attempts: 20, ..fresh_job() };
    postpone(&mut job, &LIMITS, Some(HOUR), 1.0, NOW);
    assert_eq!(job.next_at, just_past_limit);
    let mut accepted = Job { created_at: NOW.minus(LIMITS.waiting_timeout), ..accepted_job() };
    postpone(&mut accepted, &LIMITS, Some(HOUR), 1.0, NOW);
    assert_eq!(accepted.next_at, Some(NOW.plus(HOUR)));
}

#[test]
fn a_waiting_queue_shows_its_position_and_is_due_at_its_limit() {
    let body = QueueBody { position: Some(3), ..queue(QueueStatus::Waiting) };
    let seen = see(&accepted_job(), &tasks_of(&[TaskStatus::Waiting; 2]), &body, &[], None);
    assert_eq!((seen.job.status, seen.job.position), (JobStatus::Waiting, Some(3)));
    assert_eq!(seen.job.next_at, Some(NOW.plus(LIMITS.waiting_timeout).plus(Duration::from_millis(1))));
    assert_eq!(seen.changed_tasks, []);
}

#[test]
fn a_queue_that_waits_too_long_is_to_be_aborted() {
    let old = Job { created_at: NOW.minus(HOUR * 24 * 7 + HOUR), ..accepted_job() };
    let seen = see(&old, &tasks_of(&[TaskStatus::Waiting; 2]), &queue(QueueStatus::Waiting), &[], None);
    assert_eq!(seen.job.abort_reason.as_deref(), Some("waited_too_long"));
    assert_eq!(next_step(&seen.job, &LIMITS, NOW), Step::Abort);
}

#[test]
fn running_tasks_are_counted_and_only_what_changed_is_saved() {
    let tasks = tasks_of(&[TaskStatus::Passed, TaskStatus::Waiting]);
    let answer = [said(1, TaskStatus::Passed), said(2, TaskStatus::Running)];
    let body = QueueBody { started_at: Some(NOW.minus(HOUR / 2)), ..queue(QueueStatus::Running) };
    let seen = see(&accepted_job(), &tasks, &body, &answer, Some(NOW));
    assert_eq!(seen.job.status, JobStatus::InProgress);
    assert_eq!((seen.job.count_passed, seen.job.count_running, seen.job.count_waiting), (1, 1, 0));
    assert_eq!(seen.changed_tasks.iter().map(|task| task.n).collect::<Vec<_>>(), [2]);
    assert_eq!(seen.job.next_at, Some(NOW.plus(HOUR / 2).plus(Duration::from_millis(1))));
}

#[test]
fn the_time_limit_is_reckoned_on_the_servers_clock() {
    let tasks = tasks_of(&[TaskStatus::Running]);
    let started = Timestamp(5);
    let body = QueueBody { started_at: Some(started), ..queue(QueueStatus::Running) };
    let running = [said(1, TaskStatus::Running)];
    let within = see(&accepted_job(), &tasks, &body, &running, Some(started.plus(HOUR)));
    assert_eq!(within.job.abort_requested_at, None);
    let past = see(&accepted_job(), &tasks, &body, &running, Some(started.plus(HOUR + Duration::from_secs(1))));
    assert_eq!(past.job.abort_reason.as_deref(), Some("timeout"));
    let without_clock = see(&accepted_job(), &tasks, &body, &running, None);
    assert_eq!(without_clock.job.abort_requested_at, None, "first seen running just now");
}

#[test]
fn an_ended_queue_ends_the_job_with_a_verdict() {
    let tasks = tasks_of(&[TaskStatus::Running, TaskStatus::Waiting]);
    let answer = [said(1, TaskStatus::Failed), said(2, TaskStatus::Skipped)];
    let body = QueueBody { finished_at: Some(NOW.minus(HOUR)), ..queue(QueueStatus::Finished) };
    let seen = see(&accepted_job(), &tasks, &body, &answer, Some(NOW));
    assert_eq!((seen.job.status, seen.job.status_reason), (JobStatus::Failed, None));
    assert_eq!((seen.job.finished_at, seen.job.next_at), (Some(NOW.minus(HOUR)), Some(NOW)));
    assert_eq!((seen.job.logs_state, seen.job.cleanup_state), (LogsState::Mirroring, CleanupState::Pending));
    assert_eq!((seen.job.count_failed, seen.job.count_skipped), (1, 1));
}

#[test]
fn a_queue_that_ended_in_error_says_why_as_well_as_its_server_does() {
    use TaskStatus::{Error, Failed, Passed};
    for (status, message, statuses, words) in [
        (QueueStatus::Finished, "", [Error, Error, Passed], "2 of 3 tasks ended in error: task 2"),
        (QueueStatus::Finished, "", [Error, Passed, Passed], "1 of 3 tasks ended in error"),
        (QueueStatus::Finished, "no room", [Passed, Error, Passed], "no room"),
        (QueueStatus::Error, "no room", [Passed, Passed, Passed], "no room"),
        (QueueStatus::Error, "", [Passed, Passed, Error], "1 of 3 tasks ended in error: task 3"),
        (QueueStatus::Error, "", [Passed; 3], "the remote server ended the queue in error and does not say why"),
    ] {
        let mut answer = [said(1, statuses[0]), said(2, statuses[1]), said(3, statuses[2])];
        for (n, task) in answer.iter_mut().enumerate().skip(1) {
            task.message = format!("task {}", n + 1);
        }
        let body = QueueBody { message: message.to_owned(), ..queue(status) };
        let seen = see(&accepted_job(), &tasks_of(&[TaskStatus::Running; 3]), &body, &answer, None);
        assert_eq!((seen.job.status, seen.job.sync_error.as_deref()), (JobStatus::Error, Some(words)));
        // They stay when the server says the same again.
        let again = see(&seen.job, &seen.changed_tasks, &body, &answer, None);
        assert_eq!(again.job.sync_error.as_deref(), Some(words));
    }
    let body = QueueBody { message: "as it should be".to_owned(), ..queue(QueueStatus::Finished) };
    let answer = [said(1, Failed), said(2, Error)];
    let seen = see(&accepted_job(), &tasks_of(&[TaskStatus::Running; 2]), &body, &answer, None);
    assert_eq!((seen.job.status, seen.job.sync_error), (JobStatus::Failed, None));
}

#[test]
fn a_queue_that_the_server_ended_past_its_limit_timed_out() {
    let body = QueueBody {
        started_at: Some(NOW.minus(HOUR * 2)),
        finished_at: Some(NOW.minus(HOUR)),
        ..queue(QueueStatus::Aborted)
    };
    let seen = see(&accepted_job(), &tasks_of(&[TaskStatus::Running]), &body, &[said(1, TaskStatus::Aborted)], None);
    assert_eq!((seen.job.status, seen.job.status_reason.as_deref()), (JobStatus::Aborted, Some("timeout")));
}

#[test]
fn a_queue_that_ended_leaves_no_task_open() {
    let tasks = tasks_of(&[TaskStatus::Passed, TaskStatus::Running, TaskStatus::Waiting]);
    let seen = see(&accepted_job(), &tasks, &queue(QueueStatus::Aborted), &[], None);
    let statuses: Vec<TaskStatus> = seen.changed_tasks.iter().map(|task| task.status).collect();
    assert_eq!(statuses, [TaskStatus::Aborted, TaskStatus::Aborted]);
    assert_eq!((seen.job.count_passed, seen.job.count_aborted), (1, 2));
}

#[test]
fn late_answers_never_turn_anything_back() {
    let tasks = tasks_of(&[TaskStatus::Passed, TaskStatus::Running]);
    let answer = [said(1, TaskStatus::Running), said(2, TaskStatus::Waiting)];
    let running = Job { status: JobStatus::InProgress, ..accepted_job() };
    let seen = see(&running, &tasks, &queue(QueueStatus::Waiting), &answer, None);
    assert_eq!((seen.job.status, seen.job.position, seen.changed_tasks), (JobStatus::InProgress, None, vec![]));

    let ended = ended_job();
    let after = see(&ended, &tasks, &queue(QueueStatus::Running), &answer, None);
    assert_eq!((after.job.status, after.changed_tasks), (JobStatus::Passed, vec![]));
}

/// What a running queue says, and then that it waits: its checkout found no room, or its server was restarted.
fn put_back(first_task: TaskStatus) -> Observed {
    let (started, tasks) = (Some(NOW.minus(HOUR * 2)), tasks_of(&[first_task, TaskStatus::Waiting]));
    let running =
        Job { status: JobStatus::InProgress, started_at: started, seen_running_at: started, ..accepted_job() };
    // An older server's start stands in its answer as it was.
    let body = QueueBody { position: Some(2), started_at: started, ..queue(QueueStatus::Waiting) };
    see(&running, &tasks, &body, &[said(1, first_task), said(2, TaskStatus::Waiting)], Some(NOW))
}

#[test]
fn a_queue_that_waits_again_uses_up_no_time_and_has_all_of_it_when_it_runs() {
    let waits = put_back(TaskStatus::Waiting).job;
    assert_eq!((waits.status, waits.position, waits.started_at), (JobStatus::InProgress, Some(2), None));
    assert_eq!(waits.abort_requested_at, None);
    assert_eq!(waits.next_at, Some(NOW.plus(LIMITS.waiting_timeout).plus(Duration::from_millis(1))));
    assert_eq!(given_up_unseen(&waits, &LIMITS, NOW.plus(HOUR * 24)), None, "its server being away is no end of it");
    let all = LIMITS.waiting_timeout + HOUR * 2 + OVERTIME;
    assert_eq!(given_up_unseen(&waits, &LIMITS, NOW.plus(all)), None, "it may have begun at the last moment");
    let past = NOW.plus(all + Duration::from_millis(1));
    assert_eq!(given_up_unseen(&waits, &LIMITS, past), Some(reason::WAITED_TOO_LONG));

    let tasks = tasks_of(&[TaskStatus::Waiting; 2]);
    let runs = see(&waits, &tasks, &queue(QueueStatus::Running), &[], None).job;
    assert_eq!((runs.position, runs.started_at, runs.seen_running_at), (None, Some(NOW), Some(NOW)));
    assert_eq!(runs.next_at, Some(NOW.plus(HOUR).plus(Duration::from_millis(1))));

    let ended = see(&waits, &tasks, &queue(QueueStatus::Aborted), &[], Some(NOW)).job;
    assert_eq!((ended.status_reason.as_deref(), ended.started_at), (Some("aborted_remotely"), None));
}

#[test]
fn a_queue_that_waited_again_unseen_has_all_of_its_time() {
    let started = Some(NOW.minus(HOUR.saturating_sub(Duration::from_secs(9))));
    let tasks = tasks_of(&[TaskStatus::Waiting]);
    let running =
        Job { status: JobStatus::InProgress, started_at: started, seen_running_at: started, ..accepted_job() };
    for (begins, seen_running_at) in [(started, started), (Some(NOW.minus(HOUR / 2)), Some(NOW))] {
        let body = QueueBody { started_at: begins, ..queue(QueueStatus::Running) };
        let seen = see(&running, &tasks, &body, &[], None).job;
        assert_eq!((seen.started_at, seen.seen_running_at), (begins, seen_running_at));
    }
}

#[test]
fn what_a_queue_that_waits_again_has_done_stays_done() {
    let waits = put_back(TaskStatus::Passed).job;
    assert_eq!((waits.started_at, waits.count_passed), (Some(NOW.minus(HOUR * 2)), 1));
    assert_eq!(waits.next_at, Some(NOW.plus(LIMITS.waiting_timeout + HOUR).plus(Duration::from_millis(1))));
}

#[test]
fn a_queue_that_waits_again_for_too_long_is_to_be_aborted() {
    let running = Job { status: JobStatus::InProgress, created_at: NOW.minus(HOUR * 24 * 8), ..accepted_job() };
    let seen = see(&running, &tasks_of(&[TaskStatus::Waiting]), &queue(QueueStatus::Waiting), &[], None);
    assert_eq!(seen.job.abort_reason.as_deref(), Some("waited_too_long"));
}

#[test]
fn a_job_that_never_reached_the_server_ends_with_nothing_to_clean() {
    let mut job = fresh_job();
    end(&mut job, TaskCounts::default(), JobStatus::Aborted, Some(reason::aborted_by("ada")), NOW);
    assert_eq!((job.logs_state, job.cleanup_state, job.next_at), (LogsState::Complete, CleanupState::None, None));
}

#[test]
fn no_server_silences_a_job_for_good() {
    let mut job = accepted_job();
    postpone(&mut job, &LIMITS, Some(Duration::MAX), 1.0, NOW);
    assert_eq!(job.next_at, Some(NOW.plus(LONGEST_RETRY_AFTER)));
}

#[test]
fn logs_are_given_up_when_the_time_is_over_and_many_attempts_failed() {
    for (hours, attempts, expected) in [(23, 99, false), (24, 9, false), (24, 10, true)] {
        let job = Job { ended_here_at: Some(NOW.minus(HOUR * hours)), attempts, ..ended_job() };
        assert_eq!(gives_up_mirroring(&job, &LIMITS, NOW), expected, "{hours} h, {attempts} attempts");
    }
}

#[test]
fn a_clean_up_is_given_up_when_the_time_is_over_and_some_attempts_failed() {
    for (hours, attempts, expected) in [(23, 99, false), (24, 4, false), (24, 5, true)] {
        let job = Job { cleanup_since: Some(NOW.minus(HOUR * hours)), attempts, ..ended_job() };
        assert_eq!(gives_up_cleaning(&job, &LIMITS, NOW), expected, "{hours} h, {attempts} attempts");
    }
}

#[test]
fn a_queue_never_ran_for_longer_than_since_it_was_sent() {
    let just_sent = Job { submit_attempted_at: Some(NOW.minus(Duration::from_secs(2))), ..accepted_job() };
    let body = QueueBody { started_at: Some(Timestamp(0)), ..queue(QueueStatus::Running) };
    let said = [said(1, TaskStatus::Running)];
    let seen = see(&just_sent, &tasks_of(&[TaskStatus::Running]), &body, &said, Some(NOW));
    assert_eq!(seen.job.abort_requested_at, None, "a clock that stood at 1970, or a proxy's, ends nothing");
}

#[test]
fn a_queue_that_is_not_known_is_lost_after_three_answers_and_a_minute() {
    let mut job = accepted_job();
    let answers: Vec<bool> = [0, 20, 40, 59, 60].map(|s| is_lost(&mut job, NOW.plus(Duration::from_secs(s)))).into();
    assert_eq!(answers, [false, false, false, false, true]);
    let mut job = accepted_job();
    assert!(!is_lost(&mut job, NOW) && !is_lost(&mut job, NOW.plus(HOUR)), "two answers are too few");
    mark_synced(&mut job, NOW);
    assert_eq!((job.unknown_since, job.unknown_count), (None, 0));
}

#[test]
fn news_do_not_put_off_what_somebody_wants() {
    let due = Some(NOW.plus(Duration::from_secs(7)));
    let body = QueueBody { started_at: Some(NOW), ..queue(QueueStatus::Running) };
    let tasks = tasks_of(&[TaskStatus::Running]);
    for wanted in [
        Job { delete_requested_at: Some(NOW), next_at: due, attempts: 3, ..accepted_job() },
        Job { abort_requested_at: Some(NOW), next_at: due, attempts: 3, ..accepted_job() },
    ] {
        let seen = Seen { heard: Heard::Told, queue: &body, tasks: &[], server_now: Some(NOW), etag: None };
        let seen = observe(&wanted, &tasks, seen, &LIMITS, NOW);
        assert_eq!((seen.job.next_at, seen.job.attempts), (due, 3));
    }
}

#[test]
fn aborts_are_sent_again_with_growing_pauses() {
    let mut job = Job { abort_requested_at: Some(NOW), ..accepted_job() };
    let mut sent_at = Vec::new();
    let mut now = NOW;
    while sent_at.len() < 5 {
        if next_step(&job, &LIMITS, now) == Step::Abort {
            note_abort_sent(&mut job, now);
            sent_at.push(now.since(NOW).as_secs());
        }
        let next = asks_after_abort(&job, &LIMITS, now);
        assert!(next > now, "it never spins");
        now = next;
    }
    assert_eq!(sent_at, [0, 5, 15, 35, 75]);
}

/// What a server says of a queue of two tasks that it took two minutes for, and what is made of it.
fn ended_by_its_clock(job: &Job, ended: Timestamp, server_now: Option<Timestamp>) -> [Option<Timestamp>; 4] {
    let began = ended.minus(Duration::from_mins(2));
    let task = QueueTask { started_at: Some(began), finished_at: Some(ended), ..said(1, TaskStatus::Passed) };
    let body = QueueBody { started_at: Some(began), finished_at: Some(ended), ..queue(QueueStatus::Finished) };
    let seen = see(job, &tasks_of(&[TaskStatus::Running]), &body, &[task], server_now);
    let task = &seen.changed_tasks[0];
    [seen.job.started_at, seen.job.finished_at, task.started_at, task.finished_at]
}

#[test]
fn the_times_of_a_right_clock_are_its_own_whatever_a_proxys_date_says() {
    let ended = NOW.minus(HOUR);
    let began = Some(ended.minus(Duration::from_mins(2)));
    for server_now in [None, Some(NOW), Some(NOW.plus(HOUR)), Some(NOW.minus(HOUR * 9)), Some(Timestamp(0))] {
        let made = ended_by_its_clock(&accepted_job(), ended, server_now);
        assert_eq!(made, [began, Some(ended), began, Some(ended)], "{server_now:?}");
    }
    // Sent by a clock of ours that was put back since, while nobody was there to notice.
    let ahead = Job { submit_attempted_at: Some(NOW.plus(HOUR * 99)), ..accepted_job() };
    assert_eq!(ended_by_its_clock(&ahead, ended, Some(NOW))[1], Some(ended));
}

#[test]
fn the_times_of_a_wrong_clock_are_moved_by_as_much_as_it_differs_or_end_now() {
    let sent = NOW.minus(Duration::from_mins(10));
    let job = Job { submit_attempted_at: Some(sent), ..accepted_job() };
    let (long, ago) = (Duration::from_mins(2), Duration::from_mins(5));
    for off in [-720_000, -3_600, 1_200, 3_600 * 50_000] {
        let wall = |at: Timestamp| Timestamp(at.0 + off * 1_000);
        let made = |server_now| ended_by_its_clock(&job, wall(NOW.minus(ago)), server_now);
        let until = |ended: Timestamp| {
            let (began, ended) = (Some(ended.minus(long)), Some(ended));
            [began, ended, began, ended]
        };
        assert_eq!(made(Some(wall(NOW))), until(NOW.minus(ago)), "{off} s");
        for odd in [None, Some(NOW), Some(wall(NOW.plus(HOUR)))] {
            assert_eq!(made(odd), until(NOW), "{off} s, {odd:?}");
        }
    }
}
