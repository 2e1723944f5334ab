//! Each mistake leads to a violation: the search can fail.

use protocol_model::{explorer::Violation, protocol::Flaw};

use super::scenarios::{self, Scenario};

/// A start from which the mistake shows, and the property that it breaks.
fn expected(flaw: Flaw) -> (Scenario, &'static str) {
    const MISSES: &str = "reader 0 misses posts 0b1";
    const NEW_FOLLOWER_MISSES: &str = "reader 1 misses posts 0b1";
    const LEFT_OUT: &str = "reader 1 sees posts 0b1, which the backfill left out";
    match flaw {
        Flaw::RuleBeforeEdge => (scenarios::refollow(), "reader 0 sees posts 0b1 of an author they do not follow"),
        Flaw::MergeReplacesRule => {
            (scenarios::short_follow(), "reader 1 sees posts 0b1 of an author they do not follow")
        }
        Flaw::ModeBeforeEdge | Flaw::PublishUnderAnyPromotion => (scenarios::second_promotion(), NEW_FOLLOWER_MISSES),
        Flaw::MergeFromMarker | Flaw::PublishWithoutCheck | Flaw::PullBeforeRules | Flaw::FinishRemovesMergeRule => {
            (scenarios::demotion(), NEW_FOLLOWER_MISSES)
        }
        Flaw::FinishExpiresMergeRule => (scenarios::second_promotion(), "reader 1 has a merge rule that expires"),
        Flaw::DemotionRemovesRules => (scenarios::demotion(), MISSES),
        Flaw::RemovalIgnoresMode | Flaw::RemovalIgnoresRule => (scenarios::removal(), MISSES),
        Flaw::StoriesBeforeActive
        | Flaw::CompleteSinceBeforeActive
        | Flaw::DormancyBeforeStory
        | Flaw::EventualDormancy => (scenarios::dormant_return(), MISSES),
        Flaw::RebuildIgnoresBackfill => (scenarios::dormant_follow(), LEFT_OUT),
        Flaw::FanOutToLaterFollows => (scenarios::promotion(), LEFT_OUT),
        Flaw::DoublesAreKept => (scenarios::demotion(), "reader 0 sees posts 0b1 twice"),
        Flaw::NoOutboxSweep => (scenarios::refollow(), "the author is stuck in promotion"),
        Flaw::NoBackfillSweep => (scenarios::demotion(), "reader 1 has an unfinished backfill"),
    }
}

#[test]
fn each_flaw_breaks_the_contract() {
    for flaw in Flaw::ALL {
        let (scenario, property) = expected(flaw);
        let violation = scenario.with(Some(flaw)).search().expect_err(&format!("{flaw:?} was not found"));
        assert_eq!(violation.property, property, "{flaw:?}: {violation}");
    }
}

#[test]
fn a_trace_leads_from_start_to_violation() {
    let Err(Violation { trace, .. }) = scenarios::demotion().with(Some(Flaw::DemotionRemovesRules)).search() else {
        panic!("not found");
    };
    let actions: Vec<&str> = trace.iter().filter_map(|step| step.split(' ').next()).collect();
    assert_eq!(actions, ["PublishReadsMode", "PublishTakesId", "PublishCommits", "Demotion"]);
}
