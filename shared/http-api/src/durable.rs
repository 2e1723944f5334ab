//! An answer to a write leaves when what it says is durable.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::problem::Problem;
use ports::store::Store;

/// Waits for [`Store::durable`] before any success of a method that may write, so also before an answer that repeats
/// an earlier one or says that things are so already: what it reports may have been written a moment ago by a call that
/// still waits. When the store cannot say so, the answer is a 503: the write may or may not last.
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
