//! The mutexes that isolate writes from one another.

use std::hash::{DefaultHasher, Hash, Hasher};

use parking_lot::{Mutex, MutexGuard};

use ports::store::Table;

/// Far more than there are threads that write, so that two writes of different keys rarely meet.
const STRIPES: usize = 256;

/// 256 mutexes, one for each range of key hashes.
///
/// Every write of a table takes the stripes of all keys that it touches, also the unconditional ones. So between the
/// reading of a condition and the commit no other write of the key can come, and there is no need for fjall's
/// optimistic transactions, whose conflict check sees other transactions but no plain batches.
pub struct Stripes(Vec<Mutex<()>>);

/// One key's stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stripe(usize);

impl Stripe {
    /// The stripe of a key.
    pub fn of(table: Table, key: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        (table, key).hash(&mut hasher);
        // Lossless: less than 256.
        Self(usize::try_from(hasher.finish() % STRIPES as u64).unwrap_or_default())
    }
}

impl Stripes {
    pub fn new() -> Self {
        Self((0..STRIPES).map(|_| Mutex::new(())).collect())
    }

    /// Takes the stripes, each once and in rising order, so that two writers never wait for one another in a circle.
    pub fn lock(&self, mut stripes: Vec<Stripe>) -> Vec<MutexGuard<'_, ()>> {
        stripes.sort_unstable();
        stripes.dedup();
        stripes.into_iter().map(|Stripe(place)| self.0[place].lock()).collect()
    }
}
