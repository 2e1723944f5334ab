//! `GET /openapi.json`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header::CONTENT_TYPE;
use http_api::openapi::CommonProblems;

use crate::state::ApiState;

/// Read this document
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "operations",
    responses((status = 200, description = "OpenAPI 3.1", body = Object), CommonProblems),
)]
pub async fn openapi(State(api): State<ApiState>) -> Response {
    ([(CONTENT_TYPE, "application/json")], api.document()).into_response()
}
