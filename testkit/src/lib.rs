//! What the tests of all crates share.

pub mod crash;
pub mod pipeline;
