//! `GET` and `DELETE /v1/posts/{id}`, `GET /v1/users/{user}/posts`

use axum::{Json, extract::State};
use http::StatusCode;
use http_api::{
    Caller, PageQuery, PathPost, PathUser, Problem,
    cursor::Story,
    openapi::{
        CommonProblems, OwnerProblems, PageParams, PageProblems, PathProblems, PostParam, RateProblems, TokenProblems,
        UserParam,
    },
    responses::{PageShape, PostShape, Shown as _},
};

use crate::state::ApiState;

/// Read a post
#[utoipa::path(
    get,
    path = "/v1/posts/{id}",
    tag = "posts",
    security(("bearer" = [])),
    params(PostParam),
    responses(
        (status = 200, description = "The post", body = PostShape),
        TokenProblems, PathProblems, CommonProblems,
    ),
)]
pub async fn post(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    post: PathPost,
) -> Result<Json<PostShape>, Problem> {
    let post = api.posts.get(caller, post.get()?).await?;
    Ok(Json(PostShape::shown(post, &api.media_urls)))
}

/// Delete a post
///
/// Only the author may delete a post. It is hidden from everyone at once and erased after 30 days; until then the
/// request is idempotent. Limited to 600 requests an hour.
#[utoipa::path(
    delete,
    path = "/v1/posts/{id}",
    tag = "posts",
    security(("bearer" = [])),
    params(PostParam),
    responses(
        (status = 204, description = "The post is deleted"),
        TokenProblems, OwnerProblems, PathProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn delete_post(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    post: PathPost,
) -> Result<StatusCode, Problem> {
    api.posts.delete(caller, post.if_any(), api.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Read a user's story
///
/// Lists the user's posts, newest first.
#[utoipa::path(
    get,
    path = "/v1/users/{user}/posts",
    tag = "posts",
    security(("bearer" = [])),
    params(UserParam, PageParams),
    responses(
        (status = 200, description = "A page of posts", body = PageShape<PostShape>),
        TokenProblems, PageProblems, PathProblems, CommonProblems,
    ),
)]
pub async fn story(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    query: PageQuery<Story>,
    PathUser(user): PathUser,
) -> Result<Json<PageShape<PostShape>>, Problem> {
    let page = api.posts.story(caller, user, query.after, query.limit).await?;
    Ok(Json(PageShape::shown::<Story, _>(page, &api.media_urls)))
}
