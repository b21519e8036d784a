//! The tables of `migrations/`, as diesel sees them.
//! Times are milliseconds since 1970 UTC; `gone_at` and `started_on_clock` those of the clock that nobody sets.

use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

table! {
    feed (id) {
        id -> Integer,
        epoch -> Text,
        seq -> BigInt,
    }
}

table! {
    clock (id) {
        id -> Integer,
        boot -> Text,
        up -> BigInt,
        reading -> BigInt,
    }
}

table! {
    queues (number) {
        number -> BigInt,
        queue_id -> Text,
        instance -> Text,
        branch -> Text,
        commit_hash -> Text,
        submitted_by -> Text,
        timeout_s -> BigInt,
        status -> Text,
        message -> Text,
        created_at -> BigInt,
        started_at -> Nullable<BigInt>,
        finished_at -> Nullable<BigInt>,
        changed -> BigInt,
        prepared -> Bool,
        abort_requested -> Bool,
        delete_requested -> Bool,
        started_on_clock -> Nullable<BigInt>,
    }
}

table! {
    tasks (queue, n) {
        queue -> BigInt,
        n -> Integer,
        scenario -> Text,
        path -> Text,
        status -> Text,
        progress -> Nullable<Double>,
        message -> Text,
        started_at -> Nullable<BigInt>,
        finished_at -> Nullable<BigInt>,
        exit_code -> Nullable<Integer>,
        log_size -> BigInt,
    }
}

table! {
    gone_ids (queue_id, instance) {
        queue_id -> Text,
        instance -> Text,
        gone_at -> BigInt,
    }
}

joinable!(tasks -> queues (queue));
allow_tables_to_appear_in_same_query!(queues, tasks);
