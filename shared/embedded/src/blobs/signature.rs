//! Signatures of uploads: HMAC-SHA-256 over method, key, type, size and expiry, with a key derived from the signing
//! secret of access tokens.

use domain::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ports::{
    blobs::{Permitted, PresignedUpload},
    signing::{SECRET_BYTES, TokenKeys},
};
use sha2::Sha256;

type Signature = Hmac<Sha256>;

/// Separates the derived key from other uses of the signing secret.
const PURPOSE: &[u8] = b"tweeter: signed uploads, version 1";

/// An upload as a client sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRequest {
    /// The key, from the path.
    pub key: String,
    /// The value of `Content-Type`.
    pub content_type: String,
    /// The value of `Content-Length`.
    pub bytes: u64,
    /// The value of `expires` in the query.
    pub expires: u64,
    /// The value of `signature` in the query.
    pub signature: String,
}

impl UploadRequest {
    /// The signed text. No part but the last contains a line feed: a key has none, and neither has a header's value.
    fn text(&self) -> String {
        let Self { key, content_type, bytes, expires, signature: _ } = self;
        format!("PUT\n{key}\n{content_type}\n{bytes}\n{expires}")
    }
}

/// Signs and verifies uploads. `Debug` shows no key.
pub(super) struct UploadSigner {
    current: Signature,
    /// The current key and its predecessor.
    accepted: Vec<Signature>,
}

impl std::fmt::Debug for UploadSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UploadSigner").finish_non_exhaustive()
    }
}

impl UploadSigner {
    pub(super) fn new(keys: &TokenKeys) -> Self {
        Self { current: derived(keys.current()), accepted: keys.accepted().map(derived).collect() }
    }

    /// Signs an upload to the service at this URL.
    pub(super) fn presign(&self, permitted: &Permitted<'_>, public_url: &str, now: Timestamp) -> PresignedUpload {
        let expires = now.as_secs().saturating_add(permitted.lasts.as_secs());
        let (key, content_type, bytes) = (permitted.key.to_owned(), permitted.content_type.to_owned(), permitted.bytes);
        let request = UploadRequest { key, content_type, bytes, expires, signature: String::new() };
        let signature = hex::encode(self.current.clone().chain_update(request.text()).finalize().into_bytes());
        PresignedUpload {
            url: format!("{public_url}/{}?expires={expires}&signature={signature}", permitted.key),
            headers: vec![
                ("content-type".to_owned(), request.content_type),
                ("content-length".to_owned(), bytes.to_string()),
            ],
            expires_at: Timestamp::from_millis(expires.saturating_mul(1_000)),
        }
    }

    /// Whether the request was signed here and has not expired. Compares in constant time.
    pub(super) fn permits(&self, request: &UploadRequest, now: Timestamp) -> bool {
        let (text, mut signature) = (request.text(), [0; SECRET_BYTES]);
        now.as_secs() < request.expires
            && hex::decode_to_slice(&request.signature, &mut signature).is_ok()
            && self.accepted.iter().any(|key| key.clone().chain_update(&text).verify_slice(&signature).is_ok())
    }
}

/// The key of uploads that follows from a signing secret.
fn derived(secret: &[u8; SECRET_BYTES]) -> Signature {
    let key = keyed(secret).chain_update(PURPOSE).finalize().into_bytes();
    keyed(&key)
}

fn keyed(key: &[u8]) -> Signature {
    Signature::new_from_slice(key).expect("HMAC takes keys of any size")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_763_700_000_500);

    fn keys(byte: u8) -> TokenKeys {
        TokenKeys::new([byte; SECRET_BYTES])
    }

    /// The request that a URL signed with this secret permits.
    fn signed_with(byte: u8) -> UploadRequest {
        let lasts = Duration::from_mins(5);
        let permitted = Permitted { key: "uploads/1", content_type: "image/png", bytes: 7, lasts };
        let upload = UploadSigner::new(&keys(byte)).presign(&permitted, "", NOW);
        let (_, signature) = upload.url.split_once("signature=").unwrap();
        UploadRequest {
            key: "uploads/1".to_owned(),
            content_type: "image/png".to_owned(),
            bytes: 7,
            expires: upload.expires_at.as_secs(),
            signature: signature.to_owned(),
        }
    }

    #[test]
    fn a_url_expires_at_its_second() {
        let (signer, request) = (UploadSigner::new(&keys(1)), signed_with(1));
        let end = Timestamp::from_millis(request.expires * 1_000);
        assert!(signer.permits(&request, end.minus(Duration::from_millis(1))));
        assert!(!signer.permits(&request, end));
    }

    #[test]
    fn uploads_signed_with_the_previous_secret_pass() {
        let request = signed_with(1);
        let rotated = UploadSigner::new(&keys(2).with_previous([1; SECRET_BYTES]));
        assert!(rotated.permits(&request, NOW));
        assert!(!UploadSigner::new(&keys(2)).permits(&request, NOW));
    }

    #[test]
    fn a_lengthened_expiry_is_refused() {
        let request = UploadRequest { expires: u64::MAX, ..signed_with(1) };
        assert!(!UploadSigner::new(&keys(1)).permits(&request, NOW));
    }
}
