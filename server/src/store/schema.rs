//! The tables as diesel sees them; the same for SQLite and PostgreSQL.
//! Written to match `migrations/`, which is the truth.

diesel::table! {
    counters (name) {
        name -> Text,
        value -> BigInt,
    }
}

diesel::table! {
    installation (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    users (id) {
        id -> BigInt,
        username -> Text,
        login -> Nullable<Text>,
        password_hash -> Text,
        is_admin -> Bool,
        must_change_password -> Bool,
        created_at -> BigInt,
        last_login_at -> Nullable<BigInt>,
        deleted_at -> Nullable<BigInt>,
        revision -> BigInt,
    }
}

diesel::table! {
    sessions (token_hash) {
        token_hash -> Text,
        user_id -> BigInt,
        created_at -> BigInt,
        expires_at -> BigInt,
        last_seen_at -> BigInt,
    }
}

diesel::table! {
    tokens (id) {
        id -> BigInt,
        user_id -> BigInt,
        name -> Text,
        token_hash -> Text,
        scope -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    jobs (id) {
        id -> BigInt,
        revision -> BigInt,
        instance -> Text,
        user_id -> BigInt,
        environment -> Text,
        branch_name -> Text,
        commit_hash -> Text,
        remote_queue_id -> Text,
        rerun_of -> Nullable<BigInt>,
        timeout_ms -> BigInt,
        created_at -> BigInt,
        status -> Text,
        status_reason -> Nullable<Text>,
        position -> Nullable<BigInt>,
        started_at -> Nullable<BigInt>,
        finished_at -> Nullable<BigInt>,
        count_waiting -> BigInt,
        count_running -> BigInt,
        count_passed -> BigInt,
        count_failed -> BigInt,
        count_error -> BigInt,
        count_aborted -> BigInt,
        count_skipped -> BigInt,
        abort_requested_at -> Nullable<BigInt>,
        abort_reason -> Nullable<Text>,
        delete_requested_at -> Nullable<BigInt>,
        sync_state -> Text,
        sync_error -> Nullable<Text>,
        last_synced_at -> Nullable<BigInt>,
        submit_attempted_at -> Nullable<BigInt>,
        accepted_at -> Nullable<BigInt>,
        seen_running_at -> Nullable<BigInt>,
        abort_confirmed_at -> Nullable<BigInt>,
        remote_etag -> Nullable<Text>,
        logs_state -> Text,
        logs_error -> Nullable<Text>,
        cleanup_state -> Text,
        cleanup_error -> Nullable<Text>,
        cleanup_since -> Nullable<BigInt>,
        cleaned_at -> Nullable<BigInt>,
        remote_deleted_at -> Nullable<BigInt>,
        next_at -> Nullable<BigInt>,
        attempts -> BigInt,
        version -> BigInt,
        lane -> Text,
        unknown_since -> Nullable<BigInt>,
        unknown_count -> BigInt,
        last_sent_at -> Nullable<BigInt>,
        abort_sent_at -> Nullable<BigInt>,
        abort_sends -> BigInt,
        ended_here_at -> Nullable<BigInt>,
        watched_until -> Nullable<BigInt>,
        waits_since -> Nullable<BigInt>,
    }
}

diesel::table! {
    tasks (job_id, n) {
        job_id -> BigInt,
        n -> BigInt,
        scenario -> Text,
        status -> Text,
        progress -> Nullable<Double>,
        message -> Text,
        exit_code -> Nullable<BigInt>,
        started_at -> Nullable<BigInt>,
        finished_at -> Nullable<BigInt>,
        log_size -> BigInt,
        log_complete -> Bool,
        results_complete -> Bool,
    }
}

diesel::table! {
    result_files (job_id, n, path) {
        job_id -> BigInt,
        n -> BigInt,
        path -> Text,
        size -> BigInt,
        content_type -> Text,
    }
}

diesel::table! {
    idempotency_keys (user_id, idempotency_key) {
        user_id -> BigInt,
        idempotency_key -> Text,
        request_hash -> Text,
        job_id -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    environment_status (environment) {
        environment -> Text,
        health -> Text,
        since -> BigInt,
        last_error -> Nullable<Text>,
        slots -> Nullable<BigInt>,
        busy -> Nullable<BigInt>,
        waiting -> Nullable<BigInt>,
        round_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    ssh_status (environment) {
        environment -> Text,
        at -> BigInt,
        connection_error -> Nullable<Text>,
        question_error -> Nullable<Text>,
        cleanup_error -> Nullable<Text>,
        host_key -> Nullable<Text>,
    }
}

diesel::table! {
    tombstones (id) {
        id -> BigInt,
        environment -> Text,
        instance -> Text,
        remote_queue_id -> Text,
        created_at -> BigInt,
        next_at -> BigInt,
        attempts -> BigInt,
        error -> Nullable<Text>,
        wanted -> Text,
        look_until -> BigInt,
    }
}

diesel::table! {
    leases (environment) {
        environment -> Text,
        holder -> Text,
        fence -> BigInt,
        beat -> BigInt,
    }
}

diesel::table! {
    audit_log (id) {
        id -> BigInt,
        at -> BigInt,
        actor -> Nullable<Text>,
        via -> Text,
        address -> Nullable<Text>,
        action -> Text,
        object -> Text,
        detail -> Text,
    }
}

diesel::table! {
    oidc_accounts (issuer, subject) {
        issuer -> Text,
        subject -> Text,
        user_id -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    runs (job_id, n) {
        job_id -> BigInt,
        n -> BigInt,
        environment -> Text,
        branch_name -> Text,
        scenario -> Text,
        status -> Text,
        duration_ms -> Nullable<BigInt>,
        finished_at -> BigInt,
    }
}

diesel::joinable!(runs -> jobs (job_id));
diesel::joinable!(tasks -> jobs (job_id));
diesel::joinable!(jobs -> users (user_id));
diesel::joinable!(oidc_accounts -> users (user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(tokens -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(
    jobs,
    users,
    sessions,
    tokens,
    oidc_accounts,
    tasks,
    result_files,
    runs,
    environment_status,
);
