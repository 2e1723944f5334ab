//! Request parsing, responses and middleware shared by the two HTTP crates, so that both serve one API.
//!
//! - [`problem`]: the closed list of problem documents, and the only mapping from service errors to it.
//! - [`caller`]: the authenticated user.
//! - [`address`]: the client's address; [`agent`]: its `User-Agent`.
//! - [`body`]: JSON bodies and their invalid fields.
//! - [`path`]: users, posts, comments and media named in a path.
//! - [`page`]: `?limit=` and `?cursor=`; [`cursor`]: the encoding of cursors.
//! - [`responses`]: users, profiles, posts, pictures and pages as they are sent.
//! - [`texts`]: schemas of the texts that people write.
//! - [`middleware`]: the middleware around all routes: request id, log line, metrics, CORS, durability.
//! - [`openapi`]: the shared parts of the API description.

pub mod address;
pub mod agent;
pub mod body;
pub mod caller;
mod compression;
mod cors;
pub mod cursor;
mod durable;
pub mod middleware;
mod observe;
pub mod openapi;
pub mod page;
pub mod path;
pub mod problem;
pub mod responses;
pub mod texts;

pub use address::{Client, PeerAddress, TrustedProxy};
pub use agent::ClientAgent;
pub use body::{ApiJson, FieldErrors};
pub use caller::{Authentication, Caller, CallerSession, CallerUntil};
pub use middleware::{Deadline, HttpOptions, InvalidOrigin, with_middleware};
pub use page::PageQuery;
pub use path::{PathComment, PathMedia, PathPost, PathSession, PathUser};
pub use problem::{FieldError, Problem};
