//! The contract of every adapter of the ports: one check per fact, run as one test each on every adapter.
//!
//! ```ignore
//! async fn open() -> StoreHarness { StoreHarness::new(my_store()) }
//! testkit::store_contract!(open());
//! ```
//!
//! Attributes after the harness apply to each test: `testkit::store_contract!(open(), #[ignore = "needs a network"]);`

#![deny(dead_code, reason = "a check that is not named in a contract would never run")]

/// Declares a contract: its checks by module, and the macro that makes a test of each. A check that is not named here
/// is dead code, which does not compile. The first token is a `$` for the declared macro.
macro_rules! contract {
    ($dollar:tt $(#[$doc:meta])* $name:ident, $port:ident $($module:ident { $($check:ident)+ })+) => {
        $(pub use self::$module::{$($check),+};)+

        $(#[$doc])*
        #[macro_export]
        macro_rules! $name {
            ($dollar harness:expr $dollar(, #[$dollar attribute:meta])*) => {
                $crate::contract_tests! { [$dollar(#[$dollar attribute])*] $port, $dollar harness, $($($check)+)+ }
            };
        }
    };
}

pub mod blobs;
pub mod changes;
pub mod queue;
pub mod scan;
pub mod store;

/// Makes a test of each named check. For [`store_contract!`](crate::store_contract),
/// [`queue_contract!`](crate::queue_contract), [`blobs_contract!`](crate::blobs_contract) and
/// [`changes_contract!`](crate::changes_contract).
#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($attributes:tt $port:ident, $harness:expr, $($check:ident)*) => {$(
        $crate::contract_test! { $attributes $port, $harness, $check }
    )*};
}

/// Makes a test of one check.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_test {
    ([$(#[$attribute:meta])*] $port:ident, $harness:expr, $check:ident) => {
        $(#[$attribute])*
        #[tokio::test]
        async fn $check() {
            $crate::contract::$port::$check($harness.await).await;
        }
    };
}

/// Panics unless the result is the error for an invalid call.
macro_rules! assert_rejected {
    ($error:ident, $result:expr) => {
        match $result {
            Err($error::Rejected(_)) => {}
            other => panic!("expected Rejected, got {other:?}"),
        }
    };
}
pub(crate) use assert_rejected;
