//! local
pub mod event_source;
pub mod http_server;
pub mod metrics;
pub mod secret;
