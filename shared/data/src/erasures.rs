//! Scheduled permanent erasures. A row is created in the transaction that deletes, and removed once everything is
//! erased. A crash in between leaves the row for the sweeper.
//!
//! Rows hold no progress: erased items are gone from the lists that lead to them, so a restart continues with the rest.

use std::time::Duration;

use tracing::error;

use crate::{
    Db, Writes,
    keys::{self, streamed::Streamed},
};
use domain::{Erasable, MediaId, PostId, Timestamp, UserId, limits};
use ports::changes::Change;
use ports::store::{
    Changes, Condition, Item, Key, MalformedItem, Outcome, Query, Retrying, SortRange, StoreError, Table, Test, Write,
};

mod attr {
    pub const PASS: &str = "pass";
    pub const BEGAN_AT: &str = "began_at";
    pub const LEASE_UNTIL: &str = "lease_until";
}

/// Rows read per query.
const ROWS_PER_QUERY: u32 = 100;

/// A scheduled erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// The target.
    pub of: Erasable,
    /// The time from which it is due.
    pub due: Timestamp,
    /// The number of completed passes.
    pub pass: usize,
    /// When it was first due.
    pub began_at: Timestamp,
    /// When the current lease expires; `None` before the first one.
    pub lease_until: Option<Timestamp>,
}

impl Erasure {
    fn key(&self) -> Key {
        key_of(self.of, self.due)
    }

    /// Whether no lease is running.
    pub fn is_free(&self, now: Timestamp) -> bool {
        self.lease_until.is_none_or(|until| until.is_ended_lease(limits::ERASURE_LEASE, now))
    }
}

/// Erasures, in Social.
#[derive(Debug, Clone)]
pub struct Erasures {
    store: Retrying,
}

impl Erasures {
    /// Erasures in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// The write that schedules a post's erasure from `due` on: for the transaction that marks it deleted.
    pub fn schedule_post(post: PostId, due: Timestamp) -> Writes {
        Writes::to(Table::Social, [Write::put(Item::new(keys::post_erasure(post, due)))])
    }

    /// The write that cancels the erasure: for the transaction that restores the post. Refused when the erasure has
    /// started or finished, because the post is then no longer complete.
    pub fn cancel_post(post: PostId, due: Timestamp) -> Writes {
        let condition = Condition::Where(vec![Test::Missing(attr::LEASE_UNTIL)]);
        Writes::to(Table::Social, [Write::Delete { key: keys::post_erasure(post, due), condition }])
    }

    /// The write that schedules a user's erasure from `due` on: for the transaction that marks the profile deleted. It
    /// cannot be cancelled.
    pub fn schedule_user(user: UserId, due: Timestamp) -> Writes {
        Writes::to(Table::Social, [Write::put(Item::new(keys::user_erasure(user, due)))])
    }

    /// The write that schedules the erasure of a picture from `due` on. There is no need to cancel it: it spares a picture
    /// that is shown then.
    pub fn schedule_media(media: MediaId, due: Timestamp) -> Writes {
        Writes::to(Table::Social, [Write::put(Item::new(keys::media_erasure(media, due)))])
    }

    /// Erasures of one shard that are due by `now`, leased or not, longest due first, and the sort key to continue
    /// from. Read consistently.
    pub async fn page_of_due(
        &self,
        shard: u8,
        now: Timestamp,
        after: Option<String>,
    ) -> Result<(Vec<Erasure>, Option<String>), StoreError> {
        // Sort keys begin with the time: those of a later millisecond are greater than this.
        let end = keys::erasure_due(now.plus(Duration::from_millis(1)));
        let query = Query {
            range: SortRange::Between(keys::erasure_due(Timestamp::default()), end),
            start_after: after,
            limit: Some(ROWS_PER_QUERY),
            ..Query::all_of(Table::Social, keys::erasures_partition(shard))
        };
        let page = self.store.query(&query).await?;
        let readable = |item: &Item| match erasure_from(item) {
            Ok(erasure) => Some(erasure),
            Err(error) => {
                // An unreadable row must not hold up the others.
                error!(
                    erasure = item.key.sort,
                    error = telemetry::chain(&error),
                    "Could not read an erasure; skipped it"
                );
                None
            }
        };
        Ok((page.items.iter().filter_map(readable).collect(), page.next))
    }

    /// Whether no erasure is due by `now`.
    pub async fn none_is_due(&self, now: Timestamp) -> Result<bool, StoreError> {
        for shard in 0..limits::TASK_SHARDS {
            let mut after = None;
            loop {
                let (due, next) = self.page_of_due(shard, now, after).await?;
                if !due.is_empty() {
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

    /// Leases an erasure to the caller until `until`. `None` when it was leased, finished or cancelled since it was
    /// read.
    pub async fn take(&self, erasure: &Erasure, until: Timestamp) -> Result<Option<Erasure>, StoreError> {
        // Not retried: a first try that was applied would look like another worker's lease. The next sweep is the
        // retry.
        let outcome = self.store.without_retries().write(Table::Social, leasing(erasure, until)).await?;
        Ok(outcome.is_applied().then_some(Erasure { lease_until: Some(until), ..*erasure }))
    }

    /// Releases a lease early. Refused when another worker has taken it.
    pub async fn release(&self, erasure: &Erasure) -> Result<Outcome, StoreError> {
        let write = leasing(erasure, Timestamp::default());
        self.store.write(Table::Social, write).await
    }

    /// Releases a lease and moves the erasure after those due by `now`, so that the others of its shard go first.
    /// Refused when another worker has taken it, or an earlier try of this call was applied.
    pub async fn postpone(&self, erasure: &Erasure, now: Timestamp) -> Result<Outcome, StoreError> {
        if erasure.due >= now {
            return self.release(erasure).await;
        }
        let condition = Condition::Where(vec![as_leased(erasure)]);
        // With an expired lease: a started erasure cannot be cancelled, and is not new to the stream.
        let item = row(erasure.of, now, erasure.pass, erasure.began_at)
            .with(attr::LEASE_UNTIL, Timestamp::default().as_millis().cast_signed());
        let writes =
            vec![(Table::Social, Write::Delete { key: erasure.key(), condition }), (Table::Social, Write::put(item))];
        self.store.transact(writes).await
    }

    /// Whether a change creates an erasure that is due by `now`. A started erasure is only postponed, and its worker
    /// continues.
    pub fn is_made_due_by(change: &Change, now: Timestamp) -> bool {
        let is_new = change.after.as_ref().is_some_and(|row| !row.contains_key(attr::LEASE_UNTIL));
        is_new
            && change.before.is_none()
            && Streamed::parse(&change.key) == Ok(Streamed::Erasure)
            && keys::erasure_from_sort(&change.key.sort).is_ok_and(|(due, _)| due <= now)
    }

    /// Ends a pass; the next one is due at `next`, or there is none. Refused when another worker has taken it, or an
    /// earlier try of this call was applied.
    pub async fn finish(&self, erasure: &Erasure, next: Option<Timestamp>) -> Result<Outcome, StoreError> {
        let condition = Condition::Where(vec![as_leased(erasure)]);
        let mut writes = vec![(Table::Social, Write::Delete { key: erasure.key(), condition })];
        if let Some(due) = next {
            writes.push((Table::Social, Write::put(row(erasure.of, due, erasure.pass + 1, erasure.began_at))));
        }
        self.store.transact(writes).await
    }
}

fn row(of: Erasable, due: Timestamp, pass: usize, began_at: Timestamp) -> Item {
    Item::new(key_of(of, due))
        .with(attr::PASS, i64::try_from(pass).unwrap_or(i64::MAX))
        .with(attr::BEGAN_AT, began_at.as_millis().cast_signed())
}

fn key_of(of: Erasable, due: Timestamp) -> Key {
    match of {
        Erasable::Post(post) => keys::post_erasure(post, due),
        Erasable::User(user) => keys::user_erasure(user, due),
        Erasable::Media(media) => keys::media_erasure(media, due),
    }
}

fn leasing(erasure: &Erasure, until: Timestamp) -> Write {
    let set = [(attr::LEASE_UNTIL.into(), until.as_millis().cast_signed().into())].into();
    Write::Update {
        key: erasure.key(),
        changes: Changes { set, ..Changes::default() },
        condition: Condition::Where(vec![as_leased(erasure)]),
    }
}

fn as_leased(erasure: &Erasure) -> Test {
    match erasure.lease_until {
        Some(until) => Test::Equals(attr::LEASE_UNTIL, until.as_millis().cast_signed().into()),
        None => Test::Missing(attr::LEASE_UNTIL),
    }
}

fn erasure_from(item: &Item) -> Result<Erasure, MalformedItem> {
    let (due, of) = keys::erasure_from_sort(&item.key.sort).map_err(|_| MalformedItem { attribute: "SK" })?;
    let time = |millis: i64| Timestamp::from_millis(millis.cast_unsigned());
    let pass = item.number_if_any(attr::PASS)?.unwrap_or(0);
    Ok(Erasure {
        of,
        due,
        pass: usize::try_from(pass).map_err(|_| MalformedItem { attribute: attr::PASS })?,
        began_at: item.number_if_any(attr::BEGAN_AT)?.map_or(due, time),
        lease_until: item.number_if_any(attr::LEASE_UNTIL)?.map(time),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_erasure_is_made_due() {
        let now = Timestamp::from_millis(1_000);
        let key = keys::user_erasure(UserId::random(), now);
        let row = |row: Item| Change { id: "1".to_owned(), key: row.key, before: None, after: Some(row.attributes) };
        assert!(Erasures::is_made_due_by(&row(Item::new(key.clone())), now));
        let postponed = Item::new(key.clone()).with(attr::LEASE_UNTIL, 0);
        assert!(!Erasures::is_made_due_by(&row(postponed), now));
        assert!(!Erasures::is_made_due_by(&row(Item::new(key)), Timestamp::from_millis(999)), "due later");
    }
}
