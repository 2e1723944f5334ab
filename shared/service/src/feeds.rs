//! A reader's feed: the delivered entries, filtered by what the reader may see now.

use std::collections::{HashMap, HashSet};

use tracing::{debug, warn};

use super::{
    ServiceError,
    pages::{self, Candidate},
    views::{FoundPosts, PostViews},
};
use data::{Db, Feeds, Follows, Transaction, Users, Window};
use domain::{Page, PageLimit, PostId, PostView, UserId};

/// Reads feeds.
#[derive(Debug, Clone)]
pub struct FeedService {
    db: Db,
    feeds: Feeds,
    follows: Follows,
    views: PostViews,
    users: Users,
}

impl FeedService {
    /// Feeds in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        let db = db.into();
        Self {
            feeds: Feeds::new(db.clone()),
            follows: Follows::new(db.clone()),
            views: PostViews::new(db.clone()),
            users: Users::new(db.clone()),
            db,
        }
    }

    /// The posts of the reader and of the users they follow now, newest first.
    pub async fn page(
        &self,
        reader: UserId,
        after: Option<PostId>,
        limit: PageLimit,
    ) -> Result<Page<PostView, PostId>, ServiceError> {
        pages::fill(after, limit, |after, count| async move {
            let entries = self.feeds.page_of_reader(reader, after, count).await?;
            self.resolved(reader, entries).await
        })
        .await
    }

    /// One query's entries with their posts, authors and the reader's follows. The number of calls is independent of
    /// the page.
    async fn resolved(
        &self,
        reader: UserId,
        entries: Page<PostId, PostId>,
    ) -> Result<Page<Candidate<PostView, PostId>, PostId>, ServiceError> {
        let found = self.views.find(reader, &entries.items).await?;
        let authors = found.authors();
        let (profiles, windows) =
            tokio::try_join!(self.users.get_all_for(reader, &authors), self.follows.edges_from(reader, &authors))?;
        let is_current = |post: PostId| match found.author_of(post) {
            Some(author) => author == reader || windows.get(&author).is_some_and(|window| window.shows(post)),
            None => false,
        };
        self.remove_dead(reader, &entries.items, &found, &windows).await;
        Ok(entries.map(|post| Candidate {
            position: post,
            shown: is_current(post).then(|| found.view(post, &profiles)).flatten(),
        }))
    }

    /// Removes entries that will never be shown again: the post is erased, or the reader does not follow its author, or
    /// has followed them only since a later time.
    async fn remove_dead(
        &self,
        reader: UserId,
        entries: &[PostId],
        found: &FoundPosts,
        windows: &HashMap<UserId, Window>,
    ) {
        let erased: Vec<PostId> = entries.iter().copied().filter(|post| found.author_of(*post).is_none()).collect();
        let of_others = entries
            .iter()
            .filter_map(|post| found.author_of(*post).map(|author| (*post, author)))
            .filter(|(_, author)| *author != reader);
        let outdated = plan_removal(reader, of_others, windows);
        tokio::join!(self.remove_erased(reader, &erased), self.remove_outdated(reader, outdated));
    }

    async fn remove_erased(&self, reader: UserId, erased: &[PostId]) {
        if let Err(error) = self.feeds.remove_of_reader(reader, erased).await {
            warn!(user.id = %reader, error = telemetry::chain(&error), "Could not remove entries of erased posts from the feed; the next read will retry");
        }
    }

    /// Removes entries, unless one of the follows has changed since it was read. Tried once: the reader does not wait
    /// for a contended clean-up, and the next read retries.
    async fn remove_outdated(&self, reader: UserId, removal: Transaction) {
        if removal.is_empty() {
            return;
        }
        match removal.commit_once(&self.db).await {
            Ok(_either_way) => {}
            Err(error) if error.is_transient() => {
                debug!(user.id = %reader, %error, "Could not remove outdated entries from the feed; the next read will retry");
            }
            Err(error) => {
                warn!(user.id = %reader, error = telemetry::chain(&error), "Could not remove outdated entries from the feed; the next read will retry");
            }
        }
    }
}

/// The transaction that removes the outdated entries among `entries` (pairs of post and author, not the reader's own).
/// It checks that each follow is as it was read, or else a concurrent follow would lose its backfilled entries. Holds
/// as many entries as fit into one transaction.
fn plan_removal(
    reader: UserId,
    entries: impl Iterator<Item = (PostId, UserId)>,
    windows: &HashMap<UserId, Window>,
) -> Transaction {
    let mut checked = HashSet::new();
    let mut removal = Transaction::new();
    for (post, author) in entries {
        let window = windows.get(&author).copied();
        if window.is_some_and(|window| !window.is_past(post)) {
            continue;
        }
        // Room for the check and the removal.
        if !removal.has_room_for(2) {
            break;
        }
        if checked.insert(author) {
            removal.add(Follows::is_unchanged(reader, author, window));
        }
        removal.add(Feeds::removal(reader, post));
    }
    removal
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn post(number: u128) -> PostId {
        PostId::from_uuid(Uuid::from_u128(number))
    }

    /// A transaction that checks these follows and removes these posts, in the order of the entries.
    fn removal(reader: UserId, entries: &[(u128, UserId)], windows: &HashMap<UserId, Window>) -> Transaction {
        let mut checked = HashSet::new();
        let writes = entries.iter().flat_map(|(number, author)| {
            let check = checked.insert(*author);
            let check = check.then(|| Follows::is_unchanged(reader, *author, windows.get(author).copied()));
            check.into_iter().chain([Feeds::removal(reader, post(*number))])
        });
        writes.collect()
    }

    #[test]
    fn a_removal_checks_each_author_once() {
        let (reader, left, late) = (UserId::random(), UserId::random(), UserId::random());
        let windows = HashMap::from([(late, Window::Since(post(5)))]);
        let entries: Vec<_> = (0..10).flat_map(|n| [(n, left), (n, late)]).collect();
        let plan = |entries: &[(u128, UserId)]| {
            plan_removal(reader, entries.iter().map(|(number, author)| (post(*number), *author)), &windows)
        };
        let outdated: Vec<_> = entries.iter().copied().filter(|(n, author)| *author == left || *n < 5).collect();
        assert_eq!(plan(&entries), removal(reader, &outdated, &windows));
        assert_eq!(plan(&entries).len(), 10 + 5 + 2);

        let of_many: Vec<_> = (0..101).map(|n| (n, UserId::random())).collect();
        assert_eq!(plan(&of_many), removal(reader, &of_many[..50], &windows));
        let of_one: Vec<_> = (0..101).map(|n| (n, left)).collect();
        assert_eq!(plan(&of_one), removal(reader, &of_one[..98], &windows));
    }

    #[test]
    fn a_running_backfill_protects_its_entries() {
        let (reader, author) = (UserId::random(), UserId::random());
        for window in [Window::Backfilling(post(5)), Window::Everything] {
            let windows = HashMap::from([(author, window)]);
            assert!(plan_removal(reader, (0..10).map(|n| (post(n), author)), &windows).is_empty());
        }
    }
}
