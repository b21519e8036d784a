//! The binary `testarena`: starts the command line and nothing else.

use std::process::ExitCode;

/// glibc's keeps what a burst of work has needed; this one gives it back.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    server::cli::main()
}
