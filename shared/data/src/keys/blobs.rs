//! The keys of pictures in object storage. Only keys under [`Bucket::SERVED`] can be read from outside.

use domain::{InvalidId, MediaId, MediaToken, PictureSize};
use ports::blobs::Bucket;

/// The beginning of the keys of uploads.
const UPLOADS: &str = "uploads/";
/// The beginning of the keys of pictures that a deleted post had.
const WITHHELD: &str = "withheld/";

/// An upload, in [`Bucket::Uploads`].
pub fn upload(media: MediaId) -> String {
    format!("{UPLOADS}{media}")
}

/// Parses the picture from its upload's key.
///
/// # Errors
/// When the key is not that of an upload.
pub fn media_of_upload(key: &str) -> Result<MediaId, InvalidId> {
    key.strip_prefix(UPLOADS).ok_or(InvalidId)?.parse()
}

/// A size of a picture, in [`Bucket::Media`], where it is served. The key is the path of its URL.
pub fn served(token: MediaToken, size: PictureSize) -> String {
    format!("{}{token}/{}.jpg", Bucket::SERVED, size.name())
}

/// The same size while its post is deleted, in [`Bucket::Media`]; not served.
pub fn withheld(token: MediaToken, size: PictureSize) -> String {
    format!("{WITHHELD}{token}/{}.jpg", size.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_served_pictures_are_under_the_public_prefix() {
        let token = MediaToken::random();
        for size in PictureSize::ALL {
            assert!(served(token, size).starts_with(Bucket::SERVED));
            assert!(!withheld(token, size).starts_with(Bucket::SERVED));
        }
    }

    #[test]
    fn an_upload_key_names_its_picture() {
        let media = MediaId::from_uuid(uuid::Uuid::from_u128(7));
        assert_eq!(media_of_upload(&upload(media)), Ok(media));
        for key in ["", "uploads/", "uploads/x", &served(MediaToken::random(), PictureSize::Medium)] {
            assert_eq!(media_of_upload(key), Err(InvalidId), "{key}");
        }
    }
}
