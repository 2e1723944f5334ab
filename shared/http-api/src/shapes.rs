//! Users, profiles, posts and pages as they are sent.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::cursor::{self, Listing};
use domain::{Page, PostView, ProfileView, User, user::Relation};

/// A user, beside what they wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserShape {
    /// The user's id.
    pub user_id: Uuid,
    /// The unique handle.
    #[schema(example = "alice", pattern = "^[a-z0-9_]{3,30}$")]
    pub handle: String,
    /// The name shown.
    #[schema(example = "Alice", min_length = 1, max_length = 50)]
    pub display_name: String,
    /// Where their picture is; null without one.
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

/// A user as the caller sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Profile)]
pub struct ProfileShape {
    /// Id, handle and name.
    #[serde(flatten)]
    pub user: UserShape,
    /// The text about the user.
    #[schema(max_length = 160)]
    pub bio: String,
    /// When the account was made, in UTC with milliseconds.
    #[schema(format = DateTime, example = "2025-11-21T04:40:00.100Z")]
    pub created_at: String,
    /// How many follow the user.
    pub followers_count: u64,
    /// How many the user follows.
    pub following_count: u64,
    /// How many posts the user has.
    pub posts_count: u64,
    /// Of others: whether the caller follows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub followed_by_me: Option<bool>,
    /// Of others: whether they follow the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub follows_me: Option<bool>,
    /// Of the caller: the e-mail address.
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

/// A picture of a post.
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
    /// Who wrote it.
    pub author: UserShape,
    /// What it says.
    #[schema(max_length = 500)]
    pub text: String,
    /// Its pictures.
    pub media: Vec<MediaShape>,
    /// When it was made, in UTC with milliseconds: the id's own.
    #[schema(format = DateTime, example = "2025-11-21T04:40:00.100Z")]
    pub created_at: String,
    /// How many like it.
    pub likes_count: u64,
    /// How many comments it has.
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

/// Some items of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PageShape<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// What to ask for next; null exactly when nothing follows.
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
