//! The reasons against an upload.

use thiserror::Error;

use crate::{format::Unsupported, limits::MAX_SIDE};

/// A final reason against an upload. Its text is fit to show to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Rejection {
    /// The upload has another size than its announcement; sizes in bytes.
    #[error("the file has {received} bytes, but {announced} were announced")]
    OtherSize {
        /// Size in the announcement.
        announced: u64,
        /// Size of the upload.
        received: u64,
    },
    /// The bytes are none of JPEG, PNG and WebP.
    #[error("{0} cannot be used; send a JPEG, PNG or WebP picture")]
    Unsupported(Unsupported),
    /// An animated WebP or PNG.
    #[error("animated pictures are not supported")]
    Animated,
    /// More pixels than [`crate::limits::MAX_PIXELS`].
    #[error("the picture has more than 50 megapixels")]
    TooManyPixels,
    /// Wider or higher than [`MAX_SIDE`].
    #[error("the picture is wider or higher than {MAX_SIDE} pixels")]
    TooLong,
    /// The bytes begin like a picture but are cut off, contradict themselves, or use a feature that no common encoder
    /// writes.
    #[error("the file is damaged or incomplete")]
    Damaged,
}
