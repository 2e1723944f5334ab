//! The network address that a request comes from.
//!
//! The server provides the connection's peer ([`PeerAddress`]). A header that names the client is trusted only when a
//! [`TrustedProxy`] is configured, because any client can send one.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, request::Parts};
use tracing::warn;

use domain::ClientNetwork;

/// The peer address of the connection: an extension of the request, set by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

/// Trusted proxies in front of the service, which name the client in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProxy {
    /// The header, such as `x-forwarded-for`: a list of addresses to which each proxy appends its peer.
    pub header: HeaderName,
    /// The number of proxies that append to the header. The client is the entry appended by the first of them, counted
    /// from the end; earlier entries come from the client and are ignored.
    pub hops: NonZeroUsize,
}

impl TrustedProxy {
    /// The client according to the proxies. `None` if there are fewer entries than proxies or the entry is not an
    /// address.
    fn client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lists = headers.get_all(&self.header).into_iter();
        let entries = lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
        let entries: Vec<&[u8]> = entries.collect();
        let entry = entries.len().checked_sub(self.hops.get()).and_then(|at| entries.get(at))?;
        address(std::str::from_utf8(entry).ok()?.trim())
    }
}

/// Parses an address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    text.parse().ok().or_else(with_port).or_else(bracketed)
}

/// The network that a request comes from, or [`ClientNetwork::UNKNOWN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(pub ClientNetwork);

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or(Self(ClientNetwork::UNKNOWN)))
    }
}

/// The header that proxies use by default.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How the client's address is determined.
#[derive(Debug, Clone)]
pub(super) struct Origins {
    proxy: Option<TrustedProxy>,
    has_warned: Arc<AtomicBool>,
}

impl Origins {
    pub(super) fn new(proxy: Option<TrustedProxy>) -> Self {
        Self { proxy, has_warned: Arc::default() }
    }

    /// Warns once if requests appear to come through a proxy that is not configured: its clients share one address and
    /// one set of rate limits.
    fn look_for_proxy(&self, peer: IpAddr, headers: &HeaderMap) {
        let is_proxy = self.proxy.is_none() && is_near(peer) && headers.contains_key(FORWARDED_FOR);
        if is_proxy && !self.has_warned.swap(true, Ordering::Relaxed) {
            warn!(
                client.address = %peer,
                "Requests from {peer} carry x-forwarded-for, which is not trusted: all clients of that proxy share \
                 one address, its rate limits and its connections. If every request passes the proxy, restart with \
                 --trusted-proxy-header x-forwarded-for; will not warn again"
            );
        }
    }
}

/// Whether this is an address of the host or of a private network, where proxies run.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Determines the client's network and attaches it to the request.
pub(super) async fn client(State(origins): State<Origins>, mut request: Request, next: Next) -> Response {
    let named = origins.proxy.as_ref().and_then(|proxy| proxy.client(request.headers()));
    let peer = request.extensions().get().map(|PeerAddress(address)| *address);
    if let Some(peer) = peer {
        origins.look_for_proxy(peer, request.headers());
    }
    if let Some(address) = named.or(peer) {
        request.extensions_mut().insert(Client(address.into()));
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Mutex};

    use axum::{Router, body::Body, middleware, routing};
    use http::HeaderValue;
    use tower::ServiceExt as _;

    use super::*;

    /// Captured log output.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn warnings(&self) -> usize {
            let bytes = self.0.lock().unwrap().clone();
            String::from_utf8(bytes).unwrap().matches("--trusted-proxy-header").count()
        }
    }

    /// Sends requests, each from an address and with or without the header; returns the number of warnings logged.
    async fn warnings(proxy: Option<TrustedProxy>, requests: &[(&str, bool)]) -> usize {
        let log = Log::default();
        let logging = {
            let log = log.clone();
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).finish()
        };
        // With a single dispatcher, `tracing` asks for interest only on the thread that first reaches a log line, which
        // may belong to another test. A second dispatcher makes it ask all of them.
        let _second = tracing::Dispatch::new(tracing_subscriber::registry());
        let _logging = tracing::subscriber::set_default(logging);
        let router = Router::new()
            .route("/", routing::get(async || ()))
            .layer(middleware::from_fn_with_state(Origins::new(proxy), client));
        for (address, is_forwarded) in requests {
            let mut request = Request::new(Body::empty());
            request.extensions_mut().insert(PeerAddress(address.parse().unwrap()));
            if *is_forwarded {
                request.headers_mut().insert(FORWARDED_FOR, HeaderValue::from_static("203.0.113.9"));
            }
            let _answer = router.clone().oneshot(request).await.unwrap();
        }
        log.warnings()
    }

    #[tokio::test]
    async fn an_unconfigured_proxy_is_warned_of_once() {
        for near in
            ["127.0.0.1", "::1", "10.0.0.1", "172.17.0.1", "192.168.1.1", "169.254.1.1", "fd00::1", "::ffff:10.0.0.1"]
        {
            assert_eq!(warnings(None, &[(near, false), (near, true), (near, true)]).await, 1, "{near}");
        }
    }

    #[tokio::test]
    async fn requests_without_a_proxy_log_no_warning() {
        assert_eq!(warnings(None, &[("127.0.0.1", false)]).await, 0);
        assert_eq!(warnings(None, &[("203.0.113.1", true), ("2001:db8::1", true)]).await, 0, "any client can send it");
        let proxy = TrustedProxy { header: FORWARDED_FOR, hops: NonZeroUsize::MIN };
        assert_eq!(warnings(Some(proxy), &[("127.0.0.1", true)]).await, 0);
    }

    fn client_of(hops: usize, lists: &[&str]) -> Option<String> {
        let header = HeaderName::from_static("x-forwarded-for");
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(&header, HeaderValue::from_str(list).unwrap());
        }
        let proxy = TrustedProxy { header, hops: NonZeroUsize::new(hops).unwrap() };
        proxy.client(&headers).map(|address| address.to_string())
    }

    #[test]
    fn the_client_is_the_first_proxys_peer() {
        let list = "203.0.113.9, 198.51.100.7,192.0.2.1";
        assert_eq!(client_of(1, &[list]).as_deref(), Some("192.0.2.1"));
        assert_eq!(client_of(2, &[list]).as_deref(), Some("198.51.100.7"));
        assert_eq!(client_of(2, &["203.0.113.9, 198.51.100.7", "192.0.2.1"]).as_deref(), Some("198.51.100.7"));
    }

    #[test]
    fn missing_or_malformed_entries_give_no_client() {
        for (hops, lists) in
            [(1, vec![]), (3, vec!["192.0.2.1, 192.0.2.2"]), (1, vec!["192.0.2.1, unknown"]), (1, vec![""])]
        {
            assert_eq!(client_of(hops, &lists), None, "{lists:?}");
        }
    }

    #[test]
    fn an_entry_may_have_a_port() {
        for (entry, address) in [
            ("192.0.2.1:4711", "192.0.2.1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(client_of(1, &[entry]).as_deref(), Some(address));
        }
    }
}
