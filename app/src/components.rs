//! The page's parts, one file each: values in, view out. None of them fetches, none knows a URL.

pub(crate) mod account_menu;
pub(crate) mod ansi;
pub(crate) mod banners;
pub(crate) mod confirm_dialog;
pub(crate) mod facts;
pub(crate) mod field;
pub(crate) mod header;
pub(crate) mod icon;
pub(crate) mod job_table;
pub(crate) mod keyboard_help;
pub(crate) mod log_buffer;
pub(crate) mod log_lines;
pub(crate) mod log_window;
pub(crate) mod notice;
pub(crate) mod progress;
pub(crate) mod result_list;
pub(crate) mod scenario_tree;
pub(crate) mod status_badge;
pub(crate) mod switch;
pub(crate) mod tabs;
pub(crate) mod task_list;
pub(crate) mod task_table;
pub(crate) mod theme_switch;
pub(crate) mod time_stamp;
pub(crate) mod toasts;
