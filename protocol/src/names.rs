//! Which names are valid: of branches (git's check-ref-format rules), scenarios, users and queues.
//! Both sides of each wire ask here, so that what one accepts the other never refuses.

/// Longest branch or scenario name in bytes, by the remote test server's contract.
pub const MAX_NAME_BYTES: usize = 255;

/// Longest queue id in bytes: a folder, a git ref with its lock and its tasks' logs are named after it.
pub const MAX_QUEUE_ID_BYTES: usize = 240;

/// Longest prefix of queue ids, so that every job's number still fits behind it.
pub const MAX_QUEUE_ID_PREFIX_BYTES: usize = 200;

/// Longest user name in bytes, which are ASCII.
pub const MAX_USERNAME_BYTES: usize = 32;

/// Longest path of a result file in bytes, below the limit of every usual file system.
pub const MAX_RESULT_PATH_BYTES: usize = 1_024;

/// Whether git would take this as a branch's name (`git check-ref-format --branch`, without its expansion of `@{-1}`).
pub fn is_branch_name(name: &str) -> bool {
    let has_valid_length = !name.is_empty() && name.len() <= MAX_NAME_BYTES;
    let has_forbidden_byte = name.bytes().any(|b| b <= b' ' || b == 0x7f || b"~^:?*[\\".contains(&b));
    has_valid_length
        && !has_forbidden_byte
        && !name.contains("..")
        && !name.contains("@{")
        && !name.starts_with('-')
        && !name.ends_with('.')
        && name != "@"
        && name != "HEAD"
        && name.split('/').all(is_ref_component)
}

fn is_ref_component(component: &str) -> bool {
    let ends_like_lock_file = component.as_bytes().ends_with(b".lock");
    !component.is_empty() && !component.starts_with('.') && !ends_like_lock_file
}

/// Segments `[A-Za-z0-9][A-Za-z0-9._-]*` joined by `/`, at most 255 bytes.
pub fn is_scenario_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES && name.split('/').all(is_scenario_segment)
}

fn is_scenario_segment(segment: &str) -> bool {
    segment.starts_with(|c: char| c.is_ascii_alphanumeric())
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// `[a-z0-9][a-z0-9._-]{0,31}`; the caller lower-cases first.
pub fn is_username(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    starts_well && name.len() <= MAX_USERNAME_BYTES && name.bytes().all(allowed)
}

/// Letters, digits and dots: a queue's id. Only task ids contain `-`.
pub fn is_queue_id(id: &str) -> bool {
    let is_path_walk = id.bytes().all(|b| b == b'.');
    !id.is_empty() && id.len() <= MAX_QUEUE_ID_BYTES && !is_path_walk && is_of_queue_ids_bytes(id)
}

/// Letters, digits and dots, or nothing.
pub fn is_queue_id_prefix(prefix: &str) -> bool {
    prefix.len() <= MAX_QUEUE_ID_PREFIX_BYTES && is_of_queue_ids_bytes(prefix)
}

fn is_of_queue_ids_bytes(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
}

/// A path of this site with its query: nothing that a browser could take for another host's address, whatever it leaves
/// out or turns round while it reads.
pub fn is_local_path(path: &str) -> bool {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    path.starts_with('/') && !path.starts_with("//") && is_plain
}

/// 40 (SHA-1) or 64 (SHA-256) lower-case hex digits.
pub fn is_commit(commit: &str) -> bool {
    matches!(commit.len(), 40 | 64) && commit.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The queue of a task id `<queue id>-<n>`, and n (from 1).
pub fn split_task_id(task_id: &str) -> Option<(&str, u32)> {
    let (queue_id, n) = task_id.rsplit_once('-')?;
    let n_is_canonical = n.bytes().all(|b| b.is_ascii_digit()) && !n.starts_with('0');
    (is_queue_id(queue_id) && n_is_canonical).then_some((queue_id, n.parse().ok()?))
}

/// Path of a result file below its task's folder: relative, with no empty, `.` or `..` segment,
/// and nothing that a header or a line of a log could not carry.
pub fn is_result_path(path: &str) -> bool {
    let is_segment = |s: &str| !matches!(s, "" | "." | "..") && s.len() <= MAX_NAME_BYTES;
    let has_forbidden = path.chars().any(char::is_control);
    path.len() <= MAX_RESULT_PATH_BYTES && !has_forbidden && path.split('/').all(is_segment)
}

/// The scenario that an executable file at this path below the scenario folder is, if it is one.
/// Files and folders whose name begins with `.` or `_` are helpers.
pub fn scenario_of_path(path: &str) -> Option<&str> {
    if path.split('/').any(|segment| segment.starts_with(['.', '_'])) {
        return None;
    }
    let (folder_end, file) = path.rfind('/').map_or((0, path), |at| (at + 1, &path[at + 1..]));
    let stem_length = file.rfind('.').unwrap_or(file.len());
    Some(&path[..folder_end + stem_length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branch_names_follow_gits_rules() {
        for good in ["main", "feature/boot", "a.b", "ä/ö", "x@y", "a-", "v1.0", "refs/heads/main"] {
            assert!(is_branch_name(good), "{good}");
        }
        for bad in [
            "", "/", "a/", "/a", "a//b", ".a", "a/.b", "a.lock", "a.lock/b", "a..b", "a.", "-a", "@", "@{-1}", "HEAD",
            "a b", "a~", "a^", "a:", "a?", "a*", "a[", "a\\", "a\u{7f}", "a\n",
        ] {
            assert!(!is_branch_name(bad), "{bad}");
        }
        assert!(is_branch_name(&"a".repeat(255)) && !is_branch_name(&"a".repeat(256)));
    }

    #[test]
    fn scenario_names_never_leave_their_folder() {
        for good in ["boot", "smoke/boot", "a/b-c_d.e/9"] {
            assert!(is_scenario_name(good), "{good}");
        }
        for bad in ["", "/a", "a/", "../a", "a/../b", "-a", "_a", ".a", "a b", "a;b", "ä"] {
            assert!(!is_scenario_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_scenario_is_its_path_without_the_extension() {
        assert_eq!(scenario_of_path("smoke/boot.sh"), Some("smoke/boot"));
        assert_eq!(scenario_of_path("v1.2/net"), Some("v1.2/net"));
        assert_eq!(scenario_of_path("a.b.py"), Some("a.b"));
        assert_eq!(scenario_of_path("_lib/x.sh"), None);
        assert_eq!(scenario_of_path("smoke/.hidden"), None);
    }

    #[test]
    fn result_paths_stay_in_their_folder() {
        for good in ["junit.xml", "a/b/c.png", "..a", "a..", ".hidden", "with spaces.txt", "ä/ö", "a\\b"] {
            assert!(is_result_path(good), "{good}");
        }
        for bad in ["", "/", "/etc/passwd", "a//b", "a/", ".", "..", "a/../b", "./a", "a\0", "a\n"] {
            assert!(!is_result_path(bad), "{bad}");
        }
        assert!(!is_result_path(&"a".repeat(256)) && !is_result_path(&"a/b".repeat(400)));
    }

    #[test]
    fn a_local_path_leads_nowhere_else() {
        for good in ["/", "/jobs/42?tab=logs&task=42-1#L120", "/a//b", "/?next=//evil.example"] {
            assert!(is_local_path(good), "{good}");
        }
        for bad in ["", "evil", "//evil.example", "/\\evil.example", "/a\\b", "https://evil.example", "javascript:x"] {
            assert!(!is_local_path(bad), "{bad}");
        }
        for bad in ["/\tx", "/\t/evil.example", "/a\r\nb", "/a b", " /a", "/ä", "/\u{7f}"] {
            assert!(!is_local_path(bad), "{bad:?}");
        }
    }

    #[test]
    fn task_ids_are_split_at_their_number() {
        assert_eq!(split_task_id("42-1"), Some(("42", 1)));
        assert_eq!(split_task_id("team.a42-1000"), Some(("team.a42", 1000)));
        for bad in ["42", "-1", "42-", "42-01", "42-0", "4-2-1", "42-+1"] {
            assert_eq!(split_task_id(bad), None, "{bad}");
        }
    }

    #[test]
    fn other_names() {
        assert!(is_username("ada") && is_username("0.a_b-c") && !is_username("Ada") && !is_username(&"a".repeat(33)));
        assert!(
            is_queue_id("42") && is_queue_id("lab.7") && !is_queue_id("..") && !is_queue_id("4-2") && !is_queue_id("")
        );
        assert!(is_queue_id(&"a".repeat(240)) && !is_queue_id(&"a".repeat(241)));
        assert!(
            is_queue_id_prefix("") && is_queue_id_prefix(&"a".repeat(200)) && !is_queue_id_prefix(&"a".repeat(201))
        );
        assert!(is_commit(&"a1".repeat(20)) && !is_commit("HEAD") && !is_commit(&"A1".repeat(20)));
    }
}
