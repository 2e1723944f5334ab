//! Users, profiles, posts and pages as they are sent.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::cursor::{self, Listing};
use domain::{Page, PostView, ProfileView, User, user::Relation};

/// A user as embedded in posts, comments and lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserShape {
    /// The user's id.
    pub user_id: Uuid,
    /// The unique handle.
    #[schema(example = "alice", pattern = "^[a-z0-9_]{3,30}$")]
    pub handle: String,
    /// The display name.
    #[schema(example = "Alice", min_length = 1, max_length = 50)]
    pub display_name: String,
    /// The URL of their picture; null without one.
    #[schema(required = true)]
    pub avatar_url: Option<String>,
}

impl From<User> for UserShape {
    fn from(user: User) -> Self {
        Self {
            user_id: *user.user_id.as_uuid(),
            handle: user.handle.to_string(),
            display_name: user.display_name.to_string(),
            avatar_url: None,
        }
    }
}

/// A profile as the caller sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Profile)]
pub struct ProfileShape {
    /// Id, handle, display name and picture.
    #[serde(flatten)]
    pub user: UserShape,
    /// The profile text.
    #[schema(max_length = 160)]
    pub bio: String,
    /// The time of registration, in UTC with milliseconds.
    #[schema(format = DateTime, example = "2025-11-21T04:40:00.100Z")]
    pub created_at: String,
    /// The number of followers.
    pub followers_count: u64,
    /// The number of followees.
    pub following_count: u64,
    /// The number of posts.
    pub posts_count: u64,
    /// Other users only: whether the caller follows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub followed_by_me: Option<bool>,
    /// Other users only: whether they follow the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub follows_me: Option<bool>,
    /// The caller only: the e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub email: Option<String>,
}

impl From<ProfileView> for ProfileShape {
    fn from(view: ProfileView) -> Self {
        let (followed_by_me, follows_me, email) = match view.relation {
            Relation::Own { email } => (None, None, Some(email.as_str().to_owned())),
            Relation::Other { followed_by_me, follows_me } => (Some(followed_by_me), Some(follows_me), None),
        };
        Self {
            user: view.profile.user.into(),
            bio: view.profile.bio.to_string(),
            created_at: view.profile.created_at.to_string(),
            followers_count: view.counts.followers,
            following_count: view.counts.following,
            posts_count: view.counts.posts,
            followed_by_me,
            follows_me,
            email,
        }
    }
}

/// A picture attached to a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Media)]
pub struct MediaShape {
    /// The picture's id.
    pub media_id: Uuid,
}

/// A post with its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Post)]
pub struct PostShape {
    /// The post's id, a UUIDv7.
    pub post_id: Uuid,
    /// The author.
    pub author: UserShape,
    /// The text.
    #[schema(max_length = 500)]
    pub text: String,
    /// The attached pictures.
    pub media: Vec<MediaShape>,
    /// The time of creation, in UTC with milliseconds; equals the timestamp in the id.
    #[schema(format = DateTime, example = "2025-11-21T04:40:00.100Z")]
    pub created_at: String,
    /// The number of likes.
    pub likes_count: u64,
    /// The number of comments.
    pub comments_count: u64,
    /// Whether the caller likes it.
    pub liked_by_me: bool,
}

impl From<PostView> for PostShape {
    fn from(view: PostView) -> Self {
        Self {
            post_id: *view.post.post_id.as_uuid(),
            author: view.author.into(),
            created_at: view.post.created_at().to_string(),
            text: view.post.text.to_string(),
            media: Vec::new(),
            likes_count: view.counts.likes,
            comments_count: view.counts.comments,
            liked_by_me: view.liked_by_me,
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PageShape<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// The cursor of the next page; null exactly on the last page.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}

impl<T> PageShape<T> {
    /// A page of the list `L`.
    pub fn of<L: Listing, I: Into<T>>(page: Page<I, L::Position>) -> Self {
        let page = page.map(Into::into);
        Self { items: page.items, next_cursor: page.next.as_ref().map(cursor::encode::<L>) }
    }
}
