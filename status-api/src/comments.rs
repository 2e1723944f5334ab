//! `POST` and `GET /v1/posts/{id}/comments`, `DELETE /v1/posts/{id}/comments/{comment_id}`

use axum::{Json, extract::State};
use domain::{CommentText, CommentView};
use http::StatusCode;
use http_api::{
    ApiJson, Caller, FieldErrors, PageQuery, PathComment, PathPost, Problem,
    cursor::Comments,
    openapi::{
        BodyProblems, CommonProblems, OwnerProblems, PageParams, PageProblems, PathProblems, PostParam, RateProblems,
        TokenProblems,
    },
    responses::{PageShape, Shown, UserShape},
    texts,
};
use serde::{Deserialize, Serialize};
use service::media::urls::MediaUrls;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::state::ApiState;

/// A comment to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCommentRequest {
    #[schema(schema_with = texts::comment)]
    text: String,
}

impl CreateCommentRequest {
    fn validate(&self) -> Result<CommentText, Problem> {
        let mut errors = FieldErrors::new();
        let text = errors.take("text", CommentText::parse(&self.text));
        errors.finish(text)
    }
}

/// A comment with its author.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Comment)]
pub struct CommentShape {
    /// The comment's id, a UUIDv7.
    pub comment_id: Uuid,
    /// The post it is on.
    pub post_id: Uuid,
    /// The comment's author.
    pub author: UserShape,
    /// The comment's text.
    #[schema(min_length = 1, max_length = 500)]
    pub text: String,
    /// When the comment was created, in UTC with milliseconds; the id carries the same time.
    #[schema(format = DateTime, example = "2025-11-21T04:40:00.100Z")]
    pub created_at: String,
}

impl Shown<CommentView> for CommentShape {
    fn shown(view: CommentView, urls: &MediaUrls) -> Self {
        Self {
            comment_id: *view.comment.comment_id.as_uuid(),
            post_id: *view.comment.post_id.as_uuid(),
            author: UserShape::shown(view.author, urls),
            text: view.comment.text.to_string(),
            created_at: view.comment.created_at().to_string(),
        }
    }
}

/// Comment on a post
///
/// Not idempotent: each request creates a comment. Limited to 120 comments an hour.
#[utoipa::path(
    post,
    path = "/v1/posts/{id}/comments",
    tag = "reactions",
    security(("bearer" = [])),
    params(PostParam),
    request_body = CreateCommentRequest,
    responses(
        (status = 201, description = "The comment", body = CommentShape),
        TokenProblems, BodyProblems, PathProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn create_comment(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    post: PathPost,
    ApiJson(request): ApiJson<CreateCommentRequest>,
) -> Result<(StatusCode, Json<CommentShape>), Problem> {
    let text = request.validate()?;
    let comment = api.comments.create(caller, post.if_any(), text, api.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(CommentShape::shown(comment, &api.media_urls))))
}

/// List the comments on a post
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/v1/posts/{id}/comments",
    tag = "reactions",
    security(("bearer" = [])),
    params(PostParam, PageParams),
    responses(
        (status = 200, description = "A page of comments", body = PageShape<CommentShape>),
        TokenProblems, PageProblems, PathProblems, CommonProblems,
    ),
)]
pub async fn comments(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    query: PageQuery<Comments>,
    post: PathPost,
) -> Result<Json<PageShape<CommentShape>>, Problem> {
    let page = api.comments.of_post(caller, post.get()?, query.after, query.limit).await?;
    Ok(Json(PageShape::shown::<Comments, _>(page, &api.media_urls)))
}

/// Delete a comment
///
/// Only the author of the comment or of the post may delete it. Idempotent for 30 days. Limited to 1,200 requests an
/// hour.
#[utoipa::path(
    delete,
    path = "/v1/posts/{id}/comments/{comment_id}",
    tag = "reactions",
    security(("bearer" = [])),
    params(PostParam, ("comment_id" = String, Path, description = "The comment's id")),
    responses(
        (status = 204, description = "The comment is deleted"),
        TokenProblems, OwnerProblems, PathProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn delete_comment(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    comment: PathComment,
) -> Result<StatusCode, Problem> {
    let (post, comment) = comment.if_any();
    api.comments.delete(caller, post, comment, api.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
