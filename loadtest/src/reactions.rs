//! Verifies likes, comments and counts through HTTP.

use std::collections::{HashMap, HashSet};

use domain::{CommentId, PostCounts, PostId, UserId};
use futures::{StreamExt as _, TryStreamExt as _};
use indicatif::ProgressBar;
use serde::{Deserialize, de::DeserializeOwned};

use crate::client::{ClientError, CommentRef, HttpClient};

/// Concurrent reads of posts and users.
const READS_IN_FLIGHT: usize = 16;
/// Page size: the maximum.
const PAGE: u32 = 100;

/// The expected reactions to one post.
#[derive(Debug, Clone, Default)]
pub struct Accepted {
    /// The users who like it.
    pub likers: HashSet<UserId>,
    /// The comments on it.
    pub comments: HashSet<CommentId>,
}

/// The expected counts of a user. There may be more posts if requests failed, as those may have been published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Has {
    /// Followers.
    pub followers: u64,
    /// Followees.
    pub following: u64,
    /// Answered posts.
    pub posts: u64,
    /// Failed requests.
    pub perhaps_posts: u64,
}

/// The comparison of lists and counts with their expected content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Answered likes and comments missing in the lists.
    pub lost: u64,
    /// Repetitions in the lists.
    pub duplicates: u64,
    /// Counts compared.
    pub counts_checked: u64,
    /// Counts that were wrong.
    pub counts_off: u64,
}

impl Verdict {
    /// Compares a post's lists to the answers, and its counts to its lists. A failed request may have been applied:
    /// further items in a list are neither lost nor duplicate, but must be counted.
    pub fn of_post(counts: PostCounts, likers: &[UserId], comments: &[CommentId], accepted: &Accepted) -> Self {
        let [likes, comments] = [
            Self::of_list(likers, &accepted.likers, counts.likes),
            Self::of_list(comments, &accepted.comments, counts.comments),
        ];
        likes.and(comments)
    }

    fn of_list<T: Eq + std::hash::Hash>(listed: &[T], accepted: &HashSet<T>, count: u64) -> Self {
        let distinct: HashSet<&T> = listed.iter().collect();
        Self {
            lost: accepted.iter().filter(|item| !distinct.contains(item)).count() as u64,
            duplicates: (listed.len() - distinct.len()) as u64,
            counts_checked: 1,
            counts_off: u64::from(count != distinct.len() as u64),
        }
    }

    /// Compares a profile's counts.
    const fn of_profile(profile: &ProfileCounts, has: &Has) -> Self {
        let posts_off = profile.posts < has.posts || has.posts + has.perhaps_posts < profile.posts;
        let off = [profile.followers != has.followers, profile.following != has.following, posts_off];
        let counts_off = off[0] as u64 + off[1] as u64 + off[2] as u64;
        Self { lost: 0, duplicates: 0, counts_checked: 3, counts_off }
    }

    /// The sum of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            lost: self.lost + other.lost,
            duplicates: self.duplicates + other.duplicates,
            counts_checked: self.counts_checked + other.counts_checked,
            counts_off: self.counts_off + other.counts_off,
        }
    }
}

/// The counts of a post, as shown.
#[derive(Debug, Clone, Copy, Deserialize)]
struct ShownPost {
    likes_count: u64,
    comments_count: u64,
}

/// The counts of a profile, as shown.
#[derive(Debug, Clone, Copy, Deserialize)]
struct ProfileCounts {
    #[serde(rename = "followers_count")]
    followers: u64,
    #[serde(rename = "following_count")]
    following: u64,
    #[serde(rename = "posts_count")]
    posts: u64,
}

/// A user in the list of likers.
#[derive(Debug, Clone, Copy, Deserialize)]
struct LikeRef {
    user: UserRef,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct UserRef {
    user_id: UserId,
}

#[derive(Debug, Deserialize)]
struct ListPage<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct InboxPage {
    unread_count: u64,
}

/// Reads posts and users as one user.
#[derive(Debug, Clone)]
pub struct Checker {
    client: HttpClient,
    token: String,
}

impl Checker {
    /// Reads with `client` as the user of `token`.
    pub const fn new(client: HttpClient, token: String) -> Self {
        Self { client, token }
    }

    /// Compares all posts. `progress` counts them.
    pub async fn posts(
        &self,
        accepted: &HashMap<PostId, Accepted>,
        progress: &ProgressBar,
    ) -> Result<Verdict, ClientError> {
        let verdicts = futures::stream::iter(accepted).map(|(post, accepted)| async move {
            let verdict = self.post(*post, accepted).await?;
            progress.inc(1);
            Ok(verdict)
        });
        sum(verdicts).await
    }

    /// Compares one post.
    pub async fn post(&self, post: PostId, accepted: &Accepted) -> Result<Verdict, ClientError> {
        let likers: Vec<LikeRef> = self.whole("GET /v1/posts/{id}/likes", &format!("/v1/posts/{post}/likes")).await?;
        let likers: Vec<UserId> = likers.iter().map(|like| like.user.user_id).collect();
        let comments = self.whole("GET /v1/posts/{id}/comments", &format!("/v1/posts/{post}/comments")).await?;
        let comments: Vec<CommentId> = comments.iter().map(|comment: &CommentRef| comment.comment_id).collect();
        Ok(Verdict::of_post(self.counts(post).await?, &likers, &comments, accepted))
    }

    /// The counts of a post.
    pub async fn counts(&self, post: PostId) -> Result<PostCounts, ClientError> {
        let shown: ShownPost = self.client.get("GET /v1/posts/{id}", &format!("/v1/posts/{post}"), &self.token).await?;
        Ok(PostCounts { likes: shown.likes_count, comments: shown.comments_count })
    }

    /// The reader's number of unread notifications.
    pub async fn unread(&self) -> Result<u64, ClientError> {
        let route = "GET /v1/notifications";
        let page: InboxPage = self.client.get(route, "/v1/notifications?limit=1", &self.token).await?;
        Ok(page.unread_count)
    }

    /// Compares the counts of all users. `progress` counts users.
    pub async fn users(&self, has: &HashMap<UserId, Has>, progress: &ProgressBar) -> Result<Verdict, ClientError> {
        let verdicts = futures::stream::iter(has).map(|(user, has)| async move {
            let path = format!("/v1/users/{user}");
            let profile: ProfileCounts = self.client.get("GET /v1/users/{user}", &path, &self.token).await?;
            progress.inc(1);
            Ok(Verdict::of_profile(&profile, has))
        });
        sum(verdicts).await
    }

    /// Reads all pages of a list.
    async fn whole<T: DeserializeOwned>(&self, route: &'static str, path: &str) -> Result<Vec<T>, ClientError> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = format!("{path}?limit={PAGE}{cursor}");
            let page: ListPage<T> = self.client.get(route, &page, &self.token).await?;
            items.extend(page.items);
            let Some(next) = page.next_cursor else { return Ok(items) };
            cursor = format!("&cursor={next}");
        }
    }
}

async fn sum(
    verdicts: impl futures::Stream<Item = impl Future<Output = Result<Verdict, ClientError>>>,
) -> Result<Verdict, ClientError> {
    verdicts
        .buffer_unordered(READS_IN_FLIGHT)
        .try_fold(Verdict::default(), |sum, verdict| async move { Ok(sum.and(verdict)) })
        .await
}

#[cfg(test)]
mod tests {
    use domain::{Clock, IdGenerator};

    use super::*;

    #[test]
    fn likes_are_compared_with_list_and_count() {
        let [first, second, third] = [(); 3].map(|()| UserId::random());
        let accepted = Accepted { likers: [first, second].into(), comments: HashSet::new() };
        let of = |likes, likers: &[UserId]| Verdict::of_post(PostCounts { likes, comments: 0 }, likers, &[], &accepted);
        let fine = Verdict { counts_checked: 2, ..Verdict::default() };
        assert_eq!(of(2, &[first, second]), fine);
        assert_eq!(of(2, &[second, first]), fine);
        assert_eq!(of(1, &[first]), Verdict { lost: 1, ..fine });
        assert_eq!(of(2, &[first, second, first]), Verdict { duplicates: 1, ..fine });
        // A like of a failed request.
        assert_eq!(of(3, &[first, second, third]), fine);
        assert_eq!(of(1, &[first, second]), Verdict { counts_off: 1, ..fine });
        assert_eq!(of(3, &[first, second]), Verdict { counts_off: 1, ..fine });
    }

    #[test]
    fn a_missing_comment_is_lost() {
        let comment = IdGenerator::new().next_comment_id(Clock::System.now());
        let accepted = Accepted { likers: HashSet::new(), comments: [comment].into() };
        let verdict = Verdict::of_post(PostCounts { likes: 0, comments: 1 }, &[], &[], &accepted);
        assert_eq!(verdict, Verdict { lost: 1, duplicates: 0, counts_checked: 2, counts_off: 1 });
    }

    #[test]
    fn profile_counts_may_include_failed_posts() {
        let has = Has { followers: 1, following: 2, posts: 3, perhaps_posts: 1 };
        let off = |followers, following, posts| {
            Verdict::of_profile(&ProfileCounts { followers, following, posts }, &has).counts_off
        };
        assert_eq!([off(1, 2, 3), off(1, 2, 4), off(1, 2, 5), off(1, 2, 2), off(0, 0, 0)], [0, 0, 1, 1, 3]);
    }
}
