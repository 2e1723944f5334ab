//! `POST /v1/posts`

use std::{collections::HashSet, convert::Infallible};

use axum::{
    Json,
    extract::{FromRequestParts, State},
    response::{IntoResponse, Response},
};
use domain::{Invalid, MediaId, PostText, limits};
use http::{StatusCode, header::LOCATION, request::Parts};
use http_api::{
    ApiJson, Caller, FieldErrors, Problem,
    openapi::{BodyProblems, CommonProblems, MediaProblems, RateProblems, TokenProblems},
    responses::{PostShape, Shown as _},
    texts,
};
use serde::Deserialize;
use service::posts::{IdempotencyKey, NewPost};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::state::PublishApi;

/// The header that makes publishing idempotent.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// A post to publish.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePostRequest {
    #[schema(schema_with = texts::post)]
    text: String,
    /// The post's pictures, in the order in which they are shown: the caller's own, `ready`, and in no other place.
    #[serde(default)]
    #[schema(max_items = 4)]
    media_ids: Vec<Uuid>,
}

impl CreatePostRequest {
    fn validate(&self, key: IdempotencyHeader) -> Result<(NewPost, Option<IdempotencyKey>), Problem> {
        let mut errors = FieldErrors::new();
        let key = errors.take(IDEMPOTENCY_KEY, key.0);
        let text = if self.media_ids.is_empty() { PostText::parse } else { PostText::parse_caption };
        let text = errors.take("text", text(&self.text));
        let media = errors.take("media_ids", self.media());
        let new = text.zip(media).map(|(text, media)| NewPost { text, media });
        errors.finish(new.zip(key))
    }

    fn media(&self) -> Result<Vec<MediaId>, Invalid> {
        if self.media_ids.len() > limits::MAX_MEDIA_PER_POST {
            return Err(Invalid("must be at most 4"));
        }
        let distinct: HashSet<&Uuid> = self.media_ids.iter().collect();
        if distinct.len() < self.media_ids.len() {
            return Err(Invalid("must not repeat one"));
        }
        Ok(self.media_ids.iter().copied().map(MediaId::from_uuid).collect())
    }
}

/// The `Idempotency-Key` header, if any. An invalid key is reported together with invalid fields of the body, as a 422:
/// an unreadable body is reported first.
#[derive(Debug)]
pub struct IdempotencyHeader(Result<Option<IdempotencyKey>, Invalid>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyHeader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        Ok(Self(match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value
                .to_str()
                .ok()
                .and_then(IdempotencyKey::parse)
                .map(Some)
                .ok_or(Invalid("must be 1 to 255 visible ASCII characters")),
            (Some(_), Some(_)) => Err(Invalid("must be given only once")),
        }))
    }
}

/// Publish a post
///
/// The post is in the author's story and feed at once and reaches every follower's feed soon after. With an
/// `Idempotency-Key` the same request can be retried for 24 hours and publishes once; a retry is answered with the same
/// post even if that has been deleted since. With pictures the text may be empty. Limited to 60 posts an hour; retries count once and are answered even when
/// the limit is reached.
#[utoipa::path(
    post,
    path = "/v1/posts",
    tag = "posts",
    security(("bearer" = [])),
    params((
        "Idempotency-Key" = Option<String>, Header,
        description = "1 to 255 visible ASCII characters", min_length = 1, max_length = 255, pattern = "^[!-~]+$"
    )),
    request_body = CreatePostRequest,
    responses(
        (status = 201, description = "The post", body = PostShape,
            headers(("Location" = String, description = "The path of the post"))),
        TokenProblems, BodyProblems, MediaProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn create_post(
    Caller(caller): Caller,
    State(api): State<PublishApi>,
    key: IdempotencyHeader,
    ApiJson(request): ApiJson<CreatePostRequest>,
) -> Result<Response, Problem> {
    let (new, key) = request.validate(key)?;
    let now = api.authentication.clock.now();
    let post = api.publishing.publish(caller, new, key.as_ref(), now).await?;
    let post = PostShape::shown(post, &api.media_urls);
    let location = format!("/v1/posts/{}", post.post_id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(post)).into_response())
}
