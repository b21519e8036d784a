//! Reads what git prints: branches from `ls-remote`, scenarios from `ls-tree -rz`.
//! Pure, so that odd repositories can be tested without one.

use protocol::api::Branch;
use protocol::names;
use std::collections::BTreeMap;

/// The mode of an executable file in a git tree.
const EXECUTABLE: &str = "100755";
/// Branches that people look for first.
const FIRST_BRANCHES: [&str; 2] = ["main", "master"];

/// A commit's scenarios, sorted by name, and what is wrong with its scenario files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScenarioList {
    pub scenarios: Vec<String>,
    pub problems: Vec<String>,
}

/// Something else than git prints stands where git's words should: the first of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Odd(pub Vec<u8>);

/// Lines `<commit>\t<ref>`, of which those of branches count. A line of another form makes all of them doubtful;
/// a name that no branch can have is only left out.
pub fn branches(listing: &[u8]) -> Result<Vec<Branch>, Odd> {
    let mut branches = Vec::new();
    for line in listing.split_inclusive(|byte| *byte == b'\n') {
        let (commit, reference) = ref_line(line).ok_or_else(|| Odd(line.to_vec()))?;
        branches.extend(branch(commit, reference));
    }
    let rank = |name: &str| FIRST_BRANCHES.iter().position(|first| *first == name).unwrap_or(FIRST_BRANCHES.len());
    branches.sort_by(|a, b| (rank(&a.name), &a.name).cmp(&(rank(&b.name), &b.name)));
    branches.dedup_by(|a, b| a.name == b.name);
    Ok(branches)
}

/// Whether this begins as a list of branches does.
pub fn begins_with_refs(listing: &[u8]) -> bool {
    listing.split_inclusive(|byte| *byte == b'\n').next().is_some_and(|line| ref_line(line).is_some())
}

fn ref_line(line: &[u8]) -> Option<(&str, &[u8])> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let commit = std::str::from_utf8(&line[..tab]).ok().filter(|commit| names::is_commit(commit))?;
    let reference = &line[tab + 1..];
    let is_ref = reference == b"HEAD" || reference.starts_with(b"refs/");
    // Git has no ref with such a byte, so that it is somebody else's word that runs into this line.
    let is_clean = !reference.iter().any(|byte| *byte <= b' ' || *byte == 0x7f);
    (is_ref && is_clean).then_some((commit, reference))
}

fn branch(commit: &str, reference: &[u8]) -> Option<Branch> {
    let name = std::str::from_utf8(reference).ok()?.strip_prefix("refs/heads/")?;
    names::is_branch_name(name).then(|| Branch { name: name.to_owned(), commit: commit.to_owned() })
}

/// The commit of exactly this branch: git matches tails, so that other branches may be listed beside it.
pub fn commit_of(listing: &[u8], name: &str) -> Result<Option<String>, Odd> {
    Ok(branches(listing)?.into_iter().find(|branch| branch.name == name).map(|branch| branch.commit))
}

/// Entries `<mode> <type> <object>\t<path>` that each end in a NUL. One of another form makes all of them doubtful.
pub fn scenarios(listing: &[u8], scenario_dir: &str) -> Result<ScenarioList, Odd> {
    let mut list = ScenarioList::default();
    let mut paths: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut inert = 0;
    for entry in listing.split_inclusive(|byte| *byte == 0) {
        let (is_executable, path) = tree_entry(entry).ok_or_else(|| Odd(entry.to_vec()))?;
        if !is_executable {
            inert += usize::from(std::str::from_utf8(path).is_ok_and(|path| below(path, scenario_dir).is_some()));
            continue;
        }
        let Ok(path) = std::str::from_utf8(path) else {
            list.problems.push(format!("{:?} is not named in UTF-8; rename it", String::from_utf8_lossy(path)));
            continue;
        };
        let Some(path) = below(path, scenario_dir) else { continue };
        let Some(name) = names::scenario_of_path(path) else { continue };
        if !names::is_scenario_name(name) {
            list.problems.push(format!(
                "{path:?} has no valid scenario name: use letters, digits, \".\", \"_\" and \"-\", beginning with a \
                 letter or digit, at most {} bytes",
                names::MAX_NAME_BYTES
            ));
            continue;
        }
        paths.entry(name).or_default().push(path);
    }
    for (name, paths) in paths {
        if paths.len() == 1 {
            list.scenarios.push(name.to_owned());
        } else {
            list.problems.push(format!("{} would all be the scenario {name:?}; rename all but one", paths.join(", ")));
        }
    }
    // Beside scenarios these are their helpers.
    if list == ScenarioList::default() && inert > 0 {
        list.problems.push(format!(
            "none of the {inert} files below {scenario_dir} is executable; make scenarios so: \
             git update-index --chmod=+x, and commit"
        ));
    }
    Ok(list)
}

/// Whether it is an executable file, and its path.
fn tree_entry(entry: &[u8]) -> Option<(bool, &[u8])> {
    let entry = entry.strip_suffix(b"\0").unwrap_or(entry);
    let tab = entry.iter().position(|byte| *byte == b'\t')?;
    let mut words = std::str::from_utf8(&entry[..tab]).ok()?.split(' ');
    let (mode, kind, object) = (words.next()?, words.next()?, words.next()?);
    let is_mode = mode.len() == 6 && mode.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let is_kind = matches!(kind, "blob" | "tree" | "commit");
    let path = &entry[tab + 1..];
    let is_entry = is_mode && is_kind && names::is_commit(object) && words.next().is_none() && !path.is_empty();
    is_entry.then_some((mode == EXECUTABLE && kind == "blob", path))
}

fn below<'a>(path: &'a str, scenario_dir: &str) -> Option<&'a str> {
    let folders = scenario_dir.split('/').filter(|segment| !matches!(*segment, "" | "."));
    folders.into_iter().try_fold(path, |rest, folder| rest.strip_prefix(folder)?.strip_prefix('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn tree(entries: &[(&str, &str)]) -> Vec<u8> {
        entries.iter().flat_map(|(mode, path)| format!("{mode} blob {A}\t{path}\0").into_bytes()).collect()
    }

    #[test]
    fn main_comes_first_and_what_is_no_branch_is_left_out() {
        let mut listing = format!(
            "{A}\tHEAD\n{A}\trefs/heads/zeta\n{B}\trefs/heads/master\r\n{A}\trefs/heads/alpha\n\
             {A}\trefs/tags/v1^{{}}\n{A}\trefs/heads/-x\n{B}\trefs/heads/main\n{A}\trefs/heads/"
        )
        .into_bytes();
        listing.extend_from_slice(b"latin\xe4");
        let names: Vec<String> = branches(&listing).unwrap().into_iter().map(|branch| branch.name).collect();
        assert_eq!(names, ["main", "master", "alpha", "zeta"]);
    }

    /// What a login shell, a wrapper or a dying program may say where only git should speak.
    const NOISE: [&[u8]; 14] = [
        b"Welcome\n",
        b"Welcome",
        b"\n",
        b"\r\n",
        b"\0",
        b"\x1b[0m",
        b"\xff\xfe\xfd",
        b" ",
        b"\t",
        b"a\tb\n",
        b"100755 blob scenarios/x\0",
        b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa refs/heads/x\n",
        b"aaaa\trefs/heads/x\n",
        b"module load: 4f1c\trefs/heads/main\n",
    ];

    #[test]
    fn whatever_else_is_printed_before_or_after_makes_no_shorter_list() {
        let refs = format!("{A}\trefs/heads/alpha\n{B}\trefs/heads/main\n").into_bytes();
        let files = tree(&[("100755", "s/a.sh"), ("100755", "s/b.sh")]);
        for noise in NOISE {
            for (refs, files) in [
                ([noise, &refs].concat(), [noise, &files].concat()),
                ([&refs, noise].concat(), [&files, noise].concat()),
            ] {
                assert!(branches(&refs).is_err(), "{:?}", String::from_utf8_lossy(&refs));
                assert!(commit_of(&refs, "main").is_err());
                assert!(scenarios(&files, "s").is_err(), "{:?}", String::from_utf8_lossy(&files));
            }
            assert!(branches(noise).is_err() && scenarios(noise, "s").is_err());
        }
        assert_eq!((branches(b""), scenarios(b"", "s")), (Ok(Vec::new()), Ok(ScenarioList::default())));
    }

    #[test]
    fn only_the_exact_branch_counts() {
        let listing = format!("{A}\trefs/heads/evil/refs/heads/main\n{B}\trefs/heads/main\n");
        assert_eq!(commit_of(listing.as_bytes(), "main"), Ok(Some(B.to_owned())));
        let tail_only = format!("{A}\trefs/heads/evil/refs/heads/main\n");
        assert_eq!(commit_of(tail_only.as_bytes(), "main"), Ok(None));
        assert_eq!(commit_of(b"", "main"), Ok(None));
    }

    #[test]
    fn executable_files_below_the_folder_are_scenarios() {
        let listing = tree(&[
            ("100755", "scenarios/smoke/net.py"),
            ("100755", "scenarios/boot.sh"),
            ("100644", "scenarios/README.md"),
            ("120000", "scenarios/link"),
            ("100755", "scenarios/_lib/x.sh"),
            ("100755", "scenarios/.hidden"),
            ("100755", "scenarios-old/boot.sh"),
            ("100755", "tool.sh"),
        ]);
        let list = scenarios(&listing, "./scenarios/").unwrap();
        assert_eq!(list, ScenarioList { scenarios: vec!["boot".into(), "smoke/net".into()], problems: vec![] });
        assert_eq!(scenarios(&listing, ".").unwrap().scenarios.len(), 4);
    }

    #[test]
    fn files_of_which_none_can_be_run_are_told() {
        let told = |listing: &[u8]| scenarios(listing, "scenarios/").unwrap().problems;
        let mut entries =
            vec![("100644", "scenarios/boot.sh"), ("100644", "scenarios/net.py"), ("100644", "README.md")];
        let problems = told(&tree(&entries));
        assert!(
            problems.len() == 1 && problems[0].starts_with("none of the 2 files below scenarios/ "),
            "{problems:?}"
        );
        entries.push(("100755", "scenarios/smoke.sh"));
        assert_eq!(told(&tree(&entries)), [""; 0]);
        assert_eq!(told(b""), [""; 0]);
    }

    #[test]
    fn files_that_would_be_the_same_scenario_are_both_left_out() {
        let listing = tree(&[("100755", "s/a.sh"), ("100755", "s/b.sh"), ("100755", "s/a.py")]);
        let list = scenarios(&listing, "s").unwrap();
        assert_eq!(list.scenarios, ["b"]);
        assert_eq!(list.problems, ["a.sh, a.py would all be the scenario \"a\"; rename all but one"]);
    }

    #[test]
    fn bad_names_are_reported() {
        let mut listing = tree(&[("100755", "s/a b.sh"), ("100644", "s/c d.txt"), ("100755", "s/ok\n.sh")]);
        listing.extend_from_slice(format!("100755 blob {A}\ts/").as_bytes());
        listing.extend_from_slice(b"\xff.sh\0");
        let list = scenarios(&listing, "s").unwrap();
        assert!(list.scenarios.is_empty());
        assert_eq!(list.problems.len(), 3);
        assert!(list.problems[0].starts_with("\"a b.sh\" has no valid scenario name"), "{:?}", list.problems);
    }
}
