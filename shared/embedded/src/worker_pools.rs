//! The threads that call fjall, so that async threads never do: a commit may stall on a flush, a read on the disk.
//!
//! Two pools, one for reads and one for writes, so that a feed page does not wait for a fan-out. Within a pool, each kind
//! of call waits in a lane of its own and the lanes take turns: behind the batches of a large fan-out a transaction waits
//! for one batch, not for all of them. Idle threads sleep on a condition variable.
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

/// A kind of call, which waits only for its own kind and takes turns with the others of its pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Reads of one item, and what is read besides by operators and probes.
    Get,
    /// Reads of many items by key.
    BatchGet,
    /// Reads of a range of items.
    Query,
    /// Conditional writes and transactions, including the reads they depend on.
    Write,
    /// Batches of unconditional writes.
    BatchWrite,
    /// Messages sent.
    Send,
    /// Messages received, deleted or made visible again.
    Receive,
}

/// Lanes of a pool at most.
const LANES: usize = 4;

/// One call.
type Work = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Waiting {
    lanes: [VecDeque<Work>; LANES],
    /// The lane whose turn it is.
    turn: usize,
    closed: bool,
}

impl Waiting {
    /// The next call of the first lane in turn that has any.
    fn next(&mut self) -> Option<Work> {
        let lane =
            (0..LANES).map(|further| (self.turn + further) % LANES).find(|lane| !self.lanes[*lane].is_empty())?;
        self.turn = (lane + 1) % LANES;
        self.lanes[lane].pop_front()
    }
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

    /// Runs `work` on a thread of the lane's pool, even if the caller stops waiting.
    pub async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        let (queue, lane) = self.queue(lane);
        // The send fails if the caller stopped waiting; the work is done nevertheless.
        queue.put(lane, Box::new(move || drop(answer.send(work()))))?;
        answered.await.map_err(|_| Failure::Panicked)
    }

    /// The queue of the lane's pool, and the lane's place in it.
    fn queue(&self, lane: Lane) -> (&WorkQueue, usize) {
        match lane {
            Lane::Get => (&self.reads, 0),
            Lane::BatchGet => (&self.reads, 1),
            Lane::Query => (&self.reads, 2),
            Lane::Write => (&self.writes, 0),
            Lane::BatchWrite => (&self.writes, 1),
            Lane::Send => (&self.writes, 2),
            Lane::Receive => (&self.writes, 3),
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
    fn put(&self, lane: usize, work: Work) -> Result<(), Failure> {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(Failure::Closed);
        }
        waiting.lanes[lane].push_back(work);
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
            if let Some(work) = waiting.next() {
                return Some(work);
            }
            if waiting.closed {
                return None;
            }
            self.arrived.wait(&mut waiting);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_of_a_pool_take_turns() {
        let done = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Waiting::default();
        for (lane, name) in [(1, "batch 1"), (1, "batch 2"), (1, "batch 3"), (0, "write"), (2, "send 1"), (2, "send 2")]
        {
            let done = Arc::clone(&done);
            waiting.lanes[lane].push_back(Box::new(move || done.lock().push(name)));
        }
        while let Some(work) = waiting.next() {
            work();
        }
        assert_eq!(*done.lock(), ["write", "batch 1", "send 1", "batch 2", "send 2", "batch 3"]);
    }
}
