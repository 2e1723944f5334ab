//! The integration tests of this crate, in one binary.

mod data_model;
mod docs;
mod emf;
mod events;
mod function_lists;
mod guides;
mod log_lines;
mod metrics;
mod policies;
mod profiles;
mod sqs_events;
mod template;
mod warm_up;
