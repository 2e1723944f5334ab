//! The protocol of promotion, demotion, follow and rebuild as a model, checked in every interleaving.
//!
//! Feeds are written by fan-out, by backfills and by rebuilds, and merged from stories at read time, while follows and
//! unfollows change what is shown. The model has two readers, an author with two posts, and a crash at any step. A step
//! is one store transaction, one strong read or one message; the names of steps ([`protocol::Action`]) lead to the
//! functions that they stand for. Queues deliver at least once and in any order, and leases expire under slow workers.
//!
//! In reading order: [`state`], [`protocol`], [`steps`], [`contract`], and the search itself in [`explorer`].
//!
//! Left out, because each is decided by one read of one item: deletion of posts, cursors and limits, other authors.
//! Time is left out but for dormancy: that rules outlive entries is arithmetic on `limits`.

pub mod contract;
pub mod explorer;
pub mod protocol;
pub mod state;
pub mod steps;
