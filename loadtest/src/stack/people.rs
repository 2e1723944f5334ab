//! Who takes part in a run, and every row that they and their posts have: what is seeded, and what must go again.

use data::{Follows, Users, keys};
use domain::{Bio, DisplayName, Handle, PostId, Profile, Timestamp, User, UserId};
use ports::store::{BatchWrite, Item, Table};

use std::time::Duration;

/// How long before the run the follows began, by this machine's clock: far more than clocks are apart.
const FOLLOWED_BEFORE: Duration = Duration::from_hours(1);

/// Marks what is streamed as not there: as a deleted post is.
const NOT_THERE: &str = "deleted_at";

/// An author and followers whom nobody else knows: their ids are random and their handles are not claimed.
#[derive(Debug, Clone)]
pub struct People {
    /// Who posts.
    pub author: UserId,
    /// Who reads, in rising order: that in which a fan-out reads them.
    pub followers: Vec<UserId>,
    now: Timestamp,
}

impl People {
    /// An author with this many followers, none of whom is in any table yet.
    pub fn new(followers: u64, now: Timestamp) -> Self {
        let mut followers: Vec<UserId> = (0..followers).map(|_| UserId::random()).collect();
        followers.sort_unstable();
        Self { author: UserId::random(), followers, now }
    }

    /// Rows to seed in Social: a profile each, and an edge of two rows for each follower. One follower's rows stand
    /// together, so that the author's own partition takes a third of the rate.
    pub fn rows(&self) -> impl Iterator<Item = BatchWrite> + Send + '_ {
        let author = std::iter::once(self.profile(0, self.author));
        let followers = self.followers.iter().zip(1..).flat_map(|(follower, place)| {
            let [following, follower_edge] = self.edge(*follower);
            [self.profile(place, *follower), following, follower_edge]
        });
        author.chain(followers).map(BatchWrite::Put)
    }

    /// How many these are.
    pub fn row_count(&self) -> u64 {
        1 + 3 * self.followers.len() as u64
    }

    /// Removes what is seeded.
    pub fn removals(&self) -> impl Iterator<Item = BatchWrite> + Send + '_ {
        self.rows().map(|row| BatchWrite::Delete(row.key().clone()))
    }

    /// Removes the outbox entries of posts: their fan-outs end.
    pub fn outbox_removals(posts: &[PostId]) -> impl Iterator<Item = BatchWrite> + Send + '_ {
        posts.iter().map(|post| BatchWrite::Delete(keys::outbox_entry(*post)))
    }

    /// Removes how many posts the author has. For when the author's profile is gone: nobody makes counts of who is gone,
    /// however late a change is.
    pub fn counts_removal(&self) -> BatchWrite {
        BatchWrite::Delete(keys::user_counts(self.author))
    }

    /// Removes posts and their places in the author's story.
    pub fn post_removals<'a>(&'a self, posts: &'a [PostId]) -> impl Iterator<Item = BatchWrite> + Send + 'a {
        let author = self.author;
        let posts = posts.iter().copied();
        posts.flat_map(move |post| [keys::post(post), keys::story_entry(author, post)]).map(BatchWrite::Delete)
    }

    /// Removes posts from everybody's feed, the author's own included.
    pub fn entry_removals<'a>(&'a self, posts: &'a [PostId]) -> impl Iterator<Item = BatchWrite> + Send + 'a {
        let readers = std::iter::once(self.author).chain(self.followers.iter().copied());
        let entries = readers.flat_map(move |reader| posts.iter().map(move |post| keys::feed_entry(reader, *post)));
        entries.map(BatchWrite::Delete)
    }

    fn profile(&self, place: usize, user_id: UserId) -> Item {
        let handle = Handle::parse(&format!("loadtest_{place}")).expect("at most 29 characters of a-z, 0-9 and _");
        let display_name = DisplayName::from(&handle);
        let user = User { user_id, handle, display_name };
        Users::profile_item(&Profile { user, bio: Bio::default(), created_at: self.now })
    }

    /// A fan-out reads the keys of followers' edges alone; stream-handler takes an edge with this mark for one that is not
    /// there, neither when it comes nor when it goes. So seeding leaves no counts, no notifications, and nothing behind
    /// the cleaner's back.
    fn edge(&self, follower: UserId) -> [Item; 2] {
        let followed_at = self.now.minus(FOLLOWED_BEFORE);
        let [following, follower] = Follows::both_sides(follower, self.author, followed_at);
        [following, follower.with(NOT_THERE, self.now.as_millis().cast_signed())]
    }
}

/// The table of every row but feed entries.
pub const SEEDED: Table = Table::Social;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_that_is_seeded_is_removed_again() {
        let people = People::new(60, Timestamp::from_millis(1_763_700_000_000));
        let seeded: Vec<_> = people.rows().map(|row| row.key().clone()).collect();
        let removed: Vec<_> = people.removals().map(|row| row.key().clone()).collect();
        assert_eq!(seeded, removed);
        assert_eq!(seeded.iter().collect::<HashSet<_>>().len() as u64, people.row_count());
    }

    #[test]
    fn a_batch_of_rows_has_at_most_nine_in_the_authors_partition() {
        let people = People::new(200, Timestamp::from_millis(1_763_700_000_000));
        let rows: Vec<_> = people.rows().collect();
        let authors = keys::followers_partition(people.author);
        for batch in rows.chunks(25) {
            assert!(batch.iter().filter(|row| row.key().partition == authors).count() <= 9);
        }
    }
}
