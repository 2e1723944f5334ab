//! The oracle of property, fault and crash tests: a model of users' actions and the resulting views. It is independent
//! of the ports: a test performs an [`Action`] through the code under test, applies it here, and compares.
//!
//! An action whose answer was lost is [attempted](SocialModel::attempt): until the service is
//! [observed](SocialModel::resolve), the model allows it to be done or not. The service may then show either, but
//! wholly.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Act, ActKind, CommentId, PostCounts, PostId, UserCounts, UserId, limits};

/// An action of a user or an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The user publishes the post.
    Post(UserId, PostId),
    /// The post's author deletes it.
    Delete(PostId),
    /// An operator restores the post.
    Restore(PostId),
    /// The first user follows the second.
    Follow(UserId, UserId),
    /// The first user unfollows the second.
    Unfollow(UserId, UserId),
    /// The user likes the post.
    Like(UserId, PostId),
    /// The user unlikes the post.
    Unlike(UserId, PostId),
    /// The user comments on the post.
    Comment(UserId, PostId, CommentId),
    /// The comment's author deletes it.
    DeleteComment(CommentId),
}

/// Whether a fact holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Stands,
    Undone,
    /// Unknown: the answer to the last action on it was lost.
    Unknown,
}

impl Known {
    const fn of(stands: bool) -> Self {
        if stands { Self::Stands } else { Self::Undone }
    }

    /// The state after an unanswered attempt to make it hold or not.
    fn attempted(self, stands: bool) -> Self {
        if self == Self::of(stands) { self } else { Self::Unknown }
    }

    /// Resolves an unknown fact by what the service shows, and checks a known one against it.
    #[track_caller]
    fn resolved(self, is_shown: bool, fact: impl Fn() -> String) -> Self {
        assert!(self == Self::Unknown || self == Self::of(is_shown), "{}: {self:?}, shown: {is_shown}", fact());
        Self::of(is_shown)
    }
}

#[derive(Debug, Clone, Copy)]
struct Post {
    author: UserId,
    known: Known,
}

#[derive(Debug, Clone, Copy)]
struct Comment {
    author: UserId,
    post: PostId,
    known: Known,
}

/// The oldest post that a follow shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backfill {
    /// The backfill has not run yet.
    Due,
    /// This post and all newer ones.
    From(PostId),
    /// All posts: there were fewer than a backfill copies.
    All,
}

#[derive(Debug, Clone, Copy)]
struct Follow {
    known: Known,
    /// The last post before the follow.
    last: Option<PostId>,
    backfill: Backfill,
}

impl Follow {
    fn shows(&self, post: PostId) -> bool {
        match self.backfill {
            Backfill::Due => Some(post) > self.last,
            Backfill::From(oldest) => post >= oldest,
            Backfill::All => true,
        }
    }

    fn has_brought(&self, post: PostId) -> bool {
        self.backfill != Backfill::Due && Some(post) <= self.last && self.shows(post)
    }
}

/// The posts that a feed may hold, and those that it must hold before any queue is drained.
#[derive(Debug, PartialEq, Eq)]
pub struct ExpectedFeed {
    /// Every post of the drained feed, newest first.
    pub all: Vec<PostId>,
    /// The posts that may show before: these, and those that an unfinished backfill may have copied.
    pub at_most: BTreeSet<PostId>,
    /// The posts that must show at once: the reader's own and those of backfills.
    pub at_once: BTreeSet<PostId>,
}

/// The facts that a service shows. Reactions to deleted posts are not shown.
#[derive(Debug, Default)]
pub struct Facts {
    /// Posts that are not deleted, with their authors and texts.
    pub posts: BTreeMap<PostId, (UserId, String)>,
    /// Followers and followees.
    pub follows: BTreeSet<(UserId, UserId)>,
    /// Likes of the posts shown.
    pub likes: BTreeSet<(UserId, PostId)>,
    /// Comments on the posts shown, with their authors and texts.
    pub comments: BTreeMap<CommentId, (UserId, PostId, String)>,
}

/// Users, their actions, and the views that follow. See the [module](self).
#[derive(Debug, Default)]
pub struct SocialModel {
    posts: BTreeMap<PostId, Post>,
    follows: BTreeMap<(UserId, UserId), Follow>,
    likes: BTreeMap<(UserId, PostId), Known>,
    comments: BTreeMap<CommentId, Comment>,
    /// Posts whose ids are unknown because the answer was lost.
    attempted_posts: BTreeSet<(UserId, String)>,
    /// Comments whose ids are unknown because the answer was lost.
    attempted_comments: BTreeSet<(UserId, PostId, String)>,
}

/// Actions.
impl SocialModel {
    /// Applies an action that succeeded.
    pub fn apply(&mut self, action: Action) {
        match action {
            Action::Post(author, post) => drop(self.posts.insert(post, Post { author, known: Known::Stands })),
            Action::Comment(author, post, comment) => {
                self.comments.insert(comment, Comment { author, post, known: Known::Stands });
            }
            Action::Follow(follower, followee) => {
                self.begin_follow(follower, followee);
                self.backfill((follower, followee));
            }
            other => self.set(other, |_, stands| Known::of(stands)),
        }
    }

    /// Notes an action that was requested but not answered. For posts and comments, whose ids only an answer reveals,
    /// see [`Self::attempt_post`] and [`Self::attempt_comment`].
    pub fn attempt(&mut self, action: Action) {
        self.set(action, Known::attempted);
    }

    /// Notes a post that was sent; its answer, if any, is [applied](Self::apply) and [confirmed](Self::confirm_post).
    pub fn attempt_post(&mut self, author: UserId, text: &str) {
        self.attempted_posts.insert((author, text.to_owned()));
    }

    /// Notes that the attempted post was answered with this id.
    pub fn confirm_post(&mut self, author: UserId, text: &str, post: PostId) {
        assert!(self.attempted_posts.remove(&(author, text.to_owned())), "the post was not attempted: {text}");
        self.apply(Action::Post(author, post));
    }

    /// Notes a comment that was sent.
    pub fn attempt_comment(&mut self, author: UserId, post: PostId, text: &str) {
        self.attempted_comments.insert((author, post, text.to_owned()));
    }

    /// Notes that the attempted comment was answered with this id, or refused if `None`.
    pub fn confirm_comment(&mut self, author: UserId, post: PostId, text: &str, comment: Option<CommentId>) {
        let attempt = (author, post, text.to_owned());
        assert!(self.attempted_comments.remove(&attempt), "the comment was not attempted: {text}");
        if let Some(comment) = comment {
            self.apply(Action::Comment(author, post, comment));
        }
    }

    /// Notes a follow whose backfill has not run yet.
    pub fn begin_follow(&mut self, follower: UserId, followee: UserId) {
        self.set(Action::Follow(follower, followee), |_, _| Known::Stands);
    }

    /// Notes that every backfill is done.
    pub fn finish_backfills(&mut self) {
        for pair in self.follows.keys().copied().collect::<Vec<_>>() {
            self.backfill(pair);
        }
    }

    fn backfill(&mut self, pair: (UserId, UserId)) {
        let Some(follow) = self.follows.get(&pair) else { return };
        if follow.known != Known::Stands || follow.backfill != Backfill::Due {
            return;
        }
        let oldest = self.living_of(pair.1).filter(|post| Some(*post) <= follow.last).nth(limits::BACKFILLED_POSTS - 1);
        let backfill = oldest.map_or(Backfill::All, Backfill::From);
        self.follows.get_mut(&pair).expect("it was there").backfill = backfill;
    }

    /// Erases the post and its reactions, as happens long after its deletion.
    pub fn erase(&mut self, post: PostId) {
        self.posts.remove(&post);
        self.likes.retain(|(_, of), _| *of != post);
        self.comments.retain(|_, comment| comment.post != post);
    }

    fn set(&mut self, action: Action, known: impl Fn(Known, bool) -> Known) {
        let (fact, stands) = match action {
            Action::Delete(post) => (self.posts.get_mut(&post).map(|it| &mut it.known), false),
            Action::Restore(post) => (self.posts.get_mut(&post).map(|it| &mut it.known), true),
            Action::DeleteComment(comment) => (self.comments.get_mut(&comment).map(|it| &mut it.known), false),
            Action::Like(user, post) => (Some(self.likes.entry((user, post)).or_insert(Known::Undone)), true),
            Action::Unlike(user, post) => (Some(self.likes.entry((user, post)).or_insert(Known::Undone)), false),
            Action::Follow(follower, followee) | Action::Unfollow(follower, followee) => {
                let last = self.posts.last_key_value().map(|(post, _)| *post);
                let new = Follow { known: Known::Undone, last, backfill: Backfill::Due };
                let follow = self.follows.entry((follower, followee)).or_insert(new);
                if follow.known == Known::Undone {
                    *follow = new;
                }
                (Some(&mut follow.known), matches!(action, Action::Follow(..)))
            }
            Action::Post(..) | Action::Comment(..) => panic!("use attempt_post or attempt_comment: {action:?}"),
        };
        let fact = fact.unwrap_or_else(|| panic!("the action's target does not exist: {action:?}"));
        *fact = known(*fact, stands);
    }
}

/// Observation.
impl SocialModel {
    /// Compares the facts that a service shows with the known ones, and learns the unknown ones from them.
    ///
    /// # Panics
    /// When a known fact is contradicted, or a fact is shown that no action caused.
    pub fn resolve(&mut self, shown: &Facts) {
        self.resolve_posts(shown);
        self.resolve_follows(shown);
        self.resolve_likes(shown);
        self.resolve_comments(shown);
    }

    fn resolve_posts(&mut self, shown: &Facts) {
        for (id, post) in &mut self.posts {
            post.known = post.known.resolved(shown.posts.contains_key(id), || format!("post {id}"));
        }
        for (id, (author, text)) in &shown.posts {
            if !self.posts.contains_key(id) {
                self.confirm_post(*author, text, *id);
            }
        }
        self.attempted_posts.clear();
    }

    fn resolve_follows(&mut self, shown: &Facts) {
        for pair in &shown.follows {
            assert!(self.follows.contains_key(pair), "shown but never done: {pair:?}");
        }
        for (pair, follow) in &mut self.follows {
            follow.known = follow.known.resolved(shown.follows.contains(pair), || format!("follow {pair:?}"));
        }
        self.finish_backfills();
    }

    fn resolve_likes(&mut self, shown: &Facts) {
        for like in &shown.likes {
            assert!(self.likes.contains_key(like), "shown but never done: {like:?}");
        }
        for (like, known) in self.likes.iter_mut().filter(|((_, post), _)| shown.posts.contains_key(post)) {
            *known = known.resolved(shown.likes.contains(like), || format!("like {like:?}"));
        }
    }

    fn resolve_comments(&mut self, shown: &Facts) {
        for (id, comment) in self.comments.iter_mut().filter(|(_, comment)| shown.posts.contains_key(&comment.post)) {
            comment.known = comment.known.resolved(shown.comments.contains_key(id), || format!("comment {id}"));
        }
        for (id, (author, post, text)) in &shown.comments {
            if !self.comments.contains_key(id) {
                self.confirm_comment(*author, *post, text, Some(*id));
            }
        }
        self.attempted_comments.retain(|(_, post, _)| !shown.posts.contains_key(post));
    }
}

/// Views.
impl SocialModel {
    /// Every post that is not erased, oldest first, with its author and whether it is live.
    pub fn posts(&self) -> impl ExactSizeIterator<Item = (PostId, UserId, bool)> + '_ {
        self.posts.iter().map(|(id, post)| (*id, post.author, post.known == Known::Stands))
    }

    /// Every comment that is not erased, oldest first, with its post and author and whether it is deleted.
    pub fn comments(&self) -> impl ExactSizeIterator<Item = (CommentId, PostId, UserId, bool)> + '_ {
        self.comments.iter().map(|(id, it)| (*id, it.post, it.author, it.known == Known::Stands))
    }

    /// Whether the post is certainly live.
    pub fn is_live(&self, post: PostId) -> bool {
        self.posts.get(&post).is_some_and(|post| post.known == Known::Stands)
    }

    /// Whether the post is certainly deleted.
    pub fn is_deleted(&self, post: PostId) -> bool {
        self.posts.get(&post).is_some_and(|post| post.known == Known::Undone)
    }

    /// Whether the first user follows the second.
    pub fn follows(&self, follower: UserId, followee: UserId) -> bool {
        self.follows.get(&(follower, followee)).is_some_and(|follow| follow.known == Known::Stands)
    }

    /// Whether the user likes the post.
    pub fn likes(&self, user: UserId, post: PostId) -> bool {
        self.likes.get(&(user, post)) == Some(&Known::Stands)
    }

    /// The author's live posts, newest first.
    pub fn living_of(&self, author: UserId) -> impl Iterator<Item = PostId> + '_ {
        let of_author = self.posts.iter().rev().filter(move |(_, post)| post.author == author);
        of_author.filter(|(_, post)| post.known == Known::Stands).map(|(id, _)| *id)
    }

    /// The feed of a reader.
    pub fn feed(&self, reader: UserId) -> ExpectedFeed {
        let mut at_once: BTreeSet<PostId> = self.living_of(reader).collect();
        let (mut all, mut at_most) = (at_once.clone(), BTreeSet::new());
        for ((follower, author), follow) in &self.follows {
            if *follower == reader && follow.known == Known::Stands {
                all.extend(self.living_of(*author).filter(|post| follow.shows(*post)));
                at_once.extend(self.living_of(*author).filter(|post| follow.has_brought(*post)));
                if follow.backfill == Backfill::Due {
                    let before = self.living_of(*author).filter(|post| Some(*post) <= follow.last);
                    at_most.extend(before.take(limits::BACKFILLED_POSTS));
                }
            }
        }
        at_most.extend(&all);
        ExpectedFeed { all: all.into_iter().rev().collect(), at_most, at_once }
    }

    /// The counts of a user.
    pub fn user_counts(&self, user: UserId) -> UserCounts {
        let follows = || self.follows.iter().filter(|(_, follow)| follow.known == Known::Stands);
        UserCounts {
            followers: follows().filter(|((_, followee), _)| *followee == user).count() as u64,
            following: follows().filter(|((follower, _), _)| *follower == user).count() as u64,
            posts: self.living_of(user).count() as u64,
        }
    }

    /// The counts of a post.
    pub fn post_counts(&self, post: PostId) -> PostCounts {
        let likes = self.likes.iter().filter(|((_, of), known)| *of == post && **known == Known::Stands);
        let comments = self.comments.values().filter(|it| it.post == post && it.known == Known::Stands);
        PostCounts { likes: likes.count() as u64, comments: comments.count() as u64 }
    }

    /// The acts of others that concern a user, and whether their notifications are shown: those of a deleted post or
    /// comment are hidden.
    pub fn acts_concerning(&self, user: UserId) -> Vec<(Act, bool)> {
        let follows = self.follows.iter().filter(|(_, follow)| follow.known == Known::Stands);
        let follows = follows.map(|((who, whom), _)| (Act { actor_id: *who, kind: ActKind::Follow(*whom) }, true));
        let likes = self.likes.iter().filter(|(_, known)| **known == Known::Stands);
        let likes = likes.map(|((who, post), _)| (Act { actor_id: *who, kind: ActKind::Like(*post) }, true));
        let comments = self.comments.iter().map(|(id, it)| {
            (Act { actor_id: it.author, kind: ActKind::Comment(it.post, *id) }, it.known == Known::Stands)
        });
        let all = follows.chain(likes).chain(comments).filter(|(act, _)| act.actor_id != user);
        all.filter_map(|(act, stands)| match act.kind {
            ActKind::Follow(followee) => (followee == user).then_some((act, stands)),
            ActKind::Like(post) | ActKind::Comment(post, _) => {
                let about = self.posts.get(&post).filter(|about| about.author == user)?;
                Some((act, stands && about.known == Known::Stands))
            }
        })
        .collect()
    }
}
