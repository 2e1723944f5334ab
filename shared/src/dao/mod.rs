//! Data access objects: one per kind of data, methods named by access pattern, no SDK type in a signature.
//! `get` is `Result<Option<T>>`; lists return [`crate::domain::Page`]. Each access pattern with its key and cost:
//! `docs/data-model.md`.

mod credentials;
mod sessions;
mod users;

pub use credentials::{Credentials, PasswordHash, StoredCredentials};
pub use sessions::{SessionId, Sessions, StoredToken};
pub use users::Users;
