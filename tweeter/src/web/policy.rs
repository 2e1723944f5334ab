//! The headers of the web client's files: type, caching, and what the page may load and do.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};
use sha2::{Digest, Sha256};

use super::files::File;

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// Kept, but asked about before each use.
const REVALIDATED: &str = "no-cache";
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Adds the headers that depend on the file alone.
pub(super) fn protect(headers: &mut HeaderMap, file: &File) {
    let caching = if file.is_immutable { IMMUTABLE } else { REVALIDATED };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type(&file.name)));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if file.name == super::paths::INDEX {
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        if let Ok(policy) = HeaderValue::try_from(content_policy(&file.bytes)) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
    }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("webmanifest") => "application/manifest+json",
        Some("json") => "application/json",
        _ => "text/plain; charset=utf-8",
    }
}

/// Everything comes from this origin. The only script in the page is its import map, which no browser loads from a URL;
/// it is allowed by its hash.
fn content_policy(page: &[u8]) -> String {
    let allowed = import_map(page).map(|map| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(map))));
    format!(
        "default-src 'none'; script-src 'self'{}; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
         manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        allowed.unwrap_or_default()
    )
}

/// The text of the page's import map.
fn import_map(page: &[u8]) -> Option<&str> {
    let page = std::str::from_utf8(page).ok()?;
    let (_, rest) = page.split_once("<script type=\"importmap\">")?;
    rest.split_once("</script>").map(|(map, _)| map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_only_the_import_map() {
        let policy = content_policy(b"<script type=\"importmap\">{}</script>");
        assert!(
            policy.contains("script-src 'self' 'sha256-RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=';"),
            "{policy}"
        );
        assert!(content_policy(b"").contains("script-src 'self';"));
    }
}
