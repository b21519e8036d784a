//! What is made of a command's output and its end: the stdout of one that went well, or why it did not.
//! Git, `rm`, shells and the system give reasons in words of their own.

use super::Failure;
use super::ssh::{MAX_OUTPUT_BYTES, Output};

/// Most of a command's stderr that goes into an error message, in bytes.
const MAX_STDERR_BYTES: usize = 1_000;
/// A shell's status for a command that it does not find.
const NOT_FOUND: u32 = 127;

/// The stdout of a command that must have ended with exit status 0.
pub fn stdout_of<'a>(command: &str, output: &'a Output) -> Result<&'a [u8], Failure> {
    if output.is_cut {
        let limit = MAX_OUTPUT_BYTES >> 20;
        return Err(Failure::new(
            format!("a command wrote more than {limit} MiB"),
            format!("`{command}` wrote more than {limit} MiB, beginning with {}", first_words(&output.stdout)),
        ));
    }
    if output.exit_status != 0 {
        return Err(describe_exit(command, output));
    }
    Ok(&output.stdout)
}

/// The first words of an output, for a person: quoted, with what is not to be seen written out.
pub fn first_words(output: &[u8]) -> String {
    /// A greeting's first line, hardly more.
    const MAX_BYTES: usize = 120;
    let shown = String::from_utf8_lossy(&output[..output.len().min(MAX_BYTES)]);
    format!("{shown:?}")
}

/// What is said of a command that ended with another exit status than 0.
pub fn describe_exit(command: &str, output: &Output) -> Failure {
    let status = output.exit_status;
    let (reason, advice) = match known_reason(status, &output.stderr) {
        Some((reason, advice)) => (format!(" ({reason})"), advice),
        None => (String::new(), ""),
    };
    Failure::new(
        format!("a command ended with exit status {status}{reason}"),
        format!("`{command}` ended with exit status {status}: {}{advice}", last_words(&output.stderr)),
    )
}

/// The end of what was written on standard error: there stands why.
pub fn last_words(stderr: &[u8]) -> String {
    let stderr = String::from_utf8_lossy(stderr);
    let stderr = stderr.trim();
    let start = stderr.ceil_char_boundary(stderr.len().saturating_sub(MAX_STDERR_BYTES));
    if stderr.is_empty() { "it wrote no reason".to_owned() } else { stderr[start..].to_owned() }
}

/// Whether the login shell did not hand on the command about this commit as it came.
pub fn tells_of_altering(output: &Output, commit: &str) -> bool {
    let stderr = String::from_utf8_lossy(&output.stderr);
    stderr.lines().any(|line| line.contains(commit) && ALTERED.iter().any(|said| line.contains(said)))
}

/// Why, in words that say nothing of where, and what git's own words leave open.
fn known_reason(status: u32, stderr: &[u8]) -> Option<(&'static str, &'static str)> {
    let stderr = String::from_utf8_lossy(stderr);
    // What the origin says of itself is not about this server.
    let lines = || stderr.lines().filter(|line| !line.starts_with("remote: "));
    let says = |words: &[&str]| words.iter().any(|said| lines().any(|line| line.contains(said)));
    let known = KNOWN_REASONS.iter().find(|(words, _, _)| says(words));
    if let Some(&(_, plain, advice)) = known {
        return Some((plain, advice));
    }
    // Git finds many things "not found"; csh has no exit status of its own for a command.
    let is_unknown = says(&["ommand not found"]) || (status == NOT_FOUND && says(&[": not found"]));
    is_unknown.then_some(("command not found", ""))
}

/// tcsh takes the braces of `^{commit}` away, zsh with `extendedglob` looks for files of such a name, and csh takes `!`
/// for the wish to repeat a command.
const ALTERED: [&str; 3] = ["^commit", "no matches found: ", "Event not found"];
/// Of objects that are gone or can't be read.
const DAMAGED: [&str; 6] = [
    "error: Could not read ",
    "not a tree object",
    "unable to read tree",
    "error: object file ",
    " is corrupt",
    "fatal: bad object",
];

/// Words of git, rm, shells and the system that say why, the more exact ones first; the reason in plain words; advice.
const KNOWN_REASONS: [(&[&str], &str, &str); 23] = [
    (&["dubious ownership"], "the repository belongs to another user", ""),
    (&["not a git repository"], "no git repository is there", ""),
    (
        &["does not appear to be a git repository"],
        "the repository or its origin can't be read there",
        // That git looks away from a repository of somebody else's is only said by some of its commands.
        ". Is ssh.repository a clone whose origin can be read? If it belongs to another user than the one who \
         signs in, run as that one: git config --global --add safe.directory <ssh.repository>",
    ),
    (
        &["Authentication failed", "could not read Username", "could not read Password"],
        "its origin wants a sign-in",
        ". Let the SSH user read the origin without a question, by a key or a credential helper",
    ),
    (&["fatal: repository '"], "its origin is not there", ""),
    (
        &["Could not read from remote repository", "unable to access 'http", "git upload-pack: "],
        "its origin can't be read",
        "",
    ),
    (&["couldn't find remote ref"], "the branch is gone", ""),
    (
        &["refusing to fetch into"],
        "its clone has the branch checked out",
        ". The clone is set to overwrite its own branches; run: git -C <ssh.repository> config remote.origin.fetch \
         '+refs/heads/*:refs/remotes/origin/*'",
    ),
    (&["cannot lock ref"], "a ref of the repository is locked", ""),
    (&["shallow"], "the clone is shallow", ""),
    (&["has not ended"], "its queue has not ended", ""),
    (&["No space left on device"], "No space left on device", ""),
    (&["Read-only file system"], "Read-only file system", ""),
    (&["Permission denied"], "Permission denied", ""),
    (&["Operation not permitted"], "Operation not permitted", ""),
    (&["Device or resource busy"], "Device or resource busy", ""),
    (&["Directory not empty"], "Directory not empty", ""),
    (&["Input/output error"], "Input/output error", ""),
    (
        &DAMAGED,
        "the clone lacks objects or holds damaged ones",
        ". Remove the files that git names as empty or corrupt from the clone's folder of objects, if any, and run: \
         git -C <ssh.repository> fetch --refetch origin (git 2.36 or newer). What that does not mend, a new clone does",
    ),
    (&["No such file or directory"], "No such file or directory", ""),
    (&["Not a directory"], "Not a directory", ""),
    (&["Disk quota exceeded"], "Disk quota exceeded", ""),
    (
        &ALTERED,
        "the login shell alters the command",
        ". The SSH user's login shell reads it otherwise than a POSIX shell does, as tcsh and zsh with extendedglob do. \
         Give the user another one (chsh -s /bin/sh), or write in ssh.commands: \
         present = \"git -C {repository} cat-file -e {commit}'^{commit}'\"",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_by_what_was_written_and_by_the_exit_status() {
        for (status, stderr, expected) in [
            (127, "bash: git: command not found", Some("command not found")),
            (127, "zsh:1: command not found: git", Some("command not found")),
            (127, "sh: 1: git: not found", Some("command not found")),
            (1, "git: Command not found.", Some("command not found")),
            (128, "fatal: pathspec 'x': not found", None),
            (
                128,
                "remote: Not Found\nfatal: repository 'https://git/x.git/' not found",
                Some("its origin is not there"),
            ),
            (1, "b: Event not found.", Some("the login shell alters the command")),
            (128, "fatal: Authentication failed for 'https://git/x.git/'", Some("its origin wants a sign-in")),
            (
                128,
                "fatal: could not read Username for 'https://git': No such device or address",
                Some("its origin wants a sign-in"),
            ),
            (
                128,
                "fatal: unable to access 'https://git/x.git/': Could not resolve host: git",
                Some("its origin can't be read"),
            ),
            (1, "error: Could not read 9247534", Some("the clone lacks objects or holds damaged ones")),
            (128, "fatal: Could not read from remote repository.", Some("its origin can't be read")),
            (128, "remote: error: object file objects/92/47534 is empty", None),
            (1, "", None),
        ] {
            let reason = known_reason(status, stderr.as_bytes()).map(|(plain, _)| plain);
            assert_eq!(reason, expected, "{status} {stderr}");
        }
    }
}
