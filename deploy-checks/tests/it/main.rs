//! The integration tests of this crate, in one binary.

mod docs;
mod events;
mod guides;
mod metrics;
mod policies;
mod template;
mod warm_up;
