//! The client address that API Gateway reports for a request.

use axum::extract::Request;
use http_api::PeerAddress;
use lambda_http::{RequestExt, request::RequestContext};

/// Notes the peer address of the gateway's connection: the gateway saw it itself, so headers cannot forge it.
pub fn with_peer(mut request: Request) -> Request {
    let address = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
        _ => None,
    };
    if let Some(address) = address.and_then(|text| text.parse().ok()) {
        request.extensions_mut().insert(PeerAddress(address));
    }
    request
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;

    use super::*;

    fn peer(source_ip: Option<&str>) -> Option<PeerAddress> {
        let mut context = ApiGatewayV2httpRequestContext::default();
        context.http.source_ip = source_ip.map(str::to_owned);
        let request = Request::new(Body::empty()).with_request_context(RequestContext::ApiGatewayV2(context));
        with_peer(request).extensions().get().copied()
    }

    #[test]
    fn the_peer_is_the_gateways_source_ip() {
        assert_eq!(peer(Some("192.0.2.1")), Some(PeerAddress("192.0.2.1".parse().unwrap())));
        assert_eq!(peer(Some("2001:db8::1")), Some(PeerAddress("2001:db8::1".parse().unwrap())));
        assert_eq!(peer(Some("nobody")), None);
        assert_eq!(peer(None), None);
    }
}
