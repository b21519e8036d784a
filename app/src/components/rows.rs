//! A keyed list of which no row is put into the document anew because others come in above it: so it keeps what it has
//! of focus, selection and place. `For` alone does that to all of them when two come in at once. Here those that come
//! in at once are a block of their own, and of blocks one comes in at once.

use leptos::prelude::*;

/// What tells rows apart: a number, and which text of it is shown.
pub(crate) type RowKey = (i64, usize);

#[derive(Clone, Debug, PartialEq)]
struct Block {
    id: u64,
    rows: Vec<RowKey>,
}

#[component]
pub(crate) fn Rows(#[prop(into)] keys: Signal<Vec<RowKey>>, row: Callback<RowKey, AnyView>) -> impl IntoView {
    let last_id = StoredValue::new(0);
    let new_id = move || {
        last_id.update_value(|id| *id += 1);
        last_id.get_value()
    };
    let blocks =
        Memo::new(move |before: Option<&Vec<Block>>| in_blocks(before.map_or(&[], Vec::as_slice), keys.get(), new_id));
    let ids = move || blocks.with(|blocks| blocks.iter().map(|block| block.id).collect::<Vec<_>>());
    let rows_of = move |id: u64| {
        Memo::new(move |_| {
            let found =
                |blocks: &Vec<Block>| blocks.iter().find(|block| block.id == id).map(|block| block.rows.clone());
            blocks.with(found).unwrap_or_default()
        })
    };
    let block = move |id: u64| {
        let rows = rows_of(id);
        view! { <For each=move || rows.get() key=|key| *key children=move |key| row.run(key) /> }
    };
    view! { <For each=ids key=|id| *id children=block /> }
}

/// Each row in the block where it was; a new one in that of the row before it, at the front in a new one.
fn in_blocks(before: &[Block], keys: Vec<RowKey>, new_id: impl Fn() -> u64) -> Vec<Block> {
    let known: Vec<(RowKey, u64)> =
        before.iter().flat_map(|block| block.rows.iter().map(|key| (*key, block.id))).collect();
    let mut blocks: Vec<Block> = Vec::new();
    // Where the next one is nearly always.
    let mut at = 0;
    for key in keys {
        let found = (at..known.len()).chain(0..at).find(|at| known[*at].0 == key);
        at = found.map_or(at, |found| found + 1);
        let id = found.map(|found| known[found].1);
        // None is there twice, also where the order is another.
        let begins = id.is_some_and(|id| blocks.iter().all(|block| block.id != id));
        match blocks.last_mut().filter(|_| !begins) {
            Some(last) => last.rows.push(key),
            None => blocks.push(Block { id: id.unwrap_or_else(&new_id), rows: vec![key] }),
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn told(blocks: &[Block]) -> Vec<(u64, Vec<i64>)> {
        blocks.iter().map(|block| (block.id, block.rows.iter().map(|(number, _)| *number).collect())).collect()
    }

    #[test]
    fn what_comes_in_at_once_is_one_block_and_the_others_stay_as_they_are() {
        let last = Cell::new(0);
        let new_id = || {
            last.set(last.get() + 1);
            last.get()
        };
        let keys = |numbers: &[i64]| numbers.iter().map(|number| (*number, 0)).collect::<Vec<RowKey>>();
        let mut blocks = Vec::new();
        let mut come = |numbers: &[i64]| {
            blocks = in_blocks(&blocks, keys(numbers), new_id);
            told(&blocks)
        };
        assert_eq!(come(&[3, 2, 1]), [(1, vec![3, 2, 1])]);
        assert_eq!(come(&[6, 5, 4, 3, 2, 1]), [(2, vec![6, 5, 4]), (1, vec![3, 2, 1])]);
        // Some in between and some at the end; one is gone.
        assert_eq!(come(&[7, 6, 4, 9, 3, 1, 0]), [(3, vec![7]), (2, vec![6, 4, 9]), (1, vec![3, 1, 0])]);
        // In another order no block is there twice.
        assert_eq!(come(&[3, 7, 1]), [(1, vec![3]), (3, vec![7, 1])]);
        assert_eq!(come(&[]), []);
    }
}
