//! Breadth-first search of every reachable state.
//!
//! Visited states are stored whole, so no hash collision can hide one, and the first violation found has a shortest trace.
//!
//! Not stateright 0.31: it stores 64-bit fingerprints, cannot express that work in progress can end in
//! every state (its properties are always, sometimes and eventually), and brings a web server along.

use std::{fmt, hash::BuildHasherDefault};

use indexmap::IndexSet;
use rustc_hash::FxHasher;

/// A protocol as a graph of states.
pub trait Model {
    /// All that the processes and the stores hold.
    type State: Clone + Eq + std::hash::Hash + fmt::Debug;
    /// The name of a step in a trace.
    type Step: Copy + fmt::Display;

    /// The state before the first step.
    fn start(&self) -> Self::State;
    /// Adds every step that is possible in `state`.
    fn steps(&self, state: &Self::State, steps: &mut Steps<Self::State, Self::Step>);
    /// Checks what must hold in every state, or returns the violation.
    fn check_always(&self, state: &Self::State) -> Result<(), String>;
    /// Checks what must hold in a state without pending work, or returns the violation.
    fn check_at_rest(&self, state: &Self::State) -> Result<(), String>;
}

/// The steps that are possible in a state.
#[derive(Debug)]
pub struct Steps<S, T> {
    found: Vec<(T, S, bool)>,
}

impl<S, T> Steps<S, T> {
    /// Adds a step of work in progress. It happens sooner or later, unless another step disables it.
    pub fn must(&mut self, step: T, next: S) {
        self.found.push((step, next, true));
    }

    /// Adds a step of the environment, such as a request or a crash. It need not happen.
    pub fn may(&mut self, step: T, next: S) {
        self.found.push((step, next, false));
    }
}

/// The size of a search without a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explored {
    /// Distinct states.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// States without pending work.
    pub at_rest: usize,
}

/// A violation, and a shortest sequence of steps that leads to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The broken property.
    pub property: String,
    /// The steps from the start, in order.
    pub trace: Vec<String>,
    /// The state reached, for reading.
    pub state: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.property)?;
        for (number, step) in self.trace.iter().enumerate() {
            writeln!(f, "{:3}. {step}", number + 1)?;
        }
        write!(f, "{}", self.state)
    }
}

/// Visits every reachable state of `model` and checks it.
///
/// Besides the model's own checks, a state without pending work must be reachable from every state by work in progress
/// alone: nothing waits for the environment.
///
/// # Errors
/// The first violation in breadth-first order.
///
/// # Panics
/// With more states than fit a 32-bit number.
pub fn explore<M: Model>(model: &M) -> Result<Explored, Violation> {
    Search::new(model).run()
}

struct Search<'a, M: Model> {
    model: &'a M,
    states: IndexSet<M::State, BuildHasherDefault<FxHasher>>,
    /// For each state but the first, the state and the step that led to it.
    origins: Vec<(u32, Option<M::Step>)>,
    /// The states after a step of work in progress: of each state one after the other, with the ends of each.
    work: (Vec<u32>, Vec<usize>),
    steps: usize,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M) -> Self {
        let states = [model.start()].into_iter().collect();
        Self { model, states, origins: vec![(0, None)], work: (Vec::new(), Vec::new()), steps: 0 }
    }

    fn run(mut self) -> Result<Explored, Violation> {
        let mut steps = Steps { found: Vec::new() };
        let (mut current, mut at_rest) = (0, 0);
        while let Some(state) = self.states.get_index(current) {
            self.model.check_always(state).map_err(|property| self.violation(current, property))?;
            self.model.steps(state, &mut steps);
            if !steps.found.iter().any(|(.., is_work)| *is_work) {
                at_rest += 1;
                self.model.check_at_rest(state).map_err(|property| self.violation(current, property))?;
            }
            self.add(current, &mut steps);
            current += 1;
        }
        self.check_progress()?;
        Ok(Explored { states: self.states.len(), steps: self.steps, at_rest })
    }

    fn add(&mut self, origin: usize, steps: &mut Steps<M::State, M::Step>) {
        self.steps += steps.found.len();
        for (step, next, is_work) in steps.found.drain(..) {
            let (index, is_new) = self.states.insert_full(next);
            let number = u32::try_from(index).expect("fewer states than numbers");
            if is_new {
                self.origins.push((u32::try_from(origin).expect("fewer states than numbers"), Some(step)));
            }
            if is_work {
                self.work.0.push(number);
            }
        }
        self.work.1.push(self.work.0.len());
    }

    fn work_of(&self, state: usize) -> &[u32] {
        let start = state.checked_sub(1).map_or(0, |before| self.work.1[before]);
        &self.work.0[start..self.work.1[state]]
    }

    /// Checks that work in progress can end in every state.
    fn check_progress(&self) -> Result<(), Violation> {
        let mut ends: Vec<bool> = (0..self.states.len()).map(|state| self.work_of(state).is_empty()).collect();
        let mut is_changed = true;
        // Work leads mostly to states found later, so one pass backwards settles nearly all of them.
        while is_changed {
            is_changed = false;
            for state in (0..ends.len()).rev() {
                if !ends[state] && self.work_of(state).iter().any(|next| ends[*next as usize]) {
                    ends[state] = true;
                    is_changed = true;
                }
            }
        }
        match ends.iter().position(|ends| !ends) {
            Some(stuck) => Err(self.violation(stuck, "the work in progress cannot end".into())),
            None => Ok(()),
        }
    }

    fn violation(&self, state: usize, property: String) -> Violation {
        let (mut trace, mut at) = (Vec::new(), state);
        while let (origin, Some(step)) = self.origins[at] {
            trace.push(step.to_string());
            at = origin as usize;
        }
        trace.reverse();
        Violation { property, trace, state: format!("{:#?}", self.states[state]) }
    }
}
