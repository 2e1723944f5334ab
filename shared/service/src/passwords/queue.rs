//! The queue of waiting password hashes: networks take turns.
//!
//! A hash takes a core for tens of milliseconds, and any client can request one. So the number of running hashes is
//! limited, as is the number waiting per network, and a free slot goes to the network whose turn it is. A flood from
//! one network delays another by at most one hash.

use std::{collections::VecDeque, fmt, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use domain::ClientNetwork;

/// Limits on running and waiting hashes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Running concurrently.
    pub running: usize,
    /// Waiting, of all networks.
    pub waiting: usize,
    /// Waiting, of one network.
    pub waiting_per_network: usize,
}

/// Hashes waiting for a slot, by network.
pub(super) struct HashQueue {
    bounds: Bounds,
    state: Mutex<State>,
}

/// Invariant: no hash waits while a slot is free.
#[derive(Default)]
struct State {
    running: usize,
    /// The networks with waiting hashes, in the order of their turns.
    lines: VecDeque<Line>,
}

/// The waiting hashes of one network, oldest first.
struct Line {
    network: ClientNetwork,
    waiters: VecDeque<Waiter>,
}

/// Receives the slot, or `None` when it must give way.
type Waiter = oneshot::Sender<Option<Slot>>;

/// The right to run one hash. Dropping it hands it on to the next waiter.
pub(super) struct Slot(Option<Arc<HashQueue>>);

impl fmt::Debug for HashQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashQueue").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

impl HashQueue {
    pub(super) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { bounds, state: Mutex::default() })
    }

    /// Waits for a slot. `None` when the network's line is full, when the queue is full and no other network has a
    /// longer line, or when this waiter, as the newest of the longest line, must give way to another network.
    pub(super) async fn enter(self: &Arc<Self>, network: ClientNetwork) -> Option<Slot> {
        let turn = {
            let mut state = self.state.lock();
            if state.running < self.bounds.running {
                state.running += 1;
                return Some(Slot(Some(Arc::clone(self))));
            }
            state.wait(network, self.bounds)?
        };
        turn.await.ok().flatten()
    }

    /// Gives a freed slot to the next waiter, if any.
    fn hand_on(self: Arc<Self>) {
        let mut slot = Slot(Some(Arc::clone(&self)));
        loop {
            let next = {
                let mut state = self.state.lock();
                let next = state.next();
                if next.is_none() {
                    state.running -= 1;
                }
                next
            };
            let Some(next) = next else {
                slot.0 = None;
                return;
            };
            match next.send(Some(slot)) {
                Ok(()) => return,
                // Its caller has just been cancelled.
                Err(refused) => slot = refused.expect("a slot was sent"),
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.hand_on();
        }
    }
}

impl State {
    /// Adds a waiter of `network` to its line, if there is room or another waiter can be displaced.
    fn wait(&mut self, network: ClientNetwork, bounds: Bounds) -> Option<oneshot::Receiver<Option<Slot>>> {
        if self.waiting() >= bounds.waiting || self.waiting_of(network) >= bounds.waiting_per_network {
            self.forget_those_gone();
        }
        let own = self.waiting_of(network);
        if own >= bounds.waiting_per_network || (self.waiting() >= bounds.waiting && !self.make_room(own)) {
            return None;
        }
        let (waiter, turn) = oneshot::channel();
        match self.lines.iter_mut().find(|line| line.network == network) {
            Some(line) => line.waiters.push_back(waiter),
            None => self.lines.push_back(Line { network, waiters: VecDeque::from([waiter]) }),
        }
        Some(turn)
    }

    /// Refuses the newest waiter of the longest line, if that line stays at least as long as the newcomer's will be.
    fn make_room(&mut self, newcomers: usize) -> bool {
        let Some(longest) = self.lines.iter_mut().max_by_key(|line| line.waiters.len()) else { return false };
        if longest.waiters.len() <= newcomers + 1 {
            return false;
        }
        if let Some(newest) = longest.waiters.pop_back() {
            // It may have been cancelled meanwhile, which makes room as well.
            drop(newest.send(None));
        }
        true
    }

    /// Takes the oldest waiter of the network whose turn it is, and moves the network to the end of the turns.
    fn next(&mut self) -> Option<Waiter> {
        while let Some(mut line) = self.lines.pop_front() {
            line.waiters.retain(|waiter| !waiter.is_closed());
            let waiter = line.waiters.pop_front();
            if !line.waiters.is_empty() {
                self.lines.push_back(line);
            }
            if waiter.is_some() {
                return waiter;
            }
        }
        None
    }

    fn waiting(&self) -> usize {
        self.lines.iter().map(|line| line.waiters.len()).sum()
    }

    fn waiting_of(&self, network: ClientNetwork) -> usize {
        self.lines.iter().find(|line| line.network == network).map_or(0, |line| line.waiters.len())
    }

    fn forget_those_gone(&mut self) {
        for line in &mut self.lines {
            line.waiters.retain(|waiter| !waiter.is_closed());
        }
        self.lines.retain(|line| !line.waiters.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        pin::Pin,
    };

    use futures::FutureExt;

    use super::*;

    type Waiting = Pin<Box<dyn Future<Output = Option<Slot>>>>;

    fn network(number: u8) -> ClientNetwork {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, number)).into()
    }

    fn queue(waiting: usize, waiting_per_network: usize) -> Arc<HashQueue> {
        HashQueue::new(Bounds { running: 1, waiting, waiting_per_network })
    }

    /// A new waiter of a network.
    fn come(queue: &Arc<HashQueue>, number: u8) -> Waiting {
        let queue = Arc::clone(queue);
        let mut waiting: Waiting = Box::pin(async move { queue.enter(network(number)).await });
        assert!(waiting.as_mut().now_or_never().is_none(), "it waits");
        waiting
    }

    fn enters(queue: &Arc<HashQueue>, number: u8) -> Option<Slot> {
        queue.enter(network(number)).now_or_never().expect("it need not wait")
    }

    /// Lets each waiter hash in turn, beginning with `running`; returns the networks in the order of their turns.
    fn order(running: Slot, mut waiting: Vec<(u8, Waiting)>) -> Vec<u8> {
        let mut order = Vec::new();
        let mut running = Some(running);
        while running.take().is_some() {
            let mut next = None;
            waiting.retain_mut(|(number, waiting)| match waiting.as_mut().now_or_never() {
                Some(Some(slot)) => {
                    order.push(*number);
                    assert!(next.replace(slot).is_none(), "one runs at once");
                    false
                }
                Some(None) => false,
                None => true,
            });
            running = next;
        }
        order
    }

    #[test]
    fn a_newcomer_waits_for_one_flood_hash() {
        let queue = queue(100, 100);
        let running = enters(&queue, 1).unwrap();
        let mut waiting: Vec<_> = (0..50).map(|_| (1, come(&queue, 1))).collect();
        waiting.push((2, come(&queue, 2)));
        let order = order(running, waiting);
        assert_eq!(order.len(), 51);
        assert_eq!(order[..3], [1, 2, 1]);
    }

    #[test]
    fn networks_take_turns_in_order_of_arrival() {
        let queue = queue(100, 100);
        let running = enters(&queue, 9).unwrap();
        let waiting = [1, 1, 1, 2, 2, 3].map(|number| (number, come(&queue, number)));
        assert_eq!(order(running, waiting.into()), [1, 2, 3, 1, 2, 1]);
    }

    #[test]
    fn a_full_queue_refuses_the_longest_line() {
        let queue = queue(4, 4);
        let running = enters(&queue, 1).unwrap();
        let mut waiting: Vec<_> = (0..4).map(|_| (1, come(&queue, 1))).collect();
        assert!(enters(&queue, 1).is_none(), "the longest line is its own");
        waiting.push((2, come(&queue, 2)));
        assert!(waiting[3].1.as_mut().now_or_never().is_some_and(|slot| slot.is_none()), "its newest gives way");
        drop(waiting.remove(3));
        assert!(enters(&queue, 1).is_none());
        assert_eq!(order(running, waiting), [1, 2, 1, 1]);
    }

    #[test]
    fn equally_short_lines_refuse_the_newcomer() {
        let queue = queue(3, 3);
        let running = enters(&queue, 9).unwrap();
        let waiting = [1, 2, 3].map(|number| (number, come(&queue, number)));
        assert!(enters(&queue, 4).is_none());
        assert_eq!(order(running, waiting.into()), [1, 2, 3]);
    }

    #[test]
    fn each_network_has_its_own_limit() {
        let queue = queue(100, 2);
        let running = enters(&queue, 1).unwrap();
        let mut waiting = vec![(1, come(&queue, 1)), (1, come(&queue, 1))];
        assert!(enters(&queue, 1).is_none());
        // A cancelled waiter makes room.
        waiting.pop();
        waiting.push((1, come(&queue, 1)));
        assert_eq!(order(running, waiting), [1, 1]);
    }

    #[test]
    fn a_cancelled_waiter_hands_its_slot_on() {
        let queue = queue(100, 100);
        let running = enters(&queue, 1).unwrap();
        let (gone, stays) = (come(&queue, 2), come(&queue, 3));
        drop(running);
        drop(gone);
        assert!(stays.now_or_never().flatten().is_some());
        assert_eq!(queue.state.lock().running, 0);
        assert!(enters(&queue, 1).is_some(), "no slot is lost");
    }
}
