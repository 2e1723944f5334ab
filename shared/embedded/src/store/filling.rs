//! A batch being filled: items, their expiry rows, and the changes of streamed items.

use fjall::{OwnedWriteBatch, UserKey, UserValue};

use super::{
    super::{changes::rows::PendingChange, codec, database::Database, failure::Failure},
    expiry,
};
use domain::limits;
use ports::store::{Attributes, Table};

/// An item's stored value.
pub type Stored = Option<UserValue>;

/// Fills a batch, reusing one buffer.
pub struct Filling<'a> {
    database: &'a Database,
    batch: OwnedWriteBatch,
    changes: Vec<PendingChange>,
    /// The lowest expiry row written.
    first_expiry: Option<UserKey>,
    buffer: Vec<u8>,
}

impl<'a> Filling<'a> {
    pub fn new(database: &'a Database) -> Self {
        let buffer = Vec::with_capacity(256);
        Self { database, batch: database.batch(), changes: Vec::new(), first_expiry: None, buffer }
    }

    /// Puts an item. `before` is its stored value; not needed for an item that is not streamed.
    pub fn put(&mut self, table: Table, key: UserKey, attributes: &Attributes, before: Stored) -> Result<(), Failure> {
        let value = encode_value(&key, attributes, &mut self.buffer)?;
        if let Some(row) = expiry::row_of(table, &key, attributes) {
            self.insert_expiry_row(row);
        }
        self.write(table, key, before, Some(value));
        Ok(())
    }

    /// Removes an item. Its expiry row stays until a sweep finds it.
    pub fn remove(&mut self, table: Table, key: UserKey, before: Stored) {
        self.write(table, key, before, None);
    }

    /// Values are compared as bytes, as the codec has a single form for each set of attributes.
    pub fn write(&mut self, table: Table, key: UserKey, before: Stored, after: Option<UserValue>) {
        if before != after && self.database.changes.logs(table, &key) {
            self.changes.push(PendingChange { key: key.clone(), before, after: after.clone() });
        }
        match after {
            Some(value) => self.batch.insert(self.database.table(table), key, value),
            None => self.batch.remove(self.database.table(table), key),
        }
    }

    pub fn insert_expiry_row(&mut self, row: UserKey) {
        if self.first_expiry.as_ref().is_none_or(|first| row < *first) {
            self.first_expiry = Some(row.clone());
        }
        self.batch.insert(&self.database.expiry, row, []);
    }

    pub fn remove_expiry_row(&mut self, row: UserKey) {
        self.batch.remove(&self.database.expiry, row);
    }

    pub fn commit(self) -> Result<(), Failure> {
        self.database.commit_with(self.batch, &self.changes)?;
        // After the commit: see `ExpiryMark`.
        if let Some(row) = self.first_expiry {
            self.database.expiry_mark.lower(row);
        }
        Ok(())
    }
}

/// An item's value as bytes.
pub fn encode_value(key: &UserKey, attributes: &Attributes, buffer: &mut Vec<u8>) -> Result<UserValue, Failure> {
    codec::encode_attributes(attributes, buffer);
    if key.len() + buffer.len() > limits::MAX_ITEM_BYTES {
        return Err(Failure::Rejected("an item may have at most 400 KiB"));
    }
    Ok(UserValue::from(buffer.as_slice()))
}
