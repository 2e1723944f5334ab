//! What API Gateway says of a request.

use axum::extract::Request;
use lambda_http::{RequestExt, request::RequestContext};
use shared::http::PeerAddress;

/// Notes who is at the other end of the gateway's connection: the gateway saw it itself, whatever headers say.
pub async fn with_peer(mut request: Request) -> Request {
    let address = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
        _ => None,
    };
    if let Some(address) = address.and_then(|text| text.parse().ok()) {
        request.extensions_mut().insert(PeerAddress(address));
    }
    request
}
