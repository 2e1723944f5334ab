//! The protocol of the crate `protocol-model` without a flaw, from each start: every interleaving, with a crash at any
//! step. Each known flaw breaks it, and the functions that it names exist.

mod explorer;
mod flaws;
mod names;
mod scenarios;

/// One test per start. The number is a floor of its states, or a change of the model could cut off what it covers.
macro_rules! holds {
    ($($test:ident: $scenario:ident >= $states:literal,)*) => {
        $(
            #[test]
            fn $test() {
                let explored = scenarios::$scenario().with(None).search().unwrap_or_else(|violation| panic!("{violation}"));
                assert!(explored.states >= $states && explored.at_rest > 1, "{explored:?}");
            }
        )*
    };
}

holds! {
    a_promotion_loses_no_post: promotion >= 1_000_000,
    a_repeated_message_changes_nothing: redelivery >= 1_000_000,
    a_demotion_loses_no_post: demotion >= 60_000,
    a_second_promotion_loses_no_post: second_promotion >= 30_000,
    a_refollow_during_promotion_loses_no_post: refollow >= 1_000_000,
    concurrent_follows_lose_no_post: concurrent_follows >= 500_000,
    an_unfollow_ends_an_unfinished_follow: short_follow >= 10_000,
    a_refollow_of_a_pulled_author_is_complete: pulled_refollow >= 100_000,
    a_removal_takes_only_what_is_dead: removal >= 100_000,
    a_returned_reader_misses_no_post: dormant_return >= 90_000,
    an_absence_loses_no_post: absence >= 100_000,
    a_dormant_refollow_is_complete: dormant_refollow >= 1_000_000,
    a_dormant_follow_is_complete: dormant_follow >= 500_000,
    a_return_during_promotion_is_complete: return_to_promotion >= 100_000,
    a_return_during_demotion_is_complete: return_to_demotion >= 100_000,
}
