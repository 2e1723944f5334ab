//! Evaluates conditions and applies changes, as pure functions.

use std::borrow::Cow;

use super::super::failure::Failure;
use ports::store::{Attributes, Changes, Condition, Test, Value};

/// Whether a condition holds for the stored attributes.
pub fn holds(condition: &Condition, stored: Option<&Attributes>) -> bool {
    let all = |tests: &[Test], stored| tests.iter().all(|test| passes(test, stored));
    match (condition, stored) {
        (Condition::Always, _) | (Condition::Absent | Condition::AbsentOr(_), None) | (Condition::Present, Some(_)) => {
            true
        }
        (Condition::Where(tests) | Condition::AbsentOr(tests), Some(stored)) => all(tests, stored),
        (Condition::Absent, Some(_)) | (Condition::Present | Condition::Where(_), None) => false,
    }
}

fn passes(test: &Test, stored: &Attributes) -> bool {
    match test {
        Test::Equals(name, value) => stored.get(*name) == Some(value),
        Test::Missing(name) => !stored.contains_key(*name),
        Test::AtMost(name, most) => matches!(stored.get(*name), Some(Value::N(number)) if number <= most),
    }
}

/// Applies changes to the stored attributes.
pub fn changed(changes: Changes, stored: Option<Attributes>) -> Result<Attributes, Failure> {
    if names_twice(&changes) {
        return Err(Failure::Rejected("an update must name each attribute once"));
    }
    let mut attributes = stored.unwrap_or_default();
    for name in changes.remove {
        attributes.remove(name);
    }
    for (name, by) in changes.add {
        let sum = match attributes.get(name) {
            None => Some(by),
            Some(Value::N(number)) => number.checked_add(by),
            Some(_) => return Err(Failure::Rejected("an update can only add to numbers")),
        };
        let sum = sum.ok_or(Failure::Rejected("the sum overflows a number"))?;
        attributes.insert(Cow::Borrowed(name), Value::N(sum));
    }
    attributes.extend(changes.set);
    Ok(attributes)
}

fn names_twice(changes: &Changes) -> bool {
    let set = changes.set.keys().map(AsRef::as_ref);
    let mut names: Vec<&str> =
        set.chain(changes.remove.iter().copied()).chain(changes.add.iter().map(|(name, _)| *name)).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}
