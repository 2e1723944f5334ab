//! Writes. Each takes the stripes of its keys, reads what its conditions and the log of changes need, and commits one
//! batch.

use fjall::{OwnedWriteBatch, UserKey, UserValue};

use super::{
    super::{changes::Noted, codec, engine::Shared, failure::Failure, stripes::Stripe},
    condition, expiry,
};
use domain::limits;
use ports::store::{Attributes, BatchWrite, Key, Outcome, Table, Write};

/// An item's value as it is stored.
type Stored = Option<UserValue>;

/// Fills a batch, reusing one buffer.
pub(super) struct Filling<'a> {
    shared: &'a Shared,
    batch: OwnedWriteBatch,
    changes: Vec<Noted>,
    /// The lowest of the expiry rows that are written.
    first_expiry: Option<UserKey>,
    buffer: Vec<u8>,
}

impl<'a> Filling<'a> {
    pub fn new(shared: &'a Shared) -> Self {
        let buffer = Vec::with_capacity(256);
        Self { shared, batch: shared.batch(), changes: Vec::new(), first_expiry: None, buffer }
    }

    /// Puts an item. `before` is what is stored; of an item that is not streamed it need not be said.
    fn put(&mut self, table: Table, key: UserKey, attributes: &Attributes, before: Stored) -> Result<(), Failure> {
        let value = encode_value(&key, attributes, &mut self.buffer)?;
        if let Some(row) = expiry::row_of(table, &key, attributes) {
            self.insert_expiry_row(row);
        }
        self.write(table, key, before, Some(value));
        Ok(())
    }

    /// Removes an item. Its expiry row stays until the sweep meets it.
    pub fn remove(&mut self, table: Table, key: UserKey, before: Stored) {
        self.write(table, key, before, None);
    }

    /// Values are compared as bytes: the codec has one form for one set of attributes.
    fn write(&mut self, table: Table, key: UserKey, before: Stored, after: Option<UserValue>) {
        if before != after && self.shared.changes.notes(table, &key) {
            self.changes.push(Noted { key: key.clone(), before, after: after.clone() });
        }
        match after {
            Some(value) => self.batch.insert(self.shared.table(table), key, value),
            None => self.batch.remove(self.shared.table(table), key),
        }
    }

    fn insert_expiry_row(&mut self, row: UserKey) {
        if self.first_expiry.as_ref().is_none_or(|first| row < *first) {
            self.first_expiry = Some(row.clone());
        }
        self.batch.insert(&self.shared.expiry, row, []);
    }

    pub fn remove_expiry_row(&mut self, row: UserKey) {
        self.batch.remove(&self.shared.expiry, row);
    }

    pub fn commit(self) -> Result<(), Failure> {
        self.shared.commit_with(self.batch, &self.changes)?;
        // After the commit: see `ExpiryMark`.
        if let Some(row) = self.first_expiry {
            self.shared.expiry_mark.lower(row);
        }
        Ok(())
    }
}

/// Up to [`limits::MAX_BATCH_WRITE`] unconditional writes as bytes. Encoded on the caller's thread, so that the few
/// threads of the pool do nothing but commit.
pub struct EncodedBatch {
    table: Table,
    rows: Vec<EncodedRow>,
    stripes: Vec<Stripe>,
}

struct EncodedRow {
    key: UserKey,
    /// `None` removes.
    value: Option<UserValue>,
    expiry: Option<UserKey>,
}

impl EncodedBatch {
    pub fn of(table: Table, writes: &[BatchWrite]) -> Result<Self, Failure> {
        if writes.len() > limits::MAX_BATCH_WRITE {
            return Err(Failure::Rejected("a batch write has at most 25 writes"));
        }
        let keys = encode_keys(writes.iter().map(|write| (table, write.key())))?;
        let stripes = stripes_of(&keys);
        let mut buffer = Vec::with_capacity(256);
        let rows = writes.iter().zip(keys).map(|(write, (_, key))| match write {
            BatchWrite::Delete(_) => Ok(EncodedRow { key, value: None, expiry: None }),
            BatchWrite::Put(item) => {
                let value = encode_value(&key, &item.attributes, &mut buffer)?;
                let expiry = expiry::row_of(table, &key, &item.attributes);
                Ok(EncodedRow { key, value: Some(value), expiry })
            }
        });
        Ok(Self { table, rows: rows.collect::<Result<_, Failure>>()?, stripes })
    }

    /// Commits all of it at once.
    pub fn commit(self, shared: &Shared) -> Result<(), Failure> {
        let _guards = shared.stripes.lock(self.stripes);
        let mut filling = Filling::new(shared);
        for row in self.rows {
            if let Some(expiry) = row.expiry {
                filling.insert_expiry_row(expiry);
            }
            let before = stored_if_noted(shared, self.table, &row.key)?;
            filling.write(self.table, row.key, before, row.value);
        }
        filling.commit()
    }
}

fn encode_value(key: &UserKey, attributes: &Attributes, buffer: &mut Vec<u8>) -> Result<UserValue, Failure> {
    codec::encode_attributes(attributes, buffer);
    if key.len() + buffer.len() > limits::MAX_ITEM_BYTES {
        return Err(Failure::Rejected("an item has at most 400 KiB"));
    }
    Ok(UserValue::from(buffer.as_slice()))
}

/// One conditional write.
pub fn write(shared: &Shared, table: Table, write: Write) -> Result<Outcome, Failure> {
    if matches!(write, Write::Check { .. }) {
        return Err(Failure::Rejected("a check stands only in a transaction"));
    }
    transact(shared, vec![(table, write)])
}

/// Up to [`limits::MAX_TRANSACT`] writes, all or none.
pub fn transact(shared: &Shared, writes: Vec<(Table, Write)>) -> Result<Outcome, Failure> {
    if writes.len() > limits::MAX_TRANSACT {
        return Err(Failure::Rejected("a transaction has at most 100 writes"));
    }
    let keys = encode_keys(writes.iter().map(|(table, write)| (*table, write.key())))?;
    let _guards = shared.stripes.lock(stripes_of(&keys));
    let mut known = Vec::with_capacity(writes.len());
    for ((table, write), (_, key)) in writes.iter().zip(&keys) {
        known.push(Known::of(shared, *table, key, write)?);
    }
    let refused: Vec<usize> = (0..writes.len())
        .filter(|place| !condition::holds(writes[*place].1.condition(), known[*place].attributes.as_ref()))
        .collect();
    if !refused.is_empty() {
        return Ok(Outcome::Refused(refused));
    }
    let mut filling = Filling::new(shared);
    for (((table, write), (_, key)), known) in writes.into_iter().zip(keys).zip(known) {
        apply(&mut filling, table, key, write, known)?;
    }
    filling.commit()?;
    Ok(Outcome::Applied)
}

/// What a write must know of the stored item.
struct Known {
    /// For the log of changes.
    value: Stored,
    /// For the write itself; nothing when it replaces or removes the item in any case.
    attributes: Option<Attributes>,
}

impl Known {
    fn of(shared: &Shared, table: Table, key: &UserKey, write: &Write) -> Result<Self, Failure> {
        let is_blind = !matches!(write, Write::Update { .. }) && *write.condition() == ports::store::Condition::Always;
        if is_blind {
            return Ok(Self { value: stored_if_noted(shared, table, key)?, attributes: None });
        }
        let value = shared.table(table).get(key)?;
        let attributes = value.as_ref().map(|value| codec::decode_attributes(value)).transpose()?;
        Ok(Self { value, attributes })
    }
}

/// What is stored, when the log of changes wants to know it.
fn stored_if_noted(shared: &Shared, table: Table, key: &UserKey) -> Result<Stored, Failure> {
    if shared.changes.notes(table, key) { Ok(shared.table(table).get(key)?) } else { Ok(None) }
}

fn apply(filling: &mut Filling<'_>, table: Table, key: UserKey, write: Write, known: Known) -> Result<(), Failure> {
    match write {
        Write::Put { item, .. } => filling.put(table, key, &item.attributes, known.value),
        Write::Update { changes, .. } => {
            filling.put(table, key, &condition::changed(changes, known.attributes)?, known.value)
        }
        Write::Delete { .. } => {
            filling.remove(table, key, known.value);
            Ok(())
        }
        Write::Check { .. } => Ok(()),
    }
}

/// The keys as bytes; each may be there once.
fn encode_keys<'a>(keys: impl Iterator<Item = (Table, &'a Key)>) -> Result<Vec<(Table, UserKey)>, Failure> {
    let mut buffer = Vec::with_capacity(128);
    let encoded: Vec<(Table, UserKey)> = keys
        .map(|(table, key)| {
            codec::encode_key(&key.partition, &key.sort, &mut buffer)?;
            Ok((table, UserKey::from(buffer.as_slice())))
        })
        .collect::<Result<_, Failure>>()?;
    let mut seen: Vec<&(Table, UserKey)> = encoded.iter().collect();
    seen.sort_unstable();
    if seen.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Failure::Rejected("a batch or transaction names each key once"));
    }
    Ok(encoded)
}

fn stripes_of(keys: &[(Table, UserKey)]) -> Vec<Stripe> {
    keys.iter().map(|(table, key)| Stripe::of(*table, key)).collect()
}
