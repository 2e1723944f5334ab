//! The integration tests of this crate, in one binary.

mod application;
mod aws;
mod aws_cli;
mod backup;
mod change_reader;
mod cli;
mod clock_steps;
mod crash;
mod event_source;
mod event_source_stop;
mod fail_stop;
mod faults;
mod feed;
mod follow_latency;
mod http_server;
mod live;
mod poison;
mod recount;
mod recount_one;
mod restore_post;
mod social_crash;
mod social_faults;
mod support;
mod verify;
mod web;
mod who_may;
