//! Problem documents (RFC 9457): the closed list, and the only mapping from [`ServiceError`] to it.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;
use utoipa::ToSchema;

use service::ServiceError;

/// The media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// The `Retry-After` of a transient failure: long enough for the store's own retries to finish.
const TRANSIENT_RETRY_AFTER: Duration = Duration::from_secs(1);

/// One invalid field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field's name in the API; `body` for the body as a whole.
    #[schema(example = "handle")]
    pub field: String,
    /// The reason, worded for a person.
    #[schema(example = "is already taken")]
    pub message: String,
}

impl FieldError {
    /// An error of this field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// The body of a problem response.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// The type, from a closed list: `/problems/<slug>`.
    #[serde(rename = "type")]
    #[schema(example = "/problems/not-found", pattern = "^/problems/[a-z-]+$")]
    pub kind: String,
    /// A short summary, the same for every problem of a type.
    pub title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// The reason, or what the client can do about it.
    pub detail: String,
    /// The fields concerned; with 409 and 422.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
}

/// All problems of the API.
#[derive(Debug)]
pub enum Problem {
    /// The body or a query value cannot be parsed.
    Unparseable(&'static str),
    /// The access token or the credentials are missing, invalid or expired.
    Unauthenticated(&'static str),
    /// The resource belongs to another user.
    Forbidden,
    /// Not the account's password.
    WrongPassword,
    /// The upload's URL does not permit it.
    UploadNotPermitted,
    /// The resource does not exist or is hidden from the caller.
    NotFound,
    /// No route has this path.
    NoSuchRoute,
    /// The route does not have this method.
    MethodNotAllowed,
    /// A unique value belongs to another account.
    Taken(Vec<FieldError>),
    /// Media that are not ready.
    MediaNotReady(Vec<FieldError>),
    /// Media that are shown elsewhere.
    MediaInUse(Vec<FieldError>),
    /// The upload's URL has been used.
    AlreadyUploaded,
    /// The body is larger than [`domain::limits::MAX_BODY_BYTES`].
    TooLarge,
    /// The `Content-Type` is not JSON.
    NotJson,
    /// Some fields are invalid.
    Invalid(Vec<FieldError>),
    /// This deployment does not serve the route.
    NotHere(&'static str),
    /// The caller exceeded a rate limit.
    RateLimited {
        /// The time until the limit allows another request.
        retry_after: Duration,
    },
    /// A transient failure.
    Unavailable {
        /// The time until a retry is worthwhile.
        retry_after: Duration,
        /// The cause, for the log only.
        cause: Option<Arc<ServiceError>>,
    },
    /// A fault of the service.
    Internal {
        /// The cause, for the log only.
        cause: Option<Arc<ServiceError>>,
    },
}

/// The cause of a 5xx: an extension of the response, so that it is logged once, with the request's id.
#[derive(Debug, Clone)]
pub(super) struct Cause(pub Arc<dyn std::error::Error + Send + Sync>);

impl Problem {
    /// One invalid field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }

    /// The HTTP status.
    pub const fn status(&self) -> StatusCode {
        self.describe().0
    }

    /// The `type`.
    pub fn kind(&self) -> String {
        format!("/problems/{}", self.describe().1)
    }

    /// The closed list: status, slug, title, detail.
    const fn describe(&self) -> (StatusCode, &'static str, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::Unparseable(detail) => (S::BAD_REQUEST, "unparseable", "The request cannot be parsed", detail),
            Self::Unauthenticated(detail) => (S::UNAUTHORIZED, "unauthenticated", "Not authenticated", detail),
            Self::Forbidden => (S::FORBIDDEN, "forbidden", "Not allowed", "The resource belongs to another user."),
            Self::WrongPassword => {
                (S::FORBIDDEN, "wrong-password", "Wrong password", "This is not the account's password.")
            }
            Self::UploadNotPermitted => (
                S::FORBIDDEN,
                "upload-not-permitted",
                "Upload not permitted",
                "A URL permits one upload, of the announced type and size, for five minutes.",
            ),
            Self::NotFound => {
                (S::NOT_FOUND, "not-found", "Not found", "The resource does not exist or is not visible to you.")
            }
            Self::NoSuchRoute => {
                (S::NOT_FOUND, "no-such-route", "No such route", "GET /openapi.json lists all routes.")
            }
            Self::MethodNotAllowed => (
                S::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "Method not allowed",
                "The Allow header lists the allowed methods.",
            ),
            Self::Taken(_) => (S::CONFLICT, "taken", "Already taken", "Choose another value for these fields."),
            Self::MediaNotReady(_) => {
                (S::CONFLICT, "media-not-ready", "Media not ready", "Wait until GET /v1/media/{media_id} says ready.")
            }
            Self::MediaInUse(_) => {
                (S::CONFLICT, "media-in-use", "Media in use", "A post or a profile shows these media already.")
            }
            Self::AlreadyUploaded => {
                (S::PRECONDITION_FAILED, "already-uploaded", "Already uploaded", "A URL permits one upload.")
            }
            Self::TooLarge => {
                (S::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large", "A body may have at most 64 KiB.")
            }
            Self::NotJson => {
                (S::UNSUPPORTED_MEDIA_TYPE, "not-json", "The body is not JSON", "Send Content-Type: application/json.")
            }
            Self::Invalid(_) => {
                (S::UNPROCESSABLE_ENTITY, "invalid", "The request is not valid", "Correct these fields.")
            }
            Self::NotHere(detail) => (S::NOT_IMPLEMENTED, "not-here", "Not served here", detail),
            Self::RateLimited { .. } => {
                (S::TOO_MANY_REQUESTS, "rate-limited", "Too many requests", "Try again after Retry-After seconds.")
            }
            Self::Unavailable { .. } => {
                (S::SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable", "Try again in a moment.")
            }
            Self::Internal { .. } => {
                (S::INTERNAL_SERVER_ERROR, "internal", "Internal server error", "The error has been logged.")
            }
        }
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Unauthenticated => Self::Unauthenticated("The credentials are not valid."),
            ServiceError::Invalid { field, message } => Self::invalid(field, message),
            ServiceError::NotFound => Self::NotFound,
            ServiceError::Forbidden => Self::Forbidden,
            ServiceError::WrongPassword => Self::WrongPassword,
            ServiceError::Taken { fields } => {
                Self::Taken(fields.into_iter().map(|field| FieldError::new(field, "is already taken")).collect())
            }
            ServiceError::MediaNotReady { field } => {
                Self::MediaNotReady(vec![FieldError::new(field, "must be ready; uploads that were rejected never are")])
            }
            ServiceError::MediaInUse { field } => {
                Self::MediaInUse(vec![FieldError::new(field, "belongs to media that are shown already")])
            }
            ServiceError::RateLimited { retry_after } => Self::RateLimited { retry_after },
            ServiceError::Busy { retry_after } => Self::Unavailable { retry_after, cause: None },
            ServiceError::Undecided { retry_after } => Self::Unavailable { retry_after, cause: Some(Arc::new(error)) },
            failed if failed.is_transient() => {
                Self::Unavailable { retry_after: TRANSIENT_RETRY_AFTER, cause: Some(Arc::new(failed)) }
            }
            failed => Self::Internal { cause: Some(Arc::new(failed)) },
        }
    }
}

impl From<ports::store::StoreError> for Problem {
    fn from(error: ports::store::StoreError) -> Self {
        ServiceError::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, _, title, detail) = self.describe();
        let (kind, detail) = (self.kind(), detail.to_owned());
        let (errors, retry_after, cause) = match self {
            Self::Taken(errors) | Self::MediaNotReady(errors) | Self::MediaInUse(errors) | Self::Invalid(errors) => {
                (errors, None, None)
            }
            Self::RateLimited { retry_after } => (Vec::new(), Some(retry_after), None),
            Self::Unavailable { retry_after, cause } => (Vec::new(), Some(retry_after), cause),
            Self::Internal { cause } => (Vec::new(), None, cause),
            _ => (Vec::new(), None, None),
        };
        let body = ProblemBody { kind, title, status: status.as_u16(), detail, errors };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(pause) = retry_after {
            // Whole seconds, rounded up and never 0, which would mean no pause.
            headers.insert(
                RETRY_AFTER,
                HeaderValue::from(pause.as_millis().div_ceil(1_000).max(1).try_into().unwrap_or(u64::MAX)),
            );
        }
        if let Some(cause) = cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ports::store::StoreError;

    async fn body_of(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    async fn sent(problem: Problem) -> String {
        let response = problem.into_response();
        let headers: Vec<_> = ["content-type", "retry-after", "www-authenticate"]
            .into_iter()
            .filter_map(|name| Some(format!("{name}: {}", response.headers().get(name)?.to_str().unwrap())))
            .collect();
        format!("{}\n{}\n{}", response.status(), headers.join("\n"), body_of(response).await)
    }

    #[tokio::test]
    async fn the_closed_list_of_problems() {
        let errors = || vec![FieldError::new("handle", "is already taken")];
        let all = [
            Problem::Unparseable("The body is not well-formed JSON."),
            Problem::Unauthenticated("The credentials are not valid."),
            Problem::Forbidden,
            Problem::WrongPassword,
            Problem::UploadNotPermitted,
            Problem::NotFound,
            Problem::NoSuchRoute,
            Problem::MethodNotAllowed,
            Problem::Taken(errors()),
            Problem::MediaNotReady(vec![FieldError::new("media_ids", "must be ready")]),
            Problem::MediaInUse(vec![FieldError::new("media_ids", "is shown already")]),
            Problem::AlreadyUploaded,
            Problem::TooLarge,
            Problem::NotJson,
            Problem::Invalid(errors()),
            Problem::NotHere("Live events are served in one-process mode only."),
            Problem::RateLimited { retry_after: Duration::from_millis(59_001) },
            Problem::Unavailable { retry_after: Duration::from_millis(1_001), cause: None },
            Problem::Internal { cause: None },
        ];
        let mut list = Vec::new();
        for problem in all {
            list.push(sent(problem).await);
        }
        insta::assert_snapshot!(list.join("\n\n"));
    }

    #[tokio::test]
    async fn a_5xx_body_hides_its_cause() {
        let secret = || std::io::Error::other("table prod-auth-7 at 10.0.0.1").into();
        for (error, status) in [(StoreError::Unavailable(secret()), 503), (StoreError::Rejected(secret()), 500)] {
            let response = Problem::from(ServiceError::from(error)).into_response();
            assert_eq!(response.status(), status);
            assert!(response.extensions().get::<Cause>().is_some());
            assert!(!body_of(response).await.contains("prod-auth"));
        }
    }
    #[test]
    fn an_unknown_outcome_becomes_unavailable_with_retry_after() {
        let retry_after = Duration::from_secs(5);
        let response = Problem::from(ServiceError::Undecided { retry_after }).into_response();
        assert_eq!(
            (response.status(), &response.headers()[RETRY_AFTER]),
            (StatusCode::SERVICE_UNAVAILABLE, &"5".parse().unwrap())
        );
    }
}
