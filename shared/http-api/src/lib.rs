//! What the two HTTP crates share, so that the API is one API wherever a route is served.
//!
//! - [`problem`]: the closed list of problem documents, and the one mapping from service errors to them.
//! - [`caller`]: who sends a request.
//! - [`address`]: where a request comes from; [`agent`]: from which program.
//! - [`body`]: JSON bodies, and the fields of a request that are not good.
//! - [`path`]: users, posts and comments named in a path.
//! - [`page`]: `?limit=` and `?cursor=`; [`cursor`] is the text of the latter.
//! - [`shapes`]: users, profiles, posts and pages as they are sent.
//! - [`texts`]: what people write, in the description's words.
//! - [`conventions`]: what holds of every answer: request id, log line, metrics, CORS, durability.
//! - [`openapi`]: what the description of every route shares.

pub mod address;
pub mod agent;
pub mod body;
pub mod caller;
pub mod conventions;
mod cors;
pub mod cursor;
mod durable;
mod observe;
pub mod openapi;
pub mod page;
pub mod path;
pub mod problem;
pub mod shapes;
pub mod texts;

pub use address::{Client, PeerAddress, TrustedProxy};
pub use agent::ClientAgent;
pub use body::{ApiJson, FieldErrors};
pub use caller::{Authentication, Caller, CallerSession, CallerUntil};
pub use conventions::{Deadline, HttpOptions, InvalidOrigin, with_conventions};
pub use page::PageQuery;
pub use path::{PathComment, PathPost, PathSession, PathUser};
pub use problem::{FieldError, Problem};
