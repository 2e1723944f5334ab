//! The outbox: unfinished fan-outs. An entry is created in the post's transaction and removed once every page of
//! followers is on JobQ. A lost message or a crash leaves the entry for the sweeper.

use std::time::Duration;

use tracing::error;

use crate::{Db, Writes, keys};
use domain::{PostId, Timestamp, UserId, UserRange, limits};
use ports::store::{
    Changes, Condition, Consistency, Item, MalformedItem, Outcome, Query, Retrying, StoreError, Table, Test, Value,
    Write,
};

/// Entries read per query.
const ENTRIES_PER_QUERY: u32 = 1_000;

mod attr {
    pub const AUTHOR_ID: &str = "author_id";
    pub const GENERATION: &str = "generation";
    pub const LEASE_UNTIL: &str = "lease_until";
    pub const RANGES: &str = "follower_ranges";
    /// Written by versions that read the followers in one range; not written any more.
    pub const CURSOR: &str = "followers_cursor";
    pub const WORKER: &str = "worker";
    pub const PROMOTES: &str = "promotes";
}

/// An unfinished fan-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// The post.
    pub post_id: PostId,
    /// Its author.
    pub author_id: UserId,
    /// How often the sweeper took it. Messages of earlier generations are obsolete.
    pub generation: u32,
    /// When the current lease expires.
    pub lease_until: Timestamp,
    /// The followers whose jobs are not on JobQ yet.
    pub remaining: Remaining,
    /// The worker that last advanced the entry.
    pub worker: Option<String>,
    /// Whether it promotes the author to pulled posts instead of fanning out a post; `post_id` is then an id of its
    /// own.
    pub promotes: bool,
}

/// The followers whose jobs are not on JobQ yet, as an entry records them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remaining {
    /// All followers: no worker has advanced the entry.
    All,
    /// Those after the cursor of an earlier version, which read the followers in one range.
    After(UserId),
    /// Those in these disjoint ranges, each of which starts after its own cursor.
    In(Vec<UserRange>),
}

impl Remaining {
    /// Disjoint ranges that contain exactly these followers.
    pub fn ranges(&self) -> Vec<UserRange> {
        match self {
            Self::All => vec![UserRange::ALL],
            Self::After(cursor) => UserRange::ALL.after(*cursor).into_iter().collect(),
            Self::In(ranges) => ranges.clone(),
        }
    }

    /// The tests for this state: [`remaining_from`] reads it from exactly the items that pass them.
    fn tests(&self) -> Vec<Test> {
        let cursor = |user: &UserId| Test::Equals(attr::CURSOR, user.to_string().into());
        match self {
            Self::All => vec![Test::Missing(attr::RANGES), Test::Missing(attr::CURSOR)],
            Self::After(user) => vec![Test::Missing(attr::RANGES), cursor(user)],
            Self::In(ranges) => vec![Test::Equals(attr::RANGES, text_of(ranges).into())],
        }
    }
}

/// Between ranges in an entry's attribute.
const COMMA: &str = ",";

fn text_of(ranges: &[UserRange]) -> String {
    ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(COMMA)
}

fn remaining_from(item: &Item) -> Result<Remaining, MalformedItem> {
    let malformed = |attribute| move |_| MalformedItem { attribute };
    if let Some(ranges) = item.text_if_any(attr::RANGES)? {
        let ranges: Result<_, _> = ranges.split(COMMA).map(str::parse).collect();
        return ranges.map(Remaining::In).map_err(malformed(attr::RANGES));
    }
    let cursor = item.text_if_any(attr::CURSOR)?.map(str::parse).transpose().map_err(malformed(attr::CURSOR))?;
    Ok(cursor.map_or(Remaining::All, Remaining::After))
}

/// The duration of a lease of this generation: [`limits::OUTBOX_LEASE`], doubled with each generation, at most
/// [`limits::MAX_OUTBOX_LEASE`].
fn lease(generation: u32) -> Duration {
    limits::OUTBOX_LEASE.saturating_mul(2_u32.saturating_pow(generation)).min(limits::MAX_OUTBOX_LEASE)
}

/// Outbox entries, in Social.
#[derive(Debug, Clone)]
pub struct Outbox {
    store: Retrying,
}

impl Outbox {
    /// The outbox in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// The write that creates a post's entry, with generation 0 and leased to the message about to be sent.
    pub fn creation(post_id: PostId, author_id: UserId, now: Timestamp) -> Writes {
        Writes::to(Table::Social, [Write::put(new_entry(post_id, author_id, now))])
    }

    /// The write that creates the entry of a promotion, as [`Self::creation`].
    pub fn promotion(promotion: PostId, author: UserId, now: Timestamp) -> Writes {
        let item = new_entry(promotion, author, now).with(attr::PROMOTES, true);
        Writes::to(Table::Social, [Write::put(item)])
    }

    /// The write of [`Self::finish`].
    pub fn completion(entry: &OutboxEntry) -> Writes {
        let condition = Condition::Where(vec![of_generation(entry.generation)]);
        Writes::to(Table::Social, [Write::Delete { key: keys::outbox_entry(entry.post_id), condition }])
    }

    /// The write that ends a post's fan-out, finished or not: for the transaction that erases the post.
    pub fn erasure(post: PostId) -> Writes {
        Writes::deleting(Table::Social, [keys::outbox_entry(post)])
    }

    /// A post's entry; `None` when its fan-out is finished. Read consistently.
    pub async fn get(&self, post: PostId) -> Result<Option<OutboxEntry>, StoreError> {
        let key = keys::outbox_entry(post);
        let item = self.store.get(Table::Social, &key, Consistency::Strong).await?;
        Ok(item.as_ref().map(entry_from).transpose()?)
    }

    /// Records on behalf of `worker` that only the followers in `ranges` remain, and renews the lease. The lease is a
    /// first one again, because the fan-out makes progress. With the ranges as they are, it claims the entry before the
    /// first jobs are sent. Refused when another worker has advanced or taken the entry since it was read.
    pub async fn advance(
        &self,
        entry: &OutboxEntry,
        ranges: &[UserRange],
        worker: &str,
        now: Timestamp,
    ) -> Result<Outcome, StoreError> {
        let mut changes = Changes { remove: vec![attr::CURSOR], ..Changes::default() };
        changes.set.insert(attr::RANGES.into(), text_of(ranges).into());
        changes.set.insert(attr::WORKER.into(), worker.into());
        changes.set.insert(attr::LEASE_UNTIL.into(), millis(now.plus(limits::OUTBOX_LEASE)).into());
        let by_worker = match &entry.worker {
            Some(worker) => Test::Equals(attr::WORKER, worker.as_str().into()),
            None => Test::Missing(attr::WORKER),
        };
        let mut tests = entry.remaining.tests();
        tests.extend([of_generation(entry.generation), by_worker]);
        let write =
            Write::Update { key: keys::outbox_entry(entry.post_id), changes, condition: Condition::Where(tests) };
        self.store.write(Table::Social, write).await
    }

    /// Removes an entry when all its pages are on JobQ. Refused when the sweeper has taken it; its message then finds
    /// little left to do.
    pub async fn finish(&self, entry: &OutboxEntry) -> Result<Outcome, StoreError> {
        let condition = Condition::Where(vec![of_generation(entry.generation)]);
        let write = Write::Delete { key: keys::outbox_entry(entry.post_id), condition };
        self.store.write(Table::Social, write).await
    }

    /// Takes an entry whose lease has expired: starts the next generation, with a longer lease. `None` when another
    /// worker renewed or took it first.
    pub async fn take(&self, entry: &OutboxEntry, now: Timestamp) -> Result<Option<OutboxEntry>, StoreError> {
        let generation = entry.generation + 1;
        let lease_until = now.plus(lease(generation));
        let mut changes = Changes::default();
        changes.set.insert(attr::GENERATION.into(), i64::from(generation).into());
        changes.set.insert(attr::LEASE_UNTIL.into(), millis(lease_until).into());
        let unrenewed = Test::Equals(attr::LEASE_UNTIL, millis(entry.lease_until).into());
        let condition = Condition::Where(vec![of_generation(entry.generation), unrenewed]);
        let write = Write::Update { key: keys::outbox_entry(entry.post_id), changes, condition };
        // Not retried: a first try that was applied would look like another worker's. The next sweep is the retry.
        let outcome = self.store.without_retries().write(Table::Social, write).await?;
        Ok(outcome.is_applied().then(|| OutboxEntry { generation, lease_until, ..entry.clone() }))
    }

    /// Entries of one shard with expired leases, from one page of entries after the sort key `after`, and where to
    /// continue. A shard holds only fan-outs in progress. Read consistently.
    pub async fn page_of_expired(
        &self,
        shard: u8,
        now: Timestamp,
        after: Option<String>,
    ) -> Result<(Vec<OutboxEntry>, Option<String>), StoreError> {
        let query = Query {
            start_after: after,
            limit: Some(ENTRIES_PER_QUERY),
            ..Query::all_of(Table::Social, keys::outbox_partition(shard))
        };
        let page = self.store.query(&query).await?;
        let mut expired = Vec::new();
        for item in &page.items {
            match entry_from(item) {
                Ok(entry) if entry.lease_until.is_ended_lease(lease(entry.generation), now) => expired.push(entry),
                Ok(_) => {}
                // An unreadable entry must not hold up the others.
                Err(error) => error!(
                    post.id = item.key.sort,
                    error = telemetry::chain(&error),
                    "Could not read an outbox entry; skipped it"
                ),
            }
        }
        Ok((expired, page.next))
    }

    /// Whether all fan-outs are finished.
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        for shard in 0..limits::OUTBOX_SHARDS {
            let mut after = None;
            loop {
                // No lease lasts beyond the end of time, so this finds every entry.
                let (entries, next) = self.page_of_expired(shard, Timestamp::from_millis(u64::MAX), after).await?;
                if !entries.is_empty() {
                    return Ok(false);
                }
                after = next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(true)
    }
}

/// An entry of generation 0, leased to the message about to be sent.
fn new_entry(post_id: PostId, author_id: UserId, now: Timestamp) -> Item {
    Item::new(keys::outbox_entry(post_id))
        .with(attr::AUTHOR_ID, author_id.to_string())
        .with(attr::GENERATION, 0)
        .with(attr::LEASE_UNTIL, millis(now.plus(lease(0))))
}

fn of_generation(generation: u32) -> Test {
    Test::Equals(attr::GENERATION, Value::N(i64::from(generation)))
}

fn millis(at: Timestamp) -> i64 {
    at.as_millis().cast_signed()
}

fn entry_from(item: &Item) -> Result<OutboxEntry, MalformedItem> {
    let malformed = |attribute| move |_| MalformedItem { attribute };
    Ok(OutboxEntry {
        post_id: item.parsed_sort()?,
        author_id: item.parsed(attr::AUTHOR_ID)?,
        generation: u32::try_from(item.number(attr::GENERATION)?).map_err(malformed(attr::GENERATION))?,
        lease_until: Timestamp::from_millis(item.number(attr::LEASE_UNTIL)?.cast_unsigned()),
        remaining: remaining_from(item)?,
        worker: item.text_if_any(attr::WORKER)?.map(str::to_owned),
        promotes: item.attributes.contains_key(attr::PROMOTES),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ten_minute_stall_costs_three_extra_messages() {
        // The sweeper runs once a minute: an expired lease is taken in the next run.
        let (mut taken_at, mut generation) = (Duration::ZERO, 0);
        while taken_at + lease(generation) <= Duration::from_mins(10) {
            taken_at += lease(generation);
            generation += 1;
        }
        assert_eq!(generation, 3);
        assert_eq!(lease(100), limits::MAX_OUTBOX_LEASE);
    }

    #[test]
    fn an_entry_reads_back_what_remains() {
        let user = |number| UserId::from_uuid(uuid::Uuid::from_u128(number));
        let key = keys::outbox_entry(PostId::from_uuid(uuid::Uuid::from_u128(7)));
        let with = |attributes: &[(&'static str, String)]| {
            let item = Item::new(key.clone());
            attributes.iter().fold(item, |item, (name, value)| item.with(name, value.clone()))
        };
        let ranges = UserRange::ALL.split(4);
        let written = (attr::RANGES, text_of(&ranges));
        let cursor = (attr::CURSOR, user(9).to_string());
        for (item, remaining) in [
            (with(&[]), Remaining::All),
            (with(std::slice::from_ref(&cursor)), Remaining::After(user(9))),
            (with(std::slice::from_ref(&written)), Remaining::In(ranges.clone())),
            (with(&[cursor, written]), Remaining::In(ranges)),
        ] {
            assert_eq!(remaining_from(&item).unwrap(), remaining);
        }
        assert_eq!(Remaining::After(user(9)).ranges()[0].first(), user(10));
        assert_eq!(remaining_from(&with(&[(attr::RANGES, String::new())])).unwrap_err().attribute, attr::RANGES);
    }

    #[test]
    fn a_failing_fan_out_backs_off_to_daily() {
        let after = |times: u32| (0..times).map(lease).sum::<Duration>();
        assert!(after(5) < Duration::from_hours(1));
        assert!(after(11) > Duration::from_hours(24));
        assert_eq!(after(31), after(30) + Duration::from_hours(24));
    }
}
