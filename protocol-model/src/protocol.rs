//! The protocol as a [`Model`], with its flaws and the contract.

use std::fmt;

use crate::{
    contract,
    explorer::{Explored, Model, Steps, Violation, explore},
    state::State,
    steps::{fan_out, follow, outbox, page, promotion, publish, removal},
};

/// A mistake that the protocol must not contain. Each is a design that lost or leaked posts in this model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// A refollow replaces the rule before it commits the edge.
    RuleBeforeEdge,
    /// A follow reads the delivery mode before it commits the edge.
    ModeBeforeEdge,
    /// A follow merges posts from its own marker on, without allowing for posts in flight.
    MergeFromMarker,
    /// A follow replaces the rule instead of adding `merge_since` to it.
    MergeReplacesRule,
    /// A pulled post is committed whatever the mode is by then.
    PublishWithoutCheck,
    /// A pulled post is committed under any promotion, not only the one that was read.
    PublishUnderAnyPromotion,
    /// Posts are pulled as soon as a promotion begins.
    PullBeforeRules,
    /// A demotion removes the merge rules.
    DemotionRemovesRules,
    /// The end of a backfill removes a rule although it merges.
    FinishRemovesMergeRule,
    /// The end of a backfill lets a rule expire although it merges.
    FinishExpiresMergeRule,
    /// An outdated merge rule is removed without a check that the author is still demoted.
    RemovalIgnoresMode,
    /// Dead entries are removed without a check that the rule is as it was read.
    RemovalIgnoresRule,
    /// A return reads the stories before it marks the reader active.
    StoriesBeforeActive,
    /// A return builds only posts older than an id taken before it marked the reader active.
    CompleteSinceBeforeActive,
    /// A rebuild shows posts that the follow's backfill left out.
    RebuildIgnoresBackfill,
    /// A fan-out delivers to follows made after its post, although the backfill may have left it out.
    FanOutToLaterFollows,
    /// Dormancy is read before the post is committed.
    DormancyBeforeStory,
    /// Dormancy is read with eventual consistency.
    EventualDormancy,
    /// A page shows a post that is both delivered and merged twice.
    DoublesAreKept,
    /// The sweeper ignores outbox entries.
    NoOutboxSweep,
    /// The sweeper ignores backfills.
    NoBackfillSweep,
}

impl Flaw {
    /// Every flaw.
    pub const ALL: [Self; 21] = [
        Self::RuleBeforeEdge,
        Self::ModeBeforeEdge,
        Self::MergeFromMarker,
        Self::MergeReplacesRule,
        Self::PublishWithoutCheck,
        Self::PublishUnderAnyPromotion,
        Self::PullBeforeRules,
        Self::DemotionRemovesRules,
        Self::FinishRemovesMergeRule,
        Self::FinishExpiresMergeRule,
        Self::RemovalIgnoresMode,
        Self::RemovalIgnoresRule,
        Self::StoriesBeforeActive,
        Self::CompleteSinceBeforeActive,
        Self::RebuildIgnoresBackfill,
        Self::FanOutToLaterFollows,
        Self::DormancyBeforeStory,
        Self::EventualDormancy,
        Self::DoublesAreKept,
        Self::NoOutboxSweep,
        Self::NoBackfillSweep,
    ];
}

/// A kind of step. The documentation of each names the function that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Stands for the strong read of the delivery mode in `PublishService::publish`.
    PublishReadsMode,
    /// Stands for `IdGenerator::next_post_id` in `PublishService::publish_once`.
    PublishTakesId,
    /// Stands for the transaction of `PublishService::record`, and `PublishService::announce`.
    PublishCommits,
    /// Begins a promotion: mode and outbox entry in one transaction, then the message.
    PromotionBegins,
    /// Demotes the author.
    Demotion,
    /// Stands for the receipt of a message, `Outbox::get` and the first `Follows::page_of_follower_ids` in
    /// `FanOutService::fan_out`.
    WorkerReceives,
    /// A second receipt of the same message.
    WorkerReceivesAgain,
    /// Stands for `FanOutService::send_jobs`, after the strong read of dormancy.
    FanOutSendsJob,
    /// Writes the merge rule of a follower.
    PromotionWritesRule,
    /// Stands for `FanOutService::step` after the jobs: `Outbox::advance` and the next page, or `Outbox::finish`. After a
    /// promotion's last page, the mode becomes pull with it.
    WorkerAdvances,
    /// Stands for `SweepService::put_back`, which takes a stalled outbox entry with `Outbox::take` and sends its message.
    SweeperPutsBack,
    /// The same under a worker that is slower than its lease.
    SweeperPutsBackEarly,
    /// Stands for `DeliveryService::deliver`.
    Delivery,
    /// A delivery whose message is redelivered later.
    DeliveryToRepeat,
    /// Stands for `IdGenerator::next_post_id` in `GraphService::follow`.
    FollowTakesMarker,
    /// Writes the rule before the edge; in a flawed design only.
    FollowWritesRule,
    /// Stands for `Follows::create`.
    FollowCommits,
    /// The strong read of the delivery mode after the edge was committed.
    FollowReadsMode,
    /// Adds `merge_since` to the rule.
    FollowSetsMergeRule,
    /// Stands for the reads of `BackfillService::deliver`.
    BackfillReadsStory,
    /// Stands for `Feeds::put_for_reader`, called by `BackfillService::deliver`.
    BackfillCopies,
    /// Stands for `Follows::finish_backfill`.
    BackfillFinishes,
    /// Stands for `BackfillService::finish_expired`, which resumes a backfill whose lease has expired.
    SweeperResumesBackfill,
    /// The same under a request that is slower than its lease.
    SweeperResumesBackfillEarly,
    /// Stands for `GraphService::unfollow`.
    Unfollow,
    /// Days pass without a page read.
    TimePasses,
    /// Stands for the strong read of the reader's partition at the start of `FeedService::page`.
    PageReadsActivity,
    /// Takes the bound of the coverage; in a flawed design only.
    PageTakesBound,
    /// Marks a returned reader active.
    PageMarksActive,
    /// The strong read of the follows in a rebuild.
    RebuildReadsFollows,
    /// The strong read of the stories in a rebuild.
    RebuildReadsStories,
    /// Puts the entries of a rebuild.
    RebuildPuts,
    /// Records the coverage of a rebuild.
    RebuildRecords,
    /// The reads that find dead entries in a page of `FeedService::page`.
    RemovalReadsEntries,
    /// Stands for `CleanUp::run`.
    RemovalRemovesEntries,
    /// The reads that find an outdated merge rule.
    RemovalReadsMergeRule,
    /// Removes an outdated merge rule.
    RemovalRemovesMergeRule,
    /// A process ends and loses what it holds; its queue message becomes visible again.
    Crash,
}

/// A step in a trace: an action, on which post, reader or outbox entry, in which of several processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Step {
    /// The kind of step.
    pub action: Action,
    /// The post, reader or outbox entry.
    pub on: u8,
    /// The process.
    pub process: u8,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, on, process } = self;
        write!(f, "{action:?} on {on} in process {process}")
    }
}

/// The protocol from a given start.
#[derive(Debug, Clone)]
pub struct Protocol {
    /// Number of newest posts that a follow copies.
    pub backfilled: usize,
    /// The mistake in it, if any.
    pub flaw: Option<Flaw>,
    /// The state before the first step, with the number of requests and faults that may happen.
    pub start: State,
}

impl Protocol {
    /// Whether the protocol has this mistake.
    pub fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// Searches every interleaving from the start.
    ///
    /// # Errors
    /// The first violation of the contract.
    pub fn search(&self) -> Result<Explored, Violation> {
        explore(self)
    }
}

impl Model for Protocol {
    type State = State;
    type Step = Step;

    fn start(&self) -> State {
        self.start.clone()
    }

    fn steps(&self, state: &State, steps: &mut Steps<State, Step>) {
        publish::add_steps(self, state, steps);
        promotion::add_steps(self, state, steps);
        outbox::add_steps(self, state, steps);
        fan_out::add_steps(state, steps);
        follow::add_steps(self, state, steps);
        page::add_steps(self, state, steps);
        removal::add_steps(self, state, steps);
    }

    fn check_always(&self, state: &State) -> Result<(), String> {
        contract::check_always(self, state)
    }

    fn check_at_rest(&self, state: &State) -> Result<(), String> {
        contract::check_at_rest(self, state)
    }
}
