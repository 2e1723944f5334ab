//! `GET /v1/users/{user}/export`

use axum::{Json, extract::State};
use domain::{Act, ActKind, Attachment, ExportItem, Media, NotifiedAct, Other};
use http_api::{
    Caller, PageQuery, PathUser, Problem,
    cursor::Export,
    openapi::{CommonProblems, OwnerProblems, PageParams, PageProblems, PathProblems, TokenProblems, UserParam},
    responses::{MediaShape, PageShape, ProfileShape, Shown},
};
use serde::Serialize;
use service::media::urls::MediaUrls;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{media::MediaProgressShape, notifications::NotificationKind, state::ApiState};

/// Another user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExportedUser)]
pub struct OtherShape {
    /// The user's id.
    user_id: Uuid,
    /// The user's handle; null if the account is deleted.
    #[schema(required = true)]
    handle: Option<String>,
}

impl From<Other> for OtherShape {
    fn from(other: Other) -> Self {
        Self { user_id: *other.user_id.as_uuid(), handle: other.handle.map(|handle| handle.to_string()) }
    }
}

/// A record stored about the caller. Times are in UTC with milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Exported)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ExportShape {
    /// The profile.
    Profile {
        /// The profile as the caller sees it.
        #[serde(flatten)]
        profile: ProfileShape,
    },
    /// The state of the caller's notifications.
    Inbox {
        /// The number of unread notifications.
        unread_count: u64,
        /// The id of the newest notification marked as read.
        #[schema(required = true)]
        read_up_to: Option<Uuid>,
    },
    /// A session.
    Session {
        /// The session's id. Its tokens are not stored.
        session_id: Uuid,
        /// When the session began.
        created_at: String,
        /// When the session began or was last refreshed.
        last_used_at: String,
        /// The `User-Agent` of the request that began the session; null if it had none.
        #[schema(required = true)]
        user_agent: Option<String>,
        /// When the session ends unless it is refreshed.
        expires_at: String,
    },
    /// A post.
    Post {
        /// The post's id.
        post_id: Uuid,
        /// The post's text.
        text: String,
        /// The post's pictures.
        media: Vec<MediaShape>,
        /// When the post was created.
        created_at: String,
        /// When the post was deleted; null otherwise.
        #[schema(required = true)]
        deleted_at: Option<String>,
        /// The number of likes.
        likes_count: u64,
        /// The number of comments.
        comments_count: u64,
    },
    /// A comment.
    Comment {
        /// The comment's id.
        comment_id: Uuid,
        /// The post that was commented on.
        post_id: Uuid,
        /// The comment's text.
        text: String,
        /// When the comment was created.
        created_at: String,
        /// When the comment was deleted; null otherwise.
        #[schema(required = true)]
        deleted_at: Option<String>,
    },
    /// A like.
    Like {
        /// The liked post.
        post_id: Uuid,
        /// When the caller liked the post.
        liked_at: String,
    },
    /// A follow by the caller.
    Following {
        /// The followed user.
        user: OtherShape,
        /// When the follow began.
        followed_at: String,
    },
    /// A follow of the caller.
    Follower {
        /// The follower.
        user: OtherShape,
        /// When the follow began.
        followed_at: String,
    },
    /// A notification to the caller.
    Notification {
        /// The notification's id.
        notification_id: Uuid,
        /// The kind of act.
        act: NotificationKind,
        /// The user who acted.
        actor: OtherShape,
        /// The post that was liked or commented on; null for a follow.
        #[schema(required = true)]
        post_id: Option<Uuid>,
        /// The comment; null for other kinds.
        #[schema(required = true)]
        comment_id: Option<Uuid>,
        /// When the notification was created.
        created_at: String,
        /// Whether the caller has marked the notification as read.
        read: bool,
        /// Whether the notification is shown; false while its act is undone.
        shown: bool,
    },
    /// A notification to another user about an act of the caller's.
    Notified {
        /// The kind of act. A follow is a follow of the recipient.
        act: NotificationKind,
        /// The liked post; null for other kinds.
        #[schema(required = true)]
        post_id: Option<Uuid>,
        /// The comment; null for other kinds.
        #[schema(required = true)]
        comment_id: Option<Uuid>,
        /// The recipient of the notification.
        recipient_id: Uuid,
        /// The notification's id.
        notification_id: Uuid,
    },
    /// A post in the caller's feed.
    FeedEntry {
        /// The post's id.
        post_id: Uuid,
    },
    /// An `Idempotency-Key` that the caller sent.
    IdempotencyKey {
        /// The key.
        key: String,
        /// The post that was published with the key.
        post_id: Uuid,
        /// When the key expires.
        expires_at: String,
    },
    /// A picture. Its links work while it is shown; without a post or a profile it is erased a day after it was announced
    /// or removed.
    Media {
        /// The picture as the caller sees it.
        #[serde(flatten)]
        media: MediaProgressShape,
        /// The size of the upload, in bytes. The upload itself is not kept.
        bytes: u64,
        /// When the picture was announced.
        created_at: String,
        /// The post that shows it; null otherwise.
        #[schema(required = true)]
        post_id: Option<Uuid>,
    },
}

impl ExportShape {
    fn of_media(media: Media, urls: &MediaUrls) -> Self {
        let post_id = match media.attached {
            Some(Attachment::Post(post)) => Some(*post.as_uuid()),
            Some(Attachment::Profile) | None => None,
        };
        let (bytes, created_at) = (media.bytes, media.media_id.created_at().to_string());
        Self::Media { media: MediaProgressShape::shown(media, urls), bytes, created_at, post_id }
    }
}

impl Shown<ExportItem> for ExportShape {
    fn shown(item: ExportItem, urls: &MediaUrls) -> Self {
        let text = |time: domain::Timestamp| time.to_string();
        match item {
            ExportItem::Profile(view) => Self::Profile { profile: ProfileShape::shown(*view, urls) },
            ExportItem::Media(media) => Self::of_media(*media, urls),
            ExportItem::Inbox { unread, read_up_to } => {
                Self::Inbox { unread_count: unread, read_up_to: read_up_to.map(|id| *id.as_uuid()) }
            }
            ExportItem::Session { session_id, created_at, last_used_at, user_agent, expires_at } => Self::Session {
                session_id: *session_id.as_uuid(),
                created_at: text(created_at),
                last_used_at: text(last_used_at),
                user_agent: user_agent.map(|agent| agent.to_string()),
                expires_at: text(expires_at),
            },
            ExportItem::Post { post, deleted_at, counts } => Self::Post {
                post_id: *post.post_id.as_uuid(),
                created_at: text(post.created_at()),
                text: post.text.to_string(),
                media: post.media.into_iter().map(|media| MediaShape::shown(media, urls)).collect(),
                deleted_at: deleted_at.map(text),
                likes_count: counts.likes,
                comments_count: counts.comments,
            },
            ExportItem::Comment { comment, deleted_at } => Self::Comment {
                comment_id: *comment.comment_id.as_uuid(),
                post_id: *comment.post_id.as_uuid(),
                created_at: text(comment.created_at()),
                text: comment.text.to_string(),
                deleted_at: deleted_at.map(text),
            },
            ExportItem::Like { post_id, liked_at } => {
                Self::Like { post_id: *post_id.as_uuid(), liked_at: text(liked_at) }
            }
            ExportItem::Following { other, followed_at } => {
                Self::Following { user: other.into(), followed_at: text(followed_at) }
            }
            ExportItem::Follower { other, followed_at } => {
                Self::Follower { user: other.into(), followed_at: text(followed_at) }
            }
            ExportItem::Notification { entry, actor, read } => {
                let notification = entry.notification;
                let (act, comment_id) = said_of(&notification.act);
                Self::Notification {
                    notification_id: *notification.notification_id.as_uuid(),
                    act,
                    actor: actor.into(),
                    post_id: notification.act.kind.post_id().map(|post| *post.as_uuid()),
                    comment_id,
                    created_at: text(notification.created_at()),
                    read,
                    shown: entry.is_visible(),
                }
            }
            ExportItem::Notified { act, recipient_id, notification_id } => {
                let (act, post_id, comment_id) = match act {
                    NotifiedAct::Like(post) => (NotificationKind::Like, Some(*post.as_uuid()), None),
                    NotifiedAct::Comment(comment) => (NotificationKind::Comment, None, Some(*comment.as_uuid())),
                    NotifiedAct::Follow(_) => (NotificationKind::Follow, None, None),
                };
                let (recipient_id, notification_id) = (*recipient_id.as_uuid(), *notification_id.as_uuid());
                Self::Notified { act, post_id, comment_id, recipient_id, notification_id }
            }
            ExportItem::FeedEntry { post_id } => Self::FeedEntry { post_id: *post_id.as_uuid() },
            ExportItem::IdempotencyKey { key, post_id, expires_at } => {
                Self::IdempotencyKey { key, post_id: *post_id.as_uuid(), expires_at: text(expires_at) }
            }
        }
    }
}

/// The kind of an act, and the comment's id if it is one.
fn said_of(act: &Act) -> (NotificationKind, Option<Uuid>) {
    match act.kind {
        ActKind::Like(_) => (NotificationKind::Like, None),
        ActKind::Comment(_, comment) => (NotificationKind::Comment, Some(*comment.as_uuid())),
        ActKind::Follow(_) => (NotificationKind::Follow, None),
    }
}

/// Export all data stored about the caller
///
/// Lists the records one kind after the other. Other users appear only by id and handle. Passwords and tokens are not
/// stored; the hashes that they are checked against are left out. `{user}` must be `me`: users export only their own
/// data.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/export",
    tag = "accounts",
    security(("bearer" = [])),
    params(UserParam, PageParams),
    responses(
        (status = 200, description = "A page of records", body = PageShape<ExportShape>),
        TokenProblems, PageProblems, OwnerProblems, PathProblems, CommonProblems,
    ),
)]
pub async fn export(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    PathUser(user): PathUser,
    query: PageQuery<Export>,
) -> Result<Json<PageShape<ExportShape>>, Problem> {
    let page = api.export.page(caller, &user, query.after, query.limit, api.clock.now()).await?;
    Ok(Json(PageShape::shown::<Export, _>(page, &api.media_urls)))
}
