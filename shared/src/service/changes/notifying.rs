//! Notifications: made what they must be by what stands now.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures::{StreamExt, TryStreamExt, stream};

use super::{Effective, effect::Subject};
use crate::{
    dao::{Acts, Counted, Counts, Notifications, Notified, Posts, StoredPost},
    domain::{Act, IdGenerator, Inbox, InboxEntry, Notification, PostId, Timestamp, UserId},
    service::{
        inbox::{EntryChange, InboxWriter},
        live::LiveService,
        rounds::Rounds,
    },
    store::{Store, StoreError},
};

/// Inboxes written at once.
const WRITES_IN_FLIGHT: usize = 16;

/// Settles notifications.
#[derive(Debug, Clone)]
pub struct Notifying {
    notifications: Notifications,
    posts: Posts,
    acts: Acts,
    counts: Counts,
    writer: InboxWriter,
    ids: Arc<IdGenerator>,
}

/// What is to be settled in one inbox.
#[derive(Debug, Clone, Default)]
struct Concerns {
    /// Acts that were done or undone.
    acts: HashSet<Act>,
    /// Posts of the recipient that were deleted or restored.
    posts: HashSet<PostId>,
}

/// What stands, read after the inboxes.
#[derive(Debug)]
struct Standing {
    acts: HashSet<Act>,
    posts: HashMap<PostId, StoredPost>,
    /// By act, what stands for it now.
    entries: HashMap<Act, InboxEntry>,
}

impl Notifying {
    /// Notifications in `store`.
    pub fn new(store: Arc<dyn Store>, ids: Arc<IdGenerator>) -> Self {
        Self {
            notifications: Notifications::new(store.clone()),
            posts: Posts::new(store.clone()),
            acts: Acts::new(store.clone()),
            counts: Counts::new(store.clone()),
            writer: InboxWriter::new(store),
            ids,
        }
    }

    /// The same, telling recipients who are connected.
    pub fn announced_by(self, live: Option<LiveService>) -> Self {
        Self { writer: self.writer.announced_by(live), ..self }
    }

    /// Makes the notifications that these changes are about what they must be now.
    pub async fn settle(&self, changes: &[Effective<'_>], now: Timestamp) -> Result<(), StoreError> {
        let (mut left, mut rounds) = (self.concerns_of(changes).await?, Rounds::new());
        while !left.is_empty() {
            left = self.round(left, now).await?;
            if !left.is_empty() {
                rounds.pause().await?;
            }
        }
        Ok(())
    }

    /// Who is concerned by what. Nobody is by what they did themselves, or by a post that is erased.
    async fn concerns_of(&self, changes: &[Effective<'_>]) -> Result<HashMap<UserId, Concerns>, StoreError> {
        let acts = changes.iter().filter_map(|change| match change.effect.subject {
            Subject::Act(act) => Some(act),
            Subject::Post { .. } => None,
        });
        let posts = self.posts_of(acts.clone()).await?;
        let mut concerns: HashMap<UserId, Concerns> = HashMap::new();
        for act in acts {
            if let Some(recipient) = recipient_of(&act, &posts).filter(|recipient| *recipient != act.actor_id) {
                concerns.entry(recipient).or_default().acts.insert(act);
            }
        }
        for change in changes {
            if let Subject::Post { post, author, is_new: false } = change.effect.subject {
                concerns.entry(author).or_default().posts.insert(post);
            }
        }
        Ok(concerns)
    }

    async fn posts_of(&self, acts: impl Iterator<Item = Act>) -> Result<HashMap<PostId, StoredPost>, StoreError> {
        let posts: HashSet<PostId> = acts.filter_map(|act| act.kind.post_id()).collect();
        self.posts.get_all_strongly(&posts.into_iter().collect::<Vec<_>>()).await
    }

    /// Settles each inbox once. Returns what is left: where someone else wrote the inbox meanwhile.
    async fn round(
        &self,
        left: HashMap<UserId, Concerns>,
        now: Timestamp,
    ) -> Result<HashMap<UserId, Concerns>, StoreError> {
        // Before everything else: who writes an inbox now makes this round's writes to it be refused.
        let inboxes = self.inboxes(&left).await?;
        let standing = self.standing(left.values()).await?;
        let written = left.into_iter().filter_map(|(recipient, concerns)| Some((*inboxes.get(&recipient)?, concerns)));
        let written = stream::iter(written.collect::<Vec<_>>())
            .map(|(inbox, concerns)| self.settle_inbox(inbox, concerns, &standing, now))
            .buffer_unordered(WRITES_IN_FLIGHT);
        written.try_filter_map(|refused| std::future::ready(Ok(refused))).try_collect().await
    }

    /// The inboxes of those who can have one: who is deleted gets no first one.
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

    async fn standing(&self, concerns: impl Iterator<Item = &Concerns>) -> Result<Standing, StoreError> {
        let (mut acts, mut posts) = (Vec::new(), HashSet::new());
        for concern in concerns {
            acts.extend(concern.acts.iter().copied());
            posts.extend(concern.posts.iter().copied());
        }
        posts.extend(acts.iter().filter_map(|act| act.kind.post_id()));
        let posts: Vec<PostId> = posts.into_iter().collect();
        let (stand, posts, notified) = futures::try_join!(
            self.acts.standing(&acts),
            self.posts.get_all_strongly(&posts),
            self.notifications.notified(&acts),
        )?;
        let places: Vec<Notified> = notified.values().copied().collect();
        let entries = self.notifications.entries(&places).await?;
        let entries = notified.into_iter().filter_map(|(act, place)| Some((act, *entries.get(&place)?))).collect();
        Ok(Standing { acts: stand, posts, entries })
    }

    /// Writes one inbox; again, with its concerns, when that was refused.
    async fn settle_inbox(
        &self,
        inbox: Inbox,
        concerns: Concerns,
        standing: &Standing,
        now: Timestamp,
    ) -> Result<Option<(UserId, Concerns)>, StoreError> {
        let mut changes = self.about_acts(&inbox, &concerns, standing, now);
        for post in &concerns.posts {
            let about = self.notifications.all_about(inbox.recipient_id, *post).await?;
            let acted: HashSet<_> = changes.iter().filter_map(EntryChange::notification_id).collect();
            let about = about.into_iter().filter(|entry| !acted.contains(&entry.notification.notification_id));
            changes.extend(about.filter_map(|entry| {
                EntryChange::of(entry, InboxEntry { post_gone: standing.is_gone(*post), ..entry })
            }));
        }
        let is_written = self.writer.write(inbox, changes, now).await?;
        Ok((!is_written).then_some((inbox.recipient_id, concerns)))
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

impl Standing {
    /// Whether a post is not to be seen. One that is not stored is not there yet for this read, or not any more.
    fn is_gone(&self, post: PostId) -> bool {
        self.posts.get(&post).is_none_or(|stored| stored.live().is_none())
    }
}

/// Whom an act concerns: the one who is followed, or the post's author.
fn recipient_of(act: &Act, posts: &HashMap<PostId, StoredPost>) -> Option<UserId> {
    match act.kind {
        crate::domain::ActKind::Follow(followee) => Some(followee),
        _ => Some(posts.get(&act.kind.post_id()?)?.post.author_id),
    }
}
