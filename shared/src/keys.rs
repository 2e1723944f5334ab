//! The only place where a table's keys are built. A key is a pure function of identity, so what is written twice lands
//! on the same item. The whole list with costs: `docs/data-model.md`.

use crate::{
    domain::{Handle, PostId, UserId},
    limits,
    store::Key,
};

fn key(partition: String, sort: impl Into<String>) -> Key {
    Key { partition, sort: sort.into() }
}

/// What a probe asks every table for. Nothing is stored there.
pub fn probe() -> Key {
    key("PROBE".to_owned(), "PROBE")
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
    key(format!("POST#{post}"), "POST")
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

/// What was answered to a user's `Idempotency-Key`.
pub fn idempotency_record(user: UserId, idempotency_key: &str) -> Key {
    key(format!("IDEMPOTENCY#{user}"), idempotency_key)
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

/// The partition of a user's sessions; sort key: the token family's id.
pub fn sessions_partition(user: UserId) -> String {
    format!("SESSIONS#{user}")
}

/// A session: the family that a login's refresh tokens form.
pub fn session(user: UserId, family: &str) -> Key {
    key(sessions_partition(user), family)
}

/// A refresh token, by the SHA-256 of its bits in hexadecimal.
pub fn refresh_token(digest: &str) -> Key {
    key(format!("REFRESH#{digest}"), "TOKEN")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    proptest! {
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
        }

        #[test]
        fn every_post_has_a_place_in_a_swept_shard(id: u128) {
            let entry = outbox_entry(PostId::from_uuid(Uuid::from_u128(id)));
            prop_assert!((0..limits::OUTBOX_SHARDS).any(|shard| outbox_partition(shard) == entry.partition));
        }
    }
}
