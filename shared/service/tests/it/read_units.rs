//! The read units by which `page_costs` measures pages: `testkit` runs no tests of its own.

use ports::store::{Consistency, Item, Key};
use testkit::units::{item_bytes, read_halves};

#[test]
fn reads_round_up_to_4_kb() {
    // The Developer Guide's examples: 3,500 bytes as 4 KB; an item of 8 KB takes 2, 1 eventually consistent.
    let strong = [3_500, 4_096, 4_097, 8_192, 0].map(|bytes| read_halves(bytes, Consistency::Strong));
    assert_eq!(strong, [2, 2, 4, 4, 2]);
    assert_eq!([3_500, 8_192, 0].map(|bytes| read_halves(bytes, Consistency::Eventual)), [1, 2, 1]);
}

#[test]
fn item_sizes_include_names_and_values() {
    let item = Item::new(Key { partition: "P".into(), sort: "SS".into() })
        .with("text", "ä")
        .with("number", 27)
        .with("flag", true);
    assert_eq!(item_bytes(&item), (2 + 1) + (2 + 2) + (4 + 2) + (6 + 2) + (4 + 1));
}
