//! The steps of each actor. A step is one store transaction, one strong read, or one message.

use crate::{
    explorer::Steps,
    protocol::{Action, Step},
    state::State,
};

pub mod fan_out;
pub mod follow;
pub mod outbox;
pub mod page;
pub mod promotion;
pub mod publish;
pub mod removal;

/// The steps found so far.
pub type Found = Steps<State, Step>;

fn step(action: Action, on: usize, process: usize) -> Step {
    let number = |index: usize| u8::try_from(index).unwrap_or(u8::MAX);
    Step { action, on: number(on), process: number(process) }
}

/// The state after a change.
fn after(state: &State, change: impl FnOnce(&mut State)) -> State {
    let mut next = state.clone();
    change(&mut next);
    next.normalized()
}

/// Adds the crash of a process, if one may still happen. `change` removes what the process holds.
fn may_crash(state: &State, (on, process): (usize, usize), found: &mut Found, change: impl FnOnce(&mut State)) {
    if state.crashes > 0 {
        let next = after(state, |next| {
            next.crashes -= 1;
            change(next);
        });
        found.may(step(Action::Crash, on, process), next);
    }
}
