//! The partial-batch driver that every queue handler shares.
