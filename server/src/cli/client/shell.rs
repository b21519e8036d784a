//! What belongs to a program at a command line: completions for shells, and the manual.

use super::failure::Failure;
use super::out::write_all;
use super::{ClientCommand, CodeResult, DONE};
use crate::cli::Cli;
use clap::{Command, CommandFactory, Subcommand};
use clap_mangen::Man;
use std::fmt::Write;

/// What the options alone do not tell: of the client's commands, and of those that run a server or look after it.
struct More {
    exit_status: &'static str,
    environment: &'static str,
    files: &'static str,
}

const OF_CLIENT: More = More {
    exit_status: r"Of the client's commands (login, logout, job, env, branches, scenarios):
.TP
.B 0
done; of a job that was waited for: passed
.TP
.B 1
the job failed
.TP
.B 2
the job ended as error or was aborted
.TP
.B 3
wrong usage, or the server refused (4xx)
.TP
.B 4
the server can't be reached, or says 5xx
.TP
.B 130, 143
interrupted (Ctrl\-C, SIGTERM): while waiting, the job goes on
.TP
.B 141
nobody reads the output any more
.PP
",
    environment: r"Of the client's commands:
.TP
.B TESTARENA_URL, TESTARENA_TOKEN
the server to talk to, and the token to show it; they win over the file
.TP
.B TESTARENA_LOG
what to log, such as debug
.TP
.B HTTP_PROXY, HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, NO_COLOR
as elsewhere
.PP
",
    files: r".TP
.I ~/.config/testarena/config.toml
address and token that login keeps ($XDG_CONFIG_HOME is honoured)
",
};

const OF_SERVER: More = More {
    exit_status: r"Of the server's commands (serve, demo, runner, user, migrate, check):
.TP
.B 0
done, or ended as it was asked to by SIGTERM or SIGINT
.TP
.B 1
it failed; standard error says why
.TP
.B 3
wrong usage
.TP
.B 130, 143
interrupted (Ctrl\-C, SIGTERM) while a password was asked for
.TP
.B 141
nobody reads the output any more
.PP
",
    environment: r"Of the server's commands:
.TP
.B TESTARENA_DATABASE_URL, TESTARENA_LISTEN, ...
each top\-level key of the configuration in capitals; they win over the file
.TP
.B TESTARENA_OIDC_SECRET, TESTARENA_METRICS_TOKEN
secrets, which no configuration file holds
.TP
.B TESTARENA_LOG, TESTARENA_LOG_FORMAT
what to log, such as debug; text or json
.PP
",
    files: r".TP
.I FILE
the configuration that \-\-config names; relative paths in it are relative to it
.TP
.I .env
in the working folder: variables that the environment does not have
",
};

pub(super) fn completions(shell: clap_complete::Shell) -> CodeResult {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "testarena", &mut text);
    write_all(&text)?;
    Ok(DONE)
}

/// The page of a command; without one that of the program, with all commands.
pub(super) fn man(words: &[String]) -> CodeResult {
    let mut root = Cli::command();
    root.build();
    let command = words.iter().try_fold(&root, |command, word| {
        let unknown = || Failure::Usage(format!("there is no command \"{}\"", words.join(" ")));
        command.find_subcommand(word).ok_or_else(unknown)
    })?;
    let broken = |error: std::io::Error| Failure::Local(format!("the page can't be written: {error}"));
    let mut page = Vec::new();
    if words.is_empty() {
        let man = Man::new(root.clone());
        man.render_title(&mut page).map_err(broken)?;
        man.render_name_section(&mut page).map_err(broken)?;
        man.render_synopsis_section(&mut page).map_err(broken)?;
        man.render_description_section(&mut page).map_err(broken)?;
        page.extend_from_slice(all_commands(&root).as_bytes());
        page.extend_from_slice(sections(&[OF_CLIENT, OF_SERVER]).as_bytes());
        man.render_version_section(&mut page).map_err(broken)?;
    } else {
        Man::new(command.clone()).render(&mut page).map_err(broken)?;
        let is_clients = words.first().is_some_and(|word| ClientCommand::has_subcommand(word));
        page.extend_from_slice(sections(&[if is_clients { OF_CLIENT } else { OF_SERVER }]).as_bytes());
    }
    write_all(&page)?;
    Ok(DONE)
}

fn sections(parts: &[More]) -> String {
    let all = |part: fn(&More) -> &'static str| parts.iter().map(part).collect::<String>();
    format!(
        ".SH \"EXIT STATUS\"\n{}.SH ENVIRONMENT\n{}.SH FILES\n{}",
        all(|more| more.exit_status),
        all(|more| more.environment),
        all(|more| more.files)
    )
}

/// Each command with its options, in roff.
fn all_commands(root: &Command) -> String {
    let mut text = ".SH COMMANDS\n".to_owned();
    for command in root.get_subcommands() {
        describe(command, &mut text);
    }
    text
}

fn describe(command: &Command, text: &mut String) {
    if command.get_name() == "help" {
        return;
    }
    if command.has_subcommands() {
        command.get_subcommands().for_each(|command| describe(command, text));
        return;
    }
    let usage = command.clone().render_usage().to_string();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    // Writing to a string does not fail.
    let _ = writeln!(text, ".TP\n.B {}\n{}", escaped(usage.trim_start_matches("Usage: ")), escaped(&about));
    let named = command.get_arguments().filter(|argument| argument.get_id() != "help");
    for argument in named.filter(|argument| argument.get_help().is_some()) {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, ".RS\n.TP\n.B {}\n{}\n.RE", escaped(&argument.to_string()), escaped(&help));
    }
}

/// Plain text in roff.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\n', " ");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
