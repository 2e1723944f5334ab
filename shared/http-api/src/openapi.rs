//! The parts of the API description that every route shares: its problem responses and the security scheme.

use utoipa::{
    IntoParams, IntoResponses, Modify,
    openapi::{
        OpenApi,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::problem::ProblemBody;

/// The name of the security scheme.
pub const BEARER: &str = "bearer";

/// Problems of every route.
#[derive(Debug, IntoResponses)]
pub enum CommonProblems {
    /// Internal server error.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(ProblemBody),
    /// Temporarily unavailable; see `Retry-After`.
    #[response(status = 503, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds to wait")))]
    Unavailable(ProblemBody),
}

/// Problems of a rate-limited route.
#[derive(Debug, IntoResponses)]
pub enum RateProblems {
    /// Too many of these requests; see `Retry-After`.
    #[response(status = 429, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds to wait")))]
    RateLimited(ProblemBody),
}

/// Problems of a route that requires an access token.
#[derive(Debug, IntoResponses)]
pub enum TokenProblems {
    /// The access token is missing, invalid or expired.
    #[response(status = 401, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`")))]
    Unauthenticated(ProblemBody),
}

/// Problems of a route that takes a JSON body.
#[derive(Debug, IntoResponses)]
pub enum BodyProblems {
    /// The body is not well-formed JSON.
    #[response(status = 400, content_type = "application/problem+json")]
    Unparseable(ProblemBody),
    /// The body is larger than 64 KiB.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// The `Content-Type` is not JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(ProblemBody),
    /// Some fields are invalid; `errors` names them.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(ProblemBody),
}

/// Problems of a paged route.
#[derive(Debug, IntoResponses)]
pub enum PageProblems {
    /// The limit is not a number, or the cursor does not belong to this list.
    #[response(status = 400, content_type = "application/problem+json")]
    Unparseable(ProblemBody),
    /// The limit is out of range.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(ProblemBody),
}

/// Problems of a route whose path identifies a resource.
#[derive(Debug, IntoResponses)]
pub enum PathProblems {
    /// Not found.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
}

/// The query of a paged route, for the description; [`super::PageQuery`] parses it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// The number of items per page.
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    pub limit: u32,
    /// The `next_cursor` of the previous page; omit it for the first page.
    #[param(required = false, min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    pub cursor: String,
}

/// The `{user}` path parameter, for the description; [`super::PathUser`] parses it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct UserParam {
    /// A user id, `@handle`, or `me` for the caller.
    #[param(example = "@alice")]
    pub user: String,
}

/// The `{id}` path parameter, for the description; [`super::PathPost`] parses it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct PostParam {
    /// The post's id.
    pub id: String,
}

/// Problems of a route that shows media.
#[derive(Debug, IntoResponses)]
pub enum MediaProblems {
    /// The media are not ready, or shown elsewhere; `errors` names the field.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemBody),
}

/// The `{media_id}` path parameter, for the description; [`super::PathMedia`] parses it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct MediaParam {
    /// The picture's id.
    pub media_id: String,
}

/// The `{session_id}` path parameter, for the description; [`super::PathSession`] parses it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SessionParam {
    /// The session's id.
    pub session_id: String,
}

/// Problems of a route that only the owner of the resource may use.
#[derive(Debug, IntoResponses)]
pub enum OwnerProblems {
    /// The resource does not belong to the caller.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
}

/// Adds the bearer token security scheme to the description.
#[derive(Debug)]
pub struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, openapi: &mut OpenApi) {
        let http = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("The `access_token` returned by register, log in or refresh."))
            .build();
        openapi.components.get_or_insert_default().add_security_scheme(BEARER, SecurityScheme::Http(http));
    }
}
