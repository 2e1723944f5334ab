//! Delays the answer to a write until the write is durable.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::problem::Problem;
use ports::store::Store;

/// Waits for [`Store::durable`] before every successful answer of a method that may write. That includes answers
/// without a write of their own (an idempotent repeat, a state that already holds): the state they report may come from
/// a concurrent write that is not durable yet. If durability cannot be confirmed, the answer is a 503: the write may or
/// may not persist.
pub(super) async fn durable_answers(State(store): State<Arc<dyn Store>>, request: Request, next: Next) -> Response {
    let may_write = !request.method().is_safe();
    let response = next.run(request).await;
    if may_write
        && response.status().is_success()
        && let Err(error) = store.durable().await
    {
        return Problem::from(error).into_response();
    }
    response
}
