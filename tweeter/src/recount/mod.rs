//! Checks counts and inboxes against the items they are derived from. Independent of the change pipeline: it knows the
//! items of the data model, but not how the change stream is turned into counts.
//!
//! - [`census`]: scans everything for suspects; `tally` adds up the scan in bounded memory.
//! - [`look`]: checks one count against its edges.
//! - [`inbox`]: checks one user's notifications.
//! - `verdict`: differences, suspects and verdicts.
//! - [`reads`]: reads with retries and a rate limit; [`settle`]: decides when a difference counts.
//!
//! Counts lag behind changes that are not applied yet, and other writes may continue during a recount. A difference is
//! therefore reported only when two checks found the same edges and the same stored number, with [`Settle`]'s pause
//! between them and no change known to be pending. A fix is conditional on that stored number: a change applied
//! meanwhile is not lost, and a later one is added to the fixed number.

mod census;
mod inbox;
mod look;
pub mod reads;
pub mod settle;
mod tally;
mod verdict;

use std::{num::NonZeroU32, sync::Arc};

use data::{Counted, Db, Notifications};
use domain::{PostId, Timestamp, UserId};
use embedded::EmbeddedStore;
use ports::{
    changes::ChangeLog,
    store::{Store, StoreError, TableScan},
};
use tokio::time::Instant;

use self::{
    inbox::UNREADABLE,
    reads::{Pace, Reads},
    settle::{ByLog, Settle},
    verdict::{Found, MAX_LISTED, Seen, Suspect, Verdict},
};

pub(crate) use self::census::Source;
pub use self::verdict::{Difference, RecountError, Recounted};

/// The scope of a recount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every user and post, by a scan.
    All {
        /// Whether to check notifications, which are read one by one together with their subjects.
        inboxes: bool,
    },
    /// The counts and the notifications of one user, by queries.
    User(UserId),
    /// The counts of one post, by queries.
    Post(PostId),
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
    /// A recount of `store`, whose change log is `log`.
    pub fn new(store: EmbeddedStore, log: Arc<dyn ChangeLog>) -> Self {
        Self::on(store, 1, None, Arc::new(ByLog(log)))
    }

    /// A recount of `store`, scanned in `segments` parallel segments at no more than `rate` read units per second.
    pub fn on<S>(store: S, segments: u32, rate: Option<NonZeroU32>, settle: Arc<dyn Settle>) -> Self
    where
        S: Store + TableScan + Clone,
    {
        let (scan, store): (Arc<dyn TableScan>, Arc<dyn Store>) = (Arc::new(store.clone()), Arc::new(store));
        let db = Db::new(store);
        let reads = Reads::new(db.clone(), Arc::new(Pace::of(rate)));
        Self { reads, notifications: Notifications::new(db.clone()), db, source: Source { scan, segments }, settle }
    }

    /// Whether the user or post in `scope` exists.
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

    /// Compares counts with their edges; with `fix`, corrects wrong ones durably.
    ///
    /// # Errors
    /// When the store fails beyond all retries. Fixes made until then persist.
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

/// A running recount.
struct Run<'a> {
    recount: &'a Recount,
    fix: bool,
    /// The start, by both clocks: a scan may take hours.
    began: (Timestamp, Instant),
    recounted: Recounted,
    /// Suspects to check again.
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

    /// Rechecks the remaining suspects until they are decided.
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

    /// Fixes or reports a difference that two checks agree on.
    async fn decide(&mut self, suspect: Suspect, seen: Seen) -> Result<(), RecountError> {
        let can_fix = self.fix && seen.found.iter().any(|found| found.name != UNREADABLE);
        if can_fix && !self.fixed(suspect, &seen).await? {
            // The item was written meanwhile: two more checks decide.
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

    /// One check, with no change known to be pending before or after it. An unreadable item is a difference too.
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
