//! The only place where keys are built. A key is a pure function of identity, so repeated writes hit the same item. The
//! whole list with costs: `docs/data-model.md`. [`streamed`] parses some of them.
//!
//! Keys of objects in object storage: [`blobs`].
//!
//! Public for tests and the load test, which plant rows that no service writes. A test in `deploy-checks` keeps production
//! code outside this crate from building keys.

pub mod blobs;
pub mod streamed;

use domain::{
    Act, ActKind, CommentId, Erasable, Handle, InvalidId, MediaId, NotificationId, NotifiedAct, PostId, SessionId,
    Task, Timestamp, UserId, limits,
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

/// The partition of the users that `user` follows; sort key: the followee's id.
pub fn following_partition(user: UserId) -> String {
    format!("FOLLOWING#{user}")
}

/// The partition of the followers of `user`; sort key: the follower's id.
pub fn followers_partition(user: UserId) -> String {
    format!("FOLLOWERS#{user}")
}

/// A follow edge on the follower's side.
pub fn following_edge(follower: UserId, followee: UserId) -> Key {
    key(following_partition(follower), followee.to_string())
}

/// The same edge on the followee's side.
pub fn follower_edge(followee: UserId, follower: UserId) -> Key {
    key(followers_partition(followee), follower.to_string())
}

/// The partition of a reader: their activity, followed by the rules of their feed.
pub fn reader_partition(reader: UserId) -> String {
    format!("READER#{reader}")
}

/// Parses the reader from their partition.
///
/// # Errors
/// When it is another partition.
pub fn reader_of(partition: &str) -> Result<UserId, InvalidId> {
    partition.strip_prefix("READER#").ok_or(InvalidId)?.parse()
}

/// A reader's unfinished rebuild of their feed.
pub fn rebuild(reader: UserId) -> Key {
    key(format!("REBUILD#{reader}"), "REBUILD")
}

/// When a reader was active, and how far their feed is complete. It sorts before every rule.
pub fn activity(reader: UserId) -> Key {
    key(reader_partition(reader), "ACTIVITY")
}

/// The prefix of the sort keys of a reader's rules.
pub const RULE_PREFIX: &str = "RULE#";

/// The rule of a reader's feed about an author.
pub fn reader_rule(reader: UserId, author: UserId) -> Key {
    key(reader_partition(reader), format!("{RULE_PREFIX}{author}"))
}

/// Parses the author from a rule's sort key.
///
/// # Errors
/// When the sort key is not that of a rule.
pub fn author_of_rule(sort: &str) -> Result<UserId, InvalidId> {
    sort.strip_prefix(RULE_PREFIX).ok_or(InvalidId)?.parse()
}

/// A post.
pub fn post(post: PostId) -> Key {
    key(post_partition(post), "POST")
}

/// The partition of an author's story; sort key: the post's id.
pub fn story_partition(author: UserId) -> String {
    format!("STORY#{author}")
}

/// A post's entry in its author's story.
pub fn story_entry(author: UserId, post: PostId) -> Key {
    key(story_partition(author), post.to_string())
}

/// A picture.
pub fn media(media: MediaId) -> Key {
    key(format!("MEDIA#{media}"), "MEDIA")
}

/// The partition of the pictures of `owner`; sort key: the picture's id.
pub fn media_partition(owner: UserId) -> String {
    format!("USERMEDIA#{owner}")
}

/// A picture on its owner's side.
pub fn media_of(owner: UserId, media: MediaId) -> Key {
    key(media_partition(owner), media.to_string())
}

/// The partition of one shard of the outbox; sort key: the post's id.
pub fn outbox_partition(shard: u8) -> String {
    format!("OUTBOX#{shard:02}")
}

/// A post's entry in the outbox.
pub fn outbox_entry(post: PostId) -> Key {
    key(outbox_partition(outbox_shard(post)), post.to_string())
}

/// The shard of a post: from the last byte of its id, which is random.
fn outbox_shard(post: PostId) -> u8 {
    post.as_uuid().as_bytes()[15] % limits::OUTBOX_SHARDS
}

/// An author's delivery mode.
pub fn delivery_mode(author: UserId) -> Key {
    key(format!("DELIVERY#{author}"), "MODE")
}

/// The counts of a user.
pub fn user_counts(user: UserId) -> Key {
    key(format!("COUNTS#{user}"), "COUNTS")
}

/// The counts of a post.
pub fn post_counts(post: PostId) -> Key {
    key(format!("COUNTS#{post}"), "COUNTS")
}

/// The partition of a post and its comments.
pub fn post_partition(post: PostId) -> String {
    format!("POST#{post}")
}

/// The prefix of the sort keys of a post's comments.
pub const COMMENT_PREFIX: &str = "COMMENT#";

/// A comment on a post.
pub fn comment(post: PostId, comment: CommentId) -> Key {
    key(post_partition(post), format!("{COMMENT_PREFIX}{comment}"))
}

/// The partition of the comments that `user` wrote; sort key: the comment's id.
pub fn comments_partition(user: UserId) -> String {
    format!("COMMENTS#{user}")
}

/// A comment on its author's side.
pub fn comment_by(user: UserId, comment: CommentId) -> Key {
    key(comments_partition(user), comment.to_string())
}

/// The partition of the likes by `user`; sort key: the post's id.
pub fn likes_partition(user: UserId) -> String {
    format!("LIKES#{user}")
}

/// A like on the user's side.
pub fn like(user: UserId, post: PostId) -> Key {
    key(likes_partition(user), post.to_string())
}

/// The partition of one shard of a post's likes; sort key: the user's id.
pub fn likers_partition(post: PostId, shard: u8) -> String {
    format!("LIKERS#{post}#{shard}")
}

/// The same like on the post's side.
pub fn liker(post: PostId, user: UserId) -> Key {
    key(likers_partition(post, liker_shard(user)), user.to_string())
}

/// The shard of a liker: from the last byte of their id, which is random.
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

/// A user's inbox: the read watermark and the unread count.
pub fn unread(user: UserId) -> Key {
    key(format!("UNREAD#{user}"), "UNREAD")
}

/// The partition of the notifications that `actor` caused, by act.
pub fn notified_partition(actor: UserId) -> String {
    format!("NOTIFIED#{actor}")
}

/// The pointer from an act to its notification.
pub fn notified(act: &Act) -> Key {
    let in_list = match act.kind {
        ActKind::Like(post) => NotifiedAct::Like(post),
        ActKind::Comment(_, comment) => NotifiedAct::Comment(comment),
        ActKind::Follow(user) => NotifiedAct::Follow(user),
    };
    notified_in_list(act.actor_id, in_list)
}

/// The same, by the act's position in its actor's list.
pub fn notified_in_list(actor: UserId, act: NotifiedAct) -> Key {
    key(notified_partition(actor), notified_sort(act))
}

/// The sort key of an act in its actor's list.
pub fn notified_sort(act: NotifiedAct) -> String {
    match act {
        NotifiedAct::Like(post) => format!("LIKE#{post}"),
        NotifiedAct::Comment(comment) => format!("COMMENT#{comment}"),
        NotifiedAct::Follow(user) => format!("FOLLOW#{user}"),
    }
}

/// Parses [`notified_sort`].
///
/// # Errors
/// When the sort key is not that of an act.
pub fn notified_from_sort(sort: &str) -> Result<NotifiedAct, InvalidId> {
    match sort.split_once('#').ok_or(InvalidId)? {
        ("LIKE", post) => Ok(NotifiedAct::Like(post.parse()?)),
        ("COMMENT", comment) => Ok(NotifiedAct::Comment(comment.parse()?)),
        ("FOLLOW", user) => Ok(NotifiedAct::Follow(user.parse()?)),
        _ => Err(InvalidId),
    }
}

/// A task: notification work that continues step by step.
pub fn task(task: Task) -> Key {
    match task {
        Task::Post(post) => key(format!("TASKS#{post}"), "POST"),
        Task::Inbox(user) => key(format!("TASKS#{user}"), "INBOX"),
    }
}

/// The ledger entry of an applied change, by the change's id.
pub fn applied_change(change: &str) -> Key {
    key(format!("LEDGER#{change}"), "APPLIED")
}

/// The partition of one shard of unfinished backfills.
pub fn backfills_partition(shard: u8) -> String {
    format!("BACKFILLS#{shard}")
}

/// An unfinished backfill.
pub fn backfill(follower: UserId, followee: UserId) -> Key {
    let shard = follower.as_uuid().as_bytes()[15] % limits::TASK_SHARDS;
    key(backfills_partition(shard), format!("{follower}#{followee}"))
}

/// The partition of one shard of erasures; sort keys begin with the due time, in milliseconds.
pub fn erasures_partition(shard: u8) -> String {
    format!("ERASURES#{shard}")
}

/// The prefix of the sort keys of erasures due at this time; it increases with the time.
pub fn erasure_due(at: Timestamp) -> String {
    format!("{:014}", at.as_millis())
}

/// A post's erasure.
pub fn post_erasure(post: PostId, due: Timestamp) -> Key {
    let shard = post.as_uuid().as_bytes()[15] % limits::TASK_SHARDS;
    key(erasures_partition(shard), format!("{}#POST#{post}", erasure_due(due)))
}

/// A user's erasure.
pub fn user_erasure(user: UserId, due: Timestamp) -> Key {
    let shard = user.as_uuid().as_bytes()[15] % limits::TASK_SHARDS;
    key(erasures_partition(shard), format!("{}#USER#{user}", erasure_due(due)))
}

/// The erasure of a picture that nothing shows.
pub fn media_erasure(media: MediaId, due: Timestamp) -> Key {
    let shard = media.as_uuid().as_bytes()[15] % limits::TASK_SHARDS;
    key(erasures_partition(shard), format!("{}#MEDIA#{media}", erasure_due(due)))
}

/// Parses the due time and the target from an erasure's sort key.
///
/// # Errors
/// When the sort key is not that of an erasure.
pub fn erasure_from_sort(sort: &str) -> Result<(Timestamp, Erasable), InvalidId> {
    let mut parts = sort.splitn(3, '#');
    let (Some(due), Some(kind), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(InvalidId);
    };
    let due = Timestamp::from_millis(due.parse().map_err(|_| InvalidId)?);
    match kind {
        "POST" => Ok((due, Erasable::Post(id.parse()?))),
        "USER" => Ok((due, Erasable::User(id.parse()?))),
        "MEDIA" => Ok((due, Erasable::Media(id.parse()?))),
        _ => Err(InvalidId),
    }
}

/// The uses of a rate limit by a subject, in one window.
pub fn rate(limit: &str, subject: &str, window: u64) -> Key {
    key(format!("RATE#{limit}#{subject}"), format!("{window:012}"))
}

/// The partition of the `Idempotency-Key`s of `user`; sort key: the key's own text.
pub fn idempotency_partition(user: UserId) -> String {
    format!("IDEMPOTENCY#{user}")
}

/// The record of a user's `Idempotency-Key`.
pub fn idempotency_record(user: UserId, idempotency_key: &str) -> Key {
    key(idempotency_partition(user), idempotency_key)
}

// --- Feed

/// The partition of a reader's feed; sort key: the post's id.
pub fn feed_partition(reader: UserId) -> String {
    reader.to_string()
}

/// A post's entry in a reader's feed.
pub fn feed_entry(reader: UserId, post: PostId) -> Key {
    key(feed_partition(reader), post.to_string())
}

// --- Auth

/// A user's password hash and e-mail address.
pub fn credentials(user: UserId) -> Key {
    key(format!("USER#{user}"), "CREDENTIALS")
}

/// The claim of an e-mail address, in canonical form.
pub fn email_claim(canonical: &str) -> Key {
    key(format!("EMAIL#{canonical}"), "CLAIM")
}

/// The partition of a user's sessions; sort keys ascend with the sessions' start.
pub fn sessions_partition(user: UserId) -> String {
    format!("SESSIONS#{user}")
}

/// The prefix of the sort keys of sessions whose id contains the start time. It sorts after every random id.
const TIMED_SESSION_PREFIX: &str = "v7#";

/// A session: the family of refresh tokens that one login begins.
pub fn session(user: UserId, session: SessionId) -> Key {
    key(sessions_partition(user), session_sort(session))
}

/// A session's sort key: by its start time, after all sessions whose id lacks one.
pub fn session_sort(session: SessionId) -> String {
    match session.created_at() {
        Some(_) => format!("{TIMED_SESSION_PREFIX}{session}"),
        None => session.to_string(),
    }
}

/// Parses [`session_sort`].
pub fn session_of_sort(sort: &str) -> Result<SessionId, InvalidId> {
    sort.strip_prefix(TIMED_SESSION_PREFIX).unwrap_or(sort).parse()
}

/// A refresh token, by the hexadecimal SHA-256 of its bits.
pub fn refresh_token(digest: &str) -> Key {
    key(format!("REFRESH#{digest}"), "TOKEN")
}

/// The clock mark of a process that is alone on its store.
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
        fn timed_sessions_sort_after_random_ids(random: u128, early in 0_u64..1 << 48, late in 0_u64..1 << 48) {
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
        fn sort_keys_parse_back_to_their_ids(a: u128, b: u128) {
            let (user, other) = (UserId::from_uuid(Uuid::from_u128(a)), UserId::from_uuid(Uuid::from_u128(b)));
            let post = PostId::from_uuid(Uuid::from_u128(b));
            prop_assert_eq!(following_edge(user, other).sort.parse(), Ok(other));
            prop_assert_eq!(follower_edge(user, other).sort.parse(), Ok(other));
            prop_assert_eq!(author_of_rule(&reader_rule(user, other).sort), Ok(other));
            prop_assert!(activity(user) < reader_rule(user, other));
            prop_assert_eq!(reader_of(&activity(user).partition), Ok(user));
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
        fn erasure_keys_parse_and_sort_by_due_time(id: u128, due in 0..99_999_999_999_999_u64, later in 1..1_000_u64) {
            let (post, user) = (PostId::from_uuid(Uuid::from_u128(id)), UserId::from_uuid(Uuid::from_u128(id)));
            let due = Timestamp::from_millis(due.saturating_sub(later));
            let of_post = post_erasure(post, due).sort;
            let of_user = user_erasure(user, due).sort;
            let media = MediaId::from_uuid(Uuid::from_u128(id));
            let of_media = media_erasure(media, due).sort;
            prop_assert_eq!(erasure_from_sort(&of_media), Ok((due, Erasable::Media(media))));
            prop_assert_eq!(erasure_from_sort(&of_post), Ok((due, Erasable::Post(post))));
            prop_assert_eq!(erasure_from_sort(&of_user), Ok((due, Erasable::User(user))));
            let then = erasure_due(due.plus(std::time::Duration::from_millis(later)));
            prop_assert!(of_post < then && of_user < then && of_media < then && erasure_due(due) <= of_post);
        }

        #[test]
        fn every_post_is_in_a_swept_shard(id: u128) {
            let entry = outbox_entry(PostId::from_uuid(Uuid::from_u128(id)));
            prop_assert!((0..limits::OUTBOX_SHARDS).any(|shard| outbox_partition(shard) == entry.partition));
        }
    }
}
