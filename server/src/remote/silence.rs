//! A login shell may end before it runs a command, well and without a word (`exit` in a start-up file, a forced
//! command). Then an empty list is no list, and a workspace that was "removed" is still there.

use super::Failure;
use super::commands::Commands;
use super::listing;
use super::shell::Shell;
use super::ssh_state::Purpose;

/// Git's name of nothing: no repository has this commit.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// Asks for what must fail, where a command has ended well and there is nothing to see of it. Before a clean-up once per
/// connection, and not at all where answers have been read over it.
pub async fn require_that_commands_run(shell: &Shell, commands: &Commands, purpose: Purpose) -> Result<(), Failure> {
    if purpose == Purpose::CleanUp && shell.runs_commands() {
        return Ok(());
    }
    let command = commands.present(NO_COMMIT)?;
    let fails = shell.run(purpose, command, |output| Ok(output.exit_status != 0)).await?;
    if fails {
        shell.note_runs_commands(true);
        return Ok(());
    }
    shell.note_runs_commands(false);
    // Some say yes to each question of this kind: `commands.present` may be `true`. But they can list branches.
    let command = commands.branches()?;
    let told = Failure::new(
        "the login shell ends before it runs a command",
        format!(
            "`{command}` and all other commands end with exit status 0 and do nothing: the SSH user's login shell ends \
             before it runs them. See its start-up files for an `exit` (~/.bashrc wants `return`) or another shell that \
             is started, and authorized_keys and sshd_config for a forced command"
        ),
    );
    let lists = shell.run(
        purpose,
        command,
        |output| {
            if listing::begins_with_refs(&output.stdout) { Ok(()) } else { Err(told) }
        },
    );
    lists.await?;
    shell.note_runs_commands(true);
    Ok(())
}
