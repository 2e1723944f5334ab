//! Every condition and test, true and false, on a present and on an absent item.

use ports::store::{Changes, Condition, Item, Outcome, Store, Test, Value, Write};

use super::{StoreHarness, TABLE, attributes, get, item, key, values};

/// The item that conditions are tested on.
fn stored() -> Item {
    item("p", "s").with("text", "x").with("number", 5).with("flag", true)
}

/// A condition, and whether it holds for [`stored`] and for an absent item.
struct Case {
    condition: Condition,
    of_stored: bool,
    of_nothing: bool,
}

fn case(condition: Condition, of_stored: bool, of_nothing: bool) -> Case {
    Case { condition, of_stored, of_nothing }
}

fn cases() -> Vec<Case> {
    let tests = [
        (vec![], true),
        (vec![Test::Equals("text", Value::from("x"))], true),
        (vec![Test::Equals("text", Value::from("y"))], false),
        (vec![Test::Equals("number", Value::N(5))], true),
        (vec![Test::Equals("number", Value::from("5"))], false),
        (vec![Test::Equals("flag", Value::Bool(true))], true),
        (vec![Test::Equals("flag", Value::Bool(false))], false),
        (vec![Test::Equals("none", Value::from(""))], false),
        (vec![Test::Missing("none")], true),
        (vec![Test::Missing("text")], false),
        (vec![Test::AtMost("number", 5)], true),
        (vec![Test::AtMost("number", i64::MAX)], true),
        (vec![Test::AtMost("number", 4)], false),
        (vec![Test::AtMost("number", i64::MIN)], false),
        (vec![Test::AtMost("none", 4)], false),
        (vec![Test::AtMost("text", 4)], false),
        (vec![Test::Missing("none"), Test::AtMost("number", 5), Test::Equals("text", Value::from("x"))], true),
        (vec![Test::Missing("none"), Test::AtMost("number", 4), Test::Equals("text", Value::from("x"))], false),
    ];
    let mut cases = vec![
        case(Condition::Always, true, true),
        case(Condition::Absent, false, true),
        case(Condition::Present, true, false),
    ];
    for (tests, holds) in tests {
        cases.push(case(Condition::Where(tests.clone()), holds, false));
        cases.push(case(Condition::AbsentOr(tests), holds, true));
    }
    cases
}

fn expected(holds: bool) -> Outcome {
    if holds { Outcome::Applied } else { Outcome::Refused(vec![0]) }
}

/// Tries a write under every condition, with the item present and absent, and checks the resulting item.
async fn try_all(store: &dyn Store, write: impl Fn(Condition) -> Write, after: impl Fn(Option<Item>) -> Option<Item>) {
    for Case { condition, of_stored, of_nothing } in cases() {
        for (before, holds) in [(Some(stored()), of_stored), (None, of_nothing)] {
            reset(store, before.clone()).await;
            let outcome = match write(condition.clone()) {
                check @ Write::Check { .. } => store.transact(vec![(TABLE, check)]).await,
                write => store.write(TABLE, write).await,
            };
            assert_eq!(outcome.unwrap(), expected(holds), "{condition:?} of {before:?}");
            let left = if holds { after(before.clone()) } else { before.clone() };
            assert_eq!(get(store, &stored().key).await, left, "after {condition:?} of {before:?}");
        }
    }
}

async fn reset(store: &dyn Store, item: Option<Item>) {
    let write = item.map_or_else(|| Write::delete(stored().key), Write::put);
    assert!(store.write(TABLE, write).await.unwrap().is_applied());
}

/// A refused put changes nothing.
pub async fn every_condition_decides_a_put(h: StoreHarness) {
    let new = || item("p", "s").with("new", 1);
    try_all(&*h.store, |condition| Write::Put { item: new(), condition }, |_| Some(new())).await;
}

/// A refused update changes nothing; an allowed one creates an absent item.
pub async fn every_condition_decides_an_update(h: StoreHarness) {
    let update = |condition| {
        let changes = Changes { set: attributes([("new", Value::N(1))]), ..Changes::default() };
        Write::Update { key: key("p", "s"), changes, condition }
    };
    let after = |before: Option<Item>| Some(before.unwrap_or_else(|| item("p", "s")).with("new", 1));
    try_all(&*h.store, update, after).await;
}

/// A refused delete removes nothing.
pub async fn every_condition_decides_a_delete(h: StoreHarness) {
    try_all(&*h.store, |condition| Write::Delete { key: key("p", "s"), condition }, |_| None).await;
}

/// A check never changes anything.
pub async fn every_condition_decides_a_check(h: StoreHarness) {
    try_all(&*h.store, |condition| Write::Check { key: key("p", "s"), condition }, |before| before).await;
}

/// Each value equals only itself.
pub async fn equals_distinguishes_every_kind_of_value(h: StoreHarness) {
    for (name, value) in values() {
        reset(&*h.store, Some(item("p", "s").with("attribute", value.clone()))).await;
        for (other_name, other) in values() {
            let condition = Condition::Where(vec![Test::Equals("attribute", other)]);
            let changes = Changes { add: vec![("hits", 1)], ..Changes::default() };
            let outcome = h.store.write(TABLE, Write::Update { key: key("p", "s"), changes, condition }).await;
            assert_eq!(outcome.unwrap(), expected(name == other_name), "{name} and {other_name}");
        }
    }
}
