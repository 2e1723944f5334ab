//! The newest posts of pulled authors, cached in this process, so that a celebrity's partition is not read once per
//! reader.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use moka::future::Cache;

use super::ServiceError;
use data::{Db, Delivery, DeliveryMode, DeliveryModes, Posts};
use domain::{Clock, Page, PostId, UserId, limits};
use ports::store::StoreError;

/// Versions that authors share by hash: a change of one may read another's story once more.
const VERSIONS: usize = 256;

/// Bytes that the cache takes for an entry besides its posts.
const BYTES_PER_AUTHOR: usize = 200;

/// Identifies a read of an author's newest posts: it is cached until the interval of the clock ends or the version
/// changes.
type Reading = (UserId, u128, u32);

/// The newest posts of an author.
#[derive(Debug)]
pub struct Newest {
    posts: Page<PostId, PostId>,
    /// The author's mode, if no pulled post in the feeds' window was found.
    mode: Option<DeliveryMode>,
}

/// A part of an author's story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The posts, newest first.
    pub posts: Page<PostId, PostId>,
    /// The author's mode, if no pulled post in the feeds' window was found; for ending merge rules.
    pub mode: Option<DeliveryMode>,
}

/// Reads stories for feeds. Clones share a cache.
#[derive(Clone)]
pub struct Stories {
    posts: Posts,
    modes: DeliveryModes,
    clock: Clock,
    newest: Cache<Reading, Arc<Newest>>,
    versions: Arc<[AtomicU32; VERSIONS]>,
}

impl fmt::Debug for Stories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stories").field("remembered", &self.newest.entry_count()).finish_non_exhaustive()
    }
}

impl Stories {
    /// Stories in `store`; `clock` decides how long they are cached.
    pub fn new(db: impl Into<Db>, clock: Clock) -> Self {
        let db = db.into();
        let weight = |_: &Reading, newest: &Arc<Newest>| {
            let bytes = BYTES_PER_AUTHOR + newest.posts.items.len() * size_of::<PostId>();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let newest = Cache::builder().max_capacity(limits::NEWEST_BYTES).weigher(weight);
        Self {
            posts: Posts::new(db.clone()),
            modes: DeliveryModes::new(db),
            clock,
            // Entries of past intervals are never read again; this removes them.
            newest: newest.time_to_live(2 * limits::NEWEST_TTL).build(),
            versions: Arc::new(std::array::from_fn(|_| AtomicU32::new(0))),
        }
    }

    /// Up to `count` posts of an author's story after `after`, down to the post `since`, newest first. Newest posts are
    /// at most [`limits::NEWEST_TTL`] old; concurrent readers share one read of them.
    ///
    /// # Errors
    /// When the story is not cached and cannot be read.
    pub async fn page(
        &self,
        author: UserId,
        after: Option<PostId>,
        since: PostId,
        count: u32,
    ) -> Result<Slice, ServiceError> {
        if after.is_some_and(|after| after <= since) {
            return Ok(Slice { posts: Page { items: Vec::new(), next: None }, mode: None });
        }
        let newest = self.newest(author).await?;
        let posts = match (after, newest.posts.next) {
            (Some(after), Some(cached_down_to)) if after <= cached_down_to => {
                let page = self.posts.page_of_author(author, Some(after), count).await?;
                down_to(page.items.iter().copied(), page.next, since, count)
            }
            (_, next) => {
                let items = newest.posts.items.iter().copied();
                down_to(items.filter(|post| after.is_none_or(|after| *post < after)), next, since, count)
            }
        };
        Ok(Slice { posts, mode: newest.mode })
    }

    /// Notes that this process added a post to an author's story: reads that begin later show it.
    pub fn changed(&self, author: UserId) {
        self.version(author).fetch_add(1, Ordering::SeqCst);
    }

    async fn newest(&self, author: UserId) -> Result<Arc<Newest>, ServiceError> {
        // Authors' intervals begin at different moments, so that not all are read at once.
        let length = limits::NEWEST_TTL.as_nanos();
        let interval = (self.clock.uptime().as_nanos() + author.as_uuid().as_u128() % length) / length;
        let reading = (author, interval, self.version(author).load(Ordering::SeqCst));
        let found = self.newest.try_get_with(reading, self.read(author)).await;
        found.map_err(|error| of_all_readers(error).into())
    }

    async fn read(&self, author: UserId) -> Result<Arc<Newest>, StoreError> {
        let entries = self.posts.newest_of_author(author, limits::NEWEST_POSTS).await?;
        let oldest = PostId::first_of(self.clock.now().minus(limits::FEED_ENTRY_TTL));
        let is_pulled = entries.items.iter().any(|entry| entry.delivery == Delivery::Pulled && entry.post_id >= oldest);
        let mode = if is_pulled { None } else { Some(self.modes.get(author).await?) };
        Ok(Arc::new(Newest { posts: entries.map(|entry| entry.post_id), mode }))
    }

    fn version(&self, author: UserId) -> &AtomicU32 {
        let [.., last] = *author.as_uuid().as_bytes();
        &self.versions[usize::from(last) % VERSIONS]
    }
}

/// The error of a read that several readers waited for.
fn of_all_readers(error: Arc<StoreError>) -> StoreError {
    match *error {
        StoreError::Throttled => StoreError::Throttled,
        StoreError::Conflict => StoreError::Conflict,
        StoreError::Unavailable(_) => StoreError::Unavailable(error.into()),
        StoreError::Rejected(_) => StoreError::Rejected(error.into()),
        StoreError::Malformed(malformed) => StoreError::Malformed(malformed),
    }
}

/// The part of a story's page down to the post `since`: nothing follows after that.
fn down_to(
    posts: impl Iterator<Item = PostId>,
    next: Option<PostId>,
    since: PostId,
    count: u32,
) -> Page<PostId, PostId> {
    let mut posts = posts.take_while(|post| *post >= since).peekable();
    let items: Vec<PostId> = posts.by_ref().take(count as usize).collect();
    let next = if posts.peek().is_some() { items.last().copied() } else { next.filter(|next| *next > since) };
    Page { items, next }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn post(number: u128) -> PostId {
        PostId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn a_slice_ends_where_the_merge_begins() {
        let slice = |next: Option<u128>, since: u128, count| {
            let page = down_to([9, 7, 5].map(post).into_iter(), next.map(post), post(since), count);
            let number = |post: &PostId| post.as_uuid().as_u128();
            (page.items.iter().map(number).collect::<Vec<_>>(), page.next.as_ref().map(number))
        };
        assert_eq!(slice(None, 0, 9), (vec![9, 7, 5], None));
        assert_eq!(slice(Some(5), 0, 9), (vec![9, 7, 5], Some(5)));
        assert_eq!(slice(Some(5), 0, 2), (vec![9, 7], Some(7)));
        assert_eq!(slice(Some(5), 5, 9), (vec![9, 7, 5], None));
        assert_eq!(slice(Some(5), 6, 9), (vec![9, 7], None));
        assert_eq!(slice(Some(5), 7, 2), (vec![9, 7], None));
        assert_eq!(slice(Some(5), 10, 9), (vec![], None));
    }
}
