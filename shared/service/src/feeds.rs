//! A reader's feed: what was delivered, less what is not for the reader now.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tracing::{debug, warn};

use super::{
    ServiceError,
    pages::{self, Candidate},
    views::{FoundPosts, PostViews},
};
use data::{Feeds, Follows, Users, Window};
use domain::{Page, PageLimit, PostId, PostView, UserId, limits};
use ports::store::{Store, Table, Write};

/// Reads feeds.
#[derive(Debug, Clone)]
pub struct FeedService {
    store: Arc<dyn Store>,
    feeds: Feeds,
    follows: Follows,
    views: PostViews,
    users: Users,
}

impl FeedService {
    /// Feeds in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            feeds: Feeds::new(store.clone()),
            follows: Follows::new(store.clone()),
            views: PostViews::new(store.clone()),
            users: Users::new(store.clone()),
            store,
        }
    }

    /// The reader's own posts and those of whom they follow now, newest first.
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

    /// One query's entries with what they show: what is stored of the posts, then who their authors are and whether the
    /// reader follows them. The same calls whatever the page holds.
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

    /// Takes entries out of the feed that will never be shown again: the post is erased, or the reader does not follow
    /// its author now, or since later.
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
            warn!(user.id = %reader, %error, "Entries of erased posts stay in the feed; the next read tries again");
        }
    }

    /// Removes entries, unless one of the follows has changed since it was read. Tried once: the reader does not wait
    /// for a clean-up that is contended, and the next read tries again.
    async fn remove_outdated(&self, reader: UserId, removal: Vec<(Table, Write)>) {
        if removal.is_empty() {
            return;
        }
        match self.store.transact(removal).await {
            Ok(_either_way) => {}
            Err(error) if error.is_transient() => {
                debug!(user.id = %reader, %error, "Outdated entries stay in the feed; the next read tries again");
            }
            Err(error) => warn!(user.id = %reader, %error, "Outdated entries cannot be taken out of the feed"),
        }
    }
}

/// The transaction that takes out what is outdated among `entries` (each a post and its author, not the reader): with a
/// check that each follow is still as it was read, or a follow made meanwhile would lose what was brought in for it. As
/// much as one transaction holds.
fn plan_removal(
    reader: UserId,
    entries: impl Iterator<Item = (PostId, UserId)>,
    windows: &HashMap<UserId, Window>,
) -> Vec<(Table, Write)> {
    let mut checked = HashSet::new();
    let mut writes = Vec::new();
    for (post, author) in entries {
        let window = windows.get(&author).copied();
        if window.is_some_and(|window| !window.is_past(post)) {
            continue;
        }
        // Room for the check and the removal.
        if writes.len() + 2 > limits::MAX_TRANSACT {
            break;
        }
        if checked.insert(author) {
            writes.push(Follows::is_unchanged(reader, author, window));
        }
        writes.push(Feeds::removal(reader, post));
    }
    writes
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn post(number: u128) -> PostId {
        PostId::from_uuid(Uuid::from_u128(number))
    }

    fn removed(writes: &[(Table, Write)]) -> usize {
        writes.iter().filter(|(_, write)| matches!(write, Write::Delete { .. })).count()
    }

    #[test]
    fn outdated_entries_go_with_one_check_an_author_and_as_many_as_a_transaction_holds() {
        let (reader, left, late) = (UserId::random(), UserId::random(), UserId::random());
        let windows = HashMap::from([(late, Window::Since(post(5)))]);
        let plan = plan_removal(reader, (0..10).flat_map(|n| [(post(n), left), (post(n), late)]), &windows);
        assert_eq!((removed(&plan), plan.len()), (10 + 5, 10 + 5 + 2));

        let many = plan_removal(reader, (0..101).map(|n| (post(n), UserId::random())), &windows);
        assert_eq!((removed(&many), many.len()), (50, 100));
        let many = plan_removal(reader, (0..101).map(|n| (post(n), left)), &windows);
        assert_eq!((removed(&many), many.len()), (98, 99));
    }

    #[test]
    fn nothing_of_a_follow_goes_while_its_backfill_is_under_way() {
        let (reader, author) = (UserId::random(), UserId::random());
        for window in [Window::Backfilling(post(5)), Window::Everything] {
            let windows = HashMap::from([(author, window)]);
            assert_eq!(plan_removal(reader, (0..10).map(|n| (post(n), author)), &windows), []);
        }
    }
}
