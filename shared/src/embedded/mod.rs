//! One fjall database under both ports.
