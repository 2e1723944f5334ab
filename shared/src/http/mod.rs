//! What the two HTTP crates share.
