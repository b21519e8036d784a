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

/// Lines `<commit>\trefs/heads/<name>`; others, and names that no branch can have, are left out.
pub fn branches(listing: &[u8]) -> Vec<Branch> {
    let mut branches: Vec<Branch> = String::from_utf8_lossy(listing).lines().filter_map(branch).collect();
    let rank = |name: &str| FIRST_BRANCHES.iter().position(|first| *first == name).unwrap_or(FIRST_BRANCHES.len());
    branches.sort_by(|a, b| (rank(&a.name), &a.name).cmp(&(rank(&b.name), &b.name)));
    branches.dedup_by(|a, b| a.name == b.name);
    branches
}

fn branch(line: &str) -> Option<Branch> {
    let (commit, reference) = line.split_once('\t')?;
    let name = reference.strip_prefix("refs/heads/")?;
    (names::is_commit(commit) && names::is_branch_name(name))
        .then(|| Branch { name: name.to_owned(), commit: commit.to_owned() })
}

/// The commit of exactly this branch: git matches tails, so that other branches may be listed beside it.
pub fn commit_of(listing: &[u8], name: &str) -> Option<String> {
    branches(listing).into_iter().find(|branch| branch.name == name).map(|branch| branch.commit)
}

/// Entries `<mode> <type> <object>\t<path>` that each end in a NUL.
pub fn scenarios(listing: &[u8], scenario_dir: &str) -> ScenarioList {
    let mut list = ScenarioList::default();
    let mut paths: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in listing.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let Ok(entry) = std::str::from_utf8(entry) else {
            let entry = String::from_utf8_lossy(entry);
            if is_executable(&entry) {
                list.problems.push(format!("{:?} is not named in UTF-8; rename it", path_of(&entry)));
            }
            continue;
        };
        let Some(path) = is_executable(entry).then(|| below(path_of(entry), scenario_dir)).flatten() else { continue };
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
    list
}

fn is_executable(entry: &str) -> bool {
    entry.split_ascii_whitespace().take(2).eq([EXECUTABLE, "blob"])
}

fn path_of(entry: &str) -> &str {
    entry.split_once('\t').map_or("", |(_, path)| path)
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
    fn main_comes_first_and_nonsense_is_left_out() {
        let listing = format!(
            "warning: something\n{A}\trefs/heads/zeta\n{B}\trefs/heads/master\n{A}\trefs/heads/alpha\n\
             {A}\trefs/tags/v1\n{A}\trefs/heads/-x\nHEAD\trefs/heads/y\n{B}\trefs/heads/main\n"
        );
        let names: Vec<String> = branches(listing.as_bytes()).into_iter().map(|branch| branch.name).collect();
        assert_eq!(names, ["main", "master", "alpha", "zeta"]);
    }

    #[test]
    fn only_the_exact_branch_counts() {
        let listing = format!("{A}\trefs/heads/evil/refs/heads/main\n{B}\trefs/heads/main\n");
        assert_eq!(commit_of(listing.as_bytes(), "main"), Some(B.to_owned()));
        let tail_only = format!("{A}\trefs/heads/evil/refs/heads/main\n");
        assert_eq!(commit_of(tail_only.as_bytes(), "main"), None);
        assert_eq!(commit_of(b"", "main"), None);
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
        let list = scenarios(&listing, "./scenarios/");
        assert_eq!(list, ScenarioList { scenarios: vec!["boot".into(), "smoke/net".into()], problems: vec![] });
        assert_eq!(scenarios(&listing, ".").scenarios.len(), 4);
    }

    #[test]
    fn files_that_would_be_the_same_scenario_are_both_left_out() {
        let listing = tree(&[("100755", "s/a.sh"), ("100755", "s/b.sh"), ("100755", "s/a.py")]);
        let list = scenarios(&listing, "s");
        assert_eq!(list.scenarios, ["b"]);
        assert_eq!(list.problems, ["a.sh, a.py would all be the scenario \"a\"; rename all but one"]);
    }

    #[test]
    fn bad_names_are_reported() {
        let mut listing = tree(&[("100755", "s/a b.sh"), ("100644", "s/c d.txt"), ("100755", "s/ok\n.sh")]);
        listing.extend_from_slice(format!("100755 blob {A}\ts/").as_bytes());
        listing.extend_from_slice(b"\xff.sh\0");
        let list = scenarios(&listing, "s");
        assert!(list.scenarios.is_empty());
        assert_eq!(list.problems.len(), 3);
        assert!(list.problems[0].starts_with("\"a b.sh\" has no valid scenario name"), "{:?}", list.problems);
    }
}
