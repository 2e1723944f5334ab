//! The only place where a table's keys are built. A key is a pure function of identity, so what is written twice lands
//! on the same item. The whole list with costs: `docs/data-model.md`. [`streamed`] reads some of them back.

pub mod streamed;

use domain::{
    Act, ActKind, CommentId, Erasable, Handle, InvalidId, NotificationId, NotifiedAct, PostId, SessionId, Task,
    Timestamp, UserId, limits,
};
use ports::store::Key;

fn key(partition: String, sort: impl Into<String>) -> Key {
    Key { partition, sort: sort.into() }
}

// --- Social

/// A user's profile.
pub fn profile(user: UserId) -> Key {
    key(format!("USER#{user}"), "PROFILE")
}

/// The claim of a handle.
pub fn handle_claim(handle: &Handle) -> Key {
    key(format!("HANDLE#{handle}"), "CLAIM")
}

/// The partition of whom `user` follows; sort key: the other's id.
pub fn following_partition(user: UserId) -> String {
    format!("FOLLOWING#{user}")
}

/// The partition of who follows `user`; sort key: the other's id.
pub fn followers_partition(user: UserId) -> String {
    format!("FOLLOWERS#{user}")
}

/// The edge by which `follower` finds whom they follow.
pub fn following_edge(follower: UserId, followee: UserId) -> Key {
    key(following_partition(follower), followee.to_string())
}

/// The same edge from the other side.
pub fn follower_edge(followee: UserId, follower: UserId) -> Key {
    key(followers_partition(followee), follower.to_string())
}

/// A post.
pub fn post(post: PostId) -> Key {
    key(post_partition(post), "POST")
}

/// The partition of an author's story; sort key: the post's id.
pub fn story_partition(author: UserId) -> String {
    format!("STORY#{author}")
}

/// A post's place in its author's story.
pub fn story_entry(author: UserId, post: PostId) -> Key {
    key(story_partition(author), post.to_string())
}

/// The partition of one shard of the outbox; sort key: the post's id.
pub fn outbox_partition(shard: u8) -> String {
    format!("OUTBOX#{shard:02}")
}

/// A post's place in the outbox.
pub fn outbox_entry(post: PostId) -> Key {
    key(outbox_partition(outbox_shard(post)), post.to_string())
}

/// The shard of a post: by the last byte of its id, which is random.
fn outbox_shard(post: PostId) -> u8 {
    post.as_uuid().as_bytes()[15] % limits::OUTBOX_SHARDS
}

/// How many of what a user has.
pub fn user_counts(user: UserId) -> Key {
    key(format!("COUNTS#{user}"), "COUNTS")
}

/// How many of what a post has.
pub fn post_counts(post: PostId) -> Key {
    key(format!("COUNTS#{post}"), "COUNTS")
}

/// The partition of a post and its comments.
pub fn post_partition(post: PostId) -> String {
    format!("POST#{post}")
}

/// What the sort keys of a post's comments begin with.
pub const COMMENT_PREFIX: &str = "COMMENT#";

/// A comment on a post.
pub fn comment(post: PostId, comment: CommentId) -> Key {
    key(post_partition(post), format!("{COMMENT_PREFIX}{comment}"))
}

/// The partition of the comments that `user` wrote; sort key: the comment's id.
pub fn comments_partition(user: UserId) -> String {
    format!("COMMENTS#{user}")
}

/// That `user` wrote a comment.
pub fn comment_by(user: UserId, comment: CommentId) -> Key {
    key(comments_partition(user), comment.to_string())
}

/// The partition of what `user` likes; sort key: the post's id.
pub fn likes_partition(user: UserId) -> String {
    format!("LIKES#{user}")
}

/// That `user` likes a post, as `user` finds it.
pub fn like(user: UserId, post: PostId) -> Key {
    key(likes_partition(user), post.to_string())
}

/// The partition of one shard of who likes a post; sort key: the user's id.
pub fn likers_partition(post: PostId, shard: u8) -> String {
    format!("LIKERS#{post}#{shard}")
}

/// The same like, as the post finds it.
pub fn liker(post: PostId, user: UserId) -> Key {
    key(likers_partition(post, liker_shard(user)), user.to_string())
}

/// The shard of a liker: by the last byte of their id, which is random.
pub fn liker_shard(user: UserId) -> u8 {
    user.as_uuid().as_bytes()[15] % limits::LIKER_SHARDS
}

/// The partition of a user's notifications; sort key: the notification's id.
pub fn notifications_partition(user: UserId) -> String {
    format!("NOTIFICATIONS#{user}")
}

/// A notification.
pub fn notification(user: UserId, notification: NotificationId) -> Key {
    key(notifications_partition(user), notification.to_string())
}

/// How far a user has read their notifications, and how many they have not.
pub fn unread(user: UserId) -> Key {
    key(format!("UNREAD#{user}"), "UNREAD")
}

/// The partition of the notifications that `actor` caused, found by the act.
pub fn notified_partition(actor: UserId) -> String {
    format!("NOTIFIED#{actor}")
}

/// Which notification stands for an act.
pub fn notified(act: &Act) -> Key {
    let in_list = match act.kind {
        ActKind::Like(post) => NotifiedAct::Like(post),
        ActKind::Comment(_, comment) => NotifiedAct::Comment(comment),
        ActKind::Follow(user) => NotifiedAct::Follow(user),
    };
    notified_in_list(act.actor_id, in_list)
}

/// The same by the act's place in the list of its actor.
pub fn notified_in_list(actor: UserId, act: NotifiedAct) -> Key {
    key(notified_partition(actor), notified_sort(act))
}

/// The sort key of an act in the list of its actor.
pub fn notified_sort(act: NotifiedAct) -> String {
    match act {
        NotifiedAct::Like(post) => format!("LIKE#{post}"),
        NotifiedAct::Comment(comment) => format!("COMMENT#{comment}"),
        NotifiedAct::Follow(user) => format!("FOLLOW#{user}"),
    }
}

/// Reads [`notified_sort`] back.
///
/// # Errors
/// When no act has this sort key.
pub fn notified_from_sort(sort: &str) -> Result<NotifiedAct, InvalidId> {
    match sort.split_once('#').ok_or(InvalidId)? {
        ("LIKE", post) => Ok(NotifiedAct::Like(post.parse()?)),
        ("COMMENT", comment) => Ok(NotifiedAct::Comment(comment.parse()?)),
        ("FOLLOW", user) => Ok(NotifiedAct::Follow(user.parse()?)),
        _ => Err(InvalidId),
    }
}

/// Work about notifications that continues step by step.
pub fn task(task: Task) -> Key {
    match task {
        Task::Post(post) => key(format!("TASKS#{post}"), "POST"),
        Task::Inbox(user) => key(format!("TASKS#{user}"), "INBOX"),
    }
}

/// That a change was applied, by the change's id.
pub fn applied_change(change: &str) -> Key {
    key(format!("LEDGER#{change}"), "APPLIED")
}

/// The partition of one shard of the follows whose backfill is not finished.
pub fn backfills_partition(shard: u8) -> String {
    format!("BACKFILLS#{shard}")
}

/// A backfill that is not finished.
pub fn backfill(follower: UserId, followee: UserId) -> Key {
    let shard = follower.as_uuid().as_bytes()[15] % limits::TASK_SHARDS;
    key(backfills_partition(shard), format!("{follower}#{followee}"))
}

/// The partition of one shard of what is to be erased; sort keys begin with the time from which on, in milliseconds.
pub fn erasures_partition(shard: u8) -> String {
    format!("ERASURES#{shard}")
}

/// What sort keys of erasures due at this time begin with: rising with it.
pub fn erasure_due(at: Timestamp) -> String {
    format!("{:014}", at.as_millis())
}

/// A post to be erased.
pub fn post_erasure(post: PostId, due: Timestamp) -> Key {
    let shard = post.as_uuid().as_bytes()[15] % limits::TASK_SHARDS;
    key(erasures_partition(shard), format!("{}#POST#{post}", erasure_due(due)))
}

/// A user to be erased.
pub fn user_erasure(user: UserId, due: Timestamp) -> Key {
    let shard = user.as_uuid().as_bytes()[15] % limits::TASK_SHARDS;
    key(erasures_partition(shard), format!("{}#USER#{user}", erasure_due(due)))
}

/// When an erasure is due and of what, read back from its sort key.
///
/// # Errors
/// When no erasure has this sort key.
pub fn erasure_from_sort(sort: &str) -> Result<(Timestamp, Erasable), InvalidId> {
    let mut parts = sort.splitn(3, '#');
    let (Some(due), Some(kind), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(InvalidId);
    };
    let due = Timestamp::from_millis(due.parse().map_err(|_| InvalidId)?);
    match kind {
        "POST" => Ok((due, Erasable::Post(id.parse()?))),
        "USER" => Ok((due, Erasable::User(id.parse()?))),
        _ => Err(InvalidId),
    }
}

/// How much of a rate limit a subject has used, in one window.
pub fn rate(limit: &str, subject: &str, window: u64) -> Key {
    key(format!("RATE#{limit}#{subject}"), format!("{window:012}"))
}

/// The partition of the `Idempotency-Key`s that `user` sent; sort key: the key's own text.
pub fn idempotency_partition(user: UserId) -> String {
    format!("IDEMPOTENCY#{user}")
}

/// What was answered to a user's `Idempotency-Key`.
pub fn idempotency_record(user: UserId, idempotency_key: &str) -> Key {
    key(idempotency_partition(user), idempotency_key)
}

// --- Feed

/// The partition of a reader's feed; sort key: the post's id.
pub fn feed_partition(reader: UserId) -> String {
    reader.to_string()
}

/// A post's place in a reader's feed.
pub fn feed_entry(reader: UserId, post: PostId) -> Key {
    key(feed_partition(reader), post.to_string())
}

// --- Auth

/// A user's password hash and e-mail address.
pub fn credentials(user: UserId) -> Key {
    key(format!("USER#{user}"), "CREDENTIALS")
}

/// The claim of an e-mail address, by its canonical form.
pub fn email_claim(canonical: &str) -> Key {
    key(format!("EMAIL#{canonical}"), "CLAIM")
}

/// The partition of a user's sessions; sort keys rise with the sessions' beginning.
pub fn sessions_partition(user: UserId) -> String {
    format!("SESSIONS#{user}")
}

/// What the sort keys of sessions begin with whose id tells when they began. It sorts behind every random id.
const TIMED_SESSION_PREFIX: &str = "v7#";

/// A session: the family that a login's refresh tokens form.
pub fn session(user: UserId, session: SessionId) -> Key {
    key(sessions_partition(user), session_sort(session))
}

/// A session's place among those of its user: by its beginning, behind all that began before ids told it.
pub fn session_sort(session: SessionId) -> String {
    match session.created_at() {
        Some(_) => format!("{TIMED_SESSION_PREFIX}{session}"),
        None => session.to_string(),
    }
}

/// Reads [`session_sort`] back.
pub fn session_of_sort(sort: &str) -> Result<SessionId, InvalidId> {
    sort.strip_prefix(TIMED_SESSION_PREFIX).unwrap_or(sort).parse()
}

/// A refresh token, by the SHA-256 of its bits in hexadecimal.
pub fn refresh_token(digest: &str) -> Key {
    key(format!("REFRESH#{digest}"), "TOKEN")
}

/// What a process that is alone on its store remembers of the time.
pub fn clock_mark() -> Key {
    key("CLOCK".to_owned(), "MARK")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    proptest! {
        #[test]
        fn sessions_sort_by_beginning_behind_those_of_random_ids(random: u128, early in 0_u64..1 << 48, late in 0_u64..1 << 48) {
            let random = SessionId::from_uuid(uuid::Builder::from_random_bytes(random.to_be_bytes()).into_uuid());
            let [early, late] = [early, late].map(|at| SessionId::beginning_at(Timestamp::from_millis(at)));
            let sorts = [random, early, late].map(session_sort);
            for (session, sort) in [random, early, late].into_iter().zip(&sorts) {
                prop_assert_eq!(session_of_sort(sort), Ok(session));
            }
            prop_assert!(sorts[0] < sorts[1] && sorts[0] < sorts[2]);
            prop_assert_eq!(sorts[1].cmp(&sorts[2]), early.cmp(&late));
        }

        #[test]
        fn feed_entries_sort_like_their_posts(a: u128, b: u128) {
            let reader = UserId::random();
            let (a, b) = (PostId::from_uuid(Uuid::from_u128(a)), PostId::from_uuid(Uuid::from_u128(b)));
            prop_assert_eq!(feed_entry(reader, a).sort.cmp(&feed_entry(reader, b).sort), a.cmp(&b));
        }

        #[test]
        fn sort_keys_read_back_as_the_ids_they_were_made_of(a: u128, b: u128) {
            let (user, other) = (UserId::from_uuid(Uuid::from_u128(a)), UserId::from_uuid(Uuid::from_u128(b)));
            let post = PostId::from_uuid(Uuid::from_u128(b));
            prop_assert_eq!(following_edge(user, other).sort.parse(), Ok(other));
            prop_assert_eq!(follower_edge(user, other).sort.parse(), Ok(other));
            prop_assert_eq!(story_entry(user, post).sort.parse(), Ok(post));
            prop_assert_eq!(outbox_entry(post).sort.parse(), Ok(post));
            let comment = CommentId::from_uuid(Uuid::from_u128(a));
            // A new act does not compile until it has its place in the list.
            let next = |act: &NotifiedAct| match act {
                NotifiedAct::Like(_) => Some(NotifiedAct::Comment(comment)),
                NotifiedAct::Comment(_) => Some(NotifiedAct::Follow(other)),
                NotifiedAct::Follow(_) => None,
            };
            for act in std::iter::successors(Some(NotifiedAct::Like(post)), next) {
                prop_assert_eq!(notified_from_sort(&notified_in_list(user, act).sort), Ok(act));
            }
        }

        #[test]
        fn an_erasure_reads_back_and_sorts_by_when_it_is_due(id: u128, due in 0..99_999_999_999_999_u64, later in 1..1_000_u64) {
            let (post, user) = (PostId::from_uuid(Uuid::from_u128(id)), UserId::from_uuid(Uuid::from_u128(id)));
            let due = Timestamp::from_millis(due.saturating_sub(later));
            let of_post = post_erasure(post, due).sort;
            let of_user = user_erasure(user, due).sort;
            prop_assert_eq!(erasure_from_sort(&of_post), Ok((due, Erasable::Post(post))));
            prop_assert_eq!(erasure_from_sort(&of_user), Ok((due, Erasable::User(user))));
            let then = erasure_due(due.plus(std::time::Duration::from_millis(later)));
            prop_assert!(of_post < then && of_user < then && erasure_due(due) <= of_post);
        }

        #[test]
        fn every_post_has_a_place_in_a_swept_shard(id: u128) {
            let entry = outbox_entry(PostId::from_uuid(Uuid::from_u128(id)));
            prop_assert!((0..limits::OUTBOX_SHARDS).any(|shard| outbox_partition(shard) == entry.partition));
        }
    }
}
