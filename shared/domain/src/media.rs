//! Pictures as they are stored and shown.

use std::{fmt, str::FromStr};

use super::{InvalidId, MediaDescription, MediaId, PostId, Timestamp, UserId, random};

/// The unguessable part of a picture's URLs: 128 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MediaToken(u128);

impl MediaToken {
    /// A new random token.
    pub fn random() -> Self {
        Self(u128::from_ne_bytes(random::bytes()))
    }
}

impl fmt::Display for MediaToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for MediaToken {
    type Err = InvalidId;

    /// Parses 32 lower-case hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return Err(InvalidId);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| InvalidId)
    }
}

/// A type of picture that can be uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// `image/jpeg`
    Jpeg,
    /// `image/png`
    Png,
    /// `image/webp`
    WebP,
}

impl MediaType {
    /// Every type.
    pub const ALL: [Self; 3] = [Self::Jpeg, Self::Png, Self::WebP];

    /// The media type, as in `Content-Type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
        }
    }
}

impl FromStr for MediaType {
    type Err = InvalidId;

    /// Parses [`Self::as_str`], without parameters.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or(InvalidId)
    }
}

/// One of the three sizes in which a picture is served, each a JPEG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PictureSize {
    /// Fits into 2048 pixels a side.
    Original,
    /// Fits into 640 pixels a side.
    Medium,
    /// Fits into 150 pixels a side.
    Thumbnail,
}

impl PictureSize {
    /// Every size, largest first.
    pub const ALL: [Self; 3] = [Self::Original, Self::Medium, Self::Thumbnail];

    /// The size's name in the API and in URLs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Medium => "medium",
            Self::Thumbnail => "thumbnail",
        }
    }
}

/// The properties of a processed picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Width of the size `original`, in pixels.
    pub width: u32,
    /// Height of the size `original`, in pixels.
    pub height: u32,
    /// A blurred preview as text: <https://blurha.sh>.
    pub blurhash: String,
}

/// The progress of a picture from its announcement to its three sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaState {
    /// The upload has not arrived.
    AwaitingUpload,
    /// The upload is being processed.
    Processing,
    /// The three sizes are served.
    Ready(Picture),
    /// The upload cannot be used, for this reason, worded for the user.
    Rejected(String),
}

impl MediaState {
    /// The processed picture, if it is ready.
    pub const fn picture(&self) -> Option<&Picture> {
        match self {
            Self::Ready(picture) => Some(picture),
            Self::AwaitingUpload | Self::Processing | Self::Rejected(_) => None,
        }
    }

    /// Whether processing has ended.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Ready(_) | Self::Rejected(_))
    }
}

/// The only place that shows a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachment {
    /// This post.
    Post(PostId),
    /// Its owner's profile.
    Profile,
}

/// A picture that a user announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Its id, which contains the time of the announcement.
    pub media_id: MediaId,
    /// The user who announced it.
    pub owner: UserId,
    /// The unguessable part of its URLs.
    pub token: MediaToken,
    /// Its type: as announced until it is ready, then by its bytes.
    pub content_type: MediaType,
    /// The announced size, in bytes.
    pub bytes: u64,
    /// The description for people who do not see the picture; may be empty.
    pub description: MediaDescription,
    /// The progress.
    pub state: MediaState,
    /// The place that shows it; `None` until it is used.
    pub attached: Option<Attachment>,
    /// The time from which it is erased unless it is attached.
    pub erased_from: Timestamp,
}

/// A picture of a post, with everything that a page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostMedia {
    /// The picture's id.
    pub media_id: MediaId,
    /// The unguessable part of its URLs.
    pub token: MediaToken,
    /// The type of the upload, by its bytes.
    pub content_type: MediaType,
    /// The description; may be empty.
    pub description: MediaDescription,
    /// Dimensions and preview.
    pub picture: Picture,
}

/// The picture of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avatar {
    /// The picture's id.
    pub media_id: MediaId,
    /// The unguessable part of its URLs.
    pub token: MediaToken,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_from_its_text() {
        let token = MediaToken::random();
        assert_eq!(token.to_string().parse(), Ok(token));
        assert_ne!(token, MediaToken::random());
        for text in ["", "ABCDEF0123456789ABCDEF0123456789", "+1234567890123456789012345678901", &"0".repeat(33)] {
            assert_eq!(text.parse::<MediaToken>(), Err(InvalidId), "{text}");
        }
    }
}
