//! Users and follow edges in bulk: several concurrent batches of rows built by the DAOs. The store has no readers yet,
//! so the checks and transactions of the services are unnecessary.

use std::sync::Arc;

use data::{Follows, Readers, Users};
use domain::{Bio, DisplayName, Handle, Profile, Timestamp, User, UserId, limits};
use futures::{StreamExt as _, TryStreamExt as _};
use indicatif::ProgressBar;
use ports::store::{BatchWrite, Item, Store, StoreError, Table, batch_write_all};

/// Concurrent batches.
const BATCHES_IN_FLIGHT: usize = 16;

/// Rows per user.
pub const ROWS_PER_USER: u64 = 2;
/// Rows per follow edge.
pub const ROWS_PER_EDGE: u64 = 2;

/// Writes users and edges to a store.
#[derive(Debug)]
pub struct Seeder {
    store: Arc<dyn Store>,
    now: Timestamp,
    progress: ProgressBar,
}

impl Seeder {
    /// Seeds `store` with accounts and follows that begin `now`; `progress` counts rows.
    pub fn new(store: Arc<dyn Store>, now: Timestamp, progress: ProgressBar) -> Self {
        Self { store, now, progress }
    }

    /// Creates profiles and readers. They have no password and their handles are not claimed: access tokens are issued without a
    /// login.
    pub async fn users(&self, users: impl Iterator<Item = UserId> + Send) -> Result<(), StoreError> {
        let rows = users.enumerate().flat_map(|(place, user)| {
            [Users::profile_item(&self.profile(user, place)), Readers::new_reader(user, self.now)]
        });
        self.write(rows).await
    }

    /// Creates edges, each `(follower, followee)`, from both sides.
    pub async fn edges(&self, edges: impl Iterator<Item = (UserId, UserId)> + Send) -> Result<(), StoreError> {
        self.write(edges.flat_map(|(follower, followee)| Follows::both_sides(follower, followee, self.now))).await
    }

    fn profile(&self, user_id: UserId, place: usize) -> Profile {
        let handle = Handle::parse(&format!("user_{place}")).expect("at most 25 characters of a-z, 0-9 and _");
        let display_name = DisplayName::from(&handle);
        Profile {
            user: User { user_id, handle, display_name, avatar: None },
            bio: Bio::default(),
            created_at: self.now,
        }
    }

    async fn write(&self, rows: impl Iterator<Item = Item> + Send) -> Result<(), StoreError> {
        futures::stream::iter(batches(rows.map(BatchWrite::Put)))
            .map(|batch| self.write_batch(batch))
            .buffer_unordered(BATCHES_IN_FLIGHT)
            .try_collect()
            .await
    }

    async fn write_batch(&self, batch: Vec<BatchWrite>) -> Result<(), StoreError> {
        let rows = batch.len() as u64;
        let left = batch_write_all(self.store.as_ref(), Table::Social, batch).await?;
        self.progress.inc(rows);
        if left.is_empty() { Ok(()) } else { Err(StoreError::Throttled) }
    }
}

fn batches<T>(mut rows: impl Iterator<Item = T>) -> impl Iterator<Item = Vec<T>> {
    std::iter::from_fn(move || {
        let batch: Vec<T> = rows.by_ref().take(limits::MAX_BATCH_WRITE).collect();
        (!batch.is_empty()).then_some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_split_into_batches_of_25() {
        let sizes = |rows| batches(0..rows).map(|batch| batch.len()).collect::<Vec<_>>();
        assert_eq!(sizes(0), [0; 0]);
        assert_eq!(sizes(25), [25]);
        assert_eq!(sizes(60), [25, 25, 10]);
    }
}
