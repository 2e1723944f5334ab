//! The author and followers of a run, and all rows of them and their posts: to seed and to remove.

use data::{Follows, Readers, Users, keys};
use domain::{Bio, DisplayName, Handle, PostId, Profile, Timestamp, User, UserId};
use ports::store::{BatchWrite, Item, Table};

use std::time::Duration;

/// The age of the follows by this machine's clock: far more than clocks differ.
const FOLLOWED_BEFORE: Duration = Duration::from_hours(1);

/// The attribute that marks a streamed item as absent, as for deleted posts.
const NOT_THERE: &str = "deleted_at";

/// An author and followers separate from all other users: their ids are random and their handles are not claimed.
#[derive(Debug, Clone)]
pub struct People {
    /// The author.
    pub author: UserId,
    /// The followers in ascending order, in which a fan-out reads them.
    pub followers: Vec<UserId>,
    now: Timestamp,
}

impl People {
    /// A new author with this many followers, none of whom is in any table yet.
    pub fn new(followers: u64, now: Timestamp) -> Self {
        let mut followers: Vec<UserId> = (0..followers).map(|_| UserId::random()).collect();
        followers.sort_unstable();
        Self { author: UserId::random(), followers, now }
    }

    /// Rows to seed in Social: a profile and a reader each, and two edge rows for each follower. The rows of one follower
    /// are adjacent, so that the author's partition takes a quarter of the rate.
    pub fn rows(&self) -> impl Iterator<Item = BatchWrite> + Send + '_ {
        let author = [self.profile(0, self.author), self.reader(self.author)].into_iter();
        let followers = self.followers.iter().zip(1..).flat_map(|(follower, place)| {
            let [following, follower_edge] = self.edge(*follower);
            [self.profile(place, *follower), self.reader(*follower), following, follower_edge]
        });
        author.chain(followers).map(BatchWrite::Put)
    }

    /// The number of these rows.
    pub fn row_count(&self) -> u64 {
        2 + 4 * self.followers.len() as u64
    }

    /// Removes the seeded rows.
    pub fn removals(&self) -> impl Iterator<Item = BatchWrite> + Send + '_ {
        self.rows().map(|row| BatchWrite::Delete(row.key().clone()))
    }

    /// Removes the outbox entries of posts, which ends their fan-outs.
    pub fn outbox_removals(posts: &[PostId]) -> impl Iterator<Item = BatchWrite> + Send + '_ {
        posts.iter().map(|post| BatchWrite::Delete(keys::outbox_entry(*post)))
    }

    /// Removes the author's post count. Call it after removing the author's profile: counts of deleted accounts are
    /// never recreated, however late a change arrives.
    pub fn counts_removal(&self) -> BatchWrite {
        BatchWrite::Delete(keys::user_counts(self.author))
    }

    /// Removes posts and their entries in the author's story.
    pub fn post_removals<'a>(&'a self, posts: &'a [PostId]) -> impl Iterator<Item = BatchWrite> + Send + 'a {
        let author = self.author;
        let posts = posts.iter().copied();
        posts.flat_map(move |post| [keys::post(post), keys::story_entry(author, post)]).map(BatchWrite::Delete)
    }

    /// Removes posts from all feeds, including the author's.
    pub fn entry_removals<'a>(&'a self, posts: &'a [PostId]) -> impl Iterator<Item = BatchWrite> + Send + 'a {
        let readers = std::iter::once(self.author).chain(self.followers.iter().copied());
        let entries = readers.flat_map(move |reader| posts.iter().map(move |post| keys::feed_entry(reader, *post)));
        entries.map(BatchWrite::Delete)
    }

    fn profile(&self, place: usize, user_id: UserId) -> Item {
        let handle = Handle::parse(&format!("loadtest_{place}")).expect("at most 29 characters of a-z, 0-9 and _");
        let display_name = DisplayName::from(&handle);
        let user = User { user_id, handle, display_name, avatar: None };
        Users::profile_item(&Profile { user, bio: Bio::default(), created_at: self.now })
    }

    fn reader(&self, user_id: UserId) -> Item {
        Readers::new_reader(user_id, self.now)
    }

    /// An edge that stream-handler ignores. A fan-out reads only the keys of edges; stream-handler treats an edge with
    /// this mark as absent, both when it is created and when it is removed. So seeding causes no counts and no
    /// notifications, and no writes after the cleanup.
    fn edge(&self, follower: UserId) -> [Item; 2] {
        let followed_at = self.now.minus(FOLLOWED_BEFORE);
        let [following, follower] = Follows::both_sides(follower, self.author, followed_at);
        [following, follower.with(NOT_THERE, self.now.as_millis().cast_signed())]
    }
}

/// The table of all rows but feed entries.
pub const SEEDED: Table = Table::Social;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_seeded_row_is_removed() {
        let people = People::new(60, Timestamp::from_millis(1_763_700_000_000));
        let seeded: Vec<_> = people.rows().map(|row| row.key().clone()).collect();
        let removed: Vec<_> = people.removals().map(|row| row.key().clone()).collect();
        assert_eq!(seeded, removed);
        assert_eq!(seeded.iter().collect::<HashSet<_>>().len() as u64, people.row_count());
    }

    #[test]
    fn batches_have_at_most_nine_rows_per_author() {
        let people = People::new(200, Timestamp::from_millis(1_763_700_000_000));
        let rows: Vec<_> = people.rows().collect();
        let authors = keys::followers_partition(people.author);
        for batch in rows.chunks(25) {
            assert!(batch.iter().filter(|row| row.key().partition == authors).count() <= 9);
        }
    }
}
