//! The limits of pictures, each with its source.

/// Maximum area of an upload, in pixels (docs/api.md: Media). A decoded picture has at most four bytes per pixel.
pub const MAX_PIXELS: u64 = 50_000_000;
/// Maximum width and height of an upload, in pixels: the limit of a JPEG. It bounds the row buffers of a PNG, whose own
/// limit is 2³¹.
pub const MAX_SIDE: u32 = 65_535;
/// Maximum memory for the metadata of a PNG, inflated, in bytes. The largest colour profiles in use, of printers, are
/// below 4 MB.
pub const MAX_PNG_METADATA: usize = 16 * 1024 * 1024;
/// Maximum number of scans of a progressive JPEG. Encoders write about 10; each scan visits every block, so that a small
/// file of thousands of scans would take minutes.
pub const MAX_SCANS: usize = 64;

/// Longest side of the size `original`, in pixels (docs/api.md: Media).
pub const ORIGINAL_SIDE: u32 = 2048;
/// JPEG quality of the size `original`, 1 to 100.
pub const ORIGINAL_QUALITY: u8 = 90;
/// Longest side of the size `medium`, in pixels.
pub const MEDIUM_SIDE: u32 = 640;
/// JPEG quality of the size `medium`, 1 to 100.
pub const MEDIUM_QUALITY: u8 = 85;
/// Longest side of the size `thumbnail`, in pixels.
pub const THUMBNAIL_SIDE: u32 = 150;
/// JPEG quality of the size `thumbnail`, 1 to 100.
pub const THUMBNAIL_QUALITY: u8 = 80;

/// Horizontal and vertical components of a blurhash: the values that its authors recommend. The text has 28 characters.
pub const BLURHASH_COMPONENTS: (u32, u32) = (4, 3);
