//! `GET /v1/users/{user}/sessions` and `DELETE /v1/users/{user}/sessions/{session_id}`

use axum::{Json, extract::State};
use data::StoredSession;
use domain::SessionId;
use http::StatusCode;
use http_api::{
    Caller, CallerSession, PageQuery, PathSession, PathUser, Problem,
    cursor::Sessions,
    openapi::{
        CommonProblems, OwnerProblems, PageParams, PageProblems, PathProblems, SessionParam, TokenProblems, UserParam,
    },
    responses::PageShape,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::state::ApiState;

/// A session of the caller's account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionShape {
    /// The session's id.
    pub session_id: Uuid,
    /// When the session began, in UTC with milliseconds.
    #[schema(format = DateTime, example = "2025-11-21T04:40:00.100Z")]
    pub created_at: String,
    /// When the session began or was last refreshed, in UTC with milliseconds.
    #[schema(format = DateTime, example = "2025-11-21T04:55:00.100Z")]
    pub last_used_at: String,
    /// The `User-Agent` of the request that began the session; null if it had none.
    #[schema(
        required = true,
        max_length = 256,
        example = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
    )]
    pub user_agent: Option<String>,
    /// Whether the request's access token belongs to this session.
    pub current: bool,
}

impl SessionShape {
    fn new(stored: StoredSession, current: Option<SessionId>) -> Self {
        Self {
            session_id: *stored.session.as_uuid(),
            created_at: stored.created_at.to_string(),
            last_used_at: stored.last_used_at.to_string(),
            user_agent: stored.user_agent.map(|agent| agent.to_string()),
            current: current == Some(stored.session),
        }
    }
}

/// List the caller's sessions
///
/// Newest first, at most 100. `{user}` must be `me`: users see only their own sessions.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/sessions",
    tag = "accounts",
    security(("bearer" = [])),
    params(UserParam, PageParams),
    responses(
        (status = 200, description = "A page of sessions", body = PageShape<SessionShape>),
        TokenProblems, PageProblems, OwnerProblems, PathProblems, CommonProblems,
    ),
)]
pub async fn sessions(
    CallerSession { user: caller, session: current }: CallerSession,
    State(api): State<ApiState>,
    PathUser(user): PathUser,
    query: PageQuery<Sessions>,
) -> Result<Json<PageShape<SessionShape>>, Problem> {
    let now = api.clock.now();
    let page = api.accounts.sessions(caller, &user, query.after, query.limit, now).await?;
    Ok(Json(PageShape::of::<Sessions, _>(page.map(|session| SessionShape::new(session, current)))))
}

/// End one of the caller's sessions
///
/// Revokes the session's refresh tokens; access tokens stay valid until they expire. Succeeds even if the caller has no
/// such session. `{user}` must be `me`: users end only their own sessions.
#[utoipa::path(
    delete,
    path = "/v1/users/{user}/sessions/{session_id}",
    tag = "accounts",
    security(("bearer" = [])),
    params(UserParam, SessionParam),
    responses(
        (status = 204, description = "The session has ended"),
        TokenProblems, OwnerProblems, PathProblems, CommonProblems,
    ),
)]
pub async fn end_session(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    PathUser(user): PathUser,
    session: PathSession,
) -> Result<StatusCode, Problem> {
    api.accounts.end_session(caller, &user, session.get()?).await?;
    Ok(StatusCode::NO_CONTENT)
}
