//! Names in the data directory.

/// The database's folder.
pub(crate) const DATABASE: &str = "db";
/// The operator's socket.
pub(crate) const SOCKET: &str = "tweeter.sock";
/// Start of the name of a folder to which a restore moved earlier data; a number follows.
pub(crate) const SET_ASIDE: &str = "before-restore-";
