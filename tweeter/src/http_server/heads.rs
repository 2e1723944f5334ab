//! Limits how long a connection may wait for a request head.
//!
//! hyper has a single timeout for that, which starts when the previous response is sent. A connection idle between two
//! requests may stay longer than a head that has begun to arrive. The timer given to hyper here therefore tracks
//! arriving bytes:
//! - the first head of a connection must be complete [`HEAD_TIMEOUT`] after the connection was accepted;
//! - a later one must begin within [`IDLE_TIMEOUT`] and be complete [`HEAD_TIMEOUT`] after its first byte. A partial
//!   head that arrived together with the previous request gets the time of an idle connection: it holds the connection
//!   no longer than silence would.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::rt::{Sleep, Timer};
use parking_lot::Mutex;
use tokio::time::Instant;

/// Time allowed for a head. A client sends one in a single packet or a few.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Time allowed between two requests: more than the 60 s after which nginx and AWS's load balancers close an idle
/// connection to a service. If it were less, they would occasionally send a request on a connection that is being
/// closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// Records when the first byte arrived since the wait for a head began. Clones share the record.
#[derive(Debug, Clone, Default)]
pub struct Arrivals(Arc<Mutex<Option<Instant>>>);

impl Arrivals {
    /// Records that bytes arrived.
    pub fn note(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.0.lock().get_or_insert_with(Instant::now);
        }
    }

    fn forget(&self) {
        *self.0.lock() = None;
    }

    fn first(&self) -> Option<Instant> {
        *self.0.lock()
    }
}

/// The timer of one connection. hyper asks it only for the timeouts of heads.
#[derive(Debug)]
pub struct HeadTimer {
    arrivals: Arrivals,
    is_reused: AtomicBool,
}

impl HeadTimer {
    /// The timer of a connection whose bytes are recorded in `arrivals`.
    pub fn new(arrivals: Arrivals) -> Self {
        Self { arrivals, is_reused: AtomicBool::new(false) }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    /// The deadline for the next head. For any head but the first, its first byte moves the deadline.
    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn Sleep>> {
        self.arrivals.forget();
        let is_reused = self.is_reused.swap(true, Ordering::Relaxed);
        let deadline = if is_reused { Instant::now() + IDLE_TIMEOUT } else { deadline.into() };
        let sleep = Box::pin(tokio::time::sleep_until(deadline));
        Box::pin(HeadDeadline { arrivals: is_reused.then(|| self.arrivals.clone()), sleep })
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }
}

/// The deadline for a head, as a future.
struct HeadDeadline {
    /// Where the head's first byte is recorded; `None` once it has arrived.
    arrivals: Option<Arrivals>,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Future for HeadDeadline {
    type Output = ();

    /// hyper polls this after each read that did not complete the head.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if let Some(first) = this.arrivals.as_ref().and_then(Arrivals::first) {
            this.arrivals = None;
            this.sleep.as_mut().reset(first + HEAD_TIMEOUT);
        }
        this.sleep.as_mut().poll(context)
    }
}

impl Sleep for HeadDeadline {}
