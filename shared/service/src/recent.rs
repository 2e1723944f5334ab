//! A cache of recent answers: bounded in size and in age, by the process's clock.

use std::{collections::HashMap, fmt, hash::Hash, time::Duration};

use moka::sync::Cache;

use domain::{Clock, Timestamp};

/// Answers of the last moments, by key. Clones share them.
#[derive(Clone)]
pub struct Recent<K, V> {
    found: Cache<K, Answer<V>>,
    clock: Clock,
    ttl: Duration,
}

/// An answer, and when it was asked for on both sides of the clock: neither a wall clock that is set back nor an uptime
/// that stops while a function is frozen prolongs it.
#[derive(Clone)]
struct Answer<V> {
    value: V,
    asked_at: Timestamp,
    asked_at_uptime: Duration,
}

impl<K, V> fmt::Debug for Recent<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

impl<K, V> Recent<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Keeps up to `entries` answers, for `ttl` each, counted from before they were read. A `ttl` of zero keeps none.
    pub fn new(clock: Clock, ttl: Duration, entries: u64) -> Self {
        Self::weighed(clock, ttl, entries, |_| 1)
    }

    /// The same, where an answer may take the place of several: `weigh` tells of how many.
    pub fn weighed(clock: Clock, ttl: Duration, entries: u64, weigh: fn(&V) -> u32) -> Self {
        let found = Cache::builder().max_capacity(entries).weigher(move |_, answer: &Answer<V>| weigh(&answer.value));
        Self { found: found.time_to_live(ttl).build(), clock, ttl }
    }

    /// The values of these keys: those kept, and those that `read` finds for the other keys. Keys it omits are not kept.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn get_or_read<E>(
        &self,
        keys: &[K],
        read: impl AsyncFnOnce(&[K]) -> Result<HashMap<K, V>, E>,
    ) -> Result<HashMap<K, V>, E> {
        let (now, uptime) = (self.clock.now(), self.clock.uptime());
        let mut found: HashMap<K, V> =
            keys.iter().filter_map(|key| Some((*key, self.kept(key, now, uptime)?))).collect();
        let missing: Vec<K> = keys.iter().filter(|key| !found.contains_key(*key)).copied().collect();
        if missing.is_empty() {
            return Ok(found);
        }
        for (key, value) in read(&missing).await? {
            if !self.ttl.is_zero() {
                let answer = Answer { value: value.clone(), asked_at: now, asked_at_uptime: uptime };
                self.found.insert(key, answer);
            }
            found.insert(key, value);
        }
        Ok(found)
    }

    fn kept(&self, key: &K, now: Timestamp, uptime: Duration) -> Option<V> {
        let answer = self.found.get(key)?;
        let age = now.since(answer.asked_at).max(uptime.saturating_sub(answer.asked_at_uptime));
        (age < self.ttl).then_some(answer.value)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::executor::block_on;

    use super::*;

    const TTL: Duration = Duration::from_secs(2);
    const START: Timestamp = Timestamp::from_millis(1_763_700_000_000);

    /// Asks for these keys. Returns those that were read.
    fn read(recent: &Recent<u32, u32>, keys: &[u32]) -> Vec<u32> {
        let mut asked = Vec::new();
        let found = block_on(recent.get_or_read(keys, async |missing| {
            asked = missing.to_vec();
            // Only even keys have values.
            Ok::<_, Infallible>(missing.iter().filter(|key| **key % 2 == 0).map(|key| (*key, key + 1)).collect())
        }));
        let found = found.unwrap();
        assert!(keys.iter().all(|key| found.get(key).copied() == (key % 2 == 0).then_some(key + 1)));
        asked
    }

    #[test]
    fn an_answer_is_kept_for_its_ttl() {
        let clock = Clock::manual(START);
        let recent = Recent::new(clock.clone(), TTL, 100);
        assert_eq!(read(&recent, &[1, 2, 4]), [1, 2, 4]);
        assert_eq!(read(&recent, &[1, 2, 4, 6]), [1, 6], "what was not found is asked again");
        clock.advance(TTL.saturating_sub(Duration::from_millis(1)));
        assert_eq!(read(&recent, &[2, 4]), [] as [u32; 0]);
        clock.advance(Duration::from_millis(1));
        assert_eq!(read(&recent, &[2, 4]), [2, 4]);
    }

    #[test]
    fn a_stepped_clock_does_not_prolong_an_answer() {
        let clock = Clock::manual(START);
        let recent = Recent::new(clock.clone(), TTL, 100);
        read(&recent, &[2]);
        clock.step_to(START.minus(Duration::from_hours(1)));
        clock.advance(TTL);
        assert_eq!(read(&recent, &[2]), [2], "set back");
        clock.step_to(START.plus(Duration::from_hours(1)));
        assert_eq!(read(&recent, &[2]), [2], "the uptime stood still");
    }

    #[test]
    fn without_a_ttl_nothing_is_kept() {
        let recent = Recent::new(Clock::manual(START), Duration::ZERO, 100);
        assert_eq!((read(&recent, &[2]), read(&recent, &[2])), (vec![2], vec![2]));
    }
}
