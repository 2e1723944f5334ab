//! Checks feeds against the posts, follows and rules that they are derived from. Independent of the code that delivers: it
//! knows the items of the data model, but not how a post gets into a feed.
//!
//! - `draw`: the readers to check, all or some at random.
//! - `walk`: a feed as its reader scrolls through it.
//! - `look`: judges single posts in feeds, with consistent reads.
//! - `repair`: delivers what is missing, removes what is wrongly shown.
//! - `findings`: the results; `store`: the store at the operator's rate, read-only.
//!
//! A feed must show the live posts of the users followed now, from where each follow shows them, and nothing else, as far
//! back as entries are kept. The walk and the stories only yield suspects, because others write meanwhile. A difference
//! is reported when two looks agree on it, with a pause between them, and no delivery of the post is known to be pending.

mod draw;
mod findings;
mod look;
mod repair;
mod store;
mod walk;

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use data::{Db, Window};
use domain::{Clock, PostId, UserId};
use embedded::{EmbeddedStore, copy::Progress};
use futures::future::try_join_all;
use ports::{
    queue::{Queue, QueueName},
    store::{Store, StoreError, TableScan},
};

use self::{
    draw::Draw,
    look::{Reads, Suspect, Verdict, Wrong},
    store::PacedReads,
    walk::{Slice, Walk},
};
use crate::{
    operator::ProgressSender,
    recount::{Source, reads::Pace},
};

pub use self::{
    findings::{Finding, Kind, Reason, Verified, VerifyError},
    walk::Stride,
};

/// Followers judged at once.
const FOLLOWERS_AT_ONCE: u32 = 100;
/// Followees whose stories are read at once.
const STORIES_AT_ONCE: u32 = 25;
/// Suspects of one feed judged at once.
const SUSPECTS_AT_ONCE: usize = 1_000;
/// Differences kept for a second look, after which the check pauses and decides them.
const UNDECIDED_AT_ONCE: usize = 10_000;

/// The scope of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The feeds of every reader.
    All,
    /// The feeds of this many readers, drawn at random.
    Sample(u32),
    /// One post, in the feeds of its author's followers.
    Post(PostId),
}

/// When a difference counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settling {
    /// The pause between two looks.
    pub pause: Duration,
    /// Maximum number of further looks at a difference that keeps changing.
    pub rounds: usize,
}

impl Settling {
    /// For the embedded store, where a write takes milliseconds.
    const EMBEDDED: Self = Self { pause: Duration::from_millis(200), rounds: 10 };
}

/// Checks the feeds of one database.
#[derive(Debug, Clone)]
pub struct Verify {
    db: Db,
    queue: Arc<dyn Queue>,
    source: Source,
    pace: Arc<Pace>,
    reads: Reads,
    settling: Settling,
    stride: Stride,
}

impl Verify {
    /// A check of `store`, to whose feeds the jobs on `queue` deliver.
    pub fn new(store: EmbeddedStore, queue: Arc<dyn Queue>, clock: Clock) -> Self {
        Self::on(store, queue, clock, (1, None), Settling::EMBEDDED)
    }

    /// The same on any store, scanned in `segments` segments at no more than `rate` read units per second.
    pub fn on<S>(
        store: S,
        queue: Arc<dyn Queue>,
        clock: Clock,
        (segments, rate): (u32, Option<NonZeroU32>),
        settling: Settling,
    ) -> Self
    where
        S: Store + TableScan + Clone,
    {
        let (scan, store): (Arc<dyn TableScan>, Arc<dyn Store>) = (Arc::new(store.clone()), Arc::new(store));
        let pace = Arc::new(Pace::of(rate));
        let paced = Db::from(Arc::new(PacedReads::new(Arc::clone(&store), Arc::clone(&pace))));
        let pages = Db::from(Arc::new(PacedReads::for_pages(Arc::clone(&store), Arc::clone(&pace))));
        let reads = Reads::new(&paced, &pages, Arc::clone(&queue), clock);
        Self {
            db: Db::new(store),
            queue,
            source: Source { scan, segments },
            pace,
            reads,
            settling,
            stride: Stride::default(),
        }
    }

    /// The same, reading another amount of a feed at once.
    #[must_use]
    pub fn in_strides(self, stride: Stride) -> Self {
        Self { stride, ..self }
    }

    /// The queues that a check looks at.
    pub const fn queues() -> [QueueName; 2] {
        look::QUEUES
    }

    /// Whether the post in `scope` exists and is not deleted.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn exists(&self, scope: Scope) -> Result<bool, VerifyError> {
        let Scope::Post(post) = scope else { return Ok(true) };
        Ok(self.reads.live_authors(&[post]).await?.contains_key(&post))
    }

    /// Compares feeds with what they are derived from; with `repair`, puts missing entries on JobQ and removes extra
    /// ones.
    ///
    /// # Errors
    /// When the store fails beyond all retries, or JobQ does. Repairs made until then persist.
    pub async fn run(&self, scope: Scope, repair: bool, progress: &ProgressSender) -> Result<Verified, VerifyError> {
        let by_post = matches!(scope, Scope::Post(_));
        let (verified, left) = (Verified::default(), Vec::new());
        let mut run = Run { verify: self, by_post, repair, progress, of_about: 0, verified, left };
        match scope {
            Scope::Post(post) => run.post(post).await?,
            Scope::Sample(size) => {
                run.of_about = size.into();
                run.readers(Draw::sample(&self.source, &self.pace, size)).await?;
            }
            Scope::All => run.readers(Draw::all(&self.source, &self.pace)).await?,
        }
        run.settle().await?;
        let mut verified = run.verified;
        verified.sort();
        self.db.durable().await?;
        Ok(verified)
    }
}

/// A running check.
struct Run<'a> {
    verify: &'a Verify,
    by_post: bool,
    repair: bool,
    progress: &'a ProgressSender,
    of_about: u64,
    verified: Verified,
    /// Differences to look at again.
    left: Vec<(Suspect, Wrong)>,
}

impl Run<'_> {
    fn show_progress(&self) {
        let rows = self.verified.readers + self.verified.dormant;
        self.progress.send_replace(Some(Progress { rows, of_about: self.of_about.max(rows) }));
    }

    /// Checks one post in the feeds of its author and of every follower, a page of them at a time.
    async fn post(&mut self, post: PostId) -> Result<(), VerifyError> {
        let reads = &self.verify.reads;
        let Some(author) = reads.live_authors(&[post]).await?.remove(&post) else { return Ok(()) };
        self.of_about = reads.counts.of_user(author).await?.followers + 1;
        let (mut readers, mut after) = (vec![author], None);
        loop {
            let page = reads.follows.page_of_followers(author, after, FOLLOWERS_AT_ONCE).await?;
            readers.extend(page.items.iter().map(|edge| edge.user_id));
            let suspects: Vec<Suspect> = readers.drain(..).map(|reader| Suspect { reader, post }).collect();
            let dormant = self.verified.dormant;
            self.first_look(&suspects).await?;
            self.verified.readers += suspects.len() as u64 - (self.verified.dormant - dormant);
            self.show_progress();
            after = match page.next {
                None => return Ok(()),
                next => next,
            };
        }
    }

    async fn readers(&mut self, mut drawn: Draw<'_>) -> Result<(), VerifyError> {
        while let Some(readers) = drawn.next().await? {
            for reader in readers {
                self.reader(reader).await?;
                self.show_progress();
            }
        }
        Ok(())
    }

    /// Checks one feed, slice by slice.
    async fn reader(&mut self, reader: UserId) -> Result<(), VerifyError> {
        let reads = &self.verify.reads;
        let activity = reads.activity(reader).await?;
        if look::is_dormant(&activity, reads.now()) {
            self.verified.dormant += 1;
            return Ok(());
        }
        self.verified.readers += 1;
        let oldest = look::oldest_checked(&activity, reads.now());
        let mut walk = Walk::new(&reads.feeds, reader, self.verify.stride, oldest);
        while let Some(slice) = walk.next().await? {
            for (post, author) in &slice.doubled {
                // Others' writes cannot cause it: a cursor only descends.
                let finding = Finding::of((Kind::Doubled, Reason::ShownAgain), reader, *post, *author);
                self.verified.push(finding);
            }
            self.look_for_extra(reader, &slice).await?;
            self.look_for_missing(reader, &slice).await?;
        }
        Ok(())
    }

    /// Judges the shown posts that no follow seems to entitle to.
    async fn look_for_extra(&mut self, reader: UserId, slice: &Slice) -> Result<(), VerifyError> {
        let authors: HashSet<UserId> = slice.shown.values().copied().filter(|author| *author != reader).collect();
        let authors: Vec<UserId> = authors.into_iter().collect();
        let windows = self.verify.reads.follows.edges_from(reader, &authors).await?;
        let is_implied = |post: PostId, author: UserId| author == reader || shows(windows.get(&author), post);
        let extra = slice.shown.iter().filter(|(post, author)| !is_implied(**post, **author));
        let suspects: Vec<Suspect> = extra.map(|(post, _)| Suspect { reader, post: *post }).collect();
        self.first_look(&suspects).await
    }

    /// Judges the posts of the reader and of those they follow that the feed does not show.
    async fn look_for_missing(&mut self, reader: UserId, slice: &Slice) -> Result<(), VerifyError> {
        let reads = &self.verify.reads;
        let (mut suspects, mut after) = (self.unshown(reader, reader, None, slice).await?, None);
        loop {
            let page = reads.follows.page_of_following(reader, after, STORIES_AT_ONCE).await?;
            let followees: Vec<UserId> = page.items.iter().map(|edge| edge.user_id).collect();
            let windows = reads.follows.edges_from(reader, &followees).await?;
            let unshown = windows.iter().map(|(author, window)| self.unshown(reader, *author, Some(*window), slice));
            for unshown in try_join_all(unshown).await? {
                suspects.extend(unshown);
            }
            if suspects.len() >= SUSPECTS_AT_ONCE || page.next.is_none() {
                self.first_look(&std::mem::take(&mut suspects)).await?;
            }
            after = match page.next {
                None => return Ok(()),
                next => next,
            };
        }
    }

    /// The posts of one story that a slice does not show, although the window does; `None` shows all.
    async fn unshown(
        &self,
        reader: UserId,
        author: UserId,
        window: Option<Window>,
        slice: &Slice,
    ) -> Result<Vec<Suspect>, StoreError> {
        let (mut unshown, mut after) = (Vec::new(), None);
        loop {
            let page = self.verify.reads.audit.story(author, slice.range, after).await?;
            let of_window = |post: &PostId| window.is_none_or(|window| window.shows(*post));
            let posts = page.items.into_iter().filter(|post| of_window(post) && !slice.shown.contains_key(post));
            unshown.extend(posts.map(|post| Suspect { reader, post }));
            after = match page.next {
                None => return Ok(unshown),
                next => next,
            };
        }
    }

    async fn first_look(&mut self, suspects: &[Suspect]) -> Result<(), VerifyError> {
        for some in suspects.chunks(SUSPECTS_AT_ONCE) {
            for (suspect, verdict) in self.look(some).await? {
                match verdict {
                    Verdict::Right => {}
                    Verdict::Dormant => self.verified.dormant += 1,
                    Verdict::InProgress => self.verified.in_progress += 1,
                    Verdict::Wrong(wrong) => self.left.push((suspect, wrong)),
                }
            }
            if self.left.len() >= UNDECIDED_AT_ONCE {
                self.settle().await?;
            }
        }
        Ok(())
    }

    /// One look at each of these suspects, which are of one post or of a few readers.
    async fn look(&self, suspects: &[Suspect]) -> Result<HashMap<Suspect, Verdict>, VerifyError> {
        let (reads, mut verdicts) = (&self.verify.reads, HashMap::with_capacity(suspects.len()));
        if let (true, Some(Suspect { post, .. })) = (self.by_post, suspects.first().copied()) {
            let readers: Vec<UserId> = suspects.iter().map(|suspect| suspect.reader).collect();
            let looked = reads.look_at_readers(post, &readers).await?;
            verdicts.extend(looked.into_iter().map(|(reader, verdict)| (Suspect { reader, post }, verdict)));
            return Ok(verdicts);
        }
        let mut of_reader: HashMap<UserId, Vec<PostId>> = HashMap::new();
        for Suspect { reader, post } in suspects {
            of_reader.entry(*reader).or_default().push(*post);
        }
        for (reader, posts) in of_reader {
            let looked = reads.look_at_posts(reader, &posts).await?;
            verdicts.extend(looked.into_iter().map(|(post, verdict)| (Suspect { reader, post }, verdict)));
        }
        Ok(verdicts)
    }

    /// Looks again at the differences found so far, until two looks in a row agree on each.
    async fn settle(&mut self) -> Result<(), VerifyError> {
        for _ in 0..self.verify.settling.rounds {
            if self.left.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(self.verify.settling.pause).await;
            let mut agreed = Vec::new();
            for some in std::mem::take(&mut self.left).chunks(SUSPECTS_AT_ONCE) {
                let suspects: Vec<Suspect> = some.iter().map(|(suspect, _)| *suspect).collect();
                let now = self.look(&suspects).await?;
                for (suspect, before) in some {
                    match now.get(suspect) {
                        Some(Verdict::Wrong(wrong)) if wrong == before => agreed.push((*suspect, *wrong)),
                        Some(Verdict::Wrong(wrong)) => self.left.push((*suspect, *wrong)),
                        Some(Verdict::InProgress) => self.verified.in_progress += 1,
                        Some(Verdict::Right | Verdict::Dormant) | None => {}
                    }
                }
            }
            self.decide(agreed).await?;
        }
        self.verified.in_progress += std::mem::take(&mut self.left).len() as u64;
        Ok(())
    }

    /// Repairs or reports differences on which two looks agree.
    async fn decide(&mut self, agreed: Vec<(Suspect, Wrong)>) -> Result<(), VerifyError> {
        let Verify { db, queue, .. } = self.verify;
        let repaired =
            if self.repair { repair::repair(db, queue.as_ref(), &agreed).await? } else { HashSet::default() };
        for (suspect, wrong) in agreed {
            let finding = Finding::of((wrong.kind, wrong.reason), suspect.reader, suspect.post, wrong.author);
            self.verified.push(Finding { repaired: repaired.contains(&suspect), ..finding });
        }
        Ok(())
    }
}

fn shows(window: Option<&Window>, post: PostId) -> bool {
    window.is_some_and(|window| window.shows(post))
}
