//! Mutexes that isolate writes from each other.

use std::hash::{DefaultHasher, Hash, Hasher};

use parking_lot::{Mutex, MutexGuard};

use ports::store::Table;

/// Far more than writing threads, so that writes of different keys rarely share one.
const STRIPES: usize = 256;

/// 256 mutexes, each for a range of key hashes.
///
/// Every write of a table, unconditional ones included, takes the stripes of all keys that it touches. So no other
/// write of a key can happen between checking its condition and the commit. fjall's optimistic transactions would not
/// do, as they detect conflicts with other transactions but not with plain batches.
pub struct Stripes(Vec<Mutex<()>>);

/// The stripe of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stripe(usize);

impl Stripe {
    /// Returns the stripe of a key.
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

    /// Locks the stripes, each once and in ascending order, so that writers never deadlock.
    pub fn lock(&self, mut stripes: Vec<Stripe>) -> Vec<MutexGuard<'_, ()>> {
        stripes.sort_unstable();
        stripes.dedup();
        stripes.into_iter().map(|Stripe(place)| self.0[place].lock()).collect()
    }
}
