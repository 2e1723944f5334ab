//! The threads that call fjall, so that async threads never do: a commit may stall on a flush, a read on the disk.
//!
//! Two pools, one for reads and one for writes, so that a feed page does not wait for a fan-out. Idle threads sleep on
//! a condition variable.
//!
//! Measured (a million feed entries in batches of 25 by 8 tasks, 2 cores): these threads use 5.4 s of processor time in
//! total, as much as raw fjall on one thread; `spawn_blocking` uses 7.6 s, as it wakes many threads that then wait for
//! one journal; `block_in_place` uses 6.3 s, and does not work on a current-thread runtime. Channels instead of the
//! queue are slower: see `docs/adr/0007-threads-for-the-engine.md`.

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::failure::Failure;

/// A pool, by the kind of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// Reads.
    Read,
    /// Commits, including the reads they depend on.
    Write,
}

/// One call.
type Work = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Waiting {
    work: VecDeque<Work>,
    closed: bool,
}

#[derive(Default)]
struct WorkQueue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

/// Both pools.
pub struct WorkerPools {
    reads: Arc<WorkQueue>,
    writes: Arc<WorkQueue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl WorkerPools {
    /// Starts the threads.
    pub fn start() -> io::Result<Self> {
        let pools = Self { reads: Arc::default(), writes: Arc::default(), threads: Mutex::default() };
        // Commits are serialised by the journal, so more threads would only wait for each other.
        let threads = thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
        for number in 0..threads {
            pools.spawn(format!("store-read-{number}"), &pools.reads)?;
            pools.spawn(format!("store-write-{number}"), &pools.writes)?;
        }
        Ok(pools)
    }

    fn spawn(&self, name: String, queue: &Arc<WorkQueue>) -> io::Result<()> {
        let queue = Arc::clone(queue);
        let thread = thread::Builder::new().name(name).spawn(move || queue.serve())?;
        self.threads.lock().push(thread);
        Ok(())
    }

    /// Runs `work` on a thread of the pool, even if the caller stops waiting.
    pub async fn run<T: Send + 'static>(
        &self,
        pool: Pool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        self.queue(pool).put(Box::new(move || {
            // The send fails if the caller stopped waiting; the work is done nevertheless.
            let _ = answer.send(work());
        }))?;
        answered.await.map_err(|_| Failure::Panicked)
    }

    fn queue(&self, pool: Pool) -> &WorkQueue {
        match pool {
            Pool::Read => &self.reads,
            Pool::Write => &self.writes,
        }
    }

    /// Finishes queued work, accepts no more and ends the threads.
    pub fn close(&self) {
        for queue in [&self.reads, &self.writes] {
            queue.waiting.lock().closed = true;
            queue.arrived.notify_all();
        }
        for thread in self.threads.lock().drain(..) {
            // A panic of the work was already caught; there is no other error to report.
            let _ = thread.join();
        }
    }
}

impl WorkQueue {
    fn put(&self, work: Work) -> Result<(), Failure> {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(Failure::Closed);
        }
        waiting.work.push_back(work);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    fn serve(&self) {
        while let Some(work) = self.take() {
            // The caller notices a panic because its answer never arrives; the thread continues.
            let _ = catch_unwind(AssertUnwindSafe(work));
        }
    }

    fn take(&self) -> Option<Work> {
        let mut waiting = self.waiting.lock();
        loop {
            if let Some(work) = waiting.work.pop_front() {
                return Some(work);
            }
            if waiting.closed {
                return None;
            }
            self.arrived.wait(&mut waiting);
        }
    }
}
