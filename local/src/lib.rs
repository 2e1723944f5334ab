//! local
pub mod config;
pub mod dead_letters;
pub mod event_source;
pub mod http_server;
pub mod metrics;
pub mod operator;
pub mod schedule;
pub mod secret;
pub mod socket;
