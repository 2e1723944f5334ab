//! The integration tests of this crate, in one binary.

mod on_aws;
mod process;
mod scenarios;
mod stack;
mod stack_aws;
