//! The handler through its public interface.

mod batches;
