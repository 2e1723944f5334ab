//! What the description of every route shares: the problems it may answer, and how a caller is known.

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

/// What any route may answer.
#[derive(Debug, IntoResponses)]
pub enum CommonProblems {
    /// Something went wrong here.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(ProblemBody),
    /// Not now; see `Retry-After`.
    #[response(status = 503, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds to wait")))]
    Unavailable(ProblemBody),
}

/// What a route may answer that one may not call too often.
#[derive(Debug, IntoResponses)]
pub enum RateProblems {
    /// Too many of these requests; see `Retry-After`.
    #[response(status = 429, content_type = "application/problem+json", headers(("Retry-After" = u32, description = "Seconds to wait")))]
    RateLimited(ProblemBody),
}

/// What a route may answer that needs a token.
#[derive(Debug, IntoResponses)]
pub enum TokenProblems {
    /// No access token, or none that is good.
    #[response(status = 401, content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "`Bearer`")))]
    Unauthenticated(ProblemBody),
}

/// What a route may answer that takes a body.
#[derive(Debug, IntoResponses)]
pub enum BodyProblems {
    /// The body is not well-formed JSON.
    #[response(status = 400, content_type = "application/problem+json")]
    Unparseable(ProblemBody),
    /// The body is larger than 64 KiB.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// The body is not said to be JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(ProblemBody),
    /// Fields hold what they must not; `errors` names them.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(ProblemBody),
}

/// What a route may answer that reads pages.
#[derive(Debug, IntoResponses)]
pub enum PageProblems {
    /// The limit is not a number, or the cursor not one of this list.
    #[response(status = 400, content_type = "application/problem+json")]
    Unparseable(ProblemBody),
    /// The limit is out of range.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(ProblemBody),
}

/// What a route may answer whose path names something.
#[derive(Debug, IntoResponses)]
pub enum PathProblems {
    /// There is no such thing.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
}

/// The query of a route that reads pages, for its description; [`super::PageQuery`] reads it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// How many items.
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    pub limit: u32,
    /// The `next_cursor` of the page before; from the beginning without.
    #[param(required = false, min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    pub cursor: String,
}

/// The `{user}` of a path, for the description; [`super::PathUser`] reads it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct UserParam {
    /// A user's id, `@handle`, or `me` for the caller.
    #[param(example = "@alice")]
    pub user: String,
}

/// The `{id}` of a path, for the description; [`super::PathPost`] reads it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct PostParam {
    /// The post's id.
    pub id: String,
}

/// The `{session_id}` of a path, for the description; [`super::PathSession`] reads it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct SessionParam {
    /// The session's id.
    pub session_id: String,
}

/// What a route may answer that is not for everybody to use.
#[derive(Debug, IntoResponses)]
pub enum OwnerProblems {
    /// The thing is not the caller's.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
}

/// Says how a caller is known.
#[derive(Debug)]
pub struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, openapi: &mut OpenApi) {
        let http = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("The `access_token` of registering, logging in or refreshing."))
            .build();
        openapi.components.get_or_insert_default().add_security_scheme(BEARER, SecurityScheme::Http(http));
    }
}
