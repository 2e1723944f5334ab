//! Random faults from a seed, and the switch that turns them off.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Turns faults on and off while a test runs. Clones share the switch.
#[derive(Debug, Clone)]
pub struct FaultSwitch(Arc<AtomicBool>);

impl Default for FaultSwitch {
    /// On.
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl FaultSwitch {
    /// Turns the faults on.
    pub fn turn_on(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Turns the faults off.
    pub fn turn_off(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Whether the faults are on.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The number of faults by kind. Counts of several wrappers add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultCounts {
    /// Calls that were throttled.
    pub throttled: u64,
    /// Calls answered as if the port were unavailable, made or not.
    pub unavailable: u64,
    /// Entries of batches that were left undone.
    pub undone: u64,
}

impl FaultCounts {
    /// Whether every kind of fault occurred.
    pub const fn has_every_kind(self) -> bool {
        self.throttled > 0 && self.unavailable > 0 && self.undone > 0
    }
}

impl std::ops::Add for FaultCounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            throttled: self.throttled + other.throttled,
            unavailable: self.unavailable + other.unavailable,
            undone: self.undone + other.undone,
        }
    }
}

/// The cause of an injected error, which distinguishes it from a real one.
#[derive(Debug, thiserror::Error)]
#[error("injected by a test: {0}")]
pub(super) struct Injected(pub &'static str);

impl Injected {
    pub const fn before() -> Self {
        Self("the call was not made")
    }

    pub const fn after() -> Self {
        Self("the call was made, its answer lost")
    }
}

/// The fate of a whole call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Passes,
    Throttled,
    FailsBefore,
    FailsAfter,
}

/// Seeded random decisions; faults occur only while the switch is on.
#[derive(Debug)]
pub(super) struct Dice {
    rng: Mutex<StdRng>,
    switch: FaultSwitch,
    counts: Mutex<FaultCounts>,
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self { rng: Mutex::new(StdRng::seed_from_u64(seed)), switch: FaultSwitch::default(), counts: Mutex::default() }
    }

    pub fn counts(&self) -> FaultCounts {
        *self.counts.lock()
    }

    pub fn switch(&self) -> FaultSwitch {
        self.switch.clone()
    }

    /// Decides the fate of a whole call. The probabilities are mutually exclusive.
    pub fn fate(&self, throttled: f64, before: f64, after: f64) -> Fate {
        if !self.switch.is_on() {
            return Fate::Passes;
        }
        let thrown: f64 = self.rng.lock().random();
        let mut counts = self.counts.lock();
        counts.throttled += u64::from(thrown < throttled);
        counts.unavailable += u64::from((throttled..throttled + before + after).contains(&thrown));
        if thrown < throttled {
            Fate::Throttled
        } else if thrown < throttled + before {
            Fate::FailsBefore
        } else if thrown < throttled + before + after {
            Fate::FailsAfter
        } else {
            Fate::Passes
        }
    }

    /// Whether an event of this probability occurs.
    pub fn happens(&self, probability: f64) -> bool {
        self.switch.is_on() && self.rng.lock().random::<f64>() < probability
    }

    /// A random index below a length; `None` if the length is zero.
    pub fn place(&self, len: usize) -> Option<usize> {
        (len > 0).then(|| self.rng.lock().random_range(0..len))
    }

    /// Whether an entry of a batch is left undone, with this probability.
    pub fn leaves_undone(&self, probability: f64) -> bool {
        let is_left = self.happens(probability);
        self.counts.lock().undone += u64::from(is_left);
        is_left
    }

    /// Splits entries into those to do and those to leave undone, with this probability.
    pub fn part<T>(&self, things: Vec<T>, undone: f64) -> (Vec<T>, Vec<T>) {
        things.into_iter().partition(|_| !self.leaves_undone(undone))
    }
}
