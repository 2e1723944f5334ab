//! The protocol holds from every start in [`scenarios`], each known flaw breaks it, and the functions named exist.

mod explorer;
mod flaws;
mod names;
mod protocol;
mod scenarios;
