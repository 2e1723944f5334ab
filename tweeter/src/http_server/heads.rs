//! How long a connection may wait for the head of a request.
//!
//! hyper has one timeout for that, which begins when the answer before is sent. A connection that is idle between two
//! requests may stay longer than a head that has begun to arrive. So the timer that hyper is given here takes note of
//! the bytes that arrive:
//! - the first head of a connection must be complete [`HEAD_TIMEOUT`] after the connection was accepted;
//! - a later one must begin within [`IDLE_TIMEOUT`] and be complete [`HEAD_TIMEOUT`] after its first byte. The beginning
//!   of a head that arrived together with the request before it has the time of an idle connection: it holds the
//!   connection no longer than silence would.

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

/// Time for a head. A client sends one in a single packet or a few.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two requests: more than the 60 s after which nginx and AWS's load balancers close an idle connection to
/// a service. Were it less, they would now and then send a request into a connection that is being closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// Notes when the first byte arrived since a head is waited for. Clones share the note.
#[derive(Debug, Clone, Default)]
pub struct Arrivals(Arc<Mutex<Option<Instant>>>);

impl Arrivals {
    /// Takes note of bytes.
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

/// The timer of one connection, which hyper asks for nothing but the timeouts of heads.
#[derive(Debug)]
pub struct HeadTimer {
    arrivals: Arrivals,
    is_reused: AtomicBool,
}

impl HeadTimer {
    /// The timer of a connection whose bytes `arrivals` takes note of.
    pub fn new(arrivals: Arrivals) -> Self {
        Self { arrivals, is_reused: AtomicBool::new(false) }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    /// The end of the wait for the next head. Its first byte moves the end of those behind the first.
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

/// The end of the wait for a head.
struct HeadDeadline {
    /// Where its first byte is noted, until it has arrived.
    arrivals: Option<Arrivals>,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Future for HeadDeadline {
    type Output = ();

    /// hyper polls it after each read that did not complete the head.
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
