//! Counts and inboxes held against what they are derived from, by a way of its own: it knows the items of the data
//! model, and nothing of how the change stream is turned into counts.
//!
//! - [`census`]: one scan of everything finds who and what to look at closely.
//! - [`look`]: one number, derived once more from its own edges, compared with what is kept.
//! - [`inbox`]: the same of a user's notifications.
//!
//! Counts lag behind by what the log of changes still holds, and may be asked of while everyone writes. So a difference
//! is only told when the log was empty before and after a look, what is kept was the same at its beginning and at its
//! end, and a second look found the same. It is mended on the condition that what is kept is still that: a change
//! applied meanwhile is not lost, and one that is not applied yet is added to what was mended.

mod census;
mod inbox;
mod look;

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use shared::{
    changes::ChangeLog,
    domain::{PostId, Timestamp, UserId},
    embedded::EmbeddedStore,
    store::{Store as _, StoreError},
};

/// Rounds of looking again at what moves; with [`PAUSE`] between them as long as counts may lag, twice.
const ROUNDS: usize = 50;
/// Pause between two rounds.
const PAUSE: Duration = Duration::from_millis(200);

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recounted {
    /// Users there are.
    pub users: u64,
    /// Posts there are, deleted ones that can be restored too.
    pub posts: u64,
    /// What is kept and should be something else.
    pub differences: Vec<Difference>,
    /// Numbers that could not be judged: changes that concern them were under way all the time.
    pub undecided: u64,
}

impl Recounted {
    /// Whether everything is right now, for certain.
    pub fn is_right(&self) -> bool {
        self.undecided == 0 && self.differences.iter().all(|difference| difference.fixed)
    }
}

/// A number that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `user` or `post`.
    pub of: String,
    /// Whose or of which.
    pub id: String,
    /// `followers`, `following`, `posts`, `likes`, `comments` or `unread`; or `misjudged`: notifications that are hidden
    /// and should not be, or the other way round.
    pub count: String,
    /// What is kept.
    pub found: i64,
    /// What it should be.
    pub expected: i64,
    /// Whether it is mended.
    pub fixed: bool,
}

/// Whose number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Subject {
    User(UserId),
    Post(PostId),
}

/// A number that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Number {
    of: Subject,
    name: &'static str,
}

const FOLLOWERS: &str = "followers";
const FOLLOWING: &str = "following";
const POSTS: &str = "posts";
const LIKES: &str = "likes";
const COMMENTS: &str = "comments";
const UNREAD: &str = "unread";
const MISJUDGED: &str = "misjudged";

/// What one look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// What is kept is what it should be, or there is nothing to keep.
    Right,
    /// It is not.
    Wrong { found: i64, expected: i64 },
    /// It changed while it was looked at, or a change may be under way.
    Moving,
}

impl Verdict {
    const fn of(found: i64, expected: i64) -> Self {
        if found == expected { Self::Right } else { Self::Wrong { found, expected } }
    }
}

/// Recounts one database.
#[derive(Debug, Clone)]
pub struct Recount {
    store: EmbeddedStore,
    log: Arc<dyn ChangeLog>,
}

impl Recount {
    /// Recounts what is in `store`, of which `log` is the log of changes.
    pub fn new(store: EmbeddedStore, log: Arc<dyn ChangeLog>) -> Self {
        Self { store, log }
    }

    /// Compares every count with what it counts; with `fix`, mends what is wrong, durably.
    ///
    /// # Errors
    /// When the store fails, or an item cannot be read. What was mended by then stays mended.
    pub async fn run(&self, fix: bool, now: Timestamp) -> Result<Recounted, StoreError> {
        let census = census::take(&self.store).await?;
        let mut recounted = Recounted { users: census.users, posts: census.posts, ..Recounted::default() };
        let mut suspects: Vec<(Number, Verdict)> =
            census.suspects.into_iter().map(|number| (number, Verdict::Moving)).collect();
        for round in 0..ROUNDS {
            suspects = self.round(suspects, fix, now, &mut recounted).await?;
            if suspects.is_empty() {
                break;
            }
            if round + 1 < ROUNDS {
                tokio::time::sleep(PAUSE).await;
            }
        }
        recounted.undecided = suspects.len() as u64;
        recounted.differences.sort_by(|a, b| (&a.of, &a.id, &a.count).cmp(&(&b.of, &b.id, &b.count)));
        self.store.durable().await?;
        Ok(recounted)
    }

    /// Looks at each suspect. Returns those that are to be looked at again.
    async fn round(
        &self,
        suspects: Vec<(Number, Verdict)>,
        fix: bool,
        now: Timestamp,
        recounted: &mut Recounted,
    ) -> Result<Vec<(Number, Verdict)>, StoreError> {
        let mut left = Vec::new();
        for (number, before) in suspects {
            let verdict = self.settled_look(number, now).await?;
            match verdict {
                Verdict::Right => {}
                Verdict::Wrong { found, expected } if verdict == before => {
                    let fixed = fix && self.mend(number, found, expected, now).await?;
                    if fix && !fixed {
                        // Someone wrote it meanwhile: all begins anew.
                        left.push((number, Verdict::Moving));
                    } else {
                        recounted.differences.push(number.difference(found, expected, fixed));
                    }
                }
                Verdict::Wrong { .. } | Verdict::Moving => left.push((number, verdict)),
            }
        }
        Ok(left)
    }

    /// One look, with the log empty before and after it.
    async fn settled_look(&self, number: Number, now: Timestamp) -> Result<Verdict, StoreError> {
        if !self.log.is_empty().await? {
            return Ok(Verdict::Moving);
        }
        let verdict = match (number.name, number.of) {
            (UNREAD, Subject::User(user)) => inbox::look(&self.store, user, now).await?.unread,
            (MISJUDGED, Subject::User(user)) => inbox::look(&self.store, user, now).await?.misjudged,
            _ => look::look(&self.store, number).await?,
        };
        if verdict == Verdict::Right || self.log.is_empty().await? { Ok(verdict) } else { Ok(Verdict::Moving) }
    }

    async fn mend(&self, number: Number, found: i64, expected: i64, now: Timestamp) -> Result<bool, StoreError> {
        match (number.name, number.of) {
            (UNREAD | MISJUDGED, Subject::User(user)) => inbox::mend(&self.store, user, now).await,
            _ => look::mend(&self.store, number, found, expected).await,
        }
    }
}

impl Number {
    fn difference(self, found: i64, expected: i64, fixed: bool) -> Difference {
        let (of, id) = match self.of {
            Subject::User(user) => ("user", user.to_string()),
            Subject::Post(post) => ("post", post.to_string()),
        };
        Difference { of: of.to_owned(), id, count: self.name.to_owned(), found, expected, fixed }
    }
}
