//! `PUT` and `DELETE /v1/posts/{id}/like`, `GET /v1/posts/{id}/likes`

use axum::{Json, extract::State};
use http::StatusCode;
use http_api::{
    Caller, PageQuery, PathPost, Problem,
    cursor::Likers,
    openapi::{CommonProblems, PageParams, PageProblems, PathProblems, PostParam, RateProblems, TokenProblems},
    responses::{PageShape, Shown, UserShape},
};
use serde::Serialize;
use service::{likes::Liker, media::urls::MediaUrls};
use utoipa::ToSchema;

use crate::state::ApiState;

/// A user who likes a post.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Like)]
pub struct LikeShape {
    /// The user who likes the post.
    pub user: UserShape,
    /// When the user liked the post, in UTC with milliseconds.
    #[schema(format = DateTime, example = "2025-11-21T04:40:00.100Z")]
    pub liked_at: String,
}

impl Shown<Liker> for LikeShape {
    fn shown(liker: Liker, urls: &MediaUrls) -> Self {
        Self { user: UserShape::shown(liker.user, urls), liked_at: liker.liked_at.to_string() }
    }
}

/// Like a post
///
/// Idempotent. Limited to 600 requests an hour.
#[utoipa::path(
    put,
    path = "/v1/posts/{id}/like",
    tag = "reactions",
    security(("bearer" = [])),
    params(PostParam),
    responses(
        (status = 204, description = "The caller likes the post"),
        TokenProblems, PathProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn like(Caller(caller): Caller, State(api): State<ApiState>, post: PathPost) -> Result<StatusCode, Problem> {
    api.likes.like(caller, post.if_any(), api.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Unlike a post
///
/// Succeeds even if the caller had not liked the post. Limited to 6,000 requests an hour.
#[utoipa::path(
    delete,
    path = "/v1/posts/{id}/like",
    tag = "reactions",
    security(("bearer" = [])),
    params(PostParam),
    responses(
        (status = 204, description = "The caller does not like the post"),
        TokenProblems, PathProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn unlike(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    post: PathPost,
) -> Result<StatusCode, Problem> {
    api.likes.unlike(caller, post.if_any(), api.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the users who like a post
///
/// The order is stable but unspecified.
#[utoipa::path(
    get,
    path = "/v1/posts/{id}/likes",
    tag = "reactions",
    security(("bearer" = [])),
    params(PostParam, PageParams),
    responses(
        (status = 200, description = "A page of users", body = PageShape<LikeShape>),
        TokenProblems, PageProblems, PathProblems, CommonProblems,
    ),
)]
pub async fn likes(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    query: PageQuery<Likers>,
    post: PathPost,
) -> Result<Json<PageShape<LikeShape>>, Problem> {
    let page = api.likes.likers(caller, post.get()?, query.after, query.limit).await?;
    Ok(Json(PageShape::shown::<Likers, _>(page, &api.media_urls)))
}
