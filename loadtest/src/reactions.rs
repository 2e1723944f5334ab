//! Whether likes, comments and counts are what they must be: read through HTTP, as people do.

use std::collections::{HashMap, HashSet};

use domain::{CommentId, PostCounts, PostId, UserId};
use futures::{StreamExt as _, TryStreamExt as _};
use indicatif::ProgressBar;
use serde::{Deserialize, de::DeserializeOwned};

use crate::client::{ClientError, CommentRef, HttpClient};

/// Posts and users looked at at once.
const READS_IN_FLIGHT: usize = 16;
/// Items of a page: as many as there may be.
const PAGE: u32 = 100;

/// What was answered of one post.
#[derive(Debug, Clone, Default)]
pub struct Accepted {
    /// Who likes it.
    pub likers: HashSet<UserId>,
    /// Comments on it.
    pub comments: HashSet<CommentId>,
}

/// How many of what a user must have. Posts may be more where requests failed: those may have been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Has {
    /// Followers.
    pub followers: u64,
    /// Whom they follow.
    pub following: u64,
    /// Posts that were answered.
    pub posts: u64,
    /// Requests that failed.
    pub perhaps_posts: u64,
}

/// How lists and counts compare to what was expected of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Answered likes and comments that are not in the lists.
    pub lost: u64,
    /// What is in a list more than once: each time beyond the first counts.
    pub duplicates: u64,
    /// Counts that were looked at.
    pub counts_checked: u64,
    /// How many of these were not what they count.
    pub counts_off: u64,
}

impl Verdict {
    /// Compares a post's lists to what was answered, and its counts to its lists. A request that failed may have been
    /// applied: what is in a list beyond what was answered is neither lost nor doubled, but it must be counted.
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

    /// Both together.
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

/// The counts of a post, as it is shown.
#[derive(Debug, Clone, Copy, Deserialize)]
struct ShownPost {
    likes_count: u64,
    comments_count: u64,
}

/// The counts of a profile, as it is shown.
#[derive(Debug, Clone, Copy, Deserialize)]
struct ProfileCounts {
    #[serde(rename = "followers_count")]
    followers: u64,
    #[serde(rename = "following_count")]
    following: u64,
    #[serde(rename = "posts_count")]
    posts: u64,
}

/// One of those who like a post.
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

/// Looks at posts and users as someone sees them.
#[derive(Debug, Clone)]
pub struct Checker {
    client: HttpClient,
    token: String,
}

impl Checker {
    /// Looks by `client`, as whose `token` it is.
    pub const fn new(client: HttpClient, token: String) -> Self {
        Self { client, token }
    }

    /// Compares every post. `progress` counts them.
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

    /// A post's counts.
    pub async fn counts(&self, post: PostId) -> Result<PostCounts, ClientError> {
        let shown: ShownPost = self.client.get("GET /v1/posts/{id}", &format!("/v1/posts/{post}"), &self.token).await?;
        Ok(PostCounts { likes: shown.likes_count, comments: shown.comments_count })
    }

    /// How many notifications the one who looks has not read.
    pub async fn unread(&self) -> Result<u64, ClientError> {
        let route = "GET /v1/notifications";
        let page: InboxPage = self.client.get(route, "/v1/notifications?limit=1", &self.token).await?;
        Ok(page.unread_count)
    }

    /// Compares every user's counts. `progress` counts users.
    pub async fn users(&self, has: &HashMap<UserId, Has>, progress: &ProgressBar) -> Result<Verdict, ClientError> {
        let verdicts = futures::stream::iter(has).map(|(user, has)| async move {
            let path = format!("/v1/users/{user}");
            let profile: ProfileCounts = self.client.get("GET /v1/users/{user}", &path, &self.token).await?;
            progress.inc(1);
            Ok(Verdict::of_profile(&profile, has))
        });
        sum(verdicts).await
    }

    /// A list from its first page to its last.
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
    fn a_like_that_is_missing_is_lost_one_listed_twice_is_doubled_and_the_count_is_that_of_the_list() {
        let [first, second, third] = [(); 3].map(|()| UserId::random());
        let accepted = Accepted { likers: [first, second].into(), comments: HashSet::new() };
        let of = |likes, likers: &[UserId]| Verdict::of_post(PostCounts { likes, comments: 0 }, likers, &[], &accepted);
        let fine = Verdict { counts_checked: 2, ..Verdict::default() };
        assert_eq!(of(2, &[first, second]), fine);
        assert_eq!(of(2, &[second, first]), fine);
        assert_eq!(of(1, &[first]), Verdict { lost: 1, ..fine });
        assert_eq!(of(2, &[first, second, first]), Verdict { duplicates: 1, ..fine });
        // Of a request that failed.
        assert_eq!(of(3, &[first, second, third]), fine);
        assert_eq!(of(1, &[first, second]), Verdict { counts_off: 1, ..fine });
        assert_eq!(of(3, &[first, second]), Verdict { counts_off: 1, ..fine });
    }

    #[test]
    fn a_comment_that_is_missing_is_lost() {
        let comment = IdGenerator::new().next_comment_id(Clock::System.now());
        let accepted = Accepted { likers: HashSet::new(), comments: [comment].into() };
        let verdict = Verdict::of_post(PostCounts { likes: 0, comments: 1 }, &[], &[], &accepted);
        assert_eq!(verdict, Verdict { lost: 1, duplicates: 0, counts_checked: 2, counts_off: 1 });
    }

    #[test]
    fn each_count_of_a_profile_is_compared_and_a_failed_post_may_be_counted() {
        let has = Has { followers: 1, following: 2, posts: 3, perhaps_posts: 1 };
        let off = |followers, following, posts| {
            Verdict::of_profile(&ProfileCounts { followers, following, posts }, &has).counts_off
        };
        assert_eq!([off(1, 2, 3), off(1, 2, 4), off(1, 2, 5), off(1, 2, 2), off(0, 0, 0)], [0, 0, 1, 1, 3]);
    }
}
