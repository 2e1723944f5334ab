//! `GET /v1/notifications` and `PUT /v1/notifications/read`

use axum::{Json, extract::State};
use domain::{ActKind, NotificationId, NotificationView};
use http::StatusCode;
use http_api::{
    ApiJson, Caller, PageQuery, Problem,
    cursor::Notifications,
    openapi::{BodyProblems, CommonProblems, PageParams, PageProblems, TokenProblems},
    shapes::{PageShape, UserShape},
};
use serde::{Deserialize, Serialize};
use service::notifications::NotificationPage;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::state::ApiState;

/// What someone did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// They like a post of the caller's.
    Like,
    /// They commented on a post of the caller's.
    Comment,
    /// They follow the caller.
    Follow,
}

/// That someone did something that concerns the caller.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notification)]
pub struct NotificationShape {
    /// The notification's id, a UUIDv7.
    pub notification_id: Uuid,
    /// What they did.
    pub kind: NotificationKind,
    /// Who.
    pub actor: UserShape,
    /// Of a like or a comment: the post.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub post_id: Option<Uuid>,
    /// Of a comment: which.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub comment_id: Option<Uuid>,
    /// When it was noticed, in UTC with milliseconds: the id's own.
    #[schema(format = DateTime, example = "2025-11-21T04:40:00.100Z")]
    pub created_at: String,
    /// Whether the caller has said that they read it.
    pub read: bool,
}

impl From<NotificationView> for NotificationShape {
    fn from(NotificationView { notification, actor, read }: NotificationView) -> Self {
        let (kind, comment_id) = match notification.act.kind {
            ActKind::Like(_) => (NotificationKind::Like, None),
            ActKind::Comment(_, comment) => (NotificationKind::Comment, Some(*comment.as_uuid())),
            ActKind::Follow(_) => (NotificationKind::Follow, None),
        };
        Self {
            notification_id: *notification.notification_id.as_uuid(),
            kind,
            actor: actor.into(),
            post_id: notification.act.kind.post_id().map(|post| *post.as_uuid()),
            comment_id,
            created_at: notification.created_at().to_string(),
            read,
        }
    }
}

/// A page of notifications.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotificationPage)]
pub struct NotificationPageShape {
    /// The page, newest first.
    #[serde(flatten)]
    pub page: PageShape<NotificationShape>,
    /// How many notifications are unread, on this page or not.
    pub unread_count: u64,
}

impl From<NotificationPage> for NotificationPageShape {
    fn from(NotificationPage { page, unread }: NotificationPage) -> Self {
        Self { page: PageShape::of::<Notifications, _>(page), unread_count: unread }
    }
}

/// Up to where the caller has read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkReadRequest {
    /// The newest notification that is read.
    #[schema(value_type = Uuid)]
    up_to: String,
}

/// List the caller's notifications
///
/// Newest first, and none older than 90 days. What was undone is left out; done again it is there as it was.
#[utoipa::path(
    get,
    path = "/v1/notifications",
    tag = "notifications",
    security(("bearer" = [])),
    params(PageParams),
    responses(
        (status = 200, description = "A page of notifications", body = NotificationPageShape),
        TokenProblems, PageProblems, CommonProblems,
    ),
)]
pub async fn notifications(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    query: PageQuery<Notifications>,
) -> Result<Json<NotificationPageShape>, Problem> {
    let page = api.notifications.page(caller, query.after, query.limit, api.clock.now()).await?;
    Ok(Json(page.into()))
}

/// Mark notifications as read
///
/// This one and every older one. What is read stays read.
#[utoipa::path(
    put,
    path = "/v1/notifications/read",
    tag = "notifications",
    security(("bearer" = [])),
    request_body = MarkReadRequest,
    responses(
        (status = 204, description = "They are read"),
        TokenProblems, BodyProblems, CommonProblems,
    ),
)]
pub async fn mark_read(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    ApiJson(request): ApiJson<MarkReadRequest>,
) -> Result<StatusCode, Problem> {
    let up_to: NotificationId =
        request.up_to.parse().map_err(|_| Problem::invalid("up_to", "must be the id of a notification"))?;
    api.notifications.mark_read(caller, up_to, api.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
