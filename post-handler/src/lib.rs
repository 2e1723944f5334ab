//! post-handler
