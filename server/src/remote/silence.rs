//! Where a command has ended well and there is nothing to see of it: a login shell may end before it runs a command, swallow
//! how it ended (a trap, a pipe, a wrapper that logs) or send its words elsewhere (`exec >log`). Then an empty list is no
//! list, and a workspace that was "removed" is still there.

use super::Failure;
use super::commands::Commands;
use super::listing;
use super::output::describe_exit;
use super::shell::Shell;
use super::ssh::Output;
use super::ssh_state::Purpose;

/// Git's name of nothing: no repository has this commit.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";
/// A word that every shell prints; what takes only the contract's commands refuses it.
const ECHO: &str = "echo testarena";

/// That a question's answer is nothing: only of a server that tells how commands end, and whose words arrive.
pub async fn believe_silence(shell: &Shell, commands: &Commands) -> Result<(), Failure> {
    let purpose = Purpose::Question;
    if ends_are_told(shell, commands, purpose).await? && lists_branches(shell, commands, purpose).await?.is_none() {
        return shell.run(purpose, ECHO.to_owned(), |output| heard(output.exit_status, &output.stdout)).await;
    }
    Ok(())
}

/// That a command ended well: where it has been seen over this connection that bad ends are told. Before a clean-up.
pub async fn believe_ends(shell: &Shell, commands: &Commands, purpose: Purpose) -> Result<(), Failure> {
    if shell.tells_ends() {
        return Ok(());
    }
    ends_are_told(shell, commands, purpose).await.map(drop)
}

/// That a commit is there, which was answered with exit status 0: of a server that tells how commands end. Where it does
/// not, one that lists branches at least runs them, and may be meant to have every commit; unless it has named the commit,
/// as git does of one that it lacks. Asked each time: a job of a commit that nobody has looked for is not made again.
pub async fn believe_presence(shell: &Shell, commands: &Commands, is_named: bool) -> Result<(), Failure> {
    let purpose = Purpose::Question;
    if is_named {
        ends_are_told(shell, commands, purpose).await.map(drop)
    } else {
        ends(shell, commands, purpose).await.map(drop)
    }
}

/// That a commit is not there, which was answered without a word: of a server that lists branches. A login shell that lets
/// nobody in (`nologin`, `false`) ends each command so.
pub async fn believe_absence(
    shell: &Shell,
    commands: &Commands,
    command: &str,
    output: &Output,
) -> Result<(), Failure> {
    let purpose = Purpose::Question;
    if ends_by_itself(output.exit_status) && lists_branches(shell, commands, purpose).await?.is_some() {
        return Ok(());
    }
    Err(shell.failed(purpose, &describe_exit(command, output)))
}

/// Not one that was not found, could not be run, or was killed. Git's own 128 is no signal's.
fn ends_by_itself(exit_status: u32) -> bool {
    matches!(exit_status, 1..=125 | 128)
}

/// How it was shown whether the ends of commands are told.
enum Ends {
    Told,
    /// What must have failed ended well; the other command listed branches.
    NotTold {
        command: String,
        lists: String,
    },
}

/// Asks for what must fail.
async fn ends(shell: &Shell, commands: &Commands, purpose: Purpose) -> Result<Ends, Failure> {
    let command = commands.present(NO_COMMIT)?;
    let told = shell.run(purpose, command.clone(), |output| Ok(output.exit_status != 0)).await?;
    shell.note_tells_ends(told);
    if told {
        return Ok(Ends::Told);
    }
    match lists_branches(shell, commands, purpose).await? {
        Some(lists) => Ok(Ends::NotTold { command, lists }),
        None => Err(shell.failed(purpose, &ends_early(&command))),
    }
}

/// False where a commit that nobody has is there by order, and branches can be listed.
async fn ends_are_told(shell: &Shell, commands: &Commands, purpose: Purpose) -> Result<bool, Failure> {
    match ends(shell, commands, purpose).await? {
        Ends::Told => Ok(true),
        Ends::NotTold { .. } if commands.takes_each_commit_for_present() => {
            shell.note_tells_ends(true);
            Ok(false)
        }
        Ends::NotTold { command, lists } => Err(shell.failed(purpose, &swallows_ends(&command, &lists))),
    }
}

/// The command, if branches are listed.
async fn lists_branches(shell: &Shell, commands: &Commands, purpose: Purpose) -> Result<Option<String>, Failure> {
    let command = commands.branches()?;
    let read = |begins: bool| begins.then(|| command.clone());
    shell.run(purpose, command.clone(), |output| Ok(read(listing::begins_with_refs(&output.stdout)))).await
}

/// Whoever refuses to print a word runs no shell, and has sent nothing elsewhere.
fn heard(exit_status: u32, stdout: &[u8]) -> Result<(), Failure> {
    if exit_status != 0 || !stdout.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        "the login shell sends what commands print elsewhere",
        format!(
            "`{ECHO}` ended well and nothing of it arrived: the SSH user's login shell sends standard output elsewhere. \
             See its start-up files (~/.bashrc) for an `exec` with `>` or `1>&2`"
        ),
    ))
}

fn ends_early(command: &str) -> Failure {
    Failure::new(
        "the login shell ends before it runs a command",
        format!(
            "`{command}` and all other commands end with exit status 0 and do nothing: the SSH user's login shell ends \
             before it runs them. See its start-up files for an `exit` (~/.bashrc wants `return`) or another shell that \
             is started, and authorized_keys and sshd_config for a forced command"
        ),
    )
}

fn swallows_ends(command: &str, other: &str) -> Failure {
    Failure::new(
        "the login shell does not tell how commands end",
        format!(
            "`{command}` ended with exit status 0, though no repository has that commit, and `{other}` works: something \
             around the commands swallows their exit status. See the SSH user's start-up files for a `trap … EXIT`, and \
             authorized_keys and sshd_config for a forced command that goes on after the command or pipes it"
        ),
    )
}
