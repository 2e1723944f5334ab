//! `PUT` and `DELETE /v1/users/{user}/follow`, `GET /v1/users/{user}/followers` and `/following`

use axum::{Json, extract::State};
use http::StatusCode;
use http_api::{
    Caller, PageQuery, PathUser, Problem,
    cursor::{Followers, Following},
    openapi::{CommonProblems, PageParams, PageProblems, PathProblems, RateProblems, TokenProblems, UserParam},
    problem::ProblemBody,
    responses::{PageShape, Shown, UserShape},
};
use serde::Serialize;
use service::{graph::Follow, media::urls::MediaUrls};
use utoipa::ToSchema;

use crate::state::ApiState;

/// A follower or a followed user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Follow)]
pub struct FollowShape {
    /// The follower, or the user who is followed.
    pub user: UserShape,
    /// When the follow began, in UTC with milliseconds.
    #[schema(format = DateTime, example = "2025-11-21T04:40:00.100Z")]
    pub followed_at: String,
}

impl Shown<Follow> for FollowShape {
    fn shown(follow: Follow, urls: &MediaUrls) -> Self {
        Self { user: UserShape::shown(follow.user, urls), followed_at: follow.followed_at.to_string() }
    }
}

/// Follow a user
///
/// Idempotent. Limited to 600 requests an hour.
#[utoipa::path(
    put,
    path = "/v1/users/{user}/follow",
    tag = "graph",
    security(("bearer" = [])),
    params(UserParam),
    responses(
        (status = 204, description = "The caller follows the user"),
        (status = 422, description = "Users cannot follow themselves",
            body = ProblemBody, content_type = "application/problem+json"),
        TokenProblems, PathProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn follow(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    PathUser(user): PathUser,
) -> Result<StatusCode, Problem> {
    api.graph.follow(caller, user, api.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Unfollow a user
///
/// Succeeds even if the caller had not followed the user. Limited to 6,000 requests an hour.
#[utoipa::path(
    delete,
    path = "/v1/users/{user}/follow",
    tag = "graph",
    security(("bearer" = [])),
    params(UserParam),
    responses(
        (status = 204, description = "The caller does not follow the user"),
        TokenProblems, PathProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn unfollow(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    PathUser(user): PathUser,
) -> Result<StatusCode, Problem> {
    api.graph.unfollow(caller, user, api.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List a user's followers
///
/// The order is stable but unspecified.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/followers",
    tag = "graph",
    security(("bearer" = [])),
    params(UserParam, PageParams),
    responses(
        (status = 200, description = "A page of users", body = PageShape<FollowShape>),
        TokenProblems, PageProblems, PathProblems, CommonProblems,
    ),
)]
pub async fn followers(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    query: PageQuery<Followers>,
    PathUser(user): PathUser,
) -> Result<Json<PageShape<FollowShape>>, Problem> {
    let page = api.graph.followers(caller, user, query.after, query.limit).await?;
    Ok(Json(PageShape::shown::<Followers, _>(page, &api.media_urls)))
}

/// List the users a user follows
///
/// The order is stable but unspecified.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/following",
    tag = "graph",
    security(("bearer" = [])),
    params(UserParam, PageParams),
    responses(
        (status = 200, description = "A page of users", body = PageShape<FollowShape>),
        TokenProblems, PageProblems, PathProblems, CommonProblems,
    ),
)]
pub async fn following(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    query: PageQuery<Following>,
    PathUser(user): PathUser,
) -> Result<Json<PageShape<FollowShape>>, Problem> {
    let page = api.graph.following(caller, user, query.after, query.limit).await?;
    Ok(Json(PageShape::shown::<Following, _>(page, &api.media_urls)))
}
