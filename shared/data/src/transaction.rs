//! Transactions across several DAOs, and the part of one that was refused.

use std::collections::HashSet;

use crate::Db;
use domain::limits;
use ports::store::{Key, Outcome, StoreError, Table, Write};

/// Writes made by a DAO for a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Writes(pub(crate) Vec<(Table, Write)>);

impl Writes {
    pub(crate) fn to(table: Table, writes: impl IntoIterator<Item = Write>) -> Self {
        Self(writes.into_iter().map(|write| (table, write)).collect())
    }

    /// Writes of `table` that delete these keys unconditionally.
    pub(crate) fn deleting(table: Table, keys: impl IntoIterator<Item = Key>) -> Self {
        Self::to(table, keys.into_iter().map(Write::delete))
    }

    /// Number of transaction items they take.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These writes followed by others.
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}

/// For tools that fill a store which is not yet in use. A service has no store to send them to.
impl IntoIterator for Writes {
    type Item = (Table, Write);
    type IntoIter = std::vec::IntoIter<(Table, Write)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<Self> for Writes {
    fn from_iter<I: IntoIterator<Item = Self>>(all: I) -> Self {
        Self(all.into_iter().flat_map(|writes| writes.0).collect())
    }
}

/// Identifies some writes of a transaction, for [`Refusal::includes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    first: usize,
    len: usize,
}

/// Up to [`limits::MAX_TRANSACT`] writes of distinct items, applied atomically.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Transaction(Vec<(Table, Write)>);

/// The outcome of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Committed {
    /// All writes were applied.
    Applied,
    /// No write was applied.
    Refused(Refusal),
}

impl Committed {
    /// Whether the writes were applied.
    pub const fn is_applied(&self) -> bool {
        matches!(self, Self::Applied)
    }
}

/// The conditions of a transaction that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    places: Vec<usize>,
    tries: u32,
}

impl Refusal {
    /// Whether a condition of this part failed.
    pub fn includes(&self, part: Part) -> bool {
        self.places.iter().any(|place| (part.first..part.first + part.len).contains(place))
    }

    /// Whether the refusal may be due to an earlier try of the same commit that was applied although its answer was
    /// lost.
    pub const fn follows_a_lost_answer(&self) -> bool {
        self.tries > 1
    }
}

impl Transaction {
    /// An empty transaction.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds writes, and returns the handle by which a refusal identifies them.
    pub fn add(&mut self, writes: Writes) -> Part {
        let part = Part { first: self.0.len(), len: writes.len() };
        self.0.extend(writes.0);
        part
    }

    /// Adds unconditional writes, except for items that it already writes.
    pub fn add_absent(&mut self, writes: Writes) {
        let mut known: HashSet<(Table, Key)> =
            self.0.iter().map(|(table, write)| (*table, write.key().clone())).collect();
        let absent = writes.0.into_iter().filter(|(table, write)| known.insert((*table, write.key().clone())));
        self.0.extend(absent.collect::<Vec<_>>());
    }

    /// Number of items taken.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no writes.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `places` more items fit.
    pub const fn has_room_for(&self, places: usize) -> bool {
        self.0.len() + places <= limits::MAX_TRANSACT
    }

    /// Applies all writes atomically. Retried after transient errors, so a refusal may be due to an earlier try of this
    /// call.
    ///
    /// # Errors
    /// When the store fails; the transaction may have been applied nevertheless.
    pub async fn commit(self, db: &Db) -> Result<Committed, StoreError> {
        let (outcome, tries) = db.0.transact_counted(self.0).await?;
        Ok(committed(outcome, tries))
    }

    /// The same without retries.
    ///
    /// # Errors
    /// As those of [`Self::commit`].
    pub async fn commit_once(self, db: &Db) -> Result<Committed, StoreError> {
        let outcome = db.0.without_retries().transact(self.0).await?;
        Ok(committed(outcome, 1))
    }
}

impl From<Writes> for Transaction {
    fn from(writes: Writes) -> Self {
        Self(writes.0)
    }
}

impl FromIterator<Writes> for Transaction {
    fn from_iter<I: IntoIterator<Item = Writes>>(all: I) -> Self {
        all.into_iter().collect::<Writes>().into()
    }
}

fn committed(outcome: Outcome, tries: u32) -> Committed {
    match outcome {
        Outcome::Applied => Committed::Applied,
        Outcome::Refused(places) => Committed::Refused(Refusal { places, tries }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes(sorts: &[&str]) -> Writes {
        let key = |sort: &&str| Key { partition: "p".to_owned(), sort: (*sort).to_owned() };
        Writes::deleting(Table::Social, sorts.iter().map(key))
    }

    #[test]
    fn a_refusal_names_its_parts() {
        let mut transaction = Transaction::new();
        let [first, second, third] = [&["a"][..], &["b", "c"], &["d"]].map(|sorts| transaction.add(writes(sorts)));
        let refusal = Refusal { places: vec![2], tries: 1 };
        assert_eq!([first, second, third].map(|part| refusal.includes(part)), [false, true, false]);
    }

    #[test]
    fn an_item_is_added_once() {
        let mut transaction = Transaction::new();
        transaction.add_absent(writes(&["a", "b", "a"]));
        transaction.add_absent(writes(&["b", "c"]));
        assert_eq!(transaction, writes(&["a", "b", "c"]).into());
    }

    #[test]
    fn a_transaction_holds_100_writes() {
        let sorts: Vec<String> = (0..98).map(|n| n.to_string()).collect();
        let transaction = Transaction::from(writes(&sorts.iter().map(String::as_str).collect::<Vec<_>>()));
        assert!(transaction.has_room_for(2) && !transaction.has_room_for(3));
    }
}
