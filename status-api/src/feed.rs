//! `GET /v1/feed`

use axum::{Json, extract::State};
use http_api::{
    Caller, PageQuery, Problem,
    cursor::Feed,
    openapi::{CommonProblems, PageParams, PageProblems, TokenProblems},
    responses::{PageShape, PostShape},
};

use crate::state::ApiState;

/// Read the caller's feed
///
/// Lists the posts of the caller and of the users whom the caller follows now, newest first.
#[utoipa::path(
    get,
    path = "/v1/feed",
    tag = "posts",
    security(("bearer" = [])),
    params(PageParams),
    responses(
        (status = 200, description = "A page of posts", body = PageShape<PostShape>),
        TokenProblems, PageProblems, CommonProblems,
    ),
)]
pub async fn feed(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    query: PageQuery<Feed>,
) -> Result<Json<PageShape<PostShape>>, Problem> {
    let page = api.feeds.page(caller, query.after, query.limit).await?;
    Ok(Json(PageShape::shown::<Feed, _>(page, &api.media_urls)))
}
