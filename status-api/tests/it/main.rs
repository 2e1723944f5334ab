//! The integration tests of this crate, in one binary.

mod account_deletion;
mod accounts;
mod api_document;
mod conventions;
mod deletion;
mod events;
mod export;
mod health;
mod media;
mod notifications;
mod passwords;
mod posts;
mod rate_limits;
mod reactions;
mod sessions;
mod support;
mod timeout;
