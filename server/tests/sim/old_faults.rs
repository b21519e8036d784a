//! Faults that the engine once had, each as a patch in the folder beside this file. Here it is seen only that each can
//! still be put back; `make sim-old-faults` does that, and sees that the seed which the patch names finds it.

use std::fs;
use std::path::Path;

#[test]
fn every_old_fault_can_still_be_put_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = fs::read_dir(root.join("server/tests/sim/old_faults")).unwrap();
    let patches: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    assert!(patches.len() >= 10, "{patches:?}");
    for path in patches {
        let patch = fs::read_to_string(&path).unwrap();
        assert!(patch.starts_with("Found by seed "), "{path:?} names no seed");
        for file in patch.split("\n--- a/").skip(1) {
            let (name, hunks) = file.split_once('\n').unwrap();
            let source = fs::read_to_string(root.join(name)).unwrap();
            for hunk in hunks.split("\n@@ ").skip(1) {
                assert!(source.contains(&lines_before(hunk)), "{path:?} does not fit {name} any more:\n{hunk}");
            }
        }
    }
}

/// What a hunk finds: the lines that it leaves and those that it takes away.
fn lines_before(hunk: &str) -> String {
    let lines = hunk.lines().skip(1).take_while(|line| !line.starts_with("diff "));
    lines.filter(|line| line.starts_with([' ', '-'])).flat_map(|line| [&line[1..], "\n"]).collect()
}
