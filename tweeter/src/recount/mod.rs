//! Counts and inboxes compared with what they are derived from, by a way of its own: it knows the items of the data
//! model, and nothing of how the change stream is turned into counts.
//!
//! - [`census`]: one scan of everything finds what to look at closely; `tally` adds it up in bounded memory.
//! - [`look`]: one count, derived once more from its own edges, compared with what is stored.
//! - [`inbox`]: the same of a user's notifications.
//! - [`reads`]: how it reads, and how fast; [`settle`]: when a difference counts as one.
//!
//! Counts lag behind the changes that are not applied yet, and a recount may run while everyone writes. So a difference
//! is reported only when two looks found the same edges and the same stored number, with [`Settle`]'s pause between
//! them and no change known to be waiting. It is fixed on the condition that what is stored is still that: a change
//! applied meanwhile is not lost, and one that is not applied yet is added to what was fixed.

mod census;
mod inbox;
mod look;
pub mod reads;
pub mod settle;
mod tally;

use std::{io, num::NonZeroU32, sync::Arc};

use data::{Counted, Counter, Db, Notifications};
use domain::{PostId, Timestamp, UserId};
use embedded::EmbeddedStore;
use ports::{
    changes::ChangeLog,
    store::{Store, StoreError, TableScan},
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::{
    census::Source,
    inbox::UNREADABLE,
    reads::{Pace, Reads},
    settle::{ByLog, Settle},
};

/// Differences that are listed or waited for in one run; more are left to the next run and count as undecided.
const MAX_LISTED: usize = 100_000;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recounted {
    /// Users that were recounted.
    pub users: u64,
    /// Posts that were, deleted ones that can be restored too.
    pub posts: u64,
    /// What is stored and should be something else.
    pub differences: Vec<Difference>,
    /// Numbers that could not be judged, because they changed all the time or there were too many.
    pub undecided: u64,
}

impl Recounted {
    /// Whether everything is right now, for certain.
    pub fn is_right(&self) -> bool {
        self.undecided == 0 && self.differences.iter().all(|difference| difference.fixed)
    }

    fn push(&mut self, difference: Difference) {
        if self.differences.len() < MAX_LISTED {
            self.differences.push(difference);
        } else {
            self.undecided += u64::from(!difference.fixed);
        }
    }
}

/// A number that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `user` or `post`; or `item`, for one that cannot be read.
    pub of: String,
    /// Whose or of which: an id, or an item's keys.
    pub id: String,
    /// `followers`, `following`, `posts`, `likes`, `comments` or `unread`; `misjudged`: notifications that are hidden
    /// and should not be, or the other way round; `unreadable`: items of an unknown kind or form, which only a version
    /// that knows them can fix.
    pub count: String,
    /// What is stored.
    pub found: i64,
    /// What it should be.
    pub expected: i64,
    /// Whether it is fixed.
    pub fixed: bool,
}

/// What is recounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every user and post, by a scan.
    All {
        /// Whether notifications are looked at too. They are read one by one, with what each is about.
        inboxes: bool,
    },
    /// The counts and the notifications of one user, by queries.
    User(UserId),
    /// The counts of one post, by queries.
    Post(PostId),
}

/// Why a recount ended early. What was fixed by then stays fixed.
#[derive(Debug, thiserror::Error)]
pub enum RecountError {
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The temporary files that a large scan needs.
    #[error("temporary files cannot be used")]
    Files(#[source] io::Error),
}

/// What may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Suspect {
    /// A count.
    Count(Counted, Counter),
    /// A user's notifications.
    Inbox(UserId),
}

/// A stored number and what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    name: &'static str,
    stored: i64,
    expected: i64,
}

/// The differences that a look found, and what it saw.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    found: Vec<Found>,
    fingerprint: u64,
}

impl Seen {
    fn of(found: impl IntoIterator<Item = Found>, fingerprint: u64) -> Self {
        Self { found: found.into_iter().filter(|it| it.stored != it.expected).collect(), fingerprint }
    }
}

/// What one look found.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// What is stored is what it should be, or there is nothing to store.
    Right,
    /// It is not.
    Wrong(Seen),
    /// It changed while it was looked at, or a change may be under way.
    Moving,
}

impl Verdict {
    fn of(seen: Seen) -> Self {
        if seen.found.is_empty() { Self::Right } else { Self::Wrong(seen) }
    }
}

/// Recounts one database.
#[derive(Debug, Clone)]
pub struct Recount {
    db: Db,
    reads: Reads,
    notifications: Notifications,
    source: Source,
    settle: Arc<dyn Settle>,
}

impl Recount {
    /// Recounts what is in `store`, of which `log` is the log of changes.
    pub fn new(store: EmbeddedStore, log: Arc<dyn ChangeLog>) -> Self {
        Self::on(store, 1, None, Arc::new(ByLog(log)))
    }

    /// Recounts what is in `store`, which is scanned in this many segments side by side, with at most `rate` read units
    /// a second.
    pub fn on<S>(store: S, segments: u32, rate: Option<NonZeroU32>, settle: Arc<dyn Settle>) -> Self
    where
        S: Store + TableScan + Clone,
    {
        let (scan, store): (Arc<dyn TableScan>, Arc<dyn Store>) = (Arc::new(store.clone()), Arc::new(store));
        let db = Db::new(store);
        let reads = Reads::new(db.clone(), Arc::new(Pace::of(rate)));
        Self { reads, notifications: Notifications::new(db.clone()), db, source: Source { scan, segments }, settle }
    }

    /// Whether there is what is to be recounted.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn exists(&self, scope: Scope) -> Result<bool, RecountError> {
        match scope {
            Scope::All { .. } => Ok(true),
            Scope::User(user) => Ok(self.reads.exists(Counted::User(user)).await?),
            Scope::Post(post) => Ok(self.reads.exists(Counted::Post(post)).await?),
        }
    }

    /// Compares counts with what they count; with `fix`, corrects what is wrong, durably.
    ///
    /// # Errors
    /// When the store fails for longer than retries help. What was fixed by then stays fixed.
    pub async fn run(&self, scope: Scope, fix: bool, now: Timestamp) -> Result<Recounted, RecountError> {
        let (recounted, left) = (Recounted::default(), Vec::new());
        let mut run = Run { recount: self, fix, began: (now, Instant::now()), recounted, left };
        match scope {
            Scope::All { inboxes } => run.census(inboxes).await?,
            Scope::User(user) => {
                run.recounted.users = 1;
                run.first_looks(suspects(Counted::User(user)).chain([Suspect::Inbox(user)])).await?;
            }
            Scope::Post(post) => {
                run.recounted.posts = 1;
                run.first_looks(suspects(Counted::Post(post))).await?;
            }
        }
        run.later_looks().await?;
        let mut recounted = run.recounted;
        recounted.differences.sort_by(|a, b| (&a.of, &a.id, &a.count).cmp(&(&b.of, &b.id, &b.count)));
        self.db.durable().await?;
        Ok(recounted)
    }
}

fn suspects(of: Counted) -> impl Iterator<Item = Suspect> {
    of.counters().iter().map(move |counter| Suspect::Count(of, *counter))
}

/// A recount under way.
struct Run<'a> {
    recount: &'a Recount,
    fix: bool,
    /// The time at the start, and when that was: a scan may take hours.
    began: (Timestamp, Instant),
    recounted: Recounted,
    /// What is to be looked at again.
    left: Vec<(Suspect, Verdict)>,
}

impl Run<'_> {
    fn now(&self) -> Timestamp {
        self.began.0.plus(self.began.1.elapsed())
    }

    async fn census(&mut self, inboxes: bool) -> Result<(), RecountError> {
        let mut census = census::take(&self.recount.source, self.recount.reads.pace()).await?;
        for key in census.unreadable {
            self.recounted.push(Difference::unreadable("item", format!("{} {}", key.partition, key.sort)));
        }
        self.recounted.undecided += census.more_unreadable;
        while let Some(part) = census.tally.next_part(inboxes).await.map_err(RecountError::Files)? {
            self.recounted.users += part.users;
            self.recounted.posts += part.posts;
            self.first_looks(part.suspects).await?;
        }
        Ok(())
    }

    async fn first_looks(&mut self, suspects: impl IntoIterator<Item = Suspect>) -> Result<(), RecountError> {
        for suspect in suspects {
            let verdict = self.settled_look(suspect).await?;
            if verdict != Verdict::Right {
                self.keep(suspect, verdict);
            }
        }
        Ok(())
    }

    fn keep(&mut self, suspect: Suspect, verdict: Verdict) {
        if self.left.len() < MAX_LISTED {
            self.left.push((suspect, verdict));
        } else {
            self.recounted.undecided += 1;
        }
    }

    /// Looks again at what is left until it is decided.
    async fn later_looks(&mut self) -> Result<(), RecountError> {
        for _ in 0..self.recount.settle.rounds() {
            if self.left.is_empty() {
                return Ok(());
            }
            self.recount.settle.pause().await;
            for (suspect, before) in std::mem::take(&mut self.left) {
                match self.settled_look(suspect).await? {
                    Verdict::Right => {}
                    Verdict::Wrong(seen) if before == Verdict::Wrong(seen.clone()) => {
                        self.decide(suspect, seen).await?;
                    }
                    verdict => self.keep(suspect, verdict),
                }
            }
        }
        self.recounted.undecided += self.left.len() as u64;
        Ok(())
    }

    /// Two looks found the same.
    async fn decide(&mut self, suspect: Suspect, seen: Seen) -> Result<(), RecountError> {
        let can_fix = self.fix && seen.found.iter().any(|found| found.name != UNREADABLE);
        if can_fix && !self.fixed(suspect, &seen).await? {
            // It was written meanwhile: two more looks decide.
            self.keep(suspect, Verdict::Moving);
            return Ok(());
        }
        for found in seen.found {
            let (of, id) = named(suspect.subject());
            let (of, count) = (of.to_owned(), found.name.to_owned());
            let fixed = can_fix && found.name != UNREADABLE;
            self.recounted.push(Difference { of, id, count, found: found.stored, expected: found.expected, fixed });
        }
        Ok(())
    }

    /// One look, with no change known to be on its way before and after it. What cannot be read is a difference too.
    async fn settled_look(&self, suspect: Suspect) -> Result<Verdict, RecountError> {
        let (recount, settle) = (self.recount, &self.recount.settle);
        if !settle.is_settled().await? {
            return Ok(Verdict::Moving);
        }
        let looked = match suspect {
            Suspect::Count(of, counter) => look::look(&recount.reads, of, counter).await,
            Suspect::Inbox(user) => inbox::look(&recount.reads, &recount.notifications, user, self.now()).await,
        };
        let verdict = match looked {
            Err(StoreError::Malformed(_)) => {
                Verdict::of(Seen::of([Found { name: UNREADABLE, stored: 1, expected: 0 }], 0))
            }
            looked => looked?,
        };
        if verdict == Verdict::Right || settle.is_settled().await? { Ok(verdict) } else { Ok(Verdict::Moving) }
    }

    async fn fixed(&self, suspect: Suspect, seen: &Seen) -> Result<bool, RecountError> {
        let recount = self.recount;
        match (suspect, &seen.found[..]) {
            (Suspect::Inbox(user), _) => {
                Ok(inbox::fix(&recount.reads, &recount.db, &recount.notifications, user, self.now()).await?)
            }
            (Suspect::Count(of, counter), [found, ..]) => {
                Ok(look::fix(&recount.reads, &recount.db, of, counter, *found).await?)
            }
            (Suspect::Count(..), []) => Ok(true),
        }
    }
}

fn named(of: Counted) -> (&'static str, String) {
    match of {
        Counted::User(user) => ("user", user.to_string()),
        Counted::Post(post) => ("post", post.to_string()),
    }
}

impl Suspect {
    const fn subject(self) -> Counted {
        match self {
            Self::Count(of, _) => of,
            Self::Inbox(user) => Counted::User(user),
        }
    }
}

impl Difference {
    fn unreadable(of: &str, id: String) -> Self {
        Self { of: of.to_owned(), id, count: UNREADABLE.to_owned(), found: 1, expected: 0, fixed: false }
    }
}
