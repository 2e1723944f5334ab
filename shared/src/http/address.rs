//! Where a request comes from.
//!
//! What serves says who is at the other end of the connection ([`PeerAddress`]). A header that names a client is
//! believed only where a [`TrustedProxy`] is configured: anybody can send one.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
};

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, request::Parts};

use crate::domain::ClientNetwork;

/// Who is at the other end of the connection: an extension of the request, put there by what serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub IpAddr);

/// Proxies in front of the service that name the client in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedProxy {
    /// The header: a list of addresses, to which each proxy adds whom it was called by, such as `x-forwarded-for`.
    pub header: HeaderName,
    /// How many proxies add to it. The client is the entry that the first of them added: so many from the end. What
    /// stands before it was sent by the client, and means nothing.
    pub hops: NonZeroUsize,
}

impl TrustedProxy {
    /// The client that the proxies name. `None` where there are fewer entries than proxies, or no address.
    fn client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lists = headers.get_all(&self.header).into_iter();
        let entries = lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
        let entries: Vec<&[u8]> = entries.collect();
        let entry = entries.len().checked_sub(self.hops.get()).and_then(|at| entries.get(at))?;
        address(std::str::from_utf8(entry).ok()?.trim())
    }
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    text.parse().ok().or_else(with_port).or_else(bracketed)
}

/// The network that a request comes from. Where nobody says, [`ClientNetwork::UNKNOWN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(pub ClientNetwork);

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or(Self(ClientNetwork::UNKNOWN)))
    }
}

/// Finds out where a request comes from.
pub(super) async fn client(State(proxy): State<Option<TrustedProxy>>, mut request: Request, next: Next) -> Response {
    let named = proxy.and_then(|proxy| proxy.client(request.headers()));
    let peer = request.extensions().get().map(|PeerAddress(address)| *address);
    if let Some(address) = named.or(peer) {
        request.extensions_mut().insert(Client(address.into()));
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

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
    fn the_client_is_whom_the_first_of_our_proxies_was_called_by() {
        let list = "203.0.113.9, 198.51.100.7,192.0.2.1";
        assert_eq!(client_of(1, &[list]).as_deref(), Some("192.0.2.1"));
        assert_eq!(client_of(2, &[list]).as_deref(), Some("198.51.100.7"));
        assert_eq!(client_of(2, &["203.0.113.9, 198.51.100.7", "192.0.2.1"]).as_deref(), Some("198.51.100.7"));
    }

    #[test]
    fn too_few_entries_or_no_address_name_nobody() {
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
