//! Names in the data directory.

/// The directory of the database.
pub(crate) const DATABASE: &str = "db";
/// The directory of object storage.
pub(crate) const BLOBS: &str = "blobs";
/// The operator's socket.
pub(crate) const SOCKET: &str = "tweeter.sock";
/// Prefix of the directory that a restore moves earlier data to; a number follows.
pub(crate) const SET_ASIDE: &str = "before-restore-";
