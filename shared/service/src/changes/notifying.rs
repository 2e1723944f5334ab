//! Brings notifications in line with the current state.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures::{StreamExt, TryStreamExt, stream};

use uuid::Uuid;

use super::{
    effect::Effective,
    reactions::{ReactionPage, Reactions},
};
use crate::{
    conflict_retry::ConflictRetry,
    inbox::{EntryChange, InboxWriter, Part},
    live::LiveService,
    steps::StepSize,
};
use data::{Acts, Counted, Counts, Db, Notifications, Notified, Posts, StoredPost, StoredTask, Subject, Tasks};
use domain::{
    Act, ActKind, IdGenerator, Inbox, InboxEntry, Notification, NotificationId, PostId, ReactionCursor, Task,
    Timestamp, UserId,
};
use ports::store::StoreError;

/// Inboxes written concurrently.
pub(super) const WRITES_IN_FLIGHT: usize = 16;

/// Reconciles notifications with the current state.
#[derive(Debug, Clone)]
pub struct Notifying {
    notifications: Notifications,
    posts: Posts,
    acts: Acts,
    counts: Counts,
    reactions: Reactions,
    tasks: Tasks,
    writer: InboxWriter,
    ids: Arc<IdGenerator>,
    size: StepSize,
}

/// The acts and posts to reconcile in one inbox.
#[derive(Debug, Clone, Default)]
struct Concerns {
    /// Acts that were done or undone.
    acts: HashSet<Act>,
    /// Posts of the recipient that were deleted or restored.
    posts: HashMap<PostId, Cause>,
}

/// The reason to reconcile the notifications about a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The post was just deleted or restored.
    Changed,
    /// A step of the post's task is due, named by its token.
    Continued(Uuid),
}

/// The current state, read after the inboxes.
#[derive(Debug)]
struct Standing {
    acts: HashSet<Act>,
    posts: HashMap<PostId, StoredPost>,
    /// The current entry of each act.
    entries: HashMap<Act, InboxEntry>,
    /// The progress of the posts' tasks.
    tasks: HashMap<Task, StoredTask>,
}

impl Notifying {
    /// Notifications in `store`.
    pub fn new(db: Db, ids: Arc<IdGenerator>) -> Self {
        Self {
            notifications: Notifications::new(db.clone()),
            posts: Posts::new(db.clone()),
            acts: Acts::new(db.clone()),
            counts: Counts::new(db.clone()),
            reactions: Reactions::new(db.clone()),
            tasks: Tasks::new(db.clone()),
            writer: InboxWriter::new(db),
            ids,
            size: StepSize::default(),
        }
    }

    /// The same with steps of this size.
    pub fn in_steps(self, size: StepSize) -> Self {
        Self { size, ..self }
    }

    /// The same, sending live events to connected recipients.
    pub fn with_live_events(self, live: Option<LiveService>) -> Self {
        Self { writer: self.writer.with_live_events(live), ..self }
    }

    /// Brings the notifications affected by these changes in line with the current state.
    pub async fn reconcile(&self, changes: &[Effective<'_>], now: Timestamp) -> Result<(), StoreError> {
        let (mut left, mut retry) = (self.concerns_of(changes).await?, ConflictRetry::new());
        while !left.is_empty() {
            left = self.round(left, now).await?;
            if !left.is_empty() {
                retry.pause().await?;
            }
        }
        Ok(())
    }

    /// The acts and posts to reconcile, by recipient. A user's own acts do not concern them, nor do erased posts.
    async fn concerns_of(&self, changes: &[Effective<'_>]) -> Result<HashMap<UserId, Concerns>, StoreError> {
        let subjects = changes.iter().map(|change| change.changed.subject);
        let posts = self.posts_of(subjects.clone()).await?;
        let mut concerns: HashMap<UserId, Concerns> = HashMap::new();
        for subject in subjects {
            match subject {
                Subject::Act(act) => {
                    let recipient = recipient_of(&act, &posts).filter(|recipient| *recipient != act.actor_id);
                    if let Some(recipient) = recipient {
                        concerns.entry(recipient).or_default().acts.insert(act);
                    }
                }
                Subject::Post { post, author, is_new: false, .. } => {
                    concerns.entry(author).or_default().posts.insert(post, Cause::Changed);
                }
                Subject::Step { task: Task::Post(post), token } => match posts.get(&post) {
                    Some(stored) => concerns.entry(stored.post.author_id).or_default().continue_at(post, token),
                    None => self.tasks.forget(Task::Post(post), token).await?,
                },
                Subject::Post { is_new: true, .. } | Subject::Step { task: Task::Inbox(_), .. } => {}
            }
        }
        Ok(concerns)
    }

    /// The posts that acts and steps are about.
    async fn posts_of(
        &self,
        subjects: impl Iterator<Item = Subject>,
    ) -> Result<HashMap<PostId, StoredPost>, StoreError> {
        let post = |subject| match subject {
            Subject::Act(act) => act.kind.post_id(),
            Subject::Step { task: Task::Post(post), .. } => Some(post),
            Subject::Post { .. } | Subject::Step { task: Task::Inbox(_), .. } => None,
        };
        let posts: HashSet<PostId> = subjects.filter_map(post).collect();
        self.posts.get_all_strongly(&posts.into_iter().collect::<Vec<_>>()).await
    }

    /// Reconciles each inbox once. Returns the recipients whose inbox was written concurrently, for another round.
    async fn round(
        &self,
        left: HashMap<UserId, Concerns>,
        now: Timestamp,
    ) -> Result<HashMap<UserId, Concerns>, StoreError> {
        // Read before everything else: a concurrent write to an inbox then refuses this round's writes to it.
        let inboxes = self.inboxes(&left).await?;
        let standing = self.standing(left.values()).await?;
        let mut written = Vec::new();
        for (recipient, concerns) in left {
            match inboxes.get(&recipient) {
                Some(inbox) => written.push((*inbox, concerns)),
                None => self.forget_tasks(&concerns).await?,
            }
        }
        let written = stream::iter(written)
            .map(|(inbox, concerns)| self.reconcile_inbox(inbox, concerns, &standing, now))
            .buffer_unordered(WRITES_IN_FLIGHT);
        written.try_filter_map(|refused| std::future::ready(Ok(refused))).try_collect().await
    }

    /// The recipients' inboxes. A deleted user gets no new inbox.
    async fn inboxes(&self, left: &HashMap<UserId, Concerns>) -> Result<HashMap<UserId, Inbox>, StoreError> {
        let recipients: Vec<UserId> = left.keys().copied().collect();
        let mut inboxes = self.notifications.inboxes(&recipients).await?;
        let new: Vec<Counted> = inboxes
            .values()
            .filter(|inbox| inbox.version == 0)
            .map(|inbox| Counted::User(inbox.recipient_id))
            .collect();
        let exist = self.counts.which_exist(&new).await?;
        inboxes.retain(|recipient, inbox| inbox.version > 0 || exist.contains(&Counted::User(*recipient)));
        Ok(inboxes)
    }

    /// Ends the tasks of a user whose inbox is erased.
    async fn forget_tasks(&self, concerns: &Concerns) -> Result<(), StoreError> {
        for (post, cause) in &concerns.posts {
            if let Cause::Continued(token) = cause {
                self.tasks.forget(Task::Post(*post), *token).await?;
            }
        }
        Ok(())
    }

    async fn standing(&self, concerns: impl Iterator<Item = &Concerns>) -> Result<Standing, StoreError> {
        let (mut acts, mut posts) = (Vec::new(), HashSet::new());
        for concern in concerns {
            acts.extend(concern.acts.iter().copied());
            posts.extend(concern.posts.keys().copied());
        }
        let tasks: Vec<Task> = posts.iter().map(|post| Task::Post(*post)).collect();
        posts.extend(acts.iter().filter_map(|act| act.kind.post_id()));
        let posts: Vec<PostId> = posts.into_iter().collect();
        let (stand, posts, entries, tasks) = futures::try_join!(
            self.acts.standing(&acts),
            self.posts.get_all_strongly(&posts),
            self.entries_of(&acts),
            self.tasks.get_all(&tasks),
        )?;
        Ok(Standing { acts: stand, posts, entries, tasks })
    }

    /// The current entry of each act.
    async fn entries_of(&self, acts: &[Act]) -> Result<HashMap<Act, InboxEntry>, StoreError> {
        let notified = self.notifications.notified(acts).await?;
        let places: Vec<Notified> = notified.values().copied().collect();
        let entries = self.notifications.entries(&places).await?;
        Ok(notified.into_iter().filter_map(|(act, place)| Some((act, *entries.get(&place)?))).collect())
    }

    /// Writes one inbox. Returns it with its concerns when the write was refused.
    async fn reconcile_inbox(
        &self,
        inbox: Inbox,
        concerns: Concerns,
        standing: &Standing,
        now: Timestamp,
    ) -> Result<Option<(UserId, Concerns)>, StoreError> {
        let due = concerns.due(standing);
        if concerns.acts.is_empty() && due.is_empty() {
            return Ok(None);
        }
        let about_acts = self.about_acts(&inbox, &concerns, standing, now);
        let acted: HashSet<_> = about_acts.iter().filter_map(EntryChange::notification_id).collect();
        let mut parts: Vec<Part> = about_acts.into_iter().map(Part::from).collect();
        parts.extend(self.about_posts(due, &acted, standing).await?);
        let is_written = self.writer.write(inbox, &parts, now).await?;
        Ok((!is_written).then_some((inbox.recipient_id, concerns)))
    }

    /// Hides or shows an author's notifications about posts, from these cursors on, up to the limit of one step. The
    /// posts' tasks continue the rest.
    async fn about_posts(
        &self,
        due: Vec<(PostId, ReactionCursor)>,
        acted: &HashSet<NotificationId>,
        standing: &Standing,
    ) -> Result<Vec<Part>, StoreError> {
        let (mut changes, mut rows, mut left) = (Vec::new(), Vec::new(), self.size.reactions);
        for (post, from) in due {
            let page = match left {
                0 => ReactionPage { acts: Vec::new(), read: 0, next: Some(from) },
                _ => self.reactions.page(post, from, left).await?,
            };
            left = left.saturating_sub(page.read);
            let entries = self.entries_of(&page.acts).await?.into_values();
            let entries = entries.filter(|entry| !acted.contains(&entry.notification.notification_id));
            let post_gone = standing.is_gone(post);
            changes.extend(entries.filter_map(|entry| EntryChange::of(entry, InboxEntry { post_gone, ..entry })));
            let task = Task::Post(post);
            rows.extend(match page.next {
                Some(cursor) => Some(Tasks::next_step(task, cursor)),
                None => standing.tasks.contains_key(&task).then(|| Tasks::end(task)),
            });
        }
        // Rows last: a cursor advances only once the entries before it are written.
        Ok(changes.into_iter().map(Part::from).chain(rows.into_iter().map(Part::beside)).collect())
    }

    fn about_acts(&self, inbox: &Inbox, concerns: &Concerns, standing: &Standing, now: Timestamp) -> Vec<EntryChange> {
        let change = |act: &Act| {
            let undone = !standing.acts.contains(act);
            let post_gone = act.kind.post_id().is_some_and(|post| standing.is_gone(post));
            let kept = standing.entries.get(act).filter(|entry| !entry.is_expired(now));
            match kept {
                Some(entry) => EntryChange::of(*entry, InboxEntry { undone, post_gone, ..*entry }),
                None if undone => None,
                None => {
                    let notification_id = inbox.next_id(now, |time| self.ids.next_notification_id(time));
                    let notification = Notification { notification_id, recipient_id: inbox.recipient_id, act: *act };
                    Some(EntryChange::new(InboxEntry { notification, undone, post_gone }))
                }
            }
        };
        concerns.acts.iter().filter_map(change).collect()
    }
}

impl Concerns {
    /// Notes that a step of a post's task is due. A post that changed as well is reconciled from the start.
    fn continue_at(&mut self, post: PostId, token: Uuid) {
        let cause = self.posts.entry(post).or_insert(Cause::Continued(token));
        if let Cause::Continued(last) = cause {
            *last = token;
        }
    }

    /// The posts to reconcile and their start cursors, without outdated steps.
    fn due(&self, standing: &Standing) -> Vec<(PostId, ReactionCursor)> {
        let from = |(post, cause): (&PostId, &Cause)| match cause {
            Cause::Changed => Some((*post, ReactionCursor::Start)),
            Cause::Continued(token) => {
                let row = standing.tasks.get(&Task::Post(*post)).filter(|row| row.token == *token)?;
                Some((*post, row.cursor))
            }
        };
        self.posts.iter().filter_map(from).collect()
    }
}

impl Standing {
    /// Whether a post is hidden. A missing post is either not yet visible to this read or already erased.
    fn is_gone(&self, post: PostId) -> bool {
        self.posts.get(&post).is_none_or(|stored| stored.live().is_none())
    }
}

/// The recipient of an act: the followee, or the post's author.
fn recipient_of(act: &Act, posts: &HashMap<PostId, StoredPost>) -> Option<UserId> {
    match act.kind {
        ActKind::Follow(followee) => Some(followee),
        ActKind::Like(post) | ActKind::Comment(post, _) => Some(posts.get(&post)?.post.author_id),
    }
}
