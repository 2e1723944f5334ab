//! `GET /v1/users/{user}/export`

use axum::{Json, extract::State};
use domain::{Act, ActKind, ExportItem, NotifiedAct, Other};
use http_api::{
    Caller, PageQuery, PathUser, Problem,
    cursor::Export,
    openapi::{CommonProblems, OwnerProblems, PageParams, PageProblems, PathProblems, TokenProblems, UserParam},
    shapes::{PageShape, ProfileShape},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{notifications::NotificationKind, state::ApiState};

/// Someone else.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExportedUser)]
pub struct OtherShape {
    /// Their id.
    user_id: Uuid,
    /// Their handle; null when their account is gone.
    #[schema(required = true)]
    handle: Option<String>,
}

impl From<Other> for OtherShape {
    fn from(other: Other) -> Self {
        Self { user_id: *other.user_id.as_uuid(), handle: other.handle.map(|handle| handle.to_string()) }
    }
}

/// Something that is stored about the caller. Times are in UTC with milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Exported)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ExportShape {
    /// The profile.
    Profile {
        /// As the caller sees it.
        #[serde(flatten)]
        profile: ProfileShape,
    },
    /// How far notifications are read.
    Inbox {
        /// Notifications that are not read.
        unread_count: u64,
        /// The newest notification that is read.
        #[schema(required = true)]
        read_up_to: Option<Uuid>,
    },
    /// A session.
    Session {
        /// Its id. What its tokens are is not known.
        session_id: Uuid,
        /// When it began.
        created_at: String,
        /// When it began or was last refreshed.
        last_used_at: String,
        /// The program that it was begun with, as it named itself; null where it did not.
        #[schema(required = true)]
        user_agent: Option<String>,
        /// When it ends unless it is carried on.
        expires_at: String,
    },
    /// A post.
    Post {
        /// Its id.
        post_id: Uuid,
        /// What it says.
        text: String,
        /// When it was made.
        created_at: String,
        /// Since when it is deleted; null unless it is.
        #[schema(required = true)]
        deleted_at: Option<String>,
        /// How many like it.
        likes_count: u64,
        /// How many comments it has.
        comments_count: u64,
    },
    /// A comment.
    Comment {
        /// Its id.
        comment_id: Uuid,
        /// On which post.
        post_id: Uuid,
        /// What it says.
        text: String,
        /// When it was made.
        created_at: String,
        /// Since when it is deleted; null unless it is.
        #[schema(required = true)]
        deleted_at: Option<String>,
    },
    /// A like.
    Like {
        /// Of which post.
        post_id: Uuid,
        /// Since when.
        liked_at: String,
    },
    /// That the caller follows someone.
    Following {
        /// Whom.
        user: OtherShape,
        /// Since when.
        followed_at: String,
    },
    /// That someone follows the caller.
    Follower {
        /// Who.
        user: OtherShape,
        /// Since when.
        followed_at: String,
    },
    /// What the caller was told.
    Notification {
        /// Its id.
        notification_id: Uuid,
        /// What was done.
        act: NotificationKind,
        /// By whom.
        actor: OtherShape,
        /// Of a like or a comment: the post.
        #[schema(required = true)]
        post_id: Option<Uuid>,
        /// Of a comment: which.
        #[schema(required = true)]
        comment_id: Option<Uuid>,
        /// When it was noticed.
        created_at: String,
        /// Whether the caller has said that they read it.
        read: bool,
        /// Whether it is shown: it is not while what it is about is undone.
        shown: bool,
    },
    /// What someone else was told that the caller did.
    Notified {
        /// What was done. A follow is of the recipient.
        act: NotificationKind,
        /// Of a like: the post.
        #[schema(required = true)]
        post_id: Option<Uuid>,
        /// Of a comment: which.
        #[schema(required = true)]
        comment_id: Option<Uuid>,
        /// Who was told.
        recipient_id: Uuid,
        /// By which notification.
        notification_id: Uuid,
    },
    /// A post in the caller's feed.
    FeedEntry {
        /// Which.
        post_id: Uuid,
    },
    /// An `Idempotency-Key` that the caller sent.
    IdempotencyKey {
        /// The key.
        key: String,
        /// The post that it made.
        post_id: Uuid,
        /// Until when it is kept.
        expires_at: String,
    },
}

impl From<ExportItem> for ExportShape {
    fn from(item: ExportItem) -> Self {
        let text = |time: domain::Timestamp| time.to_string();
        match item {
            ExportItem::Profile(view) => Self::Profile { profile: (*view).into() },
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

/// What an act is called, and which comment it is.
fn said_of(act: &Act) -> (NotificationKind, Option<Uuid>) {
    match act.kind {
        ActKind::Like(_) => (NotificationKind::Like, None),
        ActKind::Comment(_, comment) => (NotificationKind::Comment, Some(*comment.as_uuid())),
        ActKind::Follow(_) => (NotificationKind::Follow, None),
    }
}

/// Export all that is stored about the caller
///
/// One kind after the other. Of others there is nothing but ids and handles; passwords and tokens are not stored, only
/// what they are checked by, which is left out. `{user}` is `me`: nobody gets another's.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/export",
    tag = "accounts",
    security(("bearer" = [])),
    params(UserParam, PageParams),
    responses(
        (status = 200, description = "A page of what is stored", body = PageShape<ExportShape>),
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
    Ok(Json(PageShape::of::<Export, _>(page)))
}
