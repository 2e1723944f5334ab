//! The stores, the queues and the processes at one moment.

/// Readers in the model.
pub const READERS: usize = 2;
/// Posts in the model, all by one author.
pub const POSTS: usize = 2;
/// Outbox entries: one per post, and one for each of two promotions.
pub const TASKS: usize = POSTS + 2;
/// Processes per reader that run a follow: two requests, and the sweeper.
pub const FOLLOWS: usize = 3;
/// The slot of the sweeper among them.
pub const SWEEPER: usize = 2;
/// Page reads per reader.
pub const PAGES: usize = 2;
/// Concurrent workers on one outbox entry.
pub const WORKERS: usize = 2;

/// A time-ordered id of a post, a marker or a promotion. 0 is below all.
pub type Id = u8;
/// A set of posts, one bit each.
pub type Posts = u8;

/// The author's delivery mode, with the id that distinguishes one promotion from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Posts are fanned out. The id is that of the promotion that a demotion ended, or 0.
    Push(Id),
    /// Posts are fanned out while merge rules are written.
    Promoting(Id),
    /// Posts are merged when a page is read.
    Pull(Id),
}

/// A story entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Post {
    /// The post's id.
    pub id: Id,
    /// Whether it is left to be merged, without a fan-out.
    pub is_pulled: bool,
}

/// An outbox entry: the fan-out of a post, or a promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Task {
    /// How often the sweeper took it.
    pub generation: u8,
    /// The reader whose page comes next. A page holds one reader.
    pub cursor: u8,
}

/// A worker with a message from PostQ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub enum Worker {
    /// Without a message.
    #[default]
    Idle,
    /// Has read the page of followers at the cursor; `is_follower` tells whether it holds the reader.
    Serve {
        /// The generation of the message.
        generation: u8,
        /// The cursor.
        cursor: u8,
        /// Whether the page holds the reader.
        is_follower: bool,
    },
    /// About to advance the outbox entry.
    Advance {
        /// The generation of the message.
        generation: u8,
        /// The cursor.
        cursor: u8,
    },
}

/// A request to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Publish {
    /// Not begun.
    #[default]
    Waiting,
    /// Has read the mode.
    Read(Mode),
    /// Has taken the post's id.
    Named(Mode, Id),
    /// Ended.
    Done,
}

/// A follow edge, and facts of its beginning by which the contract is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Edge {
    /// The follow's unique marker.
    pub marker: Id,
    /// Whether the backfill is unfinished. The row for the sweeper exists exactly then.
    pub is_backfilling: bool,
    /// Whether another try of the backfill has begun: then the first cannot end it.
    pub is_retried: bool,
    /// The oldest backfilled post if the story goes on, or 0: the bound of a rebuild.
    pub shown_since: Id,
    /// The posts committed before the follow. Not stored; for the contract.
    pub before: Posts,
}

/// An exception to "what was delivered is shown". 0 stands for an absent id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rule {
    /// The author was unfollowed.
    pub is_left: bool,
    /// Older posts are hidden.
    pub shown_since: Id,
    /// The refollow's backfill is unfinished.
    pub is_backfilling: bool,
    /// The author's posts from here on are merged.
    pub merge_since: Id,
    /// The rule has an expiry time.
    pub expires: bool,
}

/// A process that runs a follow. Copies of a post are a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub enum Follow {
    /// Not begun.
    #[default]
    Waiting,
    /// Has taken a marker and, in a flawed design only, read early whether the author is pushed (0) or not.
    Marked(Id, Option<Id>),
    /// Has written the rule but not the edge; in a flawed design only.
    RuleWritten(Id),
    /// The edge is committed.
    ReadMode(Run),
    /// The mode is not push: the rule must merge from this id.
    SetRule(Run, Id),
    /// About to read the story.
    ReadStory(Run),
    /// Has chosen the posts to copy; the second is the oldest of them if the story goes on, or 0.
    Copy(Run, Posts, Id),
    /// Has copied them.
    Finish(Run, Id),
    /// Ended.
    Done,
}

/// An attempt at a backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Run {
    /// The marker of the follow.
    pub marker: Id,
    /// Whether an earlier attempt may have copied posts.
    pub is_again: bool,
    /// Whether the author is pushed (0) or not, if it was read before the edge; in a flawed design only.
    pub known: Option<Id>,
}

/// The reader's activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Activity {
    /// Read a page recently.
    #[default]
    Active,
    /// Away for 30 days: a page is a return, but fan-out still delivers.
    Away,
    /// Away for 32 days: skipped by fan-out.
    Dormant,
}

/// The part of the feed that entries cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Coverage {
    /// All of it.
    #[default]
    Complete,
    /// Posts with smaller ids must be built from stories; `None` stands for all posts.
    Before(Option<Id>),
}

/// A page read that may be a return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub enum Page {
    /// Not begun.
    #[default]
    Waiting,
    /// Has seen that the reader was away.
    Returned,
    /// Has taken the id that bounds the coverage; in a flawed design only.
    Bounded(Id),
    /// Rebuilds what is older than this id (`None`: everything).
    ReadFollows(Option<Id>),
    /// Follows the author, and does not show posts before the second id. The flag tells whether the backfill is finished.
    ReadStories(Option<Id>, Id, bool),
    /// Has read stories before it marked the reader active; in a flawed design only.
    Early(Posts),
    /// Has chosen posts; with the flag, the coverage is complete with them.
    Put(Posts, bool),
    /// Has put their entries.
    Record,
    /// Ended.
    Done,
}

/// The background removal of dead entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Removal {
    /// Not begun.
    #[default]
    Waiting,
    /// Has read a rule and the entries that it hides.
    Entries(Option<Rule>, Posts),
    /// Has read the mode and a merge rule that is no longer needed.
    MergeRule(Mode, Rule),
    /// Ended.
    Done,
}

/// All that belongs to one reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Reader {
    /// The edge to the author.
    pub edge: Option<Edge>,
    /// The rule about the author.
    pub rule: Option<Rule>,
    /// Feed entries.
    pub entries: Posts,
    /// Deliveries on JobQ.
    pub jobs: Posts,
    /// The reader's activity.
    pub activity: Activity,
    /// Whether an eventually consistent read may still return an older, dormant activity.
    pub may_seem_dormant: bool,
    /// The covered part of the feed.
    pub coverage: Coverage,
    /// Processes of follows.
    pub follows: [Follow; FOLLOWS],
    /// Unfollows that may still happen.
    pub unfollows: u8,
    /// Page reads.
    pub pages: [Page; PAGES],
    /// The background removal.
    pub removal: Removal,
}

/// The stores, the queues and the processes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The next id.
    pub next_id: Id,
    /// The delivery mode.
    pub mode: Mode,
    /// The story.
    pub story: [Option<Post>; POSTS],
    /// Requests to publish.
    pub publishes: [Publish; POSTS],
    /// For each post, readers that were dormant before it was committed; used by a flawed design only.
    pub dormant_early: [u8; POSTS],
    /// Outbox entries.
    pub tasks: [Option<Task>; TASKS],
    /// Messages on PostQ: for each outbox entry, a bit per generation.
    pub messages: [u8; TASKS],
    /// Workers on PostQ.
    pub workers: [[Worker; WORKERS]; TASKS],
    /// The `since` of each promotion begun.
    pub sinces: [Id; TASKS - POSTS],
    /// Promotions that may still begin.
    pub promotions: u8,
    /// Demotions that may still happen.
    pub demotions: u8,
    /// The readers.
    pub readers: [Reader; READERS],
    /// Steps of time that may still pass.
    pub ticks: u8,
    /// Crashes that may still happen.
    pub crashes: u8,
    /// Redeliveries, and leases that expire under a slow worker, that may still happen.
    pub repeats: u8,
}

impl State {
    /// Sorts processes of one kind, which are alike.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        for reader in &mut self.readers {
            reader.follows[..SWEEPER].sort_unstable_by(|a, b| b.cmp(a));
            reader.pages.sort_unstable_by(|a, b| b.cmp(a));
        }
        for workers in &mut self.workers {
            workers.sort_unstable();
        }
        self
    }

    /// Takes the next id.
    pub fn take_id(&mut self) -> Id {
        self.next_id += 1;
        self.next_id - 1
    }

    /// The posts of the story that pass a test.
    pub fn posts(&self, is_wanted: impl Fn(Post) -> bool) -> Posts {
        let wanted = |post: &usize| self.story[*post].is_some_and(&is_wanted);
        (0..POSTS).filter(wanted).fold(0, |set, post| set | 1 << post)
    }

    /// The newest `count` of these posts.
    pub fn newest(&self, posts: Posts, count: usize) -> Posts {
        let mut ids: Vec<(Id, usize)> = self
            .story
            .iter()
            .enumerate()
            .filter(|(post, _)| posts & 1 << post != 0)
            .filter_map(|(post, stored)| Some((stored.as_ref()?.id, post)))
            .collect();
        ids.sort_unstable();
        ids.iter().rev().take(count).fold(0, |set, (_, post)| set | 1 << post)
    }

    /// The smallest id among these posts, or 0.
    pub fn oldest_id(&self, posts: Posts) -> Id {
        let of = |post: usize| self.story[post].filter(|_| posts & 1 << post != 0).map(|post| post.id);
        (0..POSTS).filter_map(of).min().unwrap_or(0)
    }
}

/// Whether a rule shows a post: the one function that decides.
pub fn shows(rule: Option<Rule>, post: Id) -> bool {
    rule.is_none_or(|rule| !rule.is_left && post >= rule.shown_since)
}
