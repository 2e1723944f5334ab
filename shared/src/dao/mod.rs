//! Data access objects: one per kind of data, methods named by access pattern, no SDK type in a signature.
//! `get` is `Result<Option<T>>`; lists return [`crate::domain::Page`]. Each access pattern with its key and cost:
//! `docs/data-model.md`.

mod users;

pub use users::Users;
