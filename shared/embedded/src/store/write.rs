//! Writes. Each takes the stripes of its keys, reads what its conditions and the change log need, and commits one
//! batch.

use fjall::{UserKey, UserValue};

use super::{
    super::{codec, database::Database, failure::Failure, stripes::Stripe},
    condition, expiry,
    filling::{Filling, Stored, encode_value},
};
use domain::limits;
use ports::store::{Attributes, BatchWrite, Key, Outcome, Table, Write};

/// Up to [`limits::MAX_BATCH_WRITE`] unconditional writes, encoded. Encoding runs on the caller's thread, so that the
/// few threads of the pool only commit.
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
            return Err(Failure::Rejected("a batch may have at most 25 writes"));
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

    /// Commits all writes at once.
    pub fn commit(self, database: &Database) -> Result<(), Failure> {
        let _guards = database.stripes.lock(self.stripes);
        let mut filling = Filling::new(database);
        for row in self.rows {
            if let Some(expiry) = row.expiry {
                filling.insert_expiry_row(expiry);
            }
            let before = stored_if_logged(database, self.table, &row.key)?;
            filling.write(self.table, row.key, before, row.value);
        }
        filling.commit()
    }
}

/// One conditional write.
pub fn write(database: &Database, table: Table, write: Write) -> Result<Outcome, Failure> {
    if matches!(write, Write::Check { .. }) {
        return Err(Failure::Rejected("a check is only allowed in a transaction"));
    }
    transact(database, vec![(table, write)])
}

/// Up to [`limits::MAX_TRANSACT`] writes, atomically.
pub fn transact(database: &Database, writes: Vec<(Table, Write)>) -> Result<Outcome, Failure> {
    if writes.len() > limits::MAX_TRANSACT {
        return Err(Failure::Rejected("a transaction may have at most 100 writes"));
    }
    let keys = encode_keys(writes.iter().map(|(table, write)| (*table, write.key())))?;
    let _guards = database.stripes.lock(stripes_of(&keys));
    let mut known = Vec::with_capacity(writes.len());
    for ((table, write), (_, key)) in writes.iter().zip(&keys) {
        known.push(Known::of(database, *table, key, write)?);
    }
    let refused: Vec<usize> = (0..writes.len())
        .filter(|place| !condition::holds(writes[*place].1.condition(), known[*place].attributes.as_ref()))
        .collect();
    if !refused.is_empty() {
        return Ok(Outcome::Refused(refused));
    }
    let mut filling = Filling::new(database);
    for (((table, write), (_, key)), known) in writes.into_iter().zip(keys).zip(known) {
        apply(&mut filling, table, key, write, known)?;
    }
    filling.commit()?;
    Ok(Outcome::Applied)
}

/// Commits a row that no reader reads.
pub fn probe(database: &Database) -> Result<(), Failure> {
    let mut batch = database.batch();
    database.changes.probe(&mut batch);
    database.commit(batch)
}

/// The stored state that a write depends on.
struct Known {
    /// For the change log.
    value: Stored,
    /// For the write itself; `None` if it replaces or removes the item unconditionally.
    attributes: Option<Attributes>,
}

impl Known {
    fn of(database: &Database, table: Table, key: &UserKey, write: &Write) -> Result<Self, Failure> {
        let is_blind = !matches!(write, Write::Update { .. }) && *write.condition() == ports::store::Condition::Always;
        if is_blind {
            return Ok(Self { value: stored_if_logged(database, table, key)?, attributes: None });
        }
        let value = database.table(table).get(key)?;
        let attributes = value.as_ref().map(|value| codec::decode_attributes(value)).transpose()?;
        Ok(Self { value, attributes })
    }
}

/// The stored value, if the change log needs it.
fn stored_if_logged(database: &Database, table: Table, key: &UserKey) -> Result<Stored, Failure> {
    if database.changes.logs(table, key) { Ok(database.table(table).get(key)?) } else { Ok(None) }
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

/// The encoded keys; each must occur once.
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
        return Err(Failure::Rejected("a batch or transaction must name each key once"));
    }
    Ok(encoded)
}

fn stripes_of(keys: &[(Table, UserKey)]) -> Vec<Stripe> {
    keys.iter().map(|(table, key)| Stripe::of(*table, key)).collect()
}
