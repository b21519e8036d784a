//! The binary `testarena`: starts the command line and nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    server::cli::main()
}
