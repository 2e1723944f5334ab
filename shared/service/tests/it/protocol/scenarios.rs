//! Starts of the protocol, with the requests and faults that may happen. Each is small enough to be searched whole;
//! together they cover the actors that meet. All have two readers and allow one crash.

use protocol_model::{
    protocol::{Flaw, Protocol},
    state::{Activity, Coverage, Edge, Follow, Mode, PAGES, POSTS, Page, Publish, Reader, Removal, Rule, State, TASKS},
};

/// The `since` of a promotion that ended before the start.
const PULLED_SINCE: u8 = 1;

/// The author is followed by the first reader; nothing else is going on, and nothing may happen.
fn quiet() -> State {
    let idle = Reader {
        follows: [Follow::Done, Follow::Done, Follow::Waiting],
        pages: [Page::Done; PAGES],
        removal: Removal::Done,
        ..Reader::default()
    };
    let followed = Edge { marker: 0, is_backfilling: false, is_retried: false, shown_since: 0, before: 0 };
    State {
        next_id: PULLED_SINCE + 1,
        mode: Mode::Push(0),
        story: [None; POSTS],
        publishes: [Publish::Done; POSTS],
        dormant_early: [0; POSTS],
        tasks: [None; TASKS],
        messages: [0; TASKS],
        workers: Default::default(),
        sinces: [0; TASKS - POSTS],
        promotions: 0,
        demotions: 0,
        readers: [Reader { edge: Some(followed), ..idle }, idle],
        ticks: 0,
        crashes: 1,
        repeats: 0,
    }
}

/// A start and the newest posts that a follow copies.
#[derive(Debug, Clone)]
pub struct Scenario {
    backfilled: usize,
    start: State,
}

/// The requests and faults that may happen.
impl Scenario {
    fn posts(mut self, count: usize) -> Self {
        self.start.publishes[..count].fill(Publish::Waiting);
        self
    }

    fn follows(mut self, reader: usize, count: usize) -> Self {
        self.start.readers[reader].follows[..count].fill(Follow::Waiting);
        self
    }

    fn unfollows(mut self, reader: usize, count: u8) -> Self {
        self.start.readers[reader].unfollows = count;
        self
    }

    fn removals(mut self, reader: usize) -> Self {
        self.start.readers[reader].removal = Removal::Waiting;
        self
    }

    fn pages(mut self, reader: usize, count: usize) -> Self {
        self.start.readers[reader].pages[..count].fill(Page::Waiting);
        self
    }

    fn dormant(mut self, reader: usize) -> Self {
        let reader = &mut self.start.readers[reader];
        reader.activity = Activity::Dormant;
        reader.may_seem_dormant = true;
        reader.coverage = Coverage::Complete;
        self
    }

    /// The author is promoted, and the first reader has the rule.
    fn pulled(mut self) -> Self {
        self.start.mode = Mode::Pull(PULLED_SINCE);
        self.start.readers[0].rule = Some(Rule { merge_since: PULLED_SINCE, ..Rule::default() });
        self
    }

    /// The author was demoted, and the first reader still has the rule.
    fn demoted(self) -> Self {
        let mut demoted = self.pulled();
        demoted.start.mode = Mode::Push(PULLED_SINCE);
        demoted
    }

    fn promotions(mut self, count: u8) -> Self {
        self.start.promotions = count;
        self
    }

    fn demotions(mut self, count: u8) -> Self {
        self.start.demotions = count;
        self
    }

    fn ticks(mut self, count: u8) -> Self {
        self.start.ticks = count;
        self
    }

    fn repeats(mut self, count: u8) -> Self {
        self.start.repeats = count;
        self
    }

    fn both_follow(mut self) -> Self {
        self.start.readers[1].edge = self.start.readers[0].edge;
        self
    }

    /// Each follow copies only the newest post.
    fn backfilling_one(mut self) -> Self {
        self.backfilled = 1;
        self
    }

    /// The protocol with this mistake, or without.
    pub fn with(&self, flaw: Option<Flaw>) -> Protocol {
        Protocol { backfilled: self.backfilled, flaw, start: self.start.clone() }
    }
}

fn scenario() -> Scenario {
    Scenario { backfilled: POSTS, start: quiet() }
}

/// A promotion while the second reader follows the author for the first time. The backfill copies one post.
pub fn promotion() -> Scenario {
    scenario().posts(2).promotions(1).follows(1, 1).backfilling_one()
}

/// The same with one post, and with a message received twice or a lease that expires under its worker.
pub fn redelivery() -> Scenario {
    scenario().posts(1).promotions(1).follows(1, 1).repeats(1)
}

/// A demotion while the second reader follows the author for the first time.
pub fn demotion() -> Scenario {
    scenario().pulled().posts(2).demotions(1).follows(1, 1)
}

/// A demotion and another promotion, beside a first follow.
pub fn second_promotion() -> Scenario {
    scenario().pulled().posts(1).demotions(1).promotions(1).follows(1, 1)
}

/// A promotion while a follower leaves and follows again.
pub fn refollow() -> Scenario {
    scenario().posts(2).promotions(1).unfollows(0, 1).follows(0, 1)
}

/// Two follows and an unfollow at once, with a removal of dead entries and a repeat.
pub fn concurrent_follows() -> Scenario {
    scenario().posts(1).follows(0, 2).unfollows(0, 1).removals(0).repeats(1)
}

/// A new follower of a pulled author, who leaves while the follow is unfinished, and may follow again.
pub fn short_follow() -> Scenario {
    scenario().pulled().posts(1).follows(1, 2).unfollows(1, 1).demotions(1)
}

/// A follower of a pulled author leaves and follows again, with a removal of dead entries.
pub fn pulled_refollow() -> Scenario {
    scenario().pulled().posts(2).unfollows(0, 1).follows(0, 1).demotions(1).removals(0)
}

/// A removal of dead entries or of an outdated merge rule, beside another promotion and a refollow.
pub fn removal() -> Scenario {
    scenario().demoted().posts(1).promotions(1).removals(0).unfollows(0, 1).follows(0, 1)
}

/// Two page reads of a dormant reader.
pub fn dormant_return() -> Scenario {
    scenario().both_follow().dormant(0).posts(2).pages(0, 2)
}

/// A reader becomes dormant between posts, and returns.
pub fn absence() -> Scenario {
    scenario().both_follow().posts(2).pages(0, 1).ticks(2)
}

/// A dormant reader leaves the author, follows again and returns. The backfill copies one post.
pub fn dormant_refollow() -> Scenario {
    scenario().dormant(0).posts(2).pages(0, 1).unfollows(0, 1).follows(0, 1).backfilling_one()
}

/// A dormant reader follows the author for the first time and returns. The backfill copies one post.
pub fn dormant_follow() -> Scenario {
    scenario().dormant(1).posts(2).pages(1, 1).follows(1, 1).backfilling_one()
}

/// A dormant reader returns during a promotion.
pub fn return_to_promotion() -> Scenario {
    scenario().both_follow().dormant(0).posts(2).pages(0, 1).promotions(1)
}

/// A dormant reader returns during a demotion, while the other follows the author.
pub fn return_to_demotion() -> Scenario {
    scenario().pulled().dormant(0).posts(2).pages(0, 1).demotions(1).follows(1, 1)
}
