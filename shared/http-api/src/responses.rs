//! Users, profiles, posts, pictures and pages as they are sent.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::cursor::{self, Listing};
use domain::{MediaToken, Page, PictureSize, PostMedia, PostView, ProfileView, User, user::Relation};
use service::media::urls::MediaUrls;

/// A value as it is sent, with the URLs of its pictures.
pub trait Shown<V>: Sized {
    /// The shape of a value.
    fn shown(value: V, urls: &MediaUrls) -> Self;
}

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

impl Shown<User> for UserShape {
    fn shown(user: User, urls: &MediaUrls) -> Self {
        Self {
            user_id: *user.user_id.as_uuid(),
            handle: user.handle.to_string(),
            display_name: user.display_name.to_string(),
            avatar_url: user.avatar.map(|avatar| urls.of(avatar.token, PictureSize::Medium)),
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

impl Shown<ProfileView> for ProfileShape {
    fn shown(view: ProfileView, urls: &MediaUrls) -> Self {
        let (followed_by_me, follows_me, email) = match view.relation {
            Relation::Own { email } => (None, None, Some(email.as_str().to_owned())),
            Relation::Other { followed_by_me, follows_me } => (Some(followed_by_me), Some(follows_me), None),
        };
        Self {
            user: UserShape::shown(view.profile.user, urls),
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
    /// The picture's id, a UUIDv7.
    pub media_id: Uuid,
    /// The type of the upload, by its bytes. The three sizes are JPEGs.
    #[schema(example = "image/png", pattern = "^image/(jpeg|png|webp)$")]
    pub content_type: String,
    /// The width of the size `original`, in pixels.
    #[schema(example = 2048)]
    pub width: u32,
    /// The height of the size `original`, in pixels.
    #[schema(example = 1365)]
    pub height: u32,
    /// A blurred preview as text: <https://blurha.sh>.
    #[schema(example = "LEHV6nWB2yk8pyo0adR*.7kCMdnj")]
    pub blurhash: String,
    /// The description for people who do not see the picture; may be empty.
    #[schema(max_length = 1500)]
    pub description: String,
    /// Where the picture is.
    pub urls: MediaUrlsShape,
}

/// The URLs of a picture's three sizes. They are unguessable and need no token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MediaUrls)]
pub struct MediaUrlsShape {
    /// Fits into 2048 pixels a side.
    pub original: String,
    /// Fits into 640 pixels a side.
    pub medium: String,
    /// Fits into 150 pixels a side.
    pub thumbnail: String,
}

impl Shown<MediaToken> for MediaUrlsShape {
    fn shown(token: MediaToken, urls: &MediaUrls) -> Self {
        let [original, medium, thumbnail] = PictureSize::ALL.map(|size| urls.of(token, size));
        Self { original, medium, thumbnail }
    }
}

impl Shown<PostMedia> for MediaShape {
    fn shown(media: PostMedia, urls: &MediaUrls) -> Self {
        Self {
            media_id: *media.media_id.as_uuid(),
            content_type: media.content_type.as_str().to_owned(),
            width: media.picture.width,
            height: media.picture.height,
            blurhash: media.picture.blurhash,
            description: media.description.to_string(),
            urls: MediaUrlsShape::shown(media.token, urls),
        }
    }
}

/// A post with its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Post)]
pub struct PostShape {
    /// The post's id, a UUIDv7.
    pub post_id: Uuid,
    /// The author.
    pub author: UserShape,
    /// The text; may be empty if there are pictures.
    #[schema(max_length = 500)]
    pub text: String,
    /// The pictures, in the author's order.
    #[schema(max_items = 4)]
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

impl Shown<PostView> for PostShape {
    fn shown(view: PostView, urls: &MediaUrls) -> Self {
        Self {
            post_id: *view.post.post_id.as_uuid(),
            author: UserShape::shown(view.author, urls),
            created_at: view.post.created_at().to_string(),
            text: view.post.text.to_string(),
            media: view.post.media.into_iter().map(|media| MediaShape::shown(media, urls)).collect(),
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
    /// A page of the list `L`, whose items have pictures.
    pub fn shown<L: Listing, I>(page: Page<I, L::Position>, urls: &MediaUrls) -> Self
    where
        T: Shown<I>,
    {
        Self::of::<L, T>(page.map(|item| T::shown(item, urls)))
    }

    /// A page of the list `L`.
    pub fn of<L: Listing, I: Into<T>>(page: Page<I, L::Position>) -> Self {
        let page = page.map(Into::into);
        Self { items: page.items, next_cursor: page.next.as_ref().map(cursor::encode::<L>) }
    }
}
