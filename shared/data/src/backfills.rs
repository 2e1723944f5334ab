//! Backfills that are not finished. A row is made in the follow's own transaction and goes in the one that finishes its
//! backfill or ends the follow, so a crash in between leaves it behind, and the sweeper finds it.
//!
//! What is to be done says the follow edge itself ([`super::Window::Backfilling`]); a row only leads there.

use tracing::error;

use super::Follows;
use crate::{Db, Writes, keys};
use domain::{Timestamp, UserId, limits};
use ports::store::{Item, MalformedItem, Outcome, Query, Retrying, StoreError, Table, Write};

const LEASE_UNTIL: &str = "lease_until";

/// Rows read at once.
const ROWS_PER_QUERY: u32 = 100;

/// A backfill that is not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingBackfill {
    /// Into whose feed.
    pub follower: UserId,
    /// Whose posts.
    pub followee: UserId,
    /// Until when the call that made the follow is trusted to finish it.
    pub lease_until: Timestamp,
}

/// Rows of unfinished backfills, in Social.
#[derive(Debug, Clone)]
pub struct Backfills {
    store: Retrying,
}

impl Backfills {
    /// Unfinished backfills in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// The write that makes a row.
    pub(super) fn creation(follower: UserId, followee: UserId, lease_until: Timestamp) -> Writes {
        let item =
            Item::new(keys::backfill(follower, followee)).with(LEASE_UNTIL, lease_until.as_millis().cast_signed());
        Writes::to(Table::Social, [Write::put(item)])
    }

    /// The write that removes a row, if there is one.
    pub fn removal(follower: UserId, followee: UserId) -> Writes {
        Writes::deleting(Table::Social, [keys::backfill(follower, followee)])
    }

    /// Rows of one shard behind the sort key `after` whose lease has ended by `now`, out of one page of rows, and where to
    /// read on. A shard holds only follows that are being made and those that a crash or an outage left. Read
    /// consistently.
    pub async fn page_of_expired(
        &self,
        shard: u8,
        now: Timestamp,
        after: Option<String>,
    ) -> Result<(Vec<PendingBackfill>, Option<String>), StoreError> {
        let query = Query {
            start_after: after,
            limit: Some(ROWS_PER_QUERY),
            ..Query::all_of(Table::Social, keys::backfills_partition(shard))
        };
        let page = self.store.query(&query).await?;
        let mut expired = Vec::new();
        for item in &page.items {
            match backfill_from(item) {
                Ok(backfill) if backfill.lease_until.is_ended_lease(limits::BACKFILL_LEASE, now) => {
                    expired.push(backfill);
                }
                Ok(_) => {}
                // One that cannot be read must not hold up the others.
                Err(error) => error!(backfill = item.key.sort, %error, "Could not read a backfill; skipped it"),
            }
        }
        Ok((expired, page.next))
    }

    /// A sort key that lies anywhere between the rows of a shard, which begin with random ids: where to begin, so that
    /// every row is first now and then.
    pub fn random_place() -> String {
        UserId::random().to_string()
    }

    /// Removes a row that leads nowhere: its follow is no more, or its backfill is finished. Refused when there is
    /// something to finish after all.
    pub async fn forget(&self, follower: UserId, followee: UserId) -> Result<Outcome, StoreError> {
        let check = Follows::has_nothing_to_backfill(follower, followee);
        self.store.transact(check.and(Self::removal(follower, followee)).0).await
    }
}

fn backfill_from(item: &Item) -> Result<PendingBackfill, MalformedItem> {
    let malformed = MalformedItem { attribute: "SK" };
    let (follower, followee) = item.key.sort.split_once('#').ok_or(malformed)?;
    Ok(PendingBackfill {
        follower: follower.parse().map_err(|_| malformed)?,
        followee: followee.parse().map_err(|_| malformed)?,
        lease_until: Timestamp::from_millis(item.number(LEASE_UNTIL)?.cast_unsigned()),
    })
}
