//! The search finds work that never ends.

use protocol_model::explorer::{Explored, Model, Steps, explore};

/// Counts up to a number, and from there back to another.
struct Counter {
    last: u8,
    back_to: Option<u8>,
}

impl Model for Counter {
    type State = u8;
    type Step = &'static str;

    fn start(&self) -> u8 {
        0
    }

    fn steps(&self, state: &u8, steps: &mut Steps<u8, &'static str>) {
        if *state < self.last {
            steps.must("up", state + 1);
        } else if let Some(back_to) = self.back_to {
            steps.must("back", back_to);
        }
    }

    fn check_always(&self, _state: &u8) -> Result<(), String> {
        Ok(())
    }

    fn check_at_rest(&self, _state: &u8) -> Result<(), String> {
        Ok(())
    }
}

#[test]
fn work_that_ends_is_explored_whole() {
    let explored = explore(&Counter { last: 3, back_to: None });
    assert_eq!(explored, Ok(Explored { states: 4, steps: 3, at_rest: 1 }));
}

#[test]
fn work_that_never_ends_is_found() {
    let violation = explore(&Counter { last: 3, back_to: Some(2) }).unwrap_err();
    assert_eq!(violation.property, "the work in progress cannot end");
}
