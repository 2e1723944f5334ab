//! The URLs of pictures.

use std::sync::Arc;

use data::keys::blobs::served;
use domain::{MediaToken, PictureSize};

/// Makes the URLs under which pictures are served. They are absolute, unguessable and immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaUrls {
    base: Arc<str>,
}

impl MediaUrls {
    /// URLs under `base`, such as `https://media.example.org`.
    pub fn under(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').into() }
    }

    /// The URL of one size of a picture.
    pub fn of(&self, token: MediaToken, size: PictureSize) -> String {
        format!("{}/{}", self.base, served(token, size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_absolute_under_the_base() {
        let token = MediaToken::random();
        for base in ["https://media.example.org", "https://media.example.org/"] {
            let urls = MediaUrls::under(base);
            let expected = format!("https://media.example.org/media/{token}/medium.jpg");
            assert_eq!(urls.of(token, PictureSize::Medium), expected);
        }
    }
}
