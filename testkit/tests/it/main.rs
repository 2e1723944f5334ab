//! The integration tests of this crate, in one binary.

mod fault_wrappers;
mod scan;
