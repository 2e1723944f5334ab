//! `GET /v1/notifications` and `PUT /v1/notifications/read`

use axum::{Json, extract::State};
use domain::{ActKind, NotificationId, NotificationView};
use http::StatusCode;
use http_api::{
    ApiJson, Caller, PageQuery, Problem,
    cursor::Notifications,
    openapi::{BodyProblems, CommonProblems, PageParams, PageProblems, TokenProblems},
    responses::{PageShape, Shown, UserShape},
};
use serde::{Deserialize, Serialize};
use service::{media::urls::MediaUrls, notifications::NotificationPage};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::state::ApiState;

/// The kind of act that a notification reports. Later versions may add kinds: clients ignore those they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// The actor likes one of the caller's posts.
    Like,
    /// The actor commented on one of the caller's posts.
    Comment,
    /// The actor follows the caller.
    Follow,
}

/// A report of another user's act that concerns the caller.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notification)]
pub struct NotificationShape {
    /// The notification's id, a UUIDv7.
    pub notification_id: Uuid,
    /// The kind of act.
    pub kind: NotificationKind,
    /// The user who acted.
    pub actor: UserShape,
    /// The post that was liked or commented on; null for a follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub post_id: Option<Uuid>,
    /// The comment; null for other kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub comment_id: Option<Uuid>,
    /// When the notification was created, in UTC with milliseconds; the id carries the same time.
    #[schema(format = DateTime, example = "2025-11-21T04:40:00.100Z")]
    pub created_at: String,
    /// Whether the caller has marked the notification as read.
    pub read: bool,
}

impl Shown<NotificationView> for NotificationShape {
    fn shown(NotificationView { notification, actor, read }: NotificationView, urls: &MediaUrls) -> Self {
        let (kind, comment_id) = match notification.act.kind {
            ActKind::Like(_) => (NotificationKind::Like, None),
            ActKind::Comment(_, comment) => (NotificationKind::Comment, Some(*comment.as_uuid())),
            ActKind::Follow(_) => (NotificationKind::Follow, None),
        };
        Self {
            notification_id: *notification.notification_id.as_uuid(),
            kind,
            actor: UserShape::shown(actor, urls),
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
    /// The notifications of the page, newest first.
    #[serde(flatten)]
    pub page: PageShape<NotificationShape>,
    /// The number of unread notifications, on this page and elsewhere.
    pub unread_count: u64,
}

impl Shown<NotificationPage> for NotificationPageShape {
    fn shown(NotificationPage { page, unread }: NotificationPage, urls: &MediaUrls) -> Self {
        Self { page: PageShape::shown::<Notifications, _>(page, urls), unread_count: unread }
    }
}

/// How far the caller has read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkReadRequest {
    /// The id of the newest notification to mark as read.
    #[schema(value_type = Uuid)]
    up_to: String,
}

/// List the caller's notifications
///
/// Newest first, none older than 90 days. A notification whose act was undone is hidden until the act is repeated, and
/// then appears unchanged.
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
    Ok(Json(NotificationPageShape::shown(page, &api.media_urls)))
}

/// Mark notifications as read
///
/// Marks this notification and all older ones. A read notification never becomes unread.
#[utoipa::path(
    put,
    path = "/v1/notifications/read",
    tag = "notifications",
    security(("bearer" = [])),
    request_body = MarkReadRequest,
    responses(
        (status = 204, description = "The notifications are read"),
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
