//! `POST /v1/media`, `GET` and `PATCH /v1/media/{media_id}`

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use domain::{Invalid, Media, MediaDescription, MediaState, MediaType, Picture, limits};
use http::StatusCode;
use http_api::{
    ApiJson, Caller, FieldErrors, PathMedia, Problem,
    openapi::{
        BodyProblems, CommonProblems, MediaParam, MediaProblems, OwnerProblems, PathProblems, RateProblems,
        TokenProblems,
    },
    problem::ProblemBody,
    responses::{MediaUrlsShape, Shown},
    texts,
};
use ports::blobs::PresignedUpload;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use service::media::{MediaService, NewMedia, urls::MediaUrls};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::state::ApiState;

/// The type of a picture, which the upload's `Content-Type` has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
pub enum MediaTypeShape {
    /// JPEG.
    #[serde(rename = "image/jpeg")]
    Jpeg,
    /// PNG; not animated.
    #[serde(rename = "image/png")]
    Png,
    /// WebP; not animated.
    #[serde(rename = "image/webp")]
    WebP,
}

impl From<MediaTypeShape> for MediaType {
    fn from(shape: MediaTypeShape) -> Self {
        match shape {
            MediaTypeShape::Jpeg => Self::Jpeg,
            MediaTypeShape::Png => Self::Png,
            MediaTypeShape::WebP => Self::WebP,
        }
    }
}

/// A picture to upload.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnnounceMediaRequest {
    content_type: MediaTypeShape,
    /// The exact size of the file, in bytes.
    #[schema(value_type = u64, minimum = 1, maximum = 10_485_760)]
    bytes: Number,
    #[serde(default)]
    #[schema(schema_with = texts::media_description, required = false)]
    description: String,
}

impl AnnounceMediaRequest {
    fn validate(&self) -> Result<NewMedia, Problem> {
        let mut errors = FieldErrors::new();
        let bytes = whole(&self.bytes).filter(|bytes| (1..=limits::MAX_UPLOAD_BYTES).contains(bytes));
        let bytes = bytes.ok_or(Invalid("must be a whole number from 1 to 10485760"));
        let bytes = errors.take("bytes", bytes);
        let description = errors.take("description", MediaDescription::parse(&self.description));
        let content_type = self.content_type.into();
        let new = bytes.zip(description).map(|(bytes, description)| NewMedia { content_type, bytes, description });
        errors.finish(new)
    }
}

/// A whole number up to 2^53. To JSON Schema `7.0` is an integer, too.
fn whole(number: &Number) -> Option<u64> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    let of_float = || number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=MOST).contains(float));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and in range")]
    number.as_u64().or_else(|| of_float().map(|float| float as u64))
}

/// An announced picture, and how to upload it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AnnounceMediaResponse {
    /// The picture's id, a UUIDv7.
    pub media_id: Uuid,
    /// The request to send.
    pub upload: UploadShape,
}

/// A request that uploads the picture straight to object storage, once, and needs no token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Upload)]
pub struct UploadShape {
    /// Always `PUT`.
    #[schema(pattern = "^PUT$", example = "PUT")]
    pub method: &'static str,
    /// Where to send it.
    pub url: String,
    /// Headers to send, with exactly these values.
    pub headers: BTreeMap<String, String>,
    /// When the permission ends, in UTC with milliseconds.
    #[schema(format = DateTime, example = "2025-11-21T04:40:00.100Z")]
    pub expires_at: String,
}

impl From<PresignedUpload> for UploadShape {
    fn from(permission: PresignedUpload) -> Self {
        Self {
            method: "PUT",
            url: permission.url,
            headers: permission.headers.into_iter().collect(),
            expires_at: permission.expires_at.to_string(),
        }
    }
}

/// The progress of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MediaStateShape {
    /// The upload has not arrived.
    AwaitingUpload,
    /// The upload is being processed.
    Processing,
    /// The three sizes are served, and a post or a profile can show them.
    Ready,
    /// The upload cannot be used; `reason` says why.
    Rejected,
}

/// A picture with its progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MediaProgress)]
pub struct MediaProgressShape {
    /// The picture's id, a UUIDv7.
    pub media_id: Uuid,
    /// The type: as announced until the picture is ready, then by the bytes. The three sizes are JPEGs.
    #[schema(example = "image/png", pattern = "^image/(jpeg|png|webp)$")]
    pub content_type: String,
    /// The width of the size `original`, in pixels; null until the picture is ready.
    #[schema(required = true, example = 2048)]
    pub width: Option<u32>,
    /// The height of the size `original`, in pixels; null until the picture is ready.
    #[schema(required = true, example = 1365)]
    pub height: Option<u32>,
    /// A blurred preview as text: <https://blurha.sh>; null until the picture is ready.
    #[schema(required = true, example = "LEHV6nWB2yk8pyo0adR*.7kCMdnj")]
    pub blurhash: Option<String>,
    /// The description for people who do not see the picture; may be empty.
    #[schema(max_length = 1500)]
    pub description: String,
    /// Where the picture is; null until it is ready.
    #[schema(required = true)]
    pub urls: Option<MediaUrlsShape>,
    /// The progress.
    pub state: MediaStateShape,
    /// Why the upload was rejected, fit to show; only then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
}

impl Shown<Media> for MediaProgressShape {
    fn shown(media: Media, urls: &MediaUrls) -> Self {
        let is_ready = media.state.picture().is_some();
        let (state, picture, reason) = match media.state {
            MediaState::AwaitingUpload => (MediaStateShape::AwaitingUpload, None, None),
            MediaState::Processing => (MediaStateShape::Processing, None, None),
            MediaState::Ready(picture) => (MediaStateShape::Ready, Some(picture), None),
            MediaState::Rejected(reason) => (MediaStateShape::Rejected, None, Some(reason)),
        };
        let (sides, blurhash) = picture.map(|Picture { width, height, blurhash }| ((width, height), blurhash)).unzip();
        let (width, height) = sides.unzip();
        Self {
            media_id: *media.media_id.as_uuid(),
            content_type: media.content_type.as_str().to_owned(),
            width,
            height,
            blurhash,
            description: media.description.to_string(),
            urls: is_ready.then(|| MediaUrlsShape::shown(media.token, urls)),
            state,
            reason,
        }
    }
}

/// Announce a picture
///
/// Answers with a presigned request that uploads the file straight to object storage, once, within 5 minutes, with
/// exactly this type and size. The picture is then processed; `GET /v1/media/{media_id}` shows when it is `ready`. A
/// picture that no post and no profile shows is erased after 24 hours. Limited to 60 pictures an hour.
#[utoipa::path(
    post,
    path = "/v1/media",
    tag = "media",
    security(("bearer" = [])),
    request_body = AnnounceMediaRequest,
    responses(
        (status = 201, description = "The picture's id, and how to upload it", body = AnnounceMediaResponse),
        (status = 501, description = "This deployment has no object storage",
            body = ProblemBody, content_type = "application/problem+json"),
        TokenProblems, BodyProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn announce_media(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    ApiJson(request): ApiJson<AnnounceMediaRequest>,
) -> Result<(StatusCode, Json<AnnounceMediaResponse>), Problem> {
    let new = request.validate()?;
    let (media, permission) = service_of(&api)?.announce(caller, new, api.clock.now()).await?;
    let announced = AnnounceMediaResponse { media_id: *media.media_id.as_uuid(), upload: permission.into() };
    Ok((StatusCode::CREATED, Json(announced)))
}

/// Read a picture
///
/// The caller's own, or one of a post that is shown.
#[utoipa::path(
    get,
    path = "/v1/media/{media_id}",
    tag = "media",
    security(("bearer" = [])),
    params(MediaParam),
    responses(
        (status = 200, description = "The picture", body = MediaProgressShape),
        (status = 501, description = "This deployment has no object storage",
            body = ProblemBody, content_type = "application/problem+json"),
        TokenProblems, PathProblems, CommonProblems,
    ),
)]
pub async fn media(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    media: PathMedia,
) -> Result<Json<MediaProgressShape>, Problem> {
    let media = service_of(&api)?.get(caller, media.if_any()).await?;
    Ok(Json(MediaProgressShape::shown(media, &api.media_urls)))
}

/// A new description of a picture.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DescribeMediaRequest {
    #[schema(schema_with = texts::media_description)]
    description: String,
}

impl DescribeMediaRequest {
    fn validate(&self) -> Result<MediaDescription, Problem> {
        let mut errors = FieldErrors::new();
        let description = errors.take("description", MediaDescription::parse(&self.description));
        errors.finish(description)
    }
}

/// Describe a picture
///
/// Replaces the description of the caller's picture until it is part of a post; then it is a 409. Limited to 600
/// requests an hour.
#[utoipa::path(
    patch,
    path = "/v1/media/{media_id}",
    tag = "media",
    security(("bearer" = [])),
    params(MediaParam),
    request_body = DescribeMediaRequest,
    responses(
        (status = 200, description = "The picture", body = MediaProgressShape),
        (status = 501, description = "This deployment has no object storage",
            body = ProblemBody, content_type = "application/problem+json"),
        TokenProblems, BodyProblems, MediaProblems, OwnerProblems, PathProblems, RateProblems, CommonProblems,
    ),
)]
pub async fn describe_media(
    Caller(caller): Caller,
    State(api): State<ApiState>,
    media: PathMedia,
    ApiJson(request): ApiJson<DescribeMediaRequest>,
) -> Result<Json<MediaProgressShape>, Problem> {
    let description = request.validate()?;
    let media = service_of(&api)?.describe(caller, media.if_any(), description, api.clock.now()).await?;
    Ok(Json(MediaProgressShape::shown(media, &api.media_urls)))
}

fn service_of(api: &ApiState) -> Result<&MediaService, Problem> {
    api.media.as_ref().ok_or(Problem::NotHere("This deployment has no object storage."))
}
