//! Unfinished backfills. A row is created in the follow's transaction and removed in the one that finishes the backfill
//! or ends the follow. A crash in between leaves the row for the sweeper.
//!
//! The state of the backfill is in the follow edge ([`super::Window::Backfilling`]); a row only leads to it.

use tracing::error;

use super::Follows;
use crate::{Db, Writes, keys};
use domain::{Timestamp, UserId, limits};
use ports::store::{Item, MalformedItem, Outcome, Query, Retrying, StoreError, Table, Write};

const LEASE_UNTIL: &str = "lease_until";

/// Rows read per query.
const ROWS_PER_QUERY: u32 = 100;

/// An unfinished backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingBackfill {
    /// The user whose feed is filled.
    pub follower: UserId,
    /// The author of the posts.
    pub followee: UserId,
    /// When the lease of the call that made the follow expires.
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

    /// The write that creates a row.
    pub(super) fn creation(follower: UserId, followee: UserId, lease_until: Timestamp) -> Writes {
        let item =
            Item::new(keys::backfill(follower, followee)).with(LEASE_UNTIL, lease_until.as_millis().cast_signed());
        Writes::to(Table::Social, [Write::put(item)])
    }

    /// The write that removes a row, if there is one.
    pub fn removal(follower: UserId, followee: UserId) -> Writes {
        Writes::deleting(Table::Social, [keys::backfill(follower, followee)])
    }

    /// Rows of one shard with expired leases, from one page of rows after the sort key `after`, and where to continue.
    /// A shard holds only follows in progress and those left by a crash or an outage. Read consistently.
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
                // An unreadable row must not hold up the others.
                Err(error) => error!(
                    backfill = item.key.sort,
                    error = telemetry::chain(&error),
                    "Could not read a backfill; skipped it"
                ),
            }
        }
        Ok((expired, page.next))
    }

    /// A random sort key among the rows of a shard, which begin with random ids: sweeps that start there begin with
    /// each row from time to time.
    pub fn random_place() -> String {
        UserId::random().to_string()
    }

    /// Removes a row whose follow has ended or whose backfill is finished. Refused when a backfill is pending after
    /// all.
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
