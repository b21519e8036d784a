//! Whether a scenario's file can be run as a program, in words for somebody who did not write the kernel.
//! The kernel itself says "No such file" of a file that is there, when what its first line names is not.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// As much of a first line as the kernel reads, in bytes.
const MAX_FIRST_LINE: u64 = 256;
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
/// Where an ELF file tells its machine, two bytes.
const ELF_MACHINE: std::ops::Range<usize> = 18..20;

/// Why a file can't be run; `None` when nothing is known against it. Blocks.
pub fn problem(program: &Path, workspace: &Path) -> io::Result<Option<String>> {
    let mut start = Vec::new();
    File::open(program)?.take(MAX_FIRST_LINE).read_to_end(&mut start)?;
    if start.starts_with(LFS_POINTER) {
        return Ok(Some("it is a Git LFS pointer; install git-lfs on the bench".to_owned()));
    }
    if let Some(rest) = start.strip_prefix(b"#!") {
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        return Ok(problem_of_interpreter(&String::from_utf8_lossy(line), workspace));
    }
    if start.starts_with(b"\x7fELF") {
        return Ok(problem_of_machine(&start));
    }
    Ok(Some(match &start[..] {
        [] => "it is empty".to_owned(),
        [0xEF, 0xBB, 0xBF, ..] => {
            "it begins with a byte order mark, which hides its #! line; save it as UTF-8 without one".to_owned()
        }
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "it is UTF-16 text; save it as UTF-8".to_owned(),
        _ => "it has no #! line, and is no program for this machine".to_owned(),
    }))
}

fn problem_of_interpreter(line: &str, workspace: &Path) -> Option<String> {
    let words = line.trim_matches([' ', '\t']);
    let (interpreter, argument) = words.split_once([' ', '\t']).unwrap_or((words, ""));
    let argument = argument.trim_matches([' ', '\t']);
    if interpreter.trim().is_empty() {
        return Some("its #! line names no interpreter".to_owned());
    }
    let name = interpreter.rsplit('/').next().unwrap_or_default();
    // These two take the carriage return behind their options for a blank.
    let is_perls_option = name.starts_with("perl") && argument.starts_with('-');
    let takes_blanks = is_perls_option || (name == "env" && argument.starts_with("-S"));
    if line.ends_with('\r') && !takes_blanks {
        let named = format!("{interpreter} {argument}");
        return Some(format!(
            "its first line names the interpreter \"{}\", with a carriage return: convert its line ends from Windows (CR LF) to LF",
            named.trim_matches(' ').escape_debug()
        ));
    }
    let is_there = workspace.join(interpreter).exists();
    (!is_there)
        .then(|| format!("its interpreter \"{}\" is not on this bench: No such file", interpreter.escape_debug()))
}

/// Another machine's program may still run where somebody has registered an emulator for it.
fn problem_of_machine(start: &[u8]) -> Option<String> {
    let mut ours = Vec::new();
    File::open("/proc/self/exe").ok()?.take(64).read_to_end(&mut ours).ok()?;
    // The same byte order and machine, or the 32 bits of ours.
    let is_same = start.get(5) == ours.get(5) && start.get(ELF_MACHINE) == ours.get(ELF_MACHINE);
    let is_narrow = start.get(4) == Some(&1) && ours.get(4) == Some(&2);
    let has_emulators = std::fs::read_dir("/proc/sys/fs/binfmt_misc").is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name() != "register" && entry.file_name() != "status")
    });
    let is_foreign = !is_same && !is_narrow && !has_emulators;
    is_foreign.then(|| "it is a program for another kind of processor".to_owned())
}

/// What the kernel's refusal to run a file means.
pub fn explain(error: &io::Error, program: &Path, workspace: &Path) -> String {
    match error.kind() {
        io::ErrorKind::NotFound if !workspace.is_dir() => format!("its workspace is gone: {error}"),
        io::ErrorKind::NotFound if !program.exists() => format!("it is not in the workspace any more: {error}"),
        io::ErrorKind::NotFound => format!("the loader that it names is not on this bench: {error}"),
        io::ErrorKind::PermissionDenied => {
            format!("it may not be executed (its mode, its interpreter's, or a file system mounted noexec): {error}")
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_line_is_judged_as_the_kernel_reads_it() {
        let problem = |line: &str| problem_of_interpreter(line, Path::new("/")).unwrap_or_default();
        for line in ["/bin/sh", " /bin/sh -e", "\t/usr/bin/env bash", "bin/sh", "/usr/bin/env -S bash -e\r"] {
            assert_eq!(problem(line), "", "{line}");
        }
        for line in [
            "/bin/sh\r",
            "/bin/sh -e\r",
            "/usr/bin/env bash\r",
            "/usr/bin/perl\r",
            "/usr/bin/perl5.36\r",
            "/usr/bin/env perl\r",
            "/usr/bin/env\r",
        ] {
            assert!(problem(line).contains("\\r\", with a carriage return"), "{line}: {}", problem(line));
        }
        assert!(!problem("/usr/bin/perl -w\r").contains("with a carriage return"));
        assert!(problem("/no/such").contains("\"/no/such\" is not on this bench"));
        for line in ["", " ", "\r"] {
            assert!(problem(line).contains("names no interpreter"), "{line:?}");
        }
    }
}
